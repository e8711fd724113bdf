//! One gate against the figures: which values it looks at, which is the worst, and whether it holds.

use super::baseline;
use super::trust::edge_name;
use crate::analysis::count;
use crate::analysis::result::{GateResult, Impact, LoadResult, Outage, Percentiles, RunResult};
use crate::plan::{Comparison, Gate, GateScope, Metric};
use std::collections::BTreeMap;

/// A figure that a gate looks at.
#[derive(Debug, Clone, PartialEq)]
struct Figure {
    /// Whose it is: a workload, or a workload after an edge.
    whose: String,
    value: Value,
}

/// What is known of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    Measured(f64),
    /// It was not reached while anybody looked: worse than any number, infinite for comparison.
    Never,
    /// There was nothing to measure it by.
    Unknown,
}

/// A figure with the limit that it is held to.
#[derive(Debug, Clone, PartialEq)]
struct Held {
    figure: Figure,
    limit: f64,
    /// What the baseline measured of it, where the limit is derived from that.
    baseline: Option<f64>,
    /// Why there is no limit to hold it to.
    missing: Option<String>,
}

/// Checks a gate. The worst of all figures in its scope counts: the highest above an upper limit, the lowest
/// below a lower one, the farthest from an exact one. What was not recovered is infinitely long. A scope with
/// no figure at all, or with one that there was nothing to measure (or no baseline to hold it to), is not judged.
#[must_use]
pub fn check(gate: &Gate, result: &RunResult) -> GateResult {
    let figures = figures(gate, result).into_iter();
    let figures: Vec<_> = figures.map(|figure| held(gate, figure)).collect();
    let badness = |held: &Held| match (held.figure.value, gate.comparison) {
        // Whatever fails the gate comes first; then what cannot be judged, so that it is not passed over.
        (Value::Unknown, _) => f64::NEG_INFINITY,
        (value, Comparison::AtMost | Comparison::Below) => number(value) - held.limit,
        (value, Comparison::AtLeast | Comparison::Above) => held.limit - number(value),
        (value, Comparison::Equal) => (number(value) - held.limit).abs(),
    };
    let holds = |h: &Held| gate.comparison.holds(number(h.figure.value), h.limit);
    let worst = figures
        .iter()
        .max_by(|a, b| badness(a).total_cmp(&badness(b)));
    let unknown = figures.iter().find(|h| h.figure.value == Value::Unknown);
    let worst = match (worst, unknown) {
        (Some(w), _) if w.figure.value != Value::Unknown && !holds(w) => Some(w),
        (worst, unknown) => unknown.or(worst),
    };
    let value = worst.map(|h| h.figure.value);
    let judged = value.is_some_and(|v| v != Value::Unknown);
    let limit = worst.map_or(gate.limit, |h| h.limit);
    GateResult {
        name: name(gate),
        limit: limit_words(gate, limit, judged),
        measured: value.and_then(|v| {
            if let Value::Measured(m) = v {
                Some(m)
            } else {
                None
            }
        }),
        passed: judged && worst.is_some_and(holds),
        judged,
        metric: gate.metric,
        comparison: gate.comparison,
        limit_value: limit,
        scope: gate.scope.clone(),
        worst: worst.map(|h| h.figure.whose.clone()),
        note: worst
            .and_then(|h| h.missing.clone())
            .or_else(|| note(gate.metric, value)),
        baseline: worst.and_then(|h| h.baseline),
    }
}

/// The limit as written, and what it comes to where it is derived from a baseline.
fn limit_words(gate: &Gate, limit: f64, judged: bool) -> String {
    if gate.relative.is_some() && judged {
        format!("{} ({})", gate.written, written(gate.metric, limit))
    } else {
        gate.written.clone()
    }
}

/// The limit that a figure is held to. One without a limit cannot be judged.
fn held(gate: &Gate, figure: Figure) -> Held {
    let found = match &gate.relative {
        None => Ok((gate.limit, None)),
        Some(relative) => baseline::limit(relative, &figure.whose).map(|(l, b)| (l, Some(b))),
    };
    match found {
        Ok((limit, baseline)) => Held {
            figure,
            limit,
            baseline,
            missing: None,
        },
        Err(why) => Held {
            figure: Figure {
                value: Value::Unknown,
                ..figure
            },
            limit: 0.0,
            baseline: None,
            missing: Some(why),
        },
    }
}

