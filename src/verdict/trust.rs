//! Whether a measurement is to be trusted, and what to do where it is not.

use crate::analysis::result::{
    EdgeKind, EventResult, FaultResult, GateResult, LoadResult, RunResult,
};
use crate::history::event::BY_HAND;
use crate::history::{Class, GeneratorHealth};
use crate::plan::Metric;

/// p99 of the lateness of sends, milliseconds. Latency counts from the intended time, so that lateness is part
/// of it; a quarter of a limit's smallest margin for performance (25 ms) is already more than a measuring
/// instrument may add, and a generator that keeps up stays below 1 ms.
pub const MAX_LATE_P99_MS: f64 = 10.0;
/// Share of their processor time that the load workers may use. A worker above it queues its own sends.
pub const MAX_CPU_RATIO: f64 = 0.9;
/// Idle share of the machine below which everything on it, the system under test among it, waits for a processor.
pub const MIN_HOST_IDLE_RATIO: f64 = 0.03;
/// Share of scheduled arrivals that may have left no trace (the last ones, cut off with the end).
pub const MAX_LOST_RATIO: f64 = 0.001;

/// Why the measurement is in doubt, in plain sentences; none where it is not. `gated`: there are gates. Dropped arrivals
/// are no ground: that a stalled system fills `max_in_flight` is a result.
#[must_use]
pub fn doubts(result: &RunResult, gated: bool) -> Vec<String> {
    let mut doubts = Vec::new();
    match (result.end.reason.as_str(), &result.end.detail) {
        ("completed", _) => {}
        ("interrupted", _) => doubts.push("the run was interrupted".to_owned()),
        ("died", _) => doubts.push("lbtest ended before the run was over".to_owned()),
        (_, Some(why)) => doubts.push(format!("the run could not be finished: {why}")),
        (_, None) => doubts.push("the run could not be finished".to_owned()),
    }
    if result.loads.is_empty() {
        doubts.push("there was no workload".to_owned());
    }
    match &result.generator {
        Some(health) => doubts.extend(bottleneck(health)),
        // A run that ended as planned has no excuse; of any other the reason is already given.
        None if doubts.is_empty() => {
            doubts.push("how well lbtest kept to its schedule was not recorded".to_owned());
        }
        None => {}
    }
    // Without a fault nothing is derived from the steady state: it is all there is, and gates judge it.
    let faults = !result.faults.is_empty();
    doubts.extend(result.loads.iter().filter_map(of_load));
    if faults || !gated {
        let unsteady = result.loads.iter().filter(|l| of_load(l).is_none());
        doubts.extend(unsteady.filter_map(|load| not_steady(load, faults)));
    }
    doubts.extend(result.faults.iter().filter_map(|f| of_fault(f, result)));
    doubts
}

fn bottleneck(health: &GeneratorHealth) -> Vec<String> {
    let mut doubts = Vec::new();
    if health.late_p99_ms > MAX_LATE_P99_MS {
        doubts.push(format!(
            "lbtest was the bottleneck: one send in a hundred was more than {:.1} ms late (limit {MAX_LATE_P99_MS} ms)",
            health.late_p99_ms
        ));
    }
    if let Some(ratio) = health.cpu_ratio.filter(|r| *r > MAX_CPU_RATIO) {
        doubts.push(format!(
            "lbtest was the bottleneck: its workers used {:.0} % of their processor time (limit {:.0} %)",
            ratio * 100.0,
            MAX_CPU_RATIO * 100.0
        ));
    }
    if let Some(ratio) = health.host_idle_ratio.filter(|r| *r < MIN_HOST_IDLE_RATIO) {
        doubts.push(format!(
            "the machine was overloaded: its processors were idle for {:.1} % of the time only (limit {:.0} %)",
            ratio * 100.0,
            MIN_HOST_IDLE_RATIO * 100.0
        ));
    }
    doubts
}

fn of_load(load: &LoadResult) -> Option<String> {
    let name = &load.name;
    if load.requests == 0 {
        return Some(format!("workload {name} made no operation"));
    }
    let scheduled = crate::analysis::count(load.lost + load.requests);
    let lost = crate::analysis::count(load.lost);
    if lost > scheduled * MAX_LOST_RATIO && load.lost > 10 {
        return Some(format!(
            "workload {name}: {} scheduled arrivals were never made",
            load.lost
        ));
    }
    None
}

