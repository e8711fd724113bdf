//! One scenario, run many times: what is spread over the runs, and what that proves.
//!
//! # Which runs count
//! A run whose measurement is in doubt ([`crate::verdict::trust::doubts`]: it was cut short, lbtest was the bottleneck, a
//! fault was not confirmed, …) is left out of the statistics, and named. A run that failed its gates counts as any other.
//! Fewer than [`MIN_RUNS`] that count, or more that do not than do, prove nothing.
//!
//! # When a gate passes
//! The interval of the median ([`Spread`]: distribution-free, by order statistics) is held against the limit:
//!
//! ```text
//! passed         the whole interval is within the limit
//! failed         the whole interval is beyond it
//! inconclusive   the interval straddles the limit: repeat more often
//! ```
//!
//! So a gate speaks of the *typical* run: one bad run in twenty fails nothing (`max` shows it), and one in two does.
//! Where every run was within the limit, so is the interval.

use super::figure::{Basis, Figure, Key, figures};
use super::spread::Spread;
use crate::analysis::result::{GateResult, RunResult};
use crate::plan::{Comparison, GateScope, Metric};
use crate::verdict::gate::written;
use crate::verdict::{Verdict, trust};
use serde::{Deserialize, Serialize};

/// Fewer runs than this prove nothing.
pub const MIN_RUNS: usize = 3;

/// What repeated runs of one scenario say together: `repeat.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repeated {
    /// Version of this form; that of `run.json`.
    pub schema_version: u32,
    /// Version of lbtest that made it.
    pub lbtest_version: String,
    /// The scenario's name.
    pub scenario: String,
    /// The runs, in the order given.
    pub runs: Vec<RunSummary>,
    /// Recovery, errors and latencies over the runs that count.
    pub figures: Vec<RepeatedFigure>,
    /// The gates, judged over the runs that count.
    pub gates: Vec<RepeatedGate>,
    /// What all runs together prove.
    pub verdict: Verdict,
    /// Why, in plain sentences; empty for a pass.
    pub reasons: Vec<String>,
}

/// One of the runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its id.
    pub run: String,
    /// Wall time of its zero.
    pub started_at: jiff::Timestamp,
    /// Seed of its random choices.
    pub seed: u64,
    /// Its own verdict.
    pub verdict: Verdict,
    /// It is part of the statistics.
    pub counted: bool,
    /// Why it is not; plain sentences.
    pub doubts: Vec<String>,
    /// Operations in its measured window, all workloads.
    pub requests: u64,
    /// Bad ones among them.
    pub bad: u64,
    /// Slowest recovery of all edges and workloads; null: it did not recover.
    #[serde(with = "super::unbounded")]
    pub slowest_recovery_ms: f64,
}

/// A figure over the runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RepeatedFigure {
    /// `time_to_recover of reads after slave 1 stops (inject)`.
    pub name: String,
    /// Whose, and which.
    #[serde(flatten)]
    pub key: Key,
    /// In the metric's unit (ratio, milliseconds, per second).
    pub spread: Spread,
}

/// How a gate came out over the runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateOutcome {
    /// The whole interval of the median is within the limit.
    Passed,
    /// The whole interval is beyond it.
    Failed,
    /// The interval straddles the limit.
    Straddles,
    /// There was nothing to judge in some run.
    NotJudged,
}

/// A gate over the runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RepeatedGate {
    /// As in `run.json`.
    pub name: String,
    /// The limit as written.
    pub limit: String,
    /// What is limited.
    pub metric: Metric,
    /// How it is compared.
    pub comparison: Comparison,
    /// What it looks at.
    pub scope: GateScope,
    /// The limit in the metric's unit; null where it differs between the runs.
    pub limit_value: Option<f64>,
    /// The measured (worst) values; null where no run has one.
    pub spread: Option<Spread>,
    /// How it came out.
    pub outcome: GateOutcome,
    /// Runs in which it held.
    pub held: usize,
    /// Why it was not judged, or what to do.
    pub note: Option<String>,
}

/// What runs of one scenario say together. Pure; an empty slice is inconclusive.
#[must_use]
pub fn summarize(results: &[RunResult]) -> Repeated {
    let runs: Vec<_> = results.iter().map(run_summary).collect();
    let counted: Vec<_> = results
        .iter()
        .zip(&runs)
        .filter_map(|(result, run)| run.counted.then_some(result))
        .collect();
    let gates = gates(&counted);
    let doubts = doubts(results, &runs);
    let (verdict, reasons) = judge(&counted, &gates, doubts);
    let first = results.first();
    Repeated {
        schema_version: crate::history::SCHEMA_VERSION,
        lbtest_version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: first.map(|r| r.scenario.name.clone()).unwrap_or_default(),
        figures: spread_figures(&counted),
        runs,
        gates,
        verdict,
        reasons,
    }
}

