//! Known truth: a target that fails for exactly so long is measured to have failed for so long.

use super::analyze;
use super::known::{add_fault, history, op, plan, steady};
use super::result::{EdgeKind, Impact, RunResult};
use super::timeline::within;
use crate::clock::Offset;
use crate::history::{Class, EndReason, Operation, Outcome};
use crate::verdict::Verdict;
use std::time::Duration;

fn run(operations: Vec<Operation>, duration: u64, faults: &[(u64, Option<u64>)]) -> RunResult {
    let mut history = history(plan(&["web"], 2, duration), &[operations]);
    for (i, (inject, heal)) in faults.iter().enumerate() {
        add_fault(&mut history, &format!("stop #{}", i + 1), *inject, *heal);
    }
    analyze(&history)
}

fn edge(result: &RunResult, kind: EdgeKind, number: usize) -> &Impact {
    result
        .impacts
        .iter()
        .filter(|i| i.edge == kind)
        .nth(number)
        .unwrap()
}

fn near(measured: Option<f64>, truth: f64, tolerance: f64) {
    let measured = measured.expect("there is a value");
    assert!(
        (measured - truth).abs() <= tolerance + 1e-6,
        "{measured} is not {truth} ± {tolerance}"
    );
}

#[test]
fn an_outage_is_measured_to_its_resolution_at_any_rate() {
    for rate in [20, 50, 200, 333, 997, 1000, 2500, 10_000] {
        let result = run(steady(rate, 30, &[(10_000, 13_210)]), 30, &[(10_000, None)]);
        let impact = edge(&result, EdgeKind::Inject, 0);
        let gap = 1000.0 / rate as f64;
        near(impact.time_to_recover_ms, 3210.0, gap);
        near(impact.first_bad_ms, 0.0, gap);
        near(impact.resolution_ms, gap, 1.0);
        assert!(impact.resolution_ms.unwrap() < 1.0 + gap);
        assert_eq!(result.outages.len(), 1);
        near(
            result.outages[0].duration_ms,
            3210.0,
            result.outages[0].resolution_ms,
        );
        assert_eq!(result.outages[0].fault.as_deref(), Some("stop #1"));
        assert_eq!(result.outages[0].bad, impact.bad);
        near(result.loads[0].longest_gap_ms, 3210.0, 2.0 * gap);
    }
}

#[test]
fn a_first_good_operation_that_waited_to_be_sent_widens_the_resolution_by_its_wait() {
    // Also where it is the first of its slot (13 300 ms), which holds nothing bad.
    for end in [13_210, 13_300] {
        let mut operations = steady(100, 30, &[(10_000, end)]);
        let first_good = operations
            .iter_mut()
            .find(|o| o.intended >= Offset::from_millis(end))
            .unwrap();
        first_good.sent = Some(first_good.intended + Duration::from_millis(34));
        first_good.done = first_good.intended + Duration::from_millis(35);
        let result = run(operations, 30, &[(10_000, None)]);
        let impact = edge(&result, EdgeKind::Inject, 0);
        near(impact.resolution_ms, 34.0, 1e-6);
        near(Some(result.outages[0].resolution_ms), 10.0 + 34.0, 1e-6);
    }
}

#[test]
fn an_outage_shorter_than_one_slot_is_still_reported() {
    let result = run(steady(500, 20, &[(10_030, 10_050)]), 20, &[]);
    assert_eq!(result.outages.len(), 1);
    near(result.outages[0].duration_ms, 20.0, 1e-6);
    near(Some(result.outages[0].start_ms), 10_030.0, 1e-6);
    assert_eq!(
        (result.outages[0].bad, &result.outages[0].fault),
        (10, &None)
    );
}

#[test]
fn an_outage_across_a_slot_border_is_one_outage() {
    let result = run(steady(500, 20, &[(10_080, 10_310)]), 20, &[]);
    assert_eq!(result.outages.len(), 1);
    near(result.outages[0].duration_ms, 230.0, 1e-6);
}

#[test]
fn two_outages_farther_apart_than_stability_are_two_and_nearer_ones_are_one() {
    let apart = run(
        steady(200, 30, &[(10_000, 10_500), (17_000, 18_000)]),
        30,
        &[],
    );
    let lengths: Vec<_> = apart
        .outages
        .iter()
        .map(|o| o.duration_ms.unwrap().round())
        .collect();
    assert_eq!(lengths, [500.0, 1000.0]);
    let near_by = run(
        steady(200, 30, &[(10_000, 10_500), (14_000, 15_000)]),
        30,
        &[],
    );
    assert_eq!(near_by.outages.len(), 1);
    near(near_by.outages[0].duration_ms, 5000.0, 1e-6);
}

