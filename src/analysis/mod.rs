//! From a history to figures: a pure function, so that any stored run can be analysed again.
//!
//! # Definitions
//! - *bad*: not ok: failed (dropped arrivals among them) or unknown. `error_rate = bad / requests`, and
//!   `requests = ok + failed + unknown + dropped`.
//! - *Measured window*: from the end of the warm-up to the end of the load. All operations count by their
//!   intended time. Latencies are those of good operations, of whole seconds after the warm-up.
//! - *Stable*, time to recover, resolution: [`timeline::Timeline::stable_from`], [`impact`].
//! - Time to recover performance: [`impact`]. Its limit is the plan's, else `max(2 × p99, p99 + 25 ms)` of the
//!   steady state.
//! - Steady state: [`load::Workload::new`]. Outage: [`outage::outages`].
//! - What slots can and cannot tell apart: [`timeline`], [`window`].

pub mod edge;
pub mod impact;
#[cfg(test)]
pub(crate) mod known;
pub mod load;
pub mod observed;
pub mod outage;
#[cfg(test)]
mod properties;
pub mod result;
pub mod series;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod window;

use crate::clock::{Offset, millis};
use crate::history::event::TargetRecord;
use crate::history::{EndReason, FaultRecord, History};
use crate::plan::PlannedFault;
use crate::verdict::{Verdict, judge};
use load::Workload;
use result::{EndResult, EventResult, FaultResult, RunResult, ScenarioResult};
use std::collections::BTreeSet;
use std::time::Duration;

