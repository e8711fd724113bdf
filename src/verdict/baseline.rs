//! Limits that follow from what an earlier run measured: `p99 = "<= baseline * 1.2"`.
//!
//! They are resolved before the run, into its plan: so the history holds everything that its verdict rests on, and a
//! stored run is judged again without the file of its baseline.

use super::{gate, trust};
use crate::analysis::result::RunResult;
use crate::plan::{BaselineFigures, Gate, Relative};

/// Puts what a baseline measured into the gates that are derived from one. A baseline whose own measurement is in doubt
/// is none: gates are then not judged, and say why.
pub fn resolve(gates: &mut [Gate], baseline: &RunResult) {
    let doubts = trust::doubts(baseline, !baseline.gates.is_empty());
    for gate in gates {
        let figures = gate::measured(gate, baseline);
        if let Some(relative) = &mut gate.relative {
            relative.baseline = Some(BaselineFigures {
                run: baseline.run.clone(),
                figures,
                doubt: (!doubts.is_empty()).then(|| doubts.join("; ")),
            });
        }
    }
}

/// The limit for one figure, and what the baseline measured of it; why there is none, where there is none.
pub(super) fn limit(relative: &Relative, whose: &str) -> Result<(f64, f64), String> {
    let Some(baseline) = &relative.baseline else {
        return Err("no baseline was given: run with --baseline PATH".to_owned());
    };
    if let Some(doubt) = &baseline.doubt {
        return Err(format!("the baseline proves nothing: {doubt}"));
    }
    match baseline.figures.get(whose) {
        Some(value) => Ok((value * relative.factor + relative.offset, *value)),
        None => Err(format!("the baseline has no figure of {whose}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::analyze;
    use crate::analysis::known::{add_fault, history, plan, steady};
    use crate::plan::{Comparison, GateScope, Metric};
    use crate::verdict::Verdict;

    fn gate(metric: Metric, factor: f64, offset: f64) -> Gate {
        Gate {
            metric,
            comparison: Comparison::AtMost,
            limit: 0.0,
            written: format!("<= baseline * {factor} + {offset}"),
            scope: GateScope::Run,
            relative: Some(Relative {
                factor,
                offset,
                baseline: None,
            }),
        }
    }

    /// Workload `b` is out for so long after a fault.
    fn run(outage_ms: u64, gates: Vec<Gate>) -> RunResult {
        let bad = [(10_000, 10_000 + outage_ms)];
        let mut plan = plan(&["a", "b"], 2, 50);
        plan.observe = false;
        plan.gates = gates;
        let mut history = history(plan, &[steady(200, 50, &[]), steady(200, 50, &bad)]);
        add_fault(&mut history, "stop", 10_000, Some(20_000));
        analyze(&history)
    }

    fn against(outage_ms: u64, mut gates: Vec<Gate>, baseline: &RunResult) -> RunResult {
        resolve(&mut gates, baseline);
        run(outage_ms, gates)
    }

    #[test]
    fn each_figure_is_held_to_its_own_baseline() {
        let baseline = run(1_000, vec![]);
        for (outage, verdict) in [
            (1_000, Verdict::Pass),
            (1_200, Verdict::Pass),
            (1_300, Verdict::Fail),
        ] {
            let found = against(
                outage,
                vec![gate(Metric::TimeToRecover, 1.2, 0.0)],
                &baseline,
            );
            assert_eq!(found.verdict, verdict, "{:?}", found.verdict_reasons);
        }
        // `a` has no outage in the baseline: 0 × 1.2 is 0, and holds; the limit that counts is that of `b`.
        let found = against(
            1_300,
            vec![gate(Metric::TimeToRecover, 1.2, 0.0)],
            &baseline,
        );
        let of_b = &found.gates[0];
        assert_eq!(
            (of_b.limit_value, of_b.baseline, of_b.measured),
            (1_200.0, Some(1_000.0), Some(1_300.0))
        );
        assert_eq!(of_b.worst.as_deref(), Some("b after stop (inject)"));
        assert!(of_b.limit.ends_with("(1.200 s)"), "{}", of_b.limit);
        let lenient = against(
            1_300,
            vec![gate(Metric::TimeToRecover, 1.0, 500.0)],
            &baseline,
        );
        assert_eq!(lenient.verdict, Verdict::Pass);
    }

    #[test]
    fn without_a_baseline_nothing_is_judged_and_the_reason_says_what_to_do() {
        let found = run(1_000, vec![gate(Metric::P99, 1.2, 0.0)]);
        assert_eq!(found.verdict, Verdict::Inconclusive);
        assert!(!found.gates[0].judged && !found.gates[0].passed);
        assert!(
            found.verdict_reasons[0].contains("--baseline PATH"),
            "{:?}",
            found.verdict_reasons
        );
    }

    #[test]
    fn a_baseline_without_the_figure_or_in_doubt_is_none() {
        let mut never = run(45_000, vec![]);
        let recovery = || vec![gate(Metric::TimeToRecover, 1.2, 0.0)];
        let found = against(1_000, recovery(), &never);
        assert_eq!(found.verdict, Verdict::Inconclusive);
        assert!(
            found.verdict_reasons[0].contains("no figure of b after stop"),
            "{:?}",
            found.verdict_reasons
        );
        never.end.reason = "interrupted".to_owned();
        let found = against(1_000, recovery(), &never);
        assert!(
            found.verdict_reasons[0].contains("proves nothing: the run was interrupted"),
            "{:?}",
            found.verdict_reasons
        );
    }
}
