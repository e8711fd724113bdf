//! What each report says in sentences, the same everywhere. The names in them are as they came: every report
//! makes them inert in its own way.

use super::text::{grouped, microseconds, per_second, percent, seconds};
use crate::analysis::result::{EdgeKind, FaultResult, Impact, LoadResult, Outage, RunResult};
use crate::history::GeneratorHealth;
use crate::verdict::Verdict;
use crate::verdict::gate::duration;
use crate::verdict::trust::edge_name;
use std::collections::BTreeMap;

/// `PASS`, `FAIL`, `INCONCLUSIVE`.
#[must_use]
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
    }
}

/// When a fault took place, and whether that was seen.
#[must_use]
pub fn fault(fault: &FaultResult) -> String {
    let targets = fault.targets.join(", ");
    let Some(at) = fault.injected_at_ms else {
        let what = format!("{} {targets}", fault.kind);
        return format!("{} ({}): did not take place", fault.name, what.trim_end());
    };
    let healed = fault
        .healed_at_ms
        .map(|at| format!(", healed at {}", seconds(at)))
        .unwrap_or_default();
    let by = fault.mechanism.as_deref();
    let by = by.map_or_else(String::new, |by| format!(" ({by})"));
    let confirmed = match fault.confirmed {
        Some(true) => format!(", confirmed{by}"),
        Some(false) => format!(", NOT CONFIRMED{by}"),
        None => String::new(),
    };
    let whom = if targets.is_empty() {
        String::new()
    } else {
        format!(" {targets}")
    };
    format!(
        "{} ({}{whom}) at {}{healed}{confirmed}",
        fault.name,
        fault.kind,
        seconds(at)
    )
}

/// The whole run in a sentence: `1 of 9 600 requests failed (0.0104 %); slowest recovery 214 ms (reads, replica stops)`.
#[must_use]
pub fn headline(result: &RunResult) -> String {
    let requests: u64 = result.loads.iter().map(|l| l.requests).sum();
    let bad: u64 = result
        .loads
        .iter()
        .map(|l| l.requests.saturating_sub(l.ok))
        .sum();
    let failed = match bad {
        0 => format!("none of {} requests failed", grouped(requests)),
        _ => format!("{} of {} requests failed", grouped(bad), grouped(requests)),
    };
    if let Some(stuck) = result.impacts.iter().find(|i| !i.recovered && i.bad > 0) {
        return format!(
            "{failed}; {} was not back after {} ({})",
            stuck.load,
            stuck.fault,
            edge_name(stuck.edge)
        );
    }
    let recoveries = result.impacts.iter().filter(|i| i.bad > 0);
    let recovery_of = |i: &&Impact| i.time_to_recover_ms.unwrap_or(f64::NEG_INFINITY);
    let slowest = recoveries.max_by(|a, b| recovery_of(a).total_cmp(&recovery_of(b)));
    match slowest.and_then(|i| i.time_to_recover_ms.map(|ms| (i, ms))) {
        None => failed,
        Some((i, ms)) => format!(
            "{failed}; slowest recovery {} ({} after {}, {})",
            duration(ms),
            i.load,
            i.fault,
            edge_name(i.edge)
        ),
    }
}

/// What the edges of a fault cost, a line each: workloads that it did not touch are only named.
///
/// ```text
/// inject: reads: 3 of 6 000 requests failed (reset 3), service back after 214 ms (±5 ms)
/// inject: no error on web, writes
/// ```
#[must_use]
pub fn impacts(result: &RunResult, fault: &FaultResult) -> Vec<String> {
    let mut lines = Vec::new();
    for edge in [EdgeKind::Inject, EdgeKind::Heal] {
        let of_edge = |i: &&Impact| i.fault == fault.name && i.edge == edge;
        let (untouched, touched): (Vec<_>, Vec<_>) = result
            .impacts
            .iter()
            .filter(of_edge)
            .partition(|i| is_untouched(result, i));
        let name = edge_name(edge);
        lines.extend(
            touched
                .iter()
                .map(|i| format!("{name}: {}", impact(result, i))),
        );
        if !untouched.is_empty() {
            let names: Vec<_> = untouched.iter().map(|i| i.load.as_str()).collect();
            let requests = untouched.iter().map(|i| i.requests).sum();
            let requests = grouped(requests);
            lines.push(format!(
                "{name}: no error on {} ({requests} requests)",
                names.join(", ")
            ));
        }
    }
    lines
}

/// Nothing was bad, and (where that could be judged) nothing was slow.
fn is_untouched(result: &RunResult, impact: &Impact) -> bool {
    impact.requests > 0 && impact.bad == 0 && slowness(result, impact).is_none()
}