#[test]
fn operations_that_end_out_of_order_count_by_their_intended_time() {
    let mut operations = steady(200, 30, &[(10_000, 12_000)]);
    let in_order = run(operations.clone(), 30, &[(10_000, None)]);
    operations.reverse();
    operations.rotate_left(777);
    assert_eq!(run(operations, 30, &[(10_000, None)]), in_order);
}

#[test]
fn a_closed_loop_is_measured_within_the_gap_between_its_operations() {
    // Eight users, each asks, waits 20 ms for the answer and asks again; a refusal comes after 1 ms, and a
    // refused user pauses 50 ms.
    let mut operations = Vec::new();
    for user in 0..8u64 {
        let mut now = user * 2_300;
        while now < 30_000_000 {
            let down = (10_000_000..14_500_000).contains(&now);
            let outcome = if down {
                Outcome::Fail(Class::Refused)
            } else {
                Outcome::Ok
            };
            operations.push(op(
                now,
                outcome,
                Duration::from_millis(if down { 1 } else { 20 }),
            ));
            now += if down { 51_000 } else { 20_000 };
        }
    }
    let result = run(operations, 30, &[(10_000, None)]);
    let impact = edge(&result, EdgeKind::Inject, 0);
    near(
        impact.time_to_recover_ms,
        4500.0,
        impact.resolution_ms.unwrap(),
    );
    assert!(impact.resolution_ms.unwrap() < 51.0);
}

#[test]
fn unknown_outcomes_are_bad_and_disjoint_from_failed_and_dropped_ones() {
    let mut operations = steady(100, 20, &[]);
    operations[1000].outcome = Outcome::Unknown(Class::Timeout);
    operations[1001].outcome = Outcome::Fail(Class::Timeout);
    operations[1002].outcome = Outcome::Fail(Class::Dropped);
    let result = run(operations, 20, &[(10_000, None)]);
    let load = &result.loads[0];
    assert_eq!(
        (
            load.requests,
            load.ok,
            load.failed,
            load.unknown,
            load.dropped
        ),
        (1800, 1797, 1, 1, 1)
    );
    assert_eq!(load.errors["timeout"], 2);
    let impact = edge(&result, EdgeKind::Inject, 0);
    assert_eq!(
        (impact.bad, impact.unknown, impact.dropped, impact.requests),
        (3, 1, 1, 1000)
    );
    near(impact.time_to_recover_ms, 30.0, 1e-6);
}

#[test]
fn a_window_too_short_to_see_stability_is_not_recovered() {
    let faults = [(10_000, Some(16_000))];
    let short = run(steady(200, 40, &[(10_000, 11_500)]), 40, &faults);
    assert_eq!(
        edge(&short, EdgeKind::Inject, 0).time_to_recover_ms,
        None,
        "4.5 s are left of 5"
    );
    assert!(!edge(&short, EdgeKind::Inject, 0).recovered);
    near(edge(&short, EdgeKind::Heal, 0).time_to_recover_ms, 0.0, 0.0);
    let enough = run(steady(200, 40, &[(10_000, 11_000)]), 40, &faults);
    near(
        edge(&enough, EdgeKind::Inject, 0).time_to_recover_ms,
        1000.0,
        1e-6,
    );
    let never = run(steady(200, 40, &[(10_000, 40_000)]), 40, &faults);
    assert!(never.impacts.iter().all(|i| !i.recovered));
    assert_eq!((never.outages.len(), never.outages[0].end_ms), (1, None));
}

#[test]
fn repeated_and_overlapping_faults_have_windows_of_their_own() {
    let faults = [(10_000, Some(25_000)), (15_000, Some(35_000))];
    let result = run(
        steady(200, 50, &[(15_000, 16_000), (35_000, 35_200)]),
        50,
        &faults,
    );
    let starts: Vec<_> = result
        .impacts
        .iter()
        .map(|i| (i.edge_at_ms, i.window_ms, i.bad))
        .collect();
    assert_eq!(
        starts,
        [
            (10_000.0, 5_000.0, 0),
            (15_000.0, 10_000.0, 200),
            (25_000.0, 10_000.0, 0),
            (35_000.0, 15_000.0, 40)
        ]
    );
    near(
        edge(&result, EdgeKind::Heal, 1).time_to_recover_ms,
        200.0,
        1e-6,
    );
}

#[test]
fn edges_less_than_a_millisecond_apart_share_their_window() {
    let mut history = history(
        plan(&["web"], 2, 30),
        &[steady(200, 30, &[(10_000, 11_000)])],
    );
    add_fault(&mut history, "one", 10_000, None);
    add_fault(&mut history, "two", 10_000, None);
    history.faults[1].targets[0].inject.truth = Some(Offset::from_nanos(10_000_900_000));
    let result = analyze(&history);
    let windows: Vec<_> = result.impacts.iter().map(|i| i.window_ms.round()).collect();
    assert_eq!(windows, [20_000.0, 19_999.0]);
}