/// What was measured of the figures that a gate looks at, by whose they are; what never came is not among them.
pub(super) fn measured(gate: &Gate, result: &RunResult) -> BTreeMap<String, f64> {
    let figures = figures(gate, result).into_iter();
    let measured = figures.filter_map(|f| match f.value {
        Value::Measured(value) => Some((f.whose, value)),
        Value::Never | Value::Unknown => None,
    });
    measured.collect()
}

fn number(value: Value) -> f64 {
    match value {
        Value::Measured(m) => m,
        Value::Never => f64::INFINITY,
        Value::Unknown => f64::NAN,
    }
}

fn note(metric: Metric, value: Option<Value>) -> Option<String> {
    let words = match (value?, metric) {
        (Value::Measured(_), _) => return None,
        (Value::Never, Metric::Outage) => "an outage had not ended when the load did",
        (
            Value::Never,
            Metric::P50 | Metric::P90 | Metric::P99 | Metric::P999 | Metric::MaxLatency,
        ) => "no operation was done well",
        (Value::Never, _) => "did not recover within its window",
        (Value::Unknown, Metric::TimeToRecoverPerformance) => {
            "there is no steady p99 to compare with"
        }
        (Value::Unknown, _) => "nothing was measured",
    };
    Some(words.to_owned())
}

fn name(gate: &Gate) -> String {
    match &gate.scope {
        GateScope::Run => gate.metric.key().to_owned(),
        GateScope::Load(of) | GateScope::Fault(of) => format!("{of}: {}", gate.metric.key()),
    }
}

fn figures(gate: &Gate, result: &RunResult) -> Vec<Figure> {
    match &gate.scope {
        GateScope::Run => of_loads(gate.metric, result, |_| true),
        GateScope::Load(name) => of_loads(gate.metric, result, |load| load == name),
        GateScope::Fault(entry) => of_fault(gate.metric, result, entry),
    }
}

fn of_loads(metric: Metric, result: &RunResult, wanted: impl Fn(&str) -> bool) -> Vec<Figure> {
    if matches!(
        metric,
        Metric::TimeToRecover | Metric::TimeToRecoverPerformance
    ) {
        let impacts = result.impacts.iter().filter(|i| wanted(&i.load) && said(i));
        return impacts.map(|i| of_impact(metric, i, result)).collect();
    }
    let loads = result.loads.iter().filter(|l| wanted(&l.name));
    let figure = |load: &LoadResult| {
        let outages = result.outages.iter().filter(|o| o.load == load.name);
        Figure {
            whose: load.name.clone(),
            value: of_load(metric, load, outages, result.end.measured_a_second()),
        }
    };
    loads.map(figure).collect()
}

fn of_load<'a>(
    metric: Metric,
    load: &LoadResult,
    outages: impl Iterator<Item = &'a Outage>,
    measured_a_second: bool,
) -> Value {
    if load.requests == 0 {
        return Value::Unknown;
    }
    match metric {
        Metric::ErrorRate => Value::Measured(load.error_rate),
        Metric::Bad => Value::Measured(count(
            load.failed
                .saturating_add(load.unknown)
                .saturating_add(load.dropped),
        )),
        Metric::Unknown => Value::Measured(count(load.unknown)),
        Metric::Dropped => Value::Measured(count(load.dropped)),
        Metric::P50 | Metric::P90 | Metric::P99 | Metric::P999 | Metric::MaxLatency => {
            match load.latency_ms {
                None if !measured_a_second => Value::Unknown,
                latencies => latency(metric, latencies),
            }
        }
        Metric::Throughput => Value::Measured(load.throughput),
        Metric::Outage => longest(outages),
        Metric::TimeToRecover | Metric::TimeToRecoverPerformance => Value::Unknown,
    }
}

