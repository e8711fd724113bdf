//! A result as one long table: one value a row, for notebooks. CSV and NDJSON are two spellings of it.
//!
//! | record | a row is | `time_ms` | `metric`, `label` |
//! | --- | --- | --- | --- |
//! | `run` | a fact of the run | start of the measured window | `verdict`, `started_at`, …; the value is in `text` |
//! | `figure` | a figure of a workload, or of a workload after an edge | the edge, or the start of the measured window | a gate's metric; `label` is the edge: `slave 1 stops (inject)` |
//! | `gate` | a gate | start of the measured window | its metric; `label` is its name, `text` how it came out |
//! | `series` | an interval of a workload | its begin | `requests`, `bad`, `errors` (`label`: class), `instance` (`label`: name), `p50` … `max` |
//! | `slot` | 100 ms of a workload, from a history only | its begin | `ok`, `failed`, `unknown` (`label`: class), `instance`, `instance_bad` (`label`: name) |
//! | `metric` | what an observer measured | when | its name; `source` measured it of `subject` |
//! | `fault` | an edge of a fault | when | `injected`, `healed` |
//! | `outage` | an outage | its begin | `duration`, `bad`; `label` is the fault before it |
//! | `event` | something that was seen | when | what it was, in `text` |
//! | `operation` | a single operation | its intended time | `latency`; `label` is its outcome |

use super::sentence;
use crate::analysis::result::{LoadResult, RunResult};
use crate::analysis::{count, load};
use crate::compare::figure::{Figure, figures};
use crate::history::{History, Slot, slot::SLOT};
use crate::plan::Metric;
use crate::verdict::trust::edge_name;
use serde::Serialize;

/// One value.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Row {
    /// What kind of row it is.
    pub record: &'static str,
    /// From the clock's zero.
    pub time_ms: f64,
    /// Length of the interval; none of a moment.
    pub length_ms: Option<f64>,
    /// Who measured: `lbtest`, or an observer.
    pub source: String,
    /// Whose: a workload, a fault, a service.
    pub subject: String,
    /// What.
    pub metric: String,
    /// Which of several: a class, an instance, an edge.
    pub label: String,
    /// How much; none where there was nothing to measure, and of what did not come (no recovery).
    pub value: Option<f64>,
    /// Unit of the value: `count`, `ms`, `ratio`, `per_second`, and those of observers.
    pub unit: String,
    /// What is no number.
    pub text: String,
}

/// The names of the columns, in their order.
pub const COLUMNS: [&str; 10] = [
    "record",
    "time_ms",
    "length_ms",
    "source",
    "subject",
    "metric",
    "label",
    "value",
    "unit",
    "text",
];

const OURS: &str = "lbtest";

/// Every row of a result; with its history also those of the slots.
#[must_use]
pub fn rows(result: &RunResult, history: Option<&History>) -> Vec<Row> {
    let mut rows = of_run(result);
    rows.extend(figures(result).into_iter().map(|f| of_figure(&f, result)));
    rows.extend(gates(result));
    result.loads.iter().for_each(|l| series(l, &mut rows));
    if let Some(history) = history {
        slots(history, &mut rows);
    }
    metrics(result, &mut rows);
    rows.extend(moments(result));
    rows
}

fn of_run(result: &RunResult) -> Vec<Row> {
    let facts = [
        ("scenario", result.scenario.name.clone()),
        ("run", result.run.clone()),
        ("started_at", result.started_at.to_string()),
        ("verdict", sentence::verdict(result.verdict).to_lowercase()),
        ("end", result.end.reason.clone()),
        ("lbtest_version", result.lbtest_version.clone()),
        ("seed", result.scenario.seed.to_string()),
    ];
    let row = |(metric, text): (&str, String)| Row {
        record: "run",
        time_ms: result.end.measured_from_ms,
        source: OURS.to_owned(),
        metric: metric.to_owned(),
        text,
        ..Row::default()
    };
    facts.into_iter().map(row).collect()
}

/// The unit of a metric.
#[must_use]
pub fn unit(metric: Metric) -> &'static str {
    match metric {
        Metric::ErrorRate => "ratio",
        Metric::Bad | Metric::Unknown | Metric::Dropped => "count",
        Metric::Throughput => "per_second",
        Metric::P50
        | Metric::P90
        | Metric::P99
        | Metric::P999
        | Metric::MaxLatency
        | Metric::TimeToRecover
        | Metric::TimeToRecoverPerformance
        | Metric::Outage => "ms",
    }
}

fn of_figure(figure: &Figure, result: &RunResult) -> Row {
    let after = figure.key.after.as_ref();
    let of_edge = |i: &&crate::analysis::result::Impact| {
        after.is_some_and(|a| a.fault == i.fault && a.edge == i.edge)
    };
    let edge = result.impacts.iter().find(of_edge);
    Row {
        record: "figure",
        time_ms: edge.map_or(result.end.measured_from_ms, |i| i.edge_at_ms),
        source: OURS.to_owned(),
        subject: figure.key.load.clone(),
        metric: figure.key.metric.key().to_owned(),
        label: after.map_or_else(String::new, |a| {
            format!("{} ({})", a.fault, edge_name(a.edge))
        }),
        value: Some(figure.value).filter(|v| v.is_finite()),
        unit: unit(figure.key.metric).to_owned(),
        ..Row::default()
    }
}

