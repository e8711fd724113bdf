//! The tables and lists of the page.

use super::table::{Column, Table};
use crate::analysis::result::{EdgeKind, FaultResult, Impact, LoadResult, Percentiles, RunResult};
use crate::report::text::{grouped, per_second, percent, seconds};
use crate::report::{noticed, sentence};
use crate::verdict::gate::duration;
use crate::verdict::trust::edge_name;
use serde::Serialize;

/// Rows of a list; the rest is in run.json.
const LISTED: usize = 200;
/// Rows of what one fault cost: both edges, on each workload.
const IMPACTS: usize = 60;
/// Faults with a section of their own.
const FAULTS: usize = 60;

/// What is said of one fault.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// Its name.
    pub name: String,
    /// `done`, `doubtful` or `absent`.
    pub state: &'static str,
    /// Name and value.
    pub facts: Vec<(&'static str, String)>,
    /// What was seen or went wrong.
    pub notes: Vec<String>,
    /// Both edges, on each workload.
    pub impacts: Table,
}

fn optional(ms: Option<f64>) -> String {
    ms.map_or_else(|| "–".to_owned(), duration)
}

/// A moment with its uncertainty: `12.000 s (±5 ms)`.
fn moment(at: f64, uncertainty: Option<f64>) -> String {
    let doubt = uncertainty.filter(|ms| *ms > 0.0);
    let doubt = doubt
        .map(|ms| format!(" (±{})", duration(ms)))
        .unwrap_or_default();
    format!("{}{doubt}", seconds(at))
}

/// The workloads.
pub fn loads(result: &RunResult) -> Table {
    let mut columns = vec![Column::text("workload"), Column::text("arrivals")];
    let figures = [
        "requests",
        "bad",
        "error rate",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "p99 from send",
        "achieved",
        "good",
        "longest gap",
    ];
    columns.extend(figures.map(Column::number));
    let mut table = Table::new("Workloads in the measured window", columns);
    for load in &result.loads {
        let bad = load.requests.saturating_sub(load.ok);
        table.marked(if bad > 0 { "failed" } else { "" }, load_cells(load, bad));
    }
    table.up_to(LISTED)
}

fn load_cells(load: &LoadResult, bad: u64) -> Vec<String> {
    let latency = |pick: fn(&Percentiles) -> f64| optional(load.latency_ms.as_ref().map(pick));
    vec![
        load.name.clone(),
        load.arrivals.clone(),
        grouped(load.requests),
        grouped(bad),
        percent(load.error_rate),
        latency(|p| p.p50),
        latency(|p| p.p90),
        latency(|p| p.p99),
        latency(|p| p.p999),
        latency(|p| p.max),
        optional(load.service_time_ms.map(|p| p.p99)),
        per_second(load.achieved_rate),
        per_second(load.throughput),
        optional(load.longest_gap_ms),
    ]
}

/// What is not a figure of the workloads: where they went, how they erred, who answered.
pub fn about_loads(result: &RunResult) -> Vec<(String, Vec<String>)> {
    let about = |load: &LoadResult| {
        let mut lines = vec![format!("{} to {}", load.kind, load.target)];
        if !load.errors.is_empty() {
            lines.push(format!("bad by class: {}", sentence::errors(&load.errors)));
        }
        if load.unknown > 0 || load.dropped > 0 {
            let (unknown, dropped) = (grouped(load.unknown), grouped(load.dropped));
            lines.push(format!(
                "of these {unknown} unknown (writes that may have happened), {dropped} dropped"
            ));
        }
        lines.extend(sentence::shares(load));
        let b = &load.baseline;
        let holds = if b.holds { "holds" } else { "does NOT hold" };
        lines.push(format!(
            "steady state {} to {}: {} of {} requests bad ({}, at most {}): {holds}",
            seconds(b.from_ms),
            seconds(b.to_ms),
            grouped(b.bad),
            grouped(b.requests),
            percent(b.error_rate),
            percent(b.max_error_rate)
        ));
        (load.name.clone(), lines)
    };
    result.loads.iter().take(LISTED).map(about).collect()
}

