use super::*;
use crate::analysis::analyze;
use crate::analysis::known::{add_fault, history, plan, steady};
use crate::clock::Offset;
use crate::history::{EndReason, History};
use crate::plan::{Comparison, GateScope, Metric};
use std::time::Duration;

fn gate(metric: Metric, comparison: Comparison, limit: f64, scope: GateScope) -> Gate {
    Gate {
        metric,
        comparison,
        limit,
        written: format!("{comparison:?} {limit}"),
        scope,
        relative: None,
    }
}

fn at_most(metric: Metric, limit: f64) -> Gate {
    gate(metric, Comparison::AtMost, limit, GateScope::Run)
}

/// Workload `a` never fails; `b` fails for a second after each of two occurrences of a fault.
fn known(gates: Vec<Gate>) -> History {
    let operations = [
        steady(200, 50, &[]),
        steady(200, 50, &[(10_000, 11_000), (30_000, 31_500)]),
    ];
    let mut plan = plan(&["a", "b"], 2, 50);
    plan.observe = false;
    plan.gates = gates;
    let mut history = history(plan, &operations);
    add_fault(&mut history, "stop #1", 10_000, Some(20_000));
    add_fault(&mut history, "stop #2", 30_000, Some(40_000));
    history
}

fn verdict_of(gates: Vec<Gate>) -> (Verdict, Vec<GateResult>, Vec<String>) {
    let result = analyze(&known(gates));
    (result.verdict, result.gates, result.verdict_reasons)
}

#[test]
fn the_worst_workload_and_fault_counts_and_is_named() {
    let (verdict, gates, reasons) = verdict_of(vec![at_most(Metric::TimeToRecover, 1_200.0)]);
    assert_eq!(verdict, Verdict::Fail);
    assert_eq!(gates[0].measured, Some(1_500.0));
    assert_eq!(gates[0].worst.as_deref(), Some("b after stop #2 (inject)"));
    assert!(reasons[0].contains("stop #2"), "{reasons:?}");
    assert_eq!(
        verdict_of(vec![at_most(Metric::TimeToRecover, 1_500.0)]).0,
        Verdict::Pass
    );
}

#[test]
fn each_scope_looks_at_its_own() {
    let load = |name: &str| GateScope::Load(name.to_owned());
    let fault = GateScope::Fault("stop".to_owned());
    let cases = [
        (
            gate(Metric::Bad, Comparison::AtMost, 0.0, load("a")),
            Some(0.0),
            true,
        ),
        (
            gate(Metric::Bad, Comparison::AtMost, 0.0, load("b")),
            Some(500.0),
            false,
        ),
        (
            gate(Metric::Bad, Comparison::AtMost, 300.0, fault.clone()),
            Some(300.0),
            true,
        ),
        (
            gate(Metric::ErrorRate, Comparison::Below, 0.15, fault.clone()),
            Some(0.15),
            false,
        ),
        (
            gate(Metric::Outage, Comparison::AtMost, 1_500.0, fault),
            Some(1_500.0),
            true,
        ),
        (
            gate(
                Metric::Throughput,
                Comparison::AtLeast,
                195.0,
                GateScope::Run,
            ),
            Some(9_100.0 / 48.0),
            false,
        ),
        (
            gate(Metric::Unknown, Comparison::Equal, 0.0, GateScope::Run),
            Some(0.0),
            true,
        ),
    ];
    for (gate, measured, passed) in cases {
        let (_, gates, _) = verdict_of(vec![gate]);
        assert_eq!(
            (gates[0].measured, gates[0].passed, gates[0].judged),
            (measured, passed, true)
        );
    }
}

#[test]
fn what_did_not_recover_fails_an_upper_limit_however_high() {
    let mut history = known(vec![
        at_most(Metric::TimeToRecover, 1e12),
        at_most(Metric::Outage, 1e12),
    ]);
    let operations = [steady(200, 50, &[]), steady(200, 50, &[(10_000, 50_000)])];
    history.loads = crate::analysis::known::history(plan(&["a", "b"], 2, 50), &operations).loads;
    let result = analyze(&history);
    assert_eq!(result.verdict, Verdict::Fail);
    for gate in &result.gates {
        assert_eq!(
            (gate.measured, gate.passed, gate.judged),
            (None, false, true)
        );
        assert!(gate.note.is_some());
    }
}

#[test]
fn no_gate_proves_nothing_unless_the_scenario_only_observes() {
    assert_eq!(verdict_of(Vec::new()).0, Verdict::Inconclusive);
    let mut history = known(Vec::new());
    history.head.plan.observe = true;
    assert_eq!(analyze(&history).verdict, Verdict::Pass);
}