fn run_summary(result: &RunResult) -> RunSummary {
    let mut doubts = trust::doubts(result, !result.gates.is_empty());
    if result.events.iter().any(trust::by_hand) {
        doubts.push("it was steered by hand: it is not the same measurement".to_owned());
    }
    let requests = result.loads.iter().map(|l| l.requests).sum();
    let bad = |l: &crate::analysis::result::LoadResult| l.requests.saturating_sub(l.ok);
    let recoveries = result.impacts.iter();
    let slowest = recoveries.map(|i| i.time_to_recover_ms.unwrap_or(f64::INFINITY));
    RunSummary {
        run: result.run.clone(),
        started_at: result.started_at,
        seed: result.scenario.seed,
        verdict: result.verdict,
        counted: doubts.is_empty(),
        doubts,
        requests,
        bad: result.loads.iter().map(bad).sum(),
        slowest_recovery_ms: slowest.fold(0.0, f64::max),
    }
}

/// Why the statistics as a whole prove nothing.
fn doubts(results: &[RunResult], runs: &[RunSummary]) -> Vec<String> {
    let counted = runs.iter().filter(|r| r.counted).count();
    let all = runs.len();
    let mut doubts = Vec::new();
    let mut names: Vec<_> = results.iter().map(|r| &r.scenario.name).collect();
    names.dedup();
    if names.len() > 1 {
        let message = "the runs are of different scenarios: they say nothing together";
        doubts.push(message.to_owned());
    }
    if counted < MIN_RUNS {
        doubts.push(format!(
            "only {counted} of {all} runs count: at least {MIN_RUNS} are needed"
        ));
    } else if counted * 2 < all {
        doubts.push(format!(
            "only {counted} of {all} runs count: those that do may not be like those that do not"
        ));
    }
    let left_out = runs.iter().filter(|r| !r.counted);
    doubts.extend(
        left_out
            .filter(|_| counted < MIN_RUNS || counted * 2 < all)
            .map(|r| {
                let why = r.doubts.join("; ");
                format!("run {} is left out: {why}", r.run)
            }),
    );
    doubts
}

/// Figures that are worth following over runs; whatever else is gated is among the gates.
fn followed(figure: &Figure) -> bool {
    match figure.key.metric {
        Metric::TimeToRecover | Metric::TimeToRecoverPerformance => true,
        Metric::ErrorRate | Metric::P50 | Metric::P99 | Metric::Throughput | Metric::Outage => {
            figure.key.after.is_none()
        }
        Metric::P90
        | Metric::P999
        | Metric::MaxLatency
        | Metric::Bad
        | Metric::Unknown
        | Metric::Dropped => false,
    }
}

fn spread_figures(counted: &[&RunResult]) -> Vec<RepeatedFigure> {
    let all: Vec<Vec<Figure>> = counted.iter().map(|r| figures(r)).collect();
    let mut keys: Vec<&Key> = Vec::new();
    for figure in all.iter().flatten().filter(|f| followed(f)) {
        if !keys.contains(&&figure.key) {
            keys.push(&figure.key);
        }
    }
    // Recoveries first: they are what is asked for.
    keys.sort_by_key(|k| k.after.is_none());
    let spread = |key: &Key| {
        let of_key: Vec<_> = all.iter().flatten().filter(|f| f.key == *key).collect();
        let values: Vec<f64> = of_key.iter().map(|f| f.value).collect();
        Spread::of(&values, coarsest(of_key.iter().copied()))
    };
    let with_spread = keys.into_iter().filter_map(|key| {
        Some(RepeatedFigure {
            name: key.name(),
            key: key.clone(),
            spread: spread(key)?,
        })
    });
    with_spread.collect()
}

/// The largest resolution; what rests on a sample, and not on the grain of a clock, has none.
fn coarsest<'a>(figures: impl Iterator<Item = &'a Figure>) -> f64 {
    let grained = figures.filter(|f| f.basis == Basis::Resolution);
    grained.map(Figure::resolution).fold(0.0, f64::max)
}

fn gates(counted: &[&RunResult]) -> Vec<RepeatedGate> {
    let Some(first) = counted.first() else {
        return Vec::new();
    };
    first
        .gates
        .iter()
        .map(|gate| over_runs(gate, counted))
        .collect()
}

