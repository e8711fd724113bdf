//! What repeated runs say, the same everywhere.

use crate::compare::repeat::{
    GateOutcome, Repeated, RepeatedFigure, RepeatedGate, RunSummary, value,
};
use crate::compare::spread::Spread;
use crate::plan::Metric;
use crate::report::sentence;
use crate::report::text::grouped;

/// `12 of 13 runs count: 11 passed, 1 failed, 1 inconclusive`.
pub fn headline(repeated: &Repeated) -> String {
    use crate::verdict::Verdict::{Fail, Inconclusive, Pass};
    let counted = repeated.runs.iter().filter(|r| r.counted).count();
    let of = |verdict| {
        repeated
            .runs
            .iter()
            .filter(|r| r.verdict == verdict)
            .count()
    };
    format!(
        "{counted} of {} runs count; by themselves {} passed, {} failed, {} were inconclusive",
        repeated.runs.len(),
        of(Pass),
        of(Fail),
        of(Inconclusive)
    )
}

/// The columns of the table of figures.
pub const FIGURE_COLUMNS: [&str; 8] = [
    "figure",
    "n",
    "min",
    "q1",
    "median",
    "q3",
    "max",
    "median lies in",
];

/// A figure's row.
pub fn figure_row(figure: &RepeatedFigure) -> Vec<String> {
    let metric = figure.key.metric;
    let s = &figure.spread;
    let mut row = vec![figure.name.clone(), s.n.to_string()];
    let five = [s.min, s.q1, s.median, s.q3, s.max];
    row.extend(five.map(|v| value(metric, v)));
    row.push(median(metric, s));
    row
}

/// `214 ms to 310 ms (96.9 %), flaky`.
fn median(metric: Metric, spread: &Spread) -> String {
    let flaky = if spread.flaky { ", flaky" } else { "" };
    format!(
        "{} to {} ({:.1} %){flaky}",
        value(metric, spread.low),
        value(metric, spread.high),
        spread.coverage * 100.0
    )
}

/// The columns of the table of gates.
pub const GATE_COLUMNS: [&str; 6] = [
    "gate",
    "limit",
    "median",
    "median lies in",
    "held in",
    "result",
];

/// A gate's row.
pub fn gate_row(gate: &RepeatedGate) -> Vec<String> {
    let outcome = match gate.outcome {
        GateOutcome::Passed => "passed",
        GateOutcome::Failed => "FAILED",
        GateOutcome::Straddles => "straddles the limit",
        GateOutcome::NotJudged => "not judged",
    };
    let (typical, interval, held) = match &gate.spread {
        None => ("–".to_owned(), "–".to_owned(), "–".to_owned()),
        Some(s) => (
            value(gate.metric, s.median),
            median(gate.metric, s),
            format!("{} of {}", gate.held, s.n),
        ),
    };
    vec![
        gate.name.clone(),
        gate.limit.clone(),
        typical,
        interval,
        held,
        outcome.to_owned(),
    ]
}

/// The columns of the table of runs.
pub const RUN_COLUMNS: [&str; 6] = [
    "run",
    "started",
    "verdict",
    "requests",
    "bad",
    "slowest recovery",
];

/// A run's row.
pub fn run_row(run: &RunSummary) -> Vec<String> {
    vec![
        run.run.clone(),
        run.started_at.to_string(),
        sentence::verdict(run.verdict).to_lowercase(),
        grouped(run.requests),
        grouped(run.bad),
        value(Metric::TimeToRecover, run.slowest_recovery_ms),
    ]
}

/// A line for each run that does not count.
pub fn left_out(repeated: &Repeated) -> Vec<String> {
    let left_out = repeated.runs.iter().filter(|r| !r.counted);
    left_out
        .map(|r| format!("run {} does not count: {}", r.run, r.doubts.join("; ")))
        .collect()
}

/// What the interval means, and what to do for a better one.
pub fn legend(repeated: &Repeated) -> String {
    let counted = repeated.runs.iter().filter(|r| r.counted).count();
    let more = if counted < 6 {
        " With six runs or more it is at least 95 % sure."
    } else {
        ""
    };
    format!(
        "The median lies in: where the median of all runs that could be made is to be expected, by order statistics. Flaky: too \
         scattered to gate on.{more}"
    )
}
