//! Gates: limits on figures, for the run, a workload or a fault. A gate on nothing is a mistake, not a pass.

use super::at::At;
use super::check::Check;
use super::file::{FaultTable, GateTable, LimitText, LoadTable};
use super::{quantity, relative};
use crate::plan::{Comparison, Gate, GateScope, Metric, Relative};

/// Reads a limit: how it is compared, the value in the metric's unit, and the text to show.
pub fn limit_of(
    check: &mut Check<'_>,
    metric: Metric,
    text: &At<LimitText>,
) -> Option<(Comparison, f64, String)> {
    let key = metric.key();
    let bare = match &text.value {
        LimitText::Text(written) => {
            return match quantity::limit(metric, written) {
                Ok((comparison, value)) => Some((comparison, value, written.trim().to_owned())),
                Err(e) => {
                    check.wrong(&text.span, e.message, e.help);
                    None
                }
            };
        }
        LimitText::Integer(0) if metric != Metric::Throughput => {
            return Some((Comparison::AtMost, 0.0, "<= 0".to_owned()));
        }
        LimitText::Integer(n) => n.to_string(),
        LimitText::Float(n) => n.to_string(),
    };
    let help = format!(
        "write a comparison and a unit, as a text: {}",
        quantity::example(metric)
    );
    check.wrong(
        &text.span,
        format!("`{key} = {bare}` does not say whether that is a highest or a lowest value"),
        help,
    );
    None
}

/// All gates of a scenario.
pub fn read(
    check: &mut Check<'_>,
    run: Option<&At<GateTable>>,
    loads: &[At<LoadTable>],
    faults: &[At<FaultTable>],
    observe: bool,
) -> Vec<Gate> {
    let any_open = loads.iter().any(|l| l.users.is_none());
    let mut gates = Vec::new();
    if let Some(table) = run {
        let place = Place {
            scope: GateScope::Run,
            open: any_open,
            faults: !faults.is_empty(),
            what: "the run",
        };
        gates.extend(table_of(check, table, &place, observe));
    }
    for load in loads {
        let Some(table) = &load.gate else { continue };
        let scope = GateScope::Load(load.name.value.clone());
        let place = Place {
            scope,
            open: load.users.is_none(),
            faults: !faults.is_empty(),
            what: "this workload",
        };
        gates.extend(table_of(check, table, &place, observe));
    }
    for fault in faults {
        let Some(table) = &fault.gate else { continue };
        let scope = GateScope::Fault(fault.name.value.clone());
        let place = Place {
            scope,
            open: any_open,
            faults: true,
            what: "this fault",
        };
        gates.extend(table_of(check, table, &place, observe));
    }
    gates
}

struct Place {
    scope: GateScope,
    open: bool,
    faults: bool,
    what: &'static str,
}

fn table_of(
    check: &mut Check<'_>,
    table: &At<GateTable>,
    place: &Place,
    observe: bool,
) -> Vec<Gate> {
    let limits = table.limits();
    if limits.is_empty() && !observe {
        check.wrong(
            &table.span,
            "this gate limits nothing",
            "set a limit, for example error_rate = \"<= 0.5%\", or say observe = true in [run]",
        );
    }
    let mut gates = Vec::new();
    for (metric, text) in limits {
        if let Some(why) = nothing(metric, place) {
            check.wrong(
                &text.span,
                format!("a gate on nothing: `{}` {why}", metric.key()),
                "remove it, or put it where the figure exists",
            );
            continue;
        }
        let limit = match &text.value {
            LimitText::Text(written) if relative::is_relative(written) => {
                from_baseline(check, metric, text, written)
            }
            LimitText::Text(_) | LimitText::Integer(_) | LimitText::Float(_) => {
                limit_of(check, metric, text).map(|(c, limit, written)| (c, limit, written, None))
            }
        };
        if let Some((comparison, limit, written, relative)) = limit {
            gates.push(Gate {
                metric,
                comparison,
                limit,
                written,
                scope: place.scope.clone(),
                relative,
            });
        }
    }
    gates
}

/// A limit that is derived from a baseline; what it comes to is known once there is one.
fn from_baseline(
    check: &mut Check<'_>,
    metric: Metric,
    text: &At<LimitText>,
    written: &str,
) -> Option<(Comparison, f64, String, Option<Relative>)> {
    match relative::relative(metric, written) {
        Ok((comparison, relative)) => {
            Some((comparison, 0.0, written.trim().to_owned(), Some(relative)))
        }
        Err(e) => {
            check.wrong(&text.span, e.message, e.help);
            None
        }
    }
}

/// Why a metric has no figure at a place.
fn nothing(metric: Metric, place: &Place) -> Option<String> {
    match metric {
        Metric::TimeToRecover | Metric::TimeToRecoverPerformance if !place.faults => {
            Some("is measured from a fault, and the scenario has none".to_owned())
        }
        Metric::Dropped if !place.open => Some(format!(
            "counts arrivals of an open loop, and {} has none",
            place.what
        )),
        Metric::P50
        | Metric::P90
        | Metric::P99
        | Metric::P999
        | Metric::MaxLatency
        | Metric::Throughput
        | Metric::Outage
            if matches!(place.scope, GateScope::Fault(_)) =>
        {
            Some("is measured for a workload, not for a fault".to_owned())
        }
        Metric::ErrorRate
        | Metric::Bad
        | Metric::Unknown
        | Metric::Dropped
        | Metric::P50
        | Metric::P90
        | Metric::P99
        | Metric::P999
        | Metric::MaxLatency
        | Metric::Throughput
        | Metric::TimeToRecover
        | Metric::TimeToRecoverPerformance
        | Metric::Outage => None,
    }
}