fn of_fault(metric: Metric, result: &RunResult, entry: &str) -> Vec<Figure> {
    let impacts = result
        .impacts
        .iter()
        .filter(|i| i.entry == entry)
        .filter(|i| said(i));
    if metric != Metric::Outage {
        return impacts.map(|i| of_impact(metric, i, result)).collect();
    }
    let mut loads: Vec<_> = impacts.map(|i| &i.load).collect();
    loads.sort();
    loads.dedup();
    let names: Vec<_> = result
        .faults
        .iter()
        .filter(|f| f.entry == entry)
        .map(|f| f.name.as_str())
        .collect();
    let follows = |o: &&Outage| o.fault.as_deref().is_some_and(|f| names.contains(&f));
    let of_load = |load: &&String| {
        longest(
            result
                .outages
                .iter()
                .filter(follows)
                .filter(|o| o.load == **load),
        )
    };
    loads
        .iter()
        .map(|load| Figure {
            whose: (*load).clone(),
            value: of_load(load),
        })
        .collect()
}

/// A window too short for any operation (two faults in quick succession, a slow workload) has nothing to say.
fn said(impact: &Impact) -> bool {
    impact.requests > 0 || !impact.recovered
}

fn of_impact(metric: Metric, impact: &Impact, result: &RunResult) -> Figure {
    let never = |value: Option<f64>| value.map_or(Value::Never, Value::Measured);
    let counted = |value: f64| {
        if impact.requests == 0 {
            Value::Unknown
        } else {
            Value::Measured(value)
        }
    };
    let limited =
        |load: &LoadResult| load.name == impact.load && load.baseline.p99_limit_ms.is_some();
    let value = match metric {
        Metric::ErrorRate => counted(impact.error_rate),
        Metric::Bad => counted(count(impact.bad)),
        Metric::Unknown => counted(count(impact.unknown)),
        Metric::Dropped => counted(count(impact.dropped)),
        Metric::P50 | Metric::P90 | Metric::P99 | Metric::P999 | Metric::MaxLatency => {
            match (
                impact.latency_ms,
                impact.requests == impact.bad && impact.requests > 0,
            ) {
                (None, false) => Value::Unknown,
                (latencies, _) => latency(metric, latencies),
            }
        }
        Metric::Throughput => {
            counted(count(impact.requests.saturating_sub(impact.bad)) / (impact.window_ms / 1e3))
        }
        Metric::TimeToRecover => never(impact.time_to_recover_ms),
        Metric::TimeToRecoverPerformance if !result.loads.iter().any(limited) => Value::Unknown,
        Metric::TimeToRecoverPerformance => never(impact.time_to_recover_performance_ms),
        Metric::Outage => Value::Unknown,
    };
    Figure {
        whose: format!(
            "{} after {} ({})",
            impact.load,
            impact.fault,
            edge_name(impact.edge)
        ),
        value,
    }
}

fn latency(metric: Metric, latencies: Option<Percentiles>) -> Value {
    let Some(p) = latencies else {
        return Value::Never;
    };
    Value::Measured(match metric {
        Metric::P50 => p.p50,
        Metric::P90 => p.p90,
        Metric::P99 => p.p99,
        Metric::P999 => p.p999,
        _ => p.max,
    })
}

fn longest<'a>(outages: impl Iterator<Item = &'a Outage>) -> Value {
    let mut longest = 0.0_f64;
    for outage in outages {
        let Some(duration) = outage.duration_ms else {
            return Value::Never;
        };
        longest = longest.max(duration);
    }
    Value::Measured(longest)
}

/// A value in its metric's unit, for people.
#[must_use]
pub fn written(metric: Metric, value: f64) -> String {
    match metric {
        Metric::ErrorRate => format!("{} %", trimmed(value * 100.0)),
        Metric::Bad | Metric::Unknown | Metric::Dropped => format!("{value:.0}"),
        Metric::Throughput => format!("{}/s", trimmed(value)),
        Metric::P50 | Metric::P90 | Metric::P99 | Metric::P999 | Metric::MaxLatency => {
            duration(value)
        }
        Metric::TimeToRecover | Metric::TimeToRecoverPerformance | Metric::Outage => {
            duration(value)
        }
    }
}

/// Milliseconds for people: `0 s`, `4.2 ms`, `213 ms`, `3.214 s`.
#[must_use]
pub fn duration(ms: f64) -> String {
    if ms == 0.0 {
        "0 s".to_owned()
    } else if ms < 1000.0 {
        format!("{} ms", trimmed(ms))
    } else {
        format!("{:.3} s", ms / 1e3)
    }
}

/// About three significant digits, without trailing zeros: `0.0456`, `4.12`, `66.7`, `213`.
fn trimmed(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        v if v >= 0.1 => 3,
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}
