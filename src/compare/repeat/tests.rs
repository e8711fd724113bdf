use super::*;
use crate::compare::tests::run;
use proptest::prelude::*;

/// A gate's runs: recovery of each, or never.
fn repeated(outages_ms: &[u64]) -> Repeated {
    let runs: Vec<_> = outages_ms.iter().map(|ms| run(*ms, 2)).collect();
    summarize(&runs)
}

#[test]
fn a_gate_passes_or_fails_with_its_whole_interval_and_else_proves_nothing() {
    for (outages, outcome, verdict) in [
        (vec![500, 600, 700], GateOutcome::Passed, Verdict::Pass),
        (
            vec![1_900, 1_990, 1_800, 1_700, 1_900, 1_950],
            GateOutcome::Passed,
            Verdict::Pass,
        ),
        (
            vec![3_000, 2_600, 2_700],
            GateOutcome::Failed,
            Verdict::Fail,
        ),
        (
            vec![1_500, 2_500, 1_500],
            GateOutcome::Straddles,
            Verdict::Inconclusive,
        ),
        // One bad run in nine lies outside of the interval of the median.
        (
            vec![500, 500, 500, 500, 500, 500, 500, 500, 2_500],
            GateOutcome::Passed,
            Verdict::Pass,
        ),
    ] {
        let found = repeated(&outages);
        assert_eq!(found.gates[0].outcome, outcome, "{outages:?}");
        assert_eq!(found.verdict, verdict, "{outages:?}: {:?}", found.reasons);
        assert_eq!(found.reasons.is_empty(), verdict == Verdict::Pass);
    }
    let straddles = repeated(&[1_500, 2_500, 1_500]);
    assert!(
        straddles.reasons[0].contains("repeat more often"),
        "{:?}",
        straddles.reasons
    );
    assert!(
        straddles.reasons[0].contains("75.0 % sure"),
        "{:?}",
        straddles.reasons
    );
}

#[test]
fn recovery_is_spread_for_each_fault_edge_and_workload() {
    let found = repeated(&[500, 1_500, 1_000]);
    let name = "time_to_recover of b after stop (inject)";
    let figure = found.figures.iter().find(|f| f.name == name).unwrap();
    let spread = &figure.spread;
    assert_eq!(
        (spread.n, spread.min, spread.median, spread.max),
        (3, 500.0, 1_000.0, 1_500.0)
    );
    assert_eq!(
        (spread.low, spread.high, spread.coverage),
        (500.0, 1_500.0, 0.75)
    );
    assert_eq!(spread.values, [500.0, 1_500.0, 1_000.0]);
    let of_edges = |f: &&RepeatedFigure| f.key.metric == Metric::TimeToRecover;
    assert_eq!(found.figures.iter().filter(of_edges).count(), 4);
}

#[test]
fn a_run_that_did_not_recover_is_infinitely_long_and_never_dropped() {
    let found = repeated(&[500, 45_000, 500]);
    let gate = &found.gates[0];
    let spread = gate.spread.as_ref().unwrap();
    assert_eq!((spread.n, spread.never, spread.flaky), (3, 1, true));
    assert!(spread.max.is_infinite() && spread.high.is_infinite());
    assert_eq!(gate.outcome, GateOutcome::Straddles);
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(
        serde_json::from_str::<Repeated>(&text).unwrap().gates,
        found.gates
    );
    assert_eq!(repeated(&[45_000; 4]).verdict, Verdict::Fail);
}

#[test]
fn a_run_in_doubt_is_left_out_and_named_and_too_few_prove_nothing() {
    let mut runs: Vec<_> = [500, 600, 700, 9_000].map(|ms| run(ms, 2)).into();
    runs[3].end.reason = "interrupted".to_owned();
    let found = summarize(&runs);
    assert_eq!(found.verdict, Verdict::Pass, "{:?}", found.reasons);
    assert_eq!(
        found.runs.iter().map(|r| r.counted).collect::<Vec<_>>(),
        [true, true, true, false]
    );
    assert!(found.runs[3].doubts[0].contains("interrupted"));
    assert_eq!(found.gates[0].spread.as_ref().unwrap().n, 3);
    runs[2].end.reason = "interrupted".to_owned();
    let few = summarize(&runs);
    assert_eq!(few.verdict, Verdict::Inconclusive);
    assert!(
        few.reasons[0].contains("only 2 of 4 runs count"),
        "{:?}",
        few.reasons
    );
    assert!(
        few.reasons
            .iter()
            .any(|r| r.contains("left out: the run was interrupted"))
    );
    assert_eq!(summarize(&[]).verdict, Verdict::Inconclusive);
}

#[test]
fn a_gate_that_some_run_could_not_judge_is_not_passed() {
    let mut runs: Vec<_> = [500, 600, 700].map(|ms| run(ms, 2)).into();
    runs[1].gates[0].judged = false;
    let found = summarize(&runs);
    assert_eq!(found.gates[0].outcome, GateOutcome::NotJudged);
    assert_eq!(found.verdict, Verdict::Inconclusive);
}

#[test]
fn runs_of_different_scenarios_prove_nothing_together() {
    let mut runs: Vec<_> = [500, 600, 700].map(|ms| run(ms, 2)).into();
    runs[1].scenario.name = "another".to_owned();
    assert_eq!(summarize(&runs).verdict, Verdict::Inconclusive);
}

#[test]
fn no_gate_proves_nothing_unless_the_scenario_only_observes() {
    let mut runs: Vec<_> = [500, 600, 700].map(|ms| run(ms, 2)).into();
    runs.iter_mut().for_each(|r| r.gates.clear());
    assert_eq!(summarize(&runs).verdict, Verdict::Inconclusive);
    runs.iter_mut().for_each(|r| r.scenario.observe = true);
    assert_eq!(summarize(&runs).verdict, Verdict::Pass);
}

proptest! {
    #[test]
    fn where_every_run_holds_a_limit_so_does_the_interval_and_where_none_does_it_fails(
        values in prop::collection::vec(0.0..100.0_f64, 1..40), limit in 0.0..100.0_f64,
    ) {
        let gate = GateResult {
            comparison: Comparison::AtMost,
            ..run_gate()
        };
        let distances: Vec<f64> = values.iter().map(|v| v - limit).collect();
        let (found, _) = outcome(&gate, &distances, distances.len());
        if values.iter().all(|v| *v <= limit) {
            prop_assert_eq!(found, GateOutcome::Passed);
        }
        if values.iter().all(|v| *v > limit) {
            prop_assert_eq!(found, GateOutcome::Failed);
        }
    }
}

fn run_gate() -> GateResult {
    GateResult {
        name: "p99".to_owned(),
        limit: "<= 1s".to_owned(),
        measured: None,
        passed: false,
        judged: true,
        metric: Metric::P99,
        comparison: Comparison::AtMost,
        limit_value: 0.0,
        scope: GateScope::Run,
        worst: None,
        note: None,
        baseline: None,
    }
}