/// Analyses a history and judges it.
#[must_use]
pub fn analyze(history: &History) -> RunResult {
    let plan = &history.head.plan;
    let window = measured_window(history);
    let edges = edge::edges(history, window.1);
    let planned = plan.loads.iter().zip(&history.loads);
    let workloads: Vec<_> = planned
        .map(|(plan, load)| Workload::new(plan, load, &edges, window))
        .collect();
    let impacts = edges
        .iter()
        .flat_map(|e| workloads.iter().map(|w| impact::impact(w, e)));
    let mut outages = Vec::new();
    let mut loads = Vec::new();
    for (index, workload) in workloads.iter().enumerate() {
        let (listed, omitted) = outage::outages(workload, &edges);
        outages.extend(listed);
        loads.push(workload.result(scheduled(history, index), omitted));
    }
    let mut result = RunResult {
        schema_version: crate::history::SCHEMA_VERSION,
        lbtest_version: history.head.lbtest_version.clone(),
        run: history.head.run.clone(),
        scenario: scenario(history),
        started_at: history.head.started_at,
        environment: history.head.environment.clone(),
        end: end(history, window),
        verdict: Verdict::Inconclusive,
        verdict_reasons: Vec::new(),
        impacts: impacts.collect(),
        loads,
        faults: faults(history),
        outages,
        gates: Vec::new(),
        events: events(history),
        generator: history.generator.clone(),
        hints: Vec::new(),
        metrics: observed::metrics(history),
        samples: observed::samples(history),
        configuration: serde_json::to_value(plan).ok(),
    };
    let judgement = judge(&plan.gates, &result);
    result.verdict = judgement.verdict;
    result.verdict_reasons = judgement.reasons;
    result.gates = judgement.gates;
    result.hints = judgement.hints;
    result
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn count(n: u64) -> f64 {
    n as f64
}

pub(crate) fn micros_to_ms(micros: u64) -> f64 {
    count(micros) / 1e3
}

/// From the end of the warm-up to the planned end of the load, or to where it ended before that. Without a
/// recorded end: to the last operation.
fn measured_window(history: &History) -> (Offset, Offset) {
    let planned = Offset::new(history.head.plan.duration);
    let last = || {
        let spans = history
            .loads
            .iter()
            .flat_map(|l| l.slots.values())
            .filter_map(|s| s.span);
        spans
            .map(|(_, last)| last + Duration::from_nanos(1))
            .max()
            .unwrap_or_default()
    };
    let to = match &history.end {
        Some(end) if end.reason == EndReason::Completed => planned,
        Some(end) => end.load_ended_at.min(planned),
        None => last().min(planned),
    };
    (Offset::new(history.head.plan.warmup).min(to), to)
}

/// What the load said that it had scheduled; without that, the plan, where the load ran to its end.
fn scheduled(history: &History, index: usize) -> Option<u64> {
    let end = history.end.as_ref()?;
    let planned = history.head.plan.loads.get(index)?.scheduled;
    let completed = end.reason == EndReason::Completed;
    end.scheduled
        .get(index)
        .copied()
        .or(planned.filter(|_| completed))
}

fn scenario(history: &History) -> ScenarioResult {
    let plan = &history.head.plan;
    ScenarioResult {
        name: plan.scenario.clone(),
        description: plan.description.clone(),
        seed: plan.seed,
        project: plan.project.clone(),
        warmup_ms: millis(plan.warmup),
        duration_ms: millis(plan.duration),
        observe: plan.observe,
    }
}

fn end(history: &History, (from, to): (Offset, Offset)) -> EndResult {
    let (reason, detail) = match history.end.as_ref().map(|e| &e.reason) {
        Some(EndReason::Completed) => ("completed", None),
        Some(EndReason::Interrupted) => ("interrupted", None),
        Some(EndReason::Failed(why)) => ("failed", Some(why.clone())),
        None => ("died", None),
    };
    EndResult {
        reason: reason.to_owned(),
        detail,
        at_ms: history.end.as_ref().map(|e| e.at.as_millis_f64()),
        measured_from_ms: from.as_millis_f64(),
        measured_to_ms: to.as_millis_f64(),
    }
}

fn events(history: &History) -> Vec<EventResult> {
    let mut events: Vec<_> = history.events.iter().collect();
    events.sort_by_key(|e| e.at);
    let result = events.into_iter().map(|e| EventResult {
        at_ms: e.at.as_millis_f64(),
        source: e.source.clone(),
        subject: e.subject.clone(),
        what: e.what.clone(),
    });
    result.collect()
}

/// From the call to the effect, of the target where it took longest.
fn latency(record: &FaultRecord) -> Option<f64> {
    let broken = record
        .targets
        .iter()
        .filter(|t| t.inject.returned.is_some());
    let each = broken.map(|t| t.inject.effect() - t.inject.called);
    each.max().map(millis)
}

/// Whom it hit: what was planned, or what was found at the moment of injection.
fn hit(fault: &PlannedFault, record: Option<&FaultRecord>) -> Vec<String> {
    match record {
        Some(record) if fault.late.is_some() => {
            record.targets.iter().map(|t| t.service.clone()).collect()
        }
        Some(_) | None => fault.targets.clone(),
    }
}

/// What broke the targets, each once.
fn mechanisms(record: &FaultRecord) -> Option<String> {
    let all: BTreeSet<_> = record
        .targets
        .iter()
        .filter_map(|t| t.mechanism.as_deref())
        .collect();
    (!all.is_empty()).then(|| all.into_iter().collect::<Vec<_>>().join(", "))
}

/// None where no target was broken until a heal.
fn lasted(targets: &[TargetRecord]) -> Option<bool> {
    if targets.iter().any(|t| t.ended_early.is_some()) {
        return Some(false);
    }
    targets.iter().any(|t| t.heal.is_some()).then_some(true)
}

fn faults(history: &History) -> Vec<FaultResult> {
    let now = measured_window(history).1;
    let planned = history.head.plan.faults.iter().enumerate();
    planned
        .map(|(index, fault)| {
            let record = history.faults.iter().find(|r| r.index == index);
            let injected = edge::injected(fault, record, now);
            let healed = edge::healed(fault, record, now);
            let targets = record.map_or(&[][..], |r| &r.targets);
            let mut notes = Vec::new();
            for t in targets {
                let words = [&t.confirmed, &t.ended_early, &t.heal_confirmed, &t.error];
                let words = words.into_iter().flatten();
                notes.extend(words.map(|w| format!("{}: {w}", t.container)));
            }
            let external = fault.kind == "external";
            // What mended itself had no heal; one that failed before it could be tried has an error and no times.
            let to_heal = |t: &&TargetRecord| {
                t.heal.is_some() || (t.confirmed.is_some() && t.error.is_some())
            };
            let mut heals = targets.iter().filter(to_heal).peekable();
            let healed_any = !external && heals.peek().is_some();
            let lasted = lasted(targets);
            let heals_seen = heals.all(|t| t.heal_confirmed.is_some());
            FaultResult {
                name: fault.name.clone(),
                entry: fault.entry.clone(),
                kind: fault.kind.clone(),
                targets: hit(fault, record),
                inject_at_ms: fault.inject_at.as_millis_f64(),
                injected_at_ms: injected.map(|m| m.at.as_millis_f64()),
                inject_uncertainty_ms: injected.map(|m| millis(m.uncertainty)),
                inject_latency_ms: record.and_then(latency),
                mechanism: record.and_then(mechanisms),
                heal_at_ms: fault.heal_at.map(Offset::as_millis_f64),
                healed_at_ms: healed.map(|m| m.at.as_millis_f64()),
                heal_uncertainty_ms: healed.map(|m| millis(m.uncertainty)),
                confirmed: (!external).then(|| record.is_some_and(|r| r.confirmed())),
                heal_confirmed: healed_any.then_some(heals_seen),
                // Of an external one nobody knows more than that whoever steered it healed it early.
                lasted: lasted.filter(|lasted| !external || !lasted),
                notes,
            }
        })
        .collect()
}