#[test]
fn a_gate_on_nothing_is_inconclusive_and_not_passed() {
    let nothing = GateScope::Fault("another".to_owned());
    let gates = vec![
        gate(Metric::Bad, Comparison::AtMost, 9.0, nothing),
        at_most(Metric::Bad, 1e6),
    ];
    let (verdict, gates, _) = verdict_of(gates);
    assert_eq!(
        (verdict, gates[0].passed, gates[1].passed),
        (Verdict::Inconclusive, false, true)
    );
}

type Spoil = fn(&mut History);

#[test]
fn a_measurement_in_doubt_is_neither_pass_nor_fail_and_still_names_failed_gates() {
    let spoils: [(&str, Spoil); 11] = [
        ("was not recorded", |h| h.generator = None),
        ("could not be confirmed", |h| {
            h.faults[0].targets[0].confirmed = None
        }),
        ("heal of fault", |h| {
            h.faults[1].targets[0].heal_confirmed = None
        }),
        ("the heal of fault stop #2", |h| {
            let target = &mut h.faults[1].targets[0];
            (target.heal, target.heal_confirmed) = (None, None);
            target.error = Some("it could not be healed".to_owned());
        }),
        ("did not take place", |h| drop(h.faults.remove(1))),
        ("late", |h| h.generator.as_mut().unwrap().late_p99_ms = 11.0),
        ("processor time", |h| {
            h.generator.as_mut().unwrap().cpu_ratio = Some(0.95)
        }),
        ("overloaded", |h| {
            h.generator.as_mut().unwrap().host_idle_ratio = Some(0.01)
        }),
        ("interrupted", |h| {
            h.end.as_mut().unwrap().reason = EndReason::Interrupted
        }),
        ("ended before", |h| h.end = None),
        ("never made", |h| {
            h.end.as_mut().unwrap().scheduled[0] += 1_000
        }),
    ];
    for (words, spoil) in spoils {
        for limit in [0.0, 1e6] {
            let mut history = known(vec![at_most(Metric::Bad, limit)]);
            spoil(&mut history);
            let result = analyze(&history);
            assert_eq!(result.verdict, Verdict::Inconclusive, "{words}");
            let reasons = &result.verdict_reasons;
            assert!(
                reasons.iter().any(|r| r.contains(words)),
                "{words}: {reasons:?}"
            );
            assert_eq!(
                reasons.iter().any(|r| r.starts_with("bad ")),
                limit == 0.0,
                "{reasons:?}"
            );
        }
    }
}

#[test]
fn a_fault_that_did_not_last_proves_nothing_and_says_what_ended_it() {
    let mut history = known(vec![at_most(Metric::ErrorRate, 1.0)]);
    let words = "it was restarted while the fault was on";
    history.faults[0].targets[0].ended_early = Some(words.to_owned());
    let result = analyze(&history);
    assert_eq!(result.verdict, Verdict::Inconclusive);
    assert!(result.verdict_reasons[0].contains("did not last"));
    assert!(result.verdict_reasons[0].contains(words));
    assert_eq!(
        (result.faults[0].lasted, result.faults[1].lasted),
        (Some(false), Some(true))
    );
}

#[test]
fn a_target_that_mended_itself_needs_no_confirmed_heal() {
    let mut history = known(vec![at_most(Metric::Bad, 1e9)]);
    let targets = &mut history.faults[0].targets;
    let mut mended_itself = targets[0].clone();
    (mended_itself.heal, mended_itself.heal_confirmed) = (None, None);
    targets.push(mended_itself);
    let result = analyze(&history);
    assert_eq!(result.faults[0].heal_confirmed, Some(true));
    assert_eq!(
        result.verdict,
        Verdict::Pass,
        "{:?}",
        result.verdict_reasons
    );
}

#[test]
fn connections_that_this_machine_could_not_make_are_explained() {
    let explained = |result: &crate::analysis::result::RunResult| {
        let hints = trust::hints(result, &[]);
        hints.iter().any(|h| h.contains("file descriptors"))
    };
    let mut result = analyze(&known(Vec::new()));
    assert!(!explained(&result));
    result.loads[0].errors.insert("connect".to_owned(), 3);
    assert!(explained(&result));
}

#[test]
fn without_a_fault_gates_judge_errors_and_only_where_there_is_none_they_are_a_doubt() {
    let verdict = |gates: Vec<Gate>| {
        let mut plan = plan(&["a"], 2, 20);
        plan.observe = true;
        plan.gates = gates;
        let result = analyze(&history(plan, &[steady(200, 20, &[(10_000, 12_000)])]));
        (result.verdict, result.verdict_reasons.join("; "))
    };
    assert_eq!(
        verdict(vec![at_most(Metric::ErrorRate, 0.2)]).0,
        Verdict::Pass
    );
    assert_eq!(
        verdict(vec![at_most(Metric::ErrorRate, 0.05)]).0,
        Verdict::Fail
    );
    let (ungated, why) = verdict(Vec::new());
    assert_eq!(ungated, Verdict::Inconclusive);
    assert!(why.contains("a was not steady:"), "{why}");
}

