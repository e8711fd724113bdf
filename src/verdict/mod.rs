//! Gates → checks → verdict.
//!
//! A measurement that is not to be trusted proves nothing, neither a pass nor a fail. So:
//!
//! 1. *inconclusive*, where the measurement itself is in doubt ([`trust`]): the run did not end as planned, lbtest
//!    was the bottleneck, a steady state did not hold, a fault did not take place or was not confirmed, a
//!    workload had no operation;
//! 2. else *fail*, where a gate was judged and its limit does not hold;
//! 3. else *inconclusive*, where a gate had nothing to judge, or there is no gate at all;
//! 4. else *pass*. With `observe = true` a run without gates passes.
//!
//! A failed gate is named among the reasons in every case: doubt does not hide it.

pub mod baseline;
pub mod gate;
#[cfg(test)]
mod tests;
pub mod trust;

use crate::analysis::result::{GateResult, RunResult};
use crate::plan::Gate;
use serde::{Deserialize, Serialize};

/// What a run proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every limit holds.
    Pass,
    /// A limit does not hold.
    Fail,
    /// Nothing was proven.
    Inconclusive,
}

/// A verdict with its grounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in plain sentences; empty for a pass.
    pub reasons: Vec<String>,
    /// Every gate, judged.
    pub gates: Vec<GateResult>,
    /// What to do about it, in plain sentences.
    pub hints: Vec<String>,
}

/// Judges the figures of a run (its verdict, gates and hints are not looked at).
#[must_use]
pub fn judge(gates: &[Gate], result: &RunResult) -> Judgement {
    let doubts = trust::doubts(result, !gates.is_empty());
    let gates: Vec<_> = gates.iter().map(|g| gate::check(g, result)).collect();
    let failed = gates.iter().filter(|g| g.judged && !g.passed).map(failure);
    let failed: Vec<_> = failed.collect();
    let nothing = gates.iter().filter(|g| !g.judged).map(unjudged);
    let mut nothing: Vec<_> = nothing.collect();
    if gates.is_empty() && !result.scenario.observe {
        nothing.push("there is no gate: nothing was to be proven".to_owned());
    }
    let verdict = match (doubts.is_empty(), failed.is_empty(), nothing.is_empty()) {
        (false, _, _) => Verdict::Inconclusive,
        (true, false, _) => Verdict::Fail,
        (true, true, false) => Verdict::Inconclusive,
        (true, true, true) => Verdict::Pass,
    };
    let hints = trust::hints(result, &gates);
    let reasons = doubts.into_iter().chain(failed).chain(nothing).collect();
    Judgement {
        verdict,
        reasons,
        gates,
        hints,
    }
}

fn failure(gate: &GateResult) -> String {
    let at = gate
        .worst
        .as_ref()
        .map(|w| format!(" ({w})"))
        .unwrap_or_default();
    let measured = match (&gate.note, gate.measured) {
        (Some(note), _) => note.clone(),
        (None, Some(value)) => format!("measured {}", gate::written(gate.metric, value)),
        (None, None) => "not measured".to_owned(),
    };
    format!("{} {}: {measured}{at}", gate.name, gate.limit)
}

fn unjudged(gate: &GateResult) -> String {
    let note = gate.note.as_deref().unwrap_or("nothing was measured");
    format!("{} {}: {note}", gate.name, gate.limit)
}
