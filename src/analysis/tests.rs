//! Known truth: a target that fails for exactly so long is measured to have failed for so long.

mod windows;

use super::analyze;
use super::known::{add_fault, history, op, plan, steady};
use super::result::{EdgeKind, Impact, RunResult};
use crate::clock::Offset;
use crate::history::{Class, Operation, Outcome};
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