/// The faults, one by one; and how many were left out.
pub fn faults(result: &RunResult) -> (Vec<Fault>, usize) {
    let shown = result.faults.iter().take(FAULTS);
    let shown = shown.map(|fault| Fault {
        name: fault.name.clone(),
        state: match (fault.injected_at_ms, fault.confirmed) {
            (None, _) => "absent",
            (Some(_), Some(false)) => "doubtful",
            (Some(_), Some(true) | None) => "done",
        },
        facts: facts(fault),
        notes: fault.notes.iter().take(LISTED).cloned().collect(),
        impacts: impacts(result, fault),
    });
    (shown.collect(), result.faults.len().saturating_sub(FAULTS))
}

fn facts(fault: &FaultResult) -> Vec<(&'static str, String)> {
    let yes = |seen: bool| if seen { "yes" } else { "NO" }.to_owned();
    let all = [
        ("kind", Some(fault.kind.clone())),
        (
            "targets",
            Some(fault.targets.join(", ")).filter(|t| !t.is_empty()),
        ),
        ("mechanism", fault.mechanism.clone()),
        ("planned", Some(seconds(fault.inject_at_ms))),
        (
            "took effect",
            Some(fault.injected_at_ms.map_or_else(
                || "did not take place".to_owned(),
                |at| moment(at, fault.inject_uncertainty_ms),
            )),
        ),
        (
            "from the call to the effect",
            fault.inject_latency_ms.map(duration),
        ),
        ("confirmed", fault.confirmed.map(yes)),
        ("heal planned", fault.heal_at_ms.map(seconds)),
        (
            "healed",
            fault
                .healed_at_ms
                .map(|at| moment(at, fault.heal_uncertainty_ms)),
        ),
        ("heal confirmed", fault.heal_confirmed.map(yes)),
        ("lasted until its heal", fault.lasted.map(yes)),
    ];
    all.into_iter()
        .filter_map(|(name, value)| value.map(|v| (name, v)))
        .collect()
}

fn impacts(result: &RunResult, fault: &FaultResult) -> Table {
    let mut columns = vec![Column::text("edge"), Column::text("workload")];
    columns.extend(["requests", "bad"].map(Column::number));
    columns.push(Column::text("classes"));
    columns.extend(
        [
            "first bad",
            "last bad",
            "time to recover",
            "performance",
            "p99",
            "under way",
        ]
        .map(Column::number),
    );
    let mut table = Table::new(format!("What {} cost", fault.name), columns);
    for impact in result.impacts.iter().filter(|i| i.fault == fault.name) {
        let mark = match (impact.bad, impact.recovered) {
            (0, _) => "",
            (_, true) => "open",
            (_, false) => "failed",
        };
        table.marked(mark, impact_cells(impact));
    }
    table.up_to(IMPACTS)
}

fn impact_cells(impact: &Impact) -> Vec<String> {
    let resolution = impact
        .resolution_ms
        .map(|ms| format!(" ±{}", duration(ms)))
        .unwrap_or_default();
    let recovery = match (impact.requests, impact.bad, impact.time_to_recover_ms) {
        (0, _, _) => "no request".to_owned(),
        (_, 0, Some(_)) => "0 s".to_owned(),
        (_, _, Some(ms)) => format!("{}{resolution}", duration(ms)),
        (_, _, None) => format!("NOT within {}", seconds(impact.window_ms)),
    };
    let performance = impact.time_to_recover_performance_ms;
    vec![
        edge_name(impact.edge).to_owned(),
        impact.load.clone(),
        grouped(impact.requests),
        grouped(impact.bad),
        if impact.errors.is_empty() {
            "–".to_owned()
        } else {
            sentence::errors(&impact.errors)
        },
        optional(impact.first_bad_ms),
        optional(impact.last_bad_ms),
        recovery,
        optional(performance),
        optional(impact.latency_ms.map(|p| p.p99)),
        grouped(impact.bad_under_way),
    ]
}

/// The gates.
pub fn gates(result: &RunResult) -> Table {
    let columns = vec![
        Column::text("gate"),
        Column::text("limit"),
        Column::text("measured"),
        Column::text("result"),
    ];
    let mut table = Table::new("Gates", columns);
    for gate in &result.gates {
        let mark = match (gate.judged, gate.passed) {
            (false, _) => "open",
            (true, true) => "passed",
            (true, false) => "failed",
        };
        table.marked(mark, sentence::gate_row(gate).to_vec());
    }
    table.up_to(LISTED)
}