/// What an edge cost one workload: `reads: 3 of 6 000 requests failed (reset 3), service back after 214 ms (±5 ms)`.
#[must_use]
pub fn impact(result: &RunResult, impact: &Impact) -> String {
    let mut text = format!("{}: {}", impact.load, cost(impact));
    if impact.bad_under_way > 0 {
        let under_way = grouped(impact.bad_under_way);
        text.push_str(&format!("; {under_way} of them under way when it came"));
    }
    if let Some(slow) = slowness(result, impact) {
        text.push_str(&format!("; {slow}"));
    }
    text
}

/// What an edge did to a workload's latency, where that was not back at once.
fn slowness(result: &RunResult, impact: &Impact) -> Option<String> {
    let of_load = |l: &&LoadResult| l.name == impact.load;
    let limit = result.loads.iter().find(of_load)?.baseline.p99_limit_ms;
    match impact.time_to_recover_performance_ms {
        Some(ms) if ms > 0.0 => Some(format!("slow: p99 back after {} (±1 s)", duration(ms))),
        // Where the service is not back either, that is said already.
        None if limit.is_some() && impact.recovered => {
            let window = seconds(impact.window_ms);
            Some(format!("slow: p99 NOT BACK within {window}"))
        }
        Some(_) | None => None,
    }
}

fn cost(impact: &Impact) -> String {
    if impact.requests == 0 {
        return "no request was made".to_owned();
    }
    if impact.bad == 0 {
        return format!("none of {} requests failed", grouped(impact.requests));
    }
    let failed = format!(
        "{} of {} requests failed ({})",
        grouped(impact.bad),
        grouped(impact.requests),
        errors(&impact.errors)
    );
    let resolution = impact
        .resolution_ms
        .map(|ms| format!(" (±{})", duration(ms)))
        .unwrap_or_default();
    let late = impact.first_bad_ms.filter(|ms| *ms >= 100.0);
    let late = late
        .map(|ms| format!(", the first after {}", duration(ms)))
        .unwrap_or_default();
    let failed = format!("{failed}{late}");
    match impact.time_to_recover_ms {
        Some(ms) => format!("{failed}, service back after {}{resolution}", duration(ms)),
        None => format!(
            "{failed}, service NOT BACK within {}",
            seconds(impact.window_ms)
        ),
    }
}

/// Classes with their counts, the most frequent first: `reset 3, timeout 1`.
#[must_use]
pub fn errors(errors: &BTreeMap<String, u64>) -> String {
    let mut classes: Vec<_> = errors.iter().collect();
    classes.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let classes: Vec<_> = classes
        .into_iter()
        .map(|(c, n)| format!("{c} {}", grouped(*n)))
        .collect();
    classes.join(", ")
}

/// An outage: `writes: 10.012 s to 25.310 s, 15.298 s (±10 ms), 3 060 bad, after kill master`.
#[must_use]
pub fn outage(outage: &Outage) -> String {
    let length = match (outage.end_ms, outage.duration_ms) {
        (Some(end), Some(length)) => format!("to {}, {} long", seconds(end), duration(length)),
        _ => "until the end of the load".to_owned(),
    };
    let after = outage
        .fault
        .as_ref()
        .map_or(", no fault before it".to_owned(), |f| {
            format!(", after {f}")
        });
    format!(
        "{}: from {} {length} (±{}), {} bad{after}",
        outage.load,
        seconds(outage.start_ms),
        duration(outage.resolution_ms),
        grouped(outage.bad)
    )
}

/// lbtest's own health in one line.
#[must_use]
pub fn generator(health: Option<&GeneratorHealth>) -> String {
    let Some(h) = health else {
        return "not measured".to_owned();
    };
    let ratio = |r: Option<f64>| r.map_or("not measured".to_owned(), percent);
    let price = price(h).map(|p| format!("{p}; ")).unwrap_or_default();
    format!(
        "{price}sends late by {} (p50), {} (p99), {} (max); {} dropped; lbtest's workers busy {}; machine idle {}",
        duration(h.late_p50_ms),
        duration(h.late_p99_ms),
        duration(h.late_max_ms),
        grouped(h.dropped),
        ratio(h.cpu_ratio),
        ratio(h.host_idle_ratio)
    )
}

/// What an operation cost lbtest: `6.3 µs of CPU per operation`; none where that was not measured.
fn price(health: &GeneratorHealth) -> Option<String> {
    let operations = health.operations.filter(|n| *n > 0)?;
    let each = health.cpu_ms? * 1e3 / crate::analysis::count(operations);
    Some(format!("{} of CPU per operation", microseconds(each)))
}

/// What was achieved, of every workload: `achieved: web 100/s, reads 48.2/s of 100/s (40.1/s good)`. An open loop that
/// kept to its schedule and a workload without errors need no more than a figure. None where nothing was done.
#[must_use]
pub fn achieved(result: &RunResult) -> Option<String> {
    let done = result.loads.iter().filter(|l| l.requests > 0);
    let each: Vec<_> = done.map(|l| format!("{} {}", l.name, rate(l))).collect();
    (!each.is_empty()).then(|| format!("achieved: {}", each.join(", ")))
}