#[test]
fn an_edge_that_was_not_observed_adds_its_uncertainty_to_the_resolution() {
    let mut history = history(
        plan(&["web"], 2, 30),
        &[steady(200, 30, &[(10_000, 11_000)])],
    );
    add_fault(&mut history, "stop", 10_000, None);
    let edge = &mut history.faults[0].targets[0].inject;
    edge.truth = None;
    edge.event = Some(Offset::from_millis(10_032));
    let impact = &analyze(&history).impacts[0];
    near(impact.time_to_recover_ms, 968.0, 1e-6);
    near(impact.resolution_ms, 5.0 + 32.0, 1e-6);
}

#[test]
fn operations_under_way_when_the_fault_came_are_not_the_steady_states() {
    let operations: Vec<_> = (0..6000)
        .map(|i| {
            let at = i * 5_000;
            let cut = (9_800_000..10_000_000).contains(&at);
            let outcome = if cut {
                Outcome::Fail(Class::Reset)
            } else {
                Outcome::Ok
            };
            op(at, outcome, Duration::from_millis(200))
        })
        .collect();
    let result = run(operations, 30, &[(10_000, None)]);
    assert!(
        result.loads[0].baseline.holds,
        "{:?}",
        result.loads[0].baseline
    );
    assert_eq!(
        (result.impacts[0].bad, result.impacts[0].bad_under_way),
        (40, 40)
    );
    near(result.impacts[0].first_bad_ms, -200.0, 1e-6);
    near(result.impacts[0].time_to_recover_ms, 0.0, 0.0);
    assert_eq!(result.outages[0].fault.as_deref(), Some("stop #1"));
    assert_eq!(result.verdict, Verdict::Pass);
}

#[test]
fn operations_cut_off_by_the_next_fault_do_not_undo_recovery_from_the_last_one() {
    let operations: Vec<_> = (0..8000)
        .map(|i| {
            let at = i * 5_000;
            let cut =
                (24_900_000..25_000_000).contains(&at) || (10_000_000..11_000_000).contains(&at);
            let outcome = if cut {
                Outcome::Fail(Class::Reset)
            } else {
                Outcome::Ok
            };
            op(at, outcome, Duration::from_millis(100))
        })
        .collect();
    let result = run(operations, 40, &[(10_000, None), (25_000, None)]);
    let [first, second] = &result.impacts[..] else {
        panic!("two edges")
    };
    near(first.time_to_recover_ms, 1_000.0, 1e-6);
    near(second.time_to_recover_ms, 0.0, 0.0);
    assert_eq!((first.bad, second.bad, second.bad_under_way), (200, 20, 20));
}

#[test]
fn a_workload_that_was_not_steady_makes_the_run_inconclusive() {
    let result = run(steady(200, 30, &[(4_000, 4_200)]), 30, &[(10_000, None)]);
    assert!(!result.loads[0].baseline.holds);
    assert_eq!(result.verdict, Verdict::Inconclusive);
    assert!(
        result.verdict_reasons[0].contains("not steady"),
        "{:?}",
        result.verdict_reasons
    );
}

#[test]
fn a_workload_without_operations_makes_the_run_inconclusive() {
    let result = run(Vec::new(), 30, &[(10_000, None)]);
    assert_eq!(result.verdict, Verdict::Inconclusive);
    assert_eq!(
        result.impacts[0].time_to_recover_ms, None,
        "nothing was seen to work"
    );
    assert!(
        result
            .verdict_reasons
            .iter()
            .any(|r| r.contains("no operation"))
    );
}

#[test]
fn slow_is_not_failed_and_has_its_own_recovery() {
    let operations: Vec<_> = (0..8000)
        .map(|i| {
            let at = i * 5_000;
            let slow = (10_300_000..14_200_000).contains(&at);
            op(
                at,
                Outcome::Ok,
                Duration::from_millis(if slow { 300 } else { 4 }),
            )
        })
        .collect();
    let result = run(operations, 40, &[(10_000, None)]);
    let impact = &result.impacts[0];
    near(impact.time_to_recover_ms, 0.0, 0.0);
    near(impact.time_to_recover_performance_ms, 5000.0, 1e-6);
    assert!(result.outages.is_empty());
    let said = crate::report::sentence::impact(&result, impact);
    assert!(said.contains("p99 back after 5.000 s"), "{said}");
    let same = run(steady(200, 40, &[]), 40, &[(10_000, None)]);
    near(same.impacts[0].time_to_recover_performance_ms, 0.0, 0.0);
}