fn gates(result: &RunResult) -> impl Iterator<Item = Row> {
    result.gates.iter().map(|gate| {
        let [_, limit, _, outcome] = sentence::gate_row(gate);
        Row {
            record: "gate",
            time_ms: result.end.measured_from_ms,
            source: OURS.to_owned(),
            subject: gate.worst.clone().unwrap_or_default(),
            metric: gate.metric.key().to_owned(),
            label: gate.name.clone(),
            value: gate.measured,
            unit: unit(gate.metric).to_owned(),
            text: format!("{} {limit}", outcome.to_lowercase()),
            ..Row::default()
        }
    })
}

fn series(load: &LoadResult, rows: &mut Vec<Row>) {
    let series = &load.series;
    let width = series.interval_ms;
    let mut push = |index: usize, metric: &str, label: &str, value: Option<f64>, unit: &str| {
        rows.push(Row {
            record: "series",
            time_ms: width * count(u64::try_from(index).unwrap_or(u64::MAX)),
            length_ms: Some(width),
            source: OURS.to_owned(),
            subject: load.name.clone(),
            metric: metric.to_owned(),
            label: label.to_owned(),
            value,
            unit: unit.to_owned(),
            ..Row::default()
        });
    };
    for index in 0..series.requests.len() {
        let at = |values: &[u64]| values.get(index).copied().map(count);
        push(index, "requests", "", at(&series.requests), "count");
        push(index, "bad", "", at(&series.bad), "count");
        for (class, values) in &series.errors {
            let n = at(values);
            if n.is_some_and(|n| n > 0.0) {
                push(index, "errors", class, n, "count");
            }
        }
        for (name, values) in &series.instances {
            push(index, "instance", name, at(values), "count");
        }
        for (metric, values) in [
            ("p50", &series.p50_ms),
            ("p90", &series.p90_ms),
            ("p99", &series.p99_ms),
            ("p999", &series.p999_ms),
            ("max", &series.max_ms),
        ] {
            if let Some(value) = values.get(index) {
                push(index, metric, "", *value, "ms");
            }
        }
    }
}

/// The slots of 100 ms, as they were recorded.
fn slots(history: &History, rows: &mut Vec<Row>) {
    for (plan, load) in history.head.plan.loads.iter().zip(&history.loads) {
        for (index, slot) in &load.slots {
            let mut push = |metric: &str, label: String, n: u64| {
                rows.push(Row {
                    record: "slot",
                    time_ms: Slot::start_of(*index).as_millis_f64(),
                    length_ms: Some(crate::clock::millis(SLOT)),
                    source: OURS.to_owned(),
                    subject: plan.name.clone(),
                    metric: metric.to_owned(),
                    label,
                    value: Some(count(n)),
                    unit: "count".to_owned(),
                    ..Row::default()
                });
            };
            push("ok", String::new(), slot.ok);
            for (metric, classes) in [("failed", &slot.failed), ("unknown", &slot.unknown)] {
                classes
                    .iter()
                    .for_each(|(class, n)| push(metric, class.to_string(), *n));
            }
            for (id, (all, bad)) in &slot.instances {
                let name = load::instance_name(load, id.0);
                push("instance", name.clone(), *all);
                if *bad > 0 {
                    push("instance_bad", name, *bad);
                }
            }
        }
    }
}

fn metrics(result: &RunResult, rows: &mut Vec<Row>) {
    for series in &result.metrics {
        let points = series.at_ms.iter().zip(&series.values);
        rows.extend(points.map(|(at, value)| Row {
            record: "metric",
            time_ms: *at,
            source: series.source.clone(),
            subject: series.subject.clone(),
            metric: series.metric.clone(),
            value: *value,
            unit: series.unit.clone(),
            ..Row::default()
        }));
    }
}

/// What happened at a moment: edges, outages, events, single operations.
fn moments(result: &RunResult) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut push = |record,
                    at: f64,
                    subject: &str,
                    metric: &str,
                    label: &str,
                    value: Option<f64>,
                    unit: &str| {
        rows.push(Row {
            record,
            time_ms: at,
            source: OURS.to_owned(),
            subject: subject.to_owned(),
            metric: metric.to_owned(),
            label: label.to_owned(),
            value,
            unit: unit.to_owned(),
            ..Row::default()
        });
    };
    for fault in &result.faults {
        let edges = [
            ("injected", fault.injected_at_ms),
            ("healed", fault.healed_at_ms),
        ];
        for (metric, at) in edges {
            if let Some(at) = at {
                push("fault", at, &fault.name, metric, &fault.kind, None, "");
            }
        }
    }
    for outage in &result.outages {
        let fault = outage.fault.as_deref().unwrap_or_default();
        let at = outage.start_ms;
        push(
            "outage",
            at,
            &outage.load,
            "duration",
            fault,
            outage.duration_ms,
            "ms",
        );
        push(
            "outage",
            at,
            &outage.load,
            "bad",
            fault,
            Some(count(outage.bad)),
            "count",
        );
    }
    for sample in &result.samples {
        let latency = Some(sample.latency_ms);
        push(
            "operation",
            sample.at_ms,
            &sample.load,
            "latency",
            &sample.outcome,
            latency,
            "ms",
        );
    }
    rows.extend(result.events.iter().map(|event| Row {
        record: "event",
        time_ms: event.at_ms,
        source: event.source.clone(),
        subject: event.subject.clone(),
        text: event.what.clone(),
        ..Row::default()
    }));
    rows
}