/// One gate over the runs. What is held against the limit is the distance from it, run by run: a limit that is derived
/// from a baseline may be another one for each figure.
fn over_runs(gate: &GateResult, counted: &[&RunResult]) -> RepeatedGate {
    let same = |g: &&GateResult| {
        g.metric == gate.metric && g.scope == gate.scope && g.comparison == gate.comparison
    };
    let of_runs = counted.iter().map(|r| r.gates.iter().find(same));
    let found: Vec<_> = of_runs.flatten().filter(|g| g.judged).collect();
    let value = |g: &&GateResult| g.measured.unwrap_or(f64::INFINITY);
    let values: Vec<f64> = found.iter().map(value).collect();
    let distances: Vec<f64> = found.iter().map(|g| value(g) - g.limit_value).collect();
    let constant = found.iter().all(|g| g.limit_value == gate.limit_value);
    let (outcome, note) = outcome(gate, &distances, counted.len());
    RepeatedGate {
        name: gate.name.clone(),
        limit: gate.limit.clone(),
        metric: gate.metric,
        comparison: gate.comparison,
        scope: gate.scope.clone(),
        limit_value: constant.then_some(gate.limit_value),
        spread: Spread::of(&values, resolution_of(gate, counted)),
        outcome,
        held: found.iter().filter(|g| g.passed).count(),
        note,
    }
}

fn outcome(gate: &GateResult, distances: &[f64], counted: usize) -> (GateOutcome, Option<String>) {
    let Some(spread) = Spread::of(distances, 0.0) else {
        let why = gate.note.clone();
        let why = why.unwrap_or_else(|| "nothing was measured".to_owned());
        return (GateOutcome::NotJudged, Some(why));
    };
    let (low, high) = (spread.low, spread.high);
    let holds = |distance: f64| gate.comparison.holds(distance, 0.0);
    let beyond = match gate.comparison {
        Comparison::AtMost | Comparison::Below => !holds(low),
        Comparison::AtLeast | Comparison::Above => !holds(high),
        Comparison::Equal => (low > 0.0 || high < 0.0) && !holds(low) && !holds(high),
    };
    if beyond {
        return (GateOutcome::Failed, None);
    }
    let missing = counted - distances.len();
    if missing > 0 {
        let why = format!("there was nothing to judge in {missing} of {counted} runs");
        return (GateOutcome::NotJudged, Some(why));
    }
    if holds(low) && holds(high) {
        (GateOutcome::Passed, None)
    } else {
        let why = "the interval straddles the limit: repeat more often";
        (GateOutcome::Straddles, Some(why.to_owned()))
    }
}

/// How far a gate's measured value may lie from the truth: the coarsest figure of its metric and scope.
fn resolution_of(gate: &GateResult, counted: &[&RunResult]) -> f64 {
    let all: Vec<_> = counted.iter().flat_map(|r| figures(r)).collect();
    let looked_at = |f: &&Figure| {
        let scope = match &gate.scope {
            GateScope::Run => true,
            GateScope::Load(name) => f.key.load == *name,
            GateScope::Fault(entry) => {
                let after = f.key.after.as_ref();
                after.is_some_and(|a| {
                    a.fault == *entry || a.fault.starts_with(&format!("{entry} #"))
                })
            }
        };
        scope && f.key.metric == gate.metric
    };
    coarsest(all.iter().filter(looked_at))
}

fn judge(
    counted: &[&RunResult],
    gates: &[RepeatedGate],
    doubts: Vec<String>,
) -> (Verdict, Vec<String>) {
    let in_doubt = !doubts.is_empty();
    let mut reasons = doubts;
    let of = |wanted: GateOutcome| gates.iter().filter(move |g| g.outcome == wanted);
    reasons.extend(of(GateOutcome::Failed).map(sentence));
    reasons.extend(of(GateOutcome::Straddles).map(sentence));
    reasons.extend(of(GateOutcome::NotJudged).map(sentence));
    let observe = counted.iter().any(|r| r.scenario.observe);
    if gates.is_empty() && !observe && !counted.is_empty() {
        reasons.push("there is no gate: nothing was to be proven".to_owned());
    }
    let verdict = if in_doubt {
        Verdict::Inconclusive
    } else if of(GateOutcome::Failed).next().is_some() {
        Verdict::Fail
    } else if reasons.is_empty() {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    };
    (verdict, reasons)
}

/// `time_to_recover <= 10s: the median lies between 9.812 s and 12.004 s (n = 6): the interval straddles the limit: …`.
fn sentence(gate: &RepeatedGate) -> String {
    let note = gate.note.as_ref().map(|n| format!(": {n}"));
    let note = note.unwrap_or_default();
    match &gate.spread {
        None => format!("{} {}{note}", gate.name, gate.limit),
        Some(spread) => format!(
            "{} {}: the median lies between {} and {} ({} runs, {:.1} % sure){note}",
            gate.name,
            gate.limit,
            value(gate.metric, spread.low),
            value(gate.metric, spread.high),
            spread.n,
            spread.coverage * 100.0
        ),
    }
}

/// A value in its metric's unit, for people; `never` where it is infinite.
#[must_use]
pub fn value(metric: Metric, value: f64) -> String {
    if value.is_finite() {
        written(metric, value)
    } else {
        "never".to_owned()
    }
}

#[cfg(test)]
mod tests;