#[test]
fn a_report_says_that_p99_did_not_come_back() {
    let slow = |at: u64| Duration::from_millis(if at >= 10_000_000 { 300 } else { 4 });
    let at = (0..8000).map(|i| i * 5_000);
    let operations = at.map(|at| op(at, Outcome::Ok, slow(at))).collect();
    let result = run(operations, 40, &[(10_000, None)]);
    assert_eq!(result.impacts[0].time_to_recover_performance_ms, None);
    let said = crate::report::sentence::impact(&result, &result.impacts[0]);
    assert!(said.contains("p99 NOT BACK within 30.000 s"), "{said}");
}

#[test]
fn a_stall_of_500_ms_every_5_s_shows_in_the_percentiles_as_arithmetic_says() {
    // While it stalls nothing is answered: what was intended x ms before its end takes x ms. A tenth of all.
    // 32 s, so that the measured window (from 2 s on) holds six stalls in 30 s.
    let operations: Vec<_> = (0..5_000 * 32)
        .map(|i| {
            let at = i * 200;
            let into = at % 5_000_000;
            let left = 500_000u64.saturating_sub(into);
            op(at, Outcome::Ok, Duration::from_micros(left.max(500)))
        })
        .collect();
    let latency = run(operations, 32, &[]).loads[0].latency_ms.unwrap();
    // Two significant digits: within 1 %.
    near(Some(latency.p99), 450.0, 4.5);
    near(Some(latency.p999), 495.0, 5.0);
    near(Some(latency.max), 500.0, 5.0);
    near(Some(latency.p50), 0.5, 0.005);
}

#[test]
fn a_run_that_was_cut_short_is_measured_up_to_there_and_inconclusive() {
    let mut history = history(
        plan(&["web"], 2, 60),
        &[steady(200, 20, &[(10_000, 11_000)])],
    );
    add_fault(&mut history, "stop", 10_000, None);
    add_fault(&mut history, "later", 40_000, None);
    history.faults.pop();
    let end = history.end.as_mut().unwrap();
    end.reason = EndReason::Interrupted;
    end.load_ended_at = Offset::from_millis(20_000);
    let result = analyze(&history);
    near(result.impacts[0].time_to_recover_ms, 1000.0, 1e-6);
    near(Some(result.loads[0].achieved_rate), 200.0, 1e-6);
    near(result.loads[0].intended_rate, 200.0, 1e-6);
    assert_eq!(result.verdict_reasons, ["the run was interrupted"]);
    history.end = None;
    let crashed = analyze(&history);
    near(crashed.impacts[0].time_to_recover_ms, 1000.0, 1e-6);
    assert_eq!(crashed.verdict, Verdict::Inconclusive);
}

#[test]
fn an_empty_history_is_analysed_without_panic() {
    for (warmup, duration) in [(0, 0), (5, 1), (0, u64::MAX)] {
        let history = history(plan(&["web"], warmup, duration), &[Vec::new()]);
        assert_eq!(analyze(&history).verdict, Verdict::Inconclusive);
    }
}

#[test]
fn one_bad_of_a_hundred_is_within_one_per_cent_and_two_are_not() {
    for hundreds in 1..5000 {
        assert!(within(hundreds, hundreds * 100, 0.01), "{hundreds}");
        assert!(!within(hundreds + 1, hundreds * 100, 0.01), "{hundreds}");
    }
}

#[test]
fn one_slow_operation_in_a_second_of_few_is_not_its_p99_and_two_are() {
    let with_slow = |slow: &[u64]| {
        let mut operations = steady(40, 30, &[]);
        for o in &mut operations {
            if slow.iter().any(|ms| o.intended == Offset::from_millis(*ms)) {
                o.done = o.intended + Duration::from_millis(400);
            }
        }
        let result = run(operations, 30, &[(10_000, None)]);
        assert_eq!(result.loads[0].latency_ms.unwrap().max.round(), 401.0);
        edge(&result, EdgeKind::Inject, 0).time_to_recover_performance_ms
    };
    near(with_slow(&[12_100, 14_200]), 0.0, 0.0);
    near(with_slow(&[12_100, 12_200]), 3_000.0, 0.0);
}

#[test]
fn a_workload_that_may_fail_altogether_is_never_out() {
    let mut history = history(
        plan(&["web"], 2, 30),
        &[steady(100, 30, &[(10_000, 13_000)])],
    );
    history.head.plan.loads[0].recovery.max_error_ratio = 1.0;
    let result = analyze(&history);
    assert!(result.outages.is_empty());
    assert_eq!(result.loads[0].failed, 300);
}