/// The outages.
pub fn outages(result: &RunResult) -> Table {
    let mut columns = vec![Column::text("workload")];
    columns.extend(["from", "to", "length", "±", "bad"].map(Column::number));
    columns.push(Column::text("after"));
    let mut table = Table::new("Outages", columns);
    for outage in &result.outages {
        table.marked(
            "failed",
            vec![
                outage.load.clone(),
                seconds(outage.start_ms),
                outage
                    .end_ms
                    .map_or_else(|| "end of the load".to_owned(), seconds),
                optional(outage.duration_ms),
                duration(outage.resolution_ms),
                grouped(outage.bad),
                outage
                    .fault
                    .clone()
                    .unwrap_or_else(|| "no fault before it".to_owned()),
            ],
        );
    }
    table.up_to(LISTED)
}

/// Single operations.
pub fn samples(result: &RunResult) -> Table {
    let columns = vec![
        Column::number("at"),
        Column::text("workload"),
        Column::text("outcome"),
        Column::number("latency"),
        Column::text("instance"),
        Column::text("trace"),
    ];
    let mut table = Table::new("Single operations", columns);
    for sample in &result.samples {
        let mark = if sample.outcome == "ok" { "" } else { "failed" };
        table.marked(
            mark,
            vec![
                seconds(sample.at_ms),
                sample.load.clone(),
                sample.outcome.clone(),
                duration(sample.latency_ms),
                sample.instance.clone().unwrap_or_else(|| "–".to_owned()),
                sample.trace_id.clone().unwrap_or_else(|| "–".to_owned()),
            ],
        );
    }
    table.up_to(LISTED)
}

/// What was seen.
pub fn events(result: &RunResult) -> Table {
    let columns = vec![
        Column::number("at"),
        Column::text("source"),
        Column::text("subject"),
        Column::text("what"),
    ];
    let mut table = Table::new("Events", columns);
    for event in &result.events {
        table.row(vec![
            seconds(event.at_ms),
            noticed::who(&event.source),
            event.subject.clone(),
            event.what.clone(),
        ]);
    }
    table.up_to(LISTED)
}

/// lbtest's own health, and where it ran.
pub fn generator(result: &RunResult) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(g) = &result.generator {
        let ratio = |r: Option<f64>| r.map_or_else(|| "not measured".to_owned(), percent);
        let late = format!(
            "{} (p50), {} (p99), {} (max)",
            duration(g.late_p50_ms),
            duration(g.late_p99_ms),
            duration(g.late_max_ms)
        );
        facts.extend([
            ("sends late by", late),
            ("arrivals dropped", grouped(g.dropped)),
            ("load workers", g.workers.to_string()),
            ("their processor time in use", ratio(g.cpu_ratio)),
            ("machine idle", ratio(g.host_idle_ratio)),
        ]);
    }
    let e = &result.environment;
    let memory = e
        .memory_bytes
        .map(|n| super::scale::Unit::Bytes.written(crate::analysis::count(n)));
    let known = [
        ("operating system", e.host_os.clone()),
        ("kernel", e.kernel.clone()),
        ("processor cores", e.cpus.map(|n| n.to_string())),
        ("memory", memory),
        ("Docker", e.engine_version.clone()),
    ];
    facts.extend(
        known
            .into_iter()
            .filter_map(|(name, value)| value.map(|v| (name, v))),
    );
    facts
}

/// The slowest recovery of all edges; none where nothing was bad.
pub fn slowest_recovery(result: &RunResult) -> Option<(String, String)> {
    let hurt = || result.impacts.iter().filter(|i| i.bad > 0);
    let whose = |i: &Impact| {
        let edge = match i.edge {
            EdgeKind::Inject => "after",
            EdgeKind::Heal => "after the heal of",
        };
        format!("{}, {edge} {}", i.load, i.fault)
    };
    if let Some(stuck) = hurt().find(|i| !i.recovered) {
        return Some(("not back".to_owned(), whose(stuck)));
    }
    let timed = hurt().filter_map(|i| i.time_to_recover_ms.map(|ms| (i, ms)));
    let slowest = timed.max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some((duration(slowest.1), whose(slowest.0)))
}
