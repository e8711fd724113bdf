//! What belongs to which fault, and what counts as slow or out.

use super::{edge, near, run};
use crate::analysis::analyze;
use crate::analysis::known::{add_fault, history, op, plan, steady};
use crate::analysis::result::EdgeKind;
use crate::analysis::timeline::within;
use crate::clock::Offset;
use crate::history::{Class, EndReason, Outcome};
use crate::verdict::Verdict;
use std::time::Duration;

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

#[test]
fn what_a_fault_made_late_is_not_the_steady_states() {
    let operations: Vec<_> = (0..1500)
        .map(|i| {
            let at = i * 20_000;
            // Under way when the fault came, and answered well once somebody had noticed.
            let late = (9_900_000..10_000_000).contains(&at);
            let latency = if late { 1_900 } else { 120 };
            op(at, Outcome::Ok, Duration::from_millis(latency))
        })
        .collect();
    let result = run(operations, 30, &[(10_000, None)]);
    let steady = &result.loads[0].baseline;
    near(steady.latency_ms.map(|l| l.p999), 120.0, 1.2);
    near(steady.p99_limit_ms, 240.0, 2.4);
    assert_eq!(steady.requests, 394, "all but those of the last 120 ms");
}

#[test]
fn a_steady_state_of_little_more_than_a_second_has_its_percentiles_all_the_same() {
    let result = run(steady(200, 30, &[]), 30, &[(3_500, None)]);
    let steady = &result.loads[0].baseline;
    near(steady.latency_ms.map(|l| l.p50), 2.0, 0.02);
}

#[test]
fn a_single_error_before_does_not_take_what_was_cut_off_from_a_fault() {
    let operations: Vec<_> = (0..30_000)
        .map(|i| {
            let at = i * 1_000;
            let bad = at == 9_700_000 || (9_800_000..10_000_000).contains(&at);
            let outcome = if bad {
                Outcome::Fail(Class::Reset)
            } else {
                Outcome::Ok
            };
            op(at, outcome, Duration::from_millis(200))
        })
        .collect();
    let result = run(operations, 30, &[(10_000, None)]);
    assert!(result.loads[0].baseline.holds);
    assert_eq!(
        (result.impacts[0].bad, result.impacts[0].bad_under_way),
        (200, 200)
    );
}

#[test]
fn a_window_in_which_everything_failed_was_not_recovered_from_however_long_answers_take() {
    let operations: Vec<_> = (0..4000)
        .map(|i| {
            let at = i * 5_000;
            let down =
                (10_000_000..11_500_000).contains(&at) || (13_000_000..14_500_000).contains(&at);
            let outcome = if down {
                Outcome::Fail(Class::Refused)
            } else {
                Outcome::Ok
            };
            // One in a hundred takes as long as it may, so that any may have been under way at the next edge.
            let latency = if i % 100 == 0 { 2_000 } else { 2 };
            op(at, outcome, Duration::from_millis(latency))
        })
        .collect();
    let faults = [(10_000, Some(11_500)), (13_000, Some(14_500))];
    let result = run(operations, 20, &faults);
    let second = edge(&result, EdgeKind::Inject, 1);
    assert_eq!((second.requests, second.bad), (300, 300));
    assert_eq!((second.time_to_recover_ms, second.recovered), (None, false));
}

#[test]
fn nothing_is_recovered_by_an_operation_that_the_next_fault_may_have_answered() {
    let operations: Vec<_> = (0..5000)
        .map(|i| {
            let at = i * 5_000;
            let down = (10_000_000..20_000_000).contains(&at) && at != 18_600_000;
            let outcome = if down {
                Outcome::Fail(Class::Refused)
            } else {
                Outcome::Ok
            };
            let latency = if i % 100 == 0 { 1_500 } else { 2 };
            op(at, outcome, Duration::from_millis(latency))
        })
        .collect();
    let mut known = plan(&["web"], 2, 25);
    known.loads[0].recovery.stable_for = Duration::from_secs(1);
    let mut history = history(known, &[operations]);
    add_fault(&mut history, "stop #1", 10_000, Some(20_000));
    let result = analyze(&history);
    assert!(!edge(&result, EdgeKind::Inject, 0).recovered);
    assert!(edge(&result, EdgeKind::Heal, 0).recovered);
}

/// 200/s for 30 s; those intended between two moments (milliseconds) take 100 ms, the others 2.
fn slow_between(from: u64, to: u64) -> Vec<crate::history::Operation> {
    (0..6000)
        .map(|i| {
            let at = i * 5_000;
            let slow = (from * 1000..to * 1000).contains(&at);
            op(
                at,
                Outcome::Ok,
                Duration::from_millis(if slow { 100 } else { 2 }),
            )
        })
        .collect()
}

#[test]
fn performance_is_judged_up_to_the_next_edge_and_not_beyond() {
    let inject = |operations, faults: &[(u64, Option<u64>)]| {
        let result = run(operations, 30, faults);
        edge(&result, EdgeKind::Inject, 0).time_to_recover_performance_ms
    };
    let steady = || slow_between(0, 0);
    // Windows within one second of the clock, and of exactly one.
    near(inject(steady(), &[(10_200, Some(10_700))]), 0.0, 0.0);
    near(inject(steady(), &[(10_000, Some(10_500))]), 0.0, 0.0);
    near(inject(steady(), &[(10_000, Some(11_000))]), 0.0, 0.0);
    // Slow in the first second, and five seconds are left to show that it is over.
    let first = slow_between(10_000, 10_500);
    near(inject(first, &[(10_000, Some(16_000))]), 1_000.0, 0.0);
    // Slow in the last second before the heal: on nobody else's account.
    let last = slow_between(11_200, 11_800);
    assert_eq!(inject(last, &[(10_000, Some(12_000))]), None);
    // Slow is what the heal did to those under way: none of this one's.
    let cut = slow_between(15_998, 16_000);
    near(inject(cut, &[(10_000, Some(16_000))]), 0.0, 0.0);
    let after = slow_between(16_300, 17_000);
    near(inject(after, &[(10_000, Some(16_300))]), 0.0, 0.0);
}

#[test]
fn a_workload_too_slow_for_a_calm_second_has_a_steady_state_all_the_same() {
    let operations: Vec<_> = (0..12)
        .map(|i| op(i * 2_500_000, Outcome::Ok, Duration::from_millis(2)))
        .collect();
    let mut known = plan(&["web"], 6, 30);
    known.loads[0].recovery.stable_for = Duration::from_secs(5);
    let mut history = history(known, &[operations]);
    add_fault(&mut history, "stop #1", 8_800, None);
    let result = analyze(&history);
    assert!(result.loads[0].baseline.latency_ms.is_some());
}