#[test]
fn dropped_arrivals_are_a_result_and_no_doubt() {
    let mut history = known(vec![at_most(Metric::Dropped, 1e6)]);
    history.generator.as_mut().unwrap().dropped = 5_000;
    assert_eq!(analyze(&history).verdict, Verdict::Pass);
}

#[test]
fn an_external_fault_is_marked_at_its_planned_time_and_needs_no_confirmation() {
    let mut history = known(vec![at_most(Metric::TimeToRecover, 2_000.0)]);
    history.faults.clear();
    history
        .head
        .plan
        .faults
        .iter_mut()
        .for_each(|f| f.kind = "external".to_owned());
    let result = analyze(&history);
    assert_eq!((result.verdict, result.impacts.len()), (Verdict::Pass, 8));
    assert_eq!(result.faults[0].confirmed, None);
}

#[test]
fn an_external_fault_that_was_held_beyond_the_end_did_not_take_place() {
    let mut history = known(vec![at_most(Metric::TimeToRecover, 2_000.0)]);
    for (fault, record) in history.head.plan.faults.iter_mut().zip(&mut history.faults) {
        fault.kind = "external".to_owned();
        record.targets.clear();
    }
    let result = analyze(&history);
    assert_eq!(
        (result.verdict, result.impacts.len()),
        (Verdict::Inconclusive, 0)
    );
    let why = result.verdict_reasons.join("; ");
    assert!(why.contains("stop #1 did not take place"), "{why}");
}

#[test]
fn a_run_that_was_steered_by_hand_says_so_and_is_judged_by_what_took_place() {
    let mut history = known(vec![at_most(Metric::TimeToRecover, 2_000.0)]);
    let hinted = |history: &History| {
        let hints = analyze(history).hints;
        hints.iter().any(|h| h.contains("steered by hand"))
    };
    let event = |source: &str| crate::history::Event {
        at: crate::clock::Offset::from_millis(9_000),
        source: source.to_owned(),
        subject: "schedule".to_owned(),
        what: format!("{}held", crate::history::event::BY_HAND),
    };
    history.events.push(event("docker"));
    assert!(!hinted(&history), "only what lbtest says counts");
    history.events.push(event("lbtest"));
    assert!(hinted(&history));
    assert_eq!(analyze(&history).verdict, Verdict::Pass);
}

#[test]
fn values_are_written_for_people() {
    use gate::{duration, written};
    let cases = [
        (0.0, "0 s"),
        (0.021, "0.021 ms"),
        (4.123, "4.12 ms"),
        (213.4, "213 ms"),
        (3214.0, "3.214 s"),
    ];
    for (ms, text) in cases {
        assert_eq!(duration(ms), text);
    }
    assert_eq!(written(Metric::ErrorRate, 0.000_5), "0.05 %");
    assert_eq!(written(Metric::ErrorRate, 1.0), "100 %");
    assert_eq!(written(Metric::Throughput, 199.96), "200/s");
}

#[test]
fn where_no_whole_second_or_no_operation_was_measured_a_gate_has_nothing_to_judge() {
    // 2 s of load, of which the last half second is measured: no second of the clock lies whole in it.
    let mut short = plan(&["a"], 0, 2);
    short.warmup = Duration::from_millis(1_500);
    short.duration = Duration::from_millis(1_999);
    short.gates = vec![at_most(Metric::P99, 100.0), at_most(Metric::ErrorRate, 0.0)];
    let operations = steady(200, 2, &[]).into_iter().take(399).collect();
    let mut history = history(short, &[operations]);
    let reach = |history: &mut History, ms: u64| {
        let end = history.end.as_mut().unwrap();
        (end.at, end.load_ended_at) = (Offset::from_millis(ms), Offset::from_millis(ms));
    };
    reach(&mut history, 1_999);
    let result = analyze(&history);
    let judged: Vec<_> = result.gates.iter().map(|g| (g.judged, g.passed)).collect();
    assert_eq!(judged, [(false, false), (true, true)]);
    assert_eq!(result.verdict, Verdict::Inconclusive);
}

#[test]
fn a_workload_of_which_only_the_first_moments_were_good_has_no_percentiles_and_fails_by_them() {
    let mut broken = plan(&["a"], 0, 20);
    broken.warmup = Duration::from_millis(1_500);
    broken.observe = false;
    broken.gates = vec![at_most(Metric::P99, 100.0)];
    let history = history(broken, &[steady(200, 20, &[(1_900, 20_000)])]);
    let result = analyze(&history);
    assert!(result.loads[0].ok > 0 && result.loads[0].latency_ms.is_none());
    assert_eq!(
        (result.gates[0].judged, result.gates[0].passed),
        (true, false)
    );
}
