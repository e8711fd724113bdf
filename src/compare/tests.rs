//! Runs whose truth is known, beside each other.

use super::*;
use crate::analysis::analyze;
use crate::analysis::known::{add_fault, history, op, plan, steady};
use crate::analysis::result::RunResult;
use crate::history::Outcome;
use crate::plan::{Comparison, Gate, GateScope, Metric};
use std::time::Duration;

/// Two workloads at 200/s; `b` is out for `outage_ms` after the fault. Every operation takes `latency_ms`, evenly up to a
/// half more.
pub(super) fn run(outage_ms: u64, latency_ms: u64) -> RunResult {
    let bad = [(10_000, 10_000 + outage_ms)];
    let slowed = |bad: &[(u64, u64)]| {
        let timed = steady(200, 50, bad).into_iter().enumerate();
        let each = timed.map(|(i, o)| {
            let micros = latency_ms * 1000 + (i as u64 * 7919 % 1000) * latency_ms / 2;
            let fresh = op(
                o.intended.as_nanos() / 1000,
                o.outcome,
                Duration::from_micros(micros),
            );
            assert!(matches!(o.outcome, Outcome::Ok | Outcome::Fail(_)));
            fresh
        });
        each.collect::<Vec<_>>()
    };
    let mut plan = plan(&["a", "b"], 2, 50);
    plan.observe = false;
    plan.gates = vec![Gate {
        metric: Metric::TimeToRecover,
        comparison: Comparison::AtMost,
        limit: 2_000.0,
        written: "<= 2s".to_owned(),
        scope: GateScope::Run,
        relative: None,
    }];
    let mut history = history(plan, &[slowed(&[]), slowed(&bad)]);
    add_fault(&mut history, "stop", 10_000, Some(20_000));
    analyze(&history)
}

fn pair(a: RunResult, b: RunResult) -> Compared {
    compare(&[("A".to_owned(), a), ("B".to_owned(), b)])
}

fn judgement(compared: &Compared, name: &str) -> Judgement {
    let figure = compared.figures.iter().find(|f| f.name == name);
    let side = figure.and_then(|f| f.sides[1].as_ref());
    side.and_then(|s| s.difference)
        .unwrap_or_else(|| panic!("{name}"))
        .judgement
}

#[test]
fn a_run_is_the_same_as_itself() {
    let compared = pair(run(1_000, 2), run(1_000, 2));
    assert!(compared.figures.len() > 20, "{}", compared.figures.len());
    for figure in &compared.figures {
        let difference = figure.sides[1].as_ref().unwrap().difference.unwrap();
        assert_eq!(
            (difference.by, difference.judgement),
            (0.0, Judgement::Same),
            "{}",
            figure.name
        );
    }
    assert_eq!(compared.notes, Vec::<String>::new());
}

#[test]
fn what_differs_by_more_than_it_is_known_is_worse_or_better_and_the_rest_the_same() {
    let compared = pair(run(1_000, 4), run(3_000, 2));
    let recovery = "time_to_recover of b after stop (inject)";
    assert_eq!(judgement(&compared, recovery), Judgement::Worse);
    assert_eq!(judgement(&compared, "outage of b"), Judgement::Worse);
    assert_eq!(judgement(&compared, "error_rate of b"), Judgement::Worse);
    assert_eq!(judgement(&compared, "error_rate of a"), Judgement::Same);
    for percentile in ["p50 of a", "p90 of a", "p99 of a"] {
        assert_eq!(judgement(&compared, percentile), Judgement::Better);
    }
    assert_eq!(judgement(&compared, "max of a"), Judgement::Unknown);
    assert_eq!(
        judgement(&compared, "time_to_recover of a after stop (inject)"),
        Judgement::Same
    );
    let back = pair(run(3_000, 2), run(1_000, 4));
    assert_eq!(judgement(&back, recovery), Judgement::Better);
}

#[test]
fn a_difference_within_the_gap_between_operations_is_none() {
    // Operations are 5 ms apart: a millisecond more is not seen, and 5 ms more may be the same.
    let compared = pair(run(1_000, 2), run(1_005, 2));
    assert_eq!(
        judgement(&compared, "time_to_recover of b after stop (inject)"),
        Judgement::Same
    );
}

#[test]
fn a_service_that_did_not_come_back_is_worse_than_any_that_did() {
    let gone = || run(45_000, 2);
    let recovery = "outage of b";
    assert_eq!(
        judgement(&pair(run(20_000, 2), gone()), recovery),
        Judgement::Worse
    );
    assert_eq!(
        judgement(&pair(gone(), run(20_000, 2)), recovery),
        Judgement::Better
    );
    let both = pair(gone(), gone());
    assert_eq!(judgement(&both, recovery), Judgement::Same);
    let text = serde_json::to_string(&both).unwrap();
    let back: Compared = serde_json::from_str(&text).unwrap();
    let outage = |compared: &Compared| {
        let mut figures = compared.figures.iter();
        figures.find(|f| f.name == recovery).cloned()
    };
    assert_eq!(outage(&back), outage(&both));
    assert!(
        outage(&back).unwrap().sides[0]
            .as_ref()
            .unwrap()
            .value
            .is_infinite()
    );
}

#[test]
fn runs_of_other_scenarios_are_compared_by_name_and_what_is_missing_is_named() {
    let mut other = run(1_000, 2);
    other.scenario.name = "another".to_owned();
    other.loads.remove(0);
    other.impacts.retain(|i| i.load == "b");
    other.loads[0].arrivals = "50/s".to_owned();
    other.faults[0].name = "pull".to_owned();
    let compared = pair(run(1_000, 2), other);
    let notes = compared.notes.join("\n");
    for words in [
        "A ran known, B ran another",
        "workload a of A is not in B",
        "fault stop of A is not in B",
        "fault pull of B is not in A",
        "workload b: http 200/s in A, http 50/s in B",
    ] {
        assert!(notes.contains(words), "{words}: {notes}");
    }
    let of_a = compared.figures.iter().find(|f| f.key.load == "a").unwrap();
    assert!(of_a.sides[0].is_some() && of_a.sides[1].is_none());
}

#[test]
fn a_run_without_a_histogram_is_compared_without_an_uncertainty() {
    let mut old = run(1_000, 4);
    old.loads
        .iter_mut()
        .for_each(|l| l.histogram = Default::default());
    let compared = pair(old, run(1_000, 2));
    assert_eq!(judgement(&compared, "p99 of a"), Judgement::Unknown);
}