/// An open loop is short of its schedule where more than this share is missing.
const SHORT: f64 = 0.01;

fn rate(load: &LoadResult) -> String {
    let mut text = per_second(load.achieved_rate);
    let intended = load.intended_rate;
    if let Some(intended) = intended.filter(|r| load.achieved_rate < r * (1.0 - SHORT)) {
        text.push_str(&format!(" of {}", per_second(intended)));
    }
    let good = per_second(load.throughput);
    if good != per_second(load.achieved_rate) {
        text.push_str(&format!(" ({good} good)"));
    }
    text
}

/// The columns of the table of workloads.
pub const LOAD_COLUMNS: [&str; 9] = [
    "load",
    "arrivals",
    "requests",
    "bad",
    "error rate",
    "p50",
    "p99",
    "max",
    "longest gap",
];

/// A workload's row.
#[must_use]
pub fn load_row(load: &LoadResult) -> [String; 9] {
    let latency = |pick: fn(&crate::analysis::result::Percentiles) -> f64| {
        load.latency_ms
            .as_ref()
            .map_or("–".to_owned(), |p| duration(pick(p)))
    };
    [
        load.name.clone(),
        load.arrivals.clone(),
        grouped(load.requests),
        grouped(load.requests.saturating_sub(load.ok)),
        percent(load.error_rate),
        latency(|p| p.p50),
        latency(|p| p.p99),
        latency(|p| p.max),
        load.longest_gap_ms.map_or("–".to_owned(), duration),
    ]
}

/// Who answered a workload: `app1 33.4 %, app2 66.6 %`; none where no instance is known.
#[must_use]
pub fn shares(load: &LoadResult) -> Option<String> {
    let of_each = load.instances.iter();
    let shares: Vec<_> = of_each
        .map(|i| format!("{} {}", i.name, percent(i.share)))
        .collect();
    (!shares.is_empty()).then(|| format!("{} answered by {}", load.name, shares.join(", ")))
}

/// The columns of the table of gates.
pub const GATE_COLUMNS: [&str; 4] = ["gate", "limit", "measured", "result"];

/// A gate's row.
#[must_use]
pub fn gate_row(gate: &crate::analysis::result::GateResult) -> [String; 4] {
    use crate::verdict::gate::written;
    let measured = match (&gate.note, gate.measured) {
        (_, Some(value)) => written(gate.metric, value),
        (Some(note), None) => note.clone(),
        (None, None) => "–".to_owned(),
    };
    // Of a zero there is no worst.
    let worst = gate.worst.as_ref().filter(|_| gate.measured != Some(0.0));
    let whose = worst.map(|w| format!(" ({w})")).unwrap_or_default();
    let passed = match (gate.judged, gate.passed) {
        (false, _) => "not judged",
        (true, true) => "passed",
        (true, false) => "FAILED",
    };
    [
        gate.name.clone(),
        gate.limit.clone(),
        format!("{measured}{whose}"),
        passed.to_owned(),
    ]
}

/// What the characters of a strip mean.
pub const STRIP_LEGEND: &str = "· no error, ▁ to █ error ratio, ✗ fault, ✓ heal";

/// What a strip shows of one workload: its error ratio over time in at most 60 steps, and the faults below it.
#[must_use]
pub fn strip(result: &RunResult, load: &LoadResult) -> (String, String) {
    const STEPS: usize = 60;
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let series = &load.series;
    let width = series.requests.len().div_ceil(STEPS).max(1);
    let steps = series.requests.chunks(width).zip(series.bad.chunks(width));
    let bar = |(all, bad): (&[u64], &[u64])| {
        let sum = |part: &[u64]| part.iter().fold(0u64, |sum, n| sum.saturating_add(*n));
        let (all, bad) = (sum(all), sum(bad));
        match (all, bad) {
            (0, _) => ' ',
            (_, 0) => '·',
            (all, bad) => {
                BARS[usize::try_from(bad.saturating_mul(8).div_ceil(all).clamp(1, 8) - 1)
                    .unwrap_or(0)]
            }
        }
    };
    let strip: String = steps.map(bar).collect();
    let mut marks = vec![' '; strip.chars().count()];
    let step = series.interval_ms * crate::analysis::count(u64::try_from(width).unwrap_or(1));
    for fault in &result.faults {
        for (at, mark) in [(fault.injected_at_ms, '✗'), (fault.healed_at_ms, '✓')] {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an index; get_mut checks it"
            )]
            let index = at.map(|at| (at / step) as usize);
            if let Some(place) = index.and_then(|i| marks.get_mut(i)) {
                *place = mark;
            }
        }
    }
    (
        strip,
        marks.into_iter().collect::<String>().trim_end().to_owned(),
    )
}