fn not_steady(load: &LoadResult, faults: bool) -> Option<String> {
    let (name, steady) = (&load.name, &load.baseline);
    if steady.holds {
        return None;
    }
    let before = if faults {
        " before the first fault"
    } else {
        ""
    };
    Some(if steady.requests == 0 {
        format!(
            "workload {name} had no operation between the end of the warm-up and the first fault"
        )
    } else {
        format!(
            "workload {name} was not steady{before}: {} of {} operations were bad (limit {} %)",
            steady.bad,
            steady.requests,
            steady.max_error_rate * 100.0
        )
    })
}

fn of_fault(fault: &FaultResult, result: &RunResult) -> Option<String> {
    let name = &fault.name;
    let Some(at) = fault.injected_at_ms else {
        // Of a run that was cut short, the faults to come are no further doubt.
        let due = fault.inject_at_ms < result.end.measured_to_ms;
        let notes = notes(fault);
        return due.then(|| format!("fault {name} did not take place{notes}"));
    };
    if at >= result.end.measured_to_ms {
        return Some(format!(
            "fault {name} took place only after the end of the load"
        ));
    }
    if fault.confirmed == Some(false) {
        return Some(format!(
            "fault {name} could not be confirmed{}",
            notes(fault)
        ));
    }
    if fault.lasted == Some(false) {
        return Some(format!(
            "fault {name} did not last until its heal{}",
            notes(fault)
        ));
    }
    if fault.heal_confirmed == Some(false) {
        return Some(format!(
            "the heal of fault {name} could not be confirmed{}",
            notes(fault)
        ));
    }
    None
}

fn notes(fault: &FaultResult) -> String {
    if fault.notes.is_empty() {
        String::new()
    } else {
        format!(": {}", fault.notes.join("; "))
    }
}

/// What to do about what was seen, in plain sentences.
#[must_use]
pub fn hints(result: &RunResult, gates: &[GateResult]) -> Vec<String> {
    let mut hints = Vec::new();
    let never =
        |g: &GateResult| g.metric == Metric::TimeToRecover && g.judged && g.measured.is_none();
    if gates.iter().any(never) {
        let late = result
            .impacts
            .iter()
            .find(|i| !i.recovered && short_window(i, result));
        if let Some(impact) = late {
            hints.push(format!(
                "the window after {} ({}) may have been too short to see {} recover: leave more time before the next \
                 fault, the heal or the end",
                impact.fault,
                edge_name(impact.edge),
                impact.load
            ));
        }
    }
    if result.events.iter().any(by_hand) {
        hints.push(
            "this run was steered by hand (see its events): the verdict is about what took place, not about the scenario as \
             it is written"
                .to_owned(),
        );
    }
    let dropped: u64 = result.loads.iter().map(|l| l.dropped).sum();
    if dropped > 0 {
        hints.push(format!(
            "{dropped} arrivals found max_in_flight operations under way and were dropped (they count as failed)"
        ));
    }
    let mut loads = result.loads.iter();
    let local = Class::Connect.to_string();
    if loads.any(|l| l.errors.contains_key(&local)) {
        hints.push(format!(
            "class `{local}` means that this machine could not make a connection, most often for lack of ports or file \
             descriptors: see `ulimit -n` and net.ipv4.ip_local_port_range, or let connections be kept"
        ));
    }
    let health = result.generator.as_ref();
    if health.is_some_and(|h| !bottleneck(h).is_empty()) {
        hints.push(
            "lower the rate, free the machine, or give lbtest more workers, and run again"
                .to_owned(),
        );
    }
    hints
}

/// What whoever watched did to the schedule.
pub(crate) fn by_hand(event: &EventResult) -> bool {
    event.source == "lbtest" && event.what.starts_with(BY_HAND)
}

/// The last bad operation was near the end of the window: whether it recovered could not be seen.
fn short_window(impact: &crate::analysis::result::Impact, result: &RunResult) -> bool {
    let half = result.end.measured_to_ms.min(impact.window_ms) / 2.0;
    impact.last_bad_ms.is_some_and(|last| last > half)
}

/// `inject`, `heal`.
#[must_use]
pub fn edge_name(edge: EdgeKind) -> &'static str {
    match edge {
        EdgeKind::Inject => "inject",
        EdgeKind::Heal => "heal",
    }
}
