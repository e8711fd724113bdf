//! What is computed from slots against the same definition computed from the operations themselves.

use super::analyze;
use super::known::{RULE, add_fault, history, op, plan, steady};
use super::timeline::{Timeline, within};
use crate::clock::Offset;
use crate::history::{Class, Operation, Outcome};
use crate::plan::Recovery;
use proptest::prelude::*;
use std::time::Duration;

/// The definition of recovery, word for word, on the operations themselves.
fn brute_force(
    operations: &[Operation],
    edge: Offset,
    end: Offset,
    rule: &Recovery,
) -> Option<Duration> {
    let mut all: Vec<_> = operations
        .iter()
        .filter(|o| o.intended >= edge && o.intended < end)
        .collect();
    all.sort_by_key(|o| o.intended);
    let Some(first_bad) = all.iter().position(|o| o.outcome.is_bad()) else {
        return Some(Duration::ZERO);
    };
    let stable = |start: usize| {
        let (mut bad, mut n) = (0, 0);
        let until = all[start].intended + rule.stable_for;
        all[start..]
            .iter()
            .take_while(|o| o.intended < until)
            .all(|o| {
                n += 1;
                bad += u64::from(o.outcome.is_bad());
                within(bad, n, rule.max_error_ratio)
            })
    };
    let t = (first_bad..all.len()).find(|i| {
        !all[*i].outcome.is_bad() && all[*i].intended + rule.stable_for <= end && stable(*i)
    })?;
    Some(all[t].intended - edge)
}

/// Points made page by page are those of the whole, wherever one begins to look.
fn assert_paged(timeline: &Timeline<'_>) {
    let all: Vec<_> = timeline
        .between(Offset::ZERO, Offset::from_nanos(u64::MAX))
        .collect();
    assert!(all.is_sorted_by_key(|p| p.at));
    for ms in (0..20_500).step_by(37) {
        let at = Offset::from_millis(ms);
        let index = all.partition_point(|p| p.at < at);
        assert_eq!(timeline.index_at(at), index);
        assert_eq!(timeline.point(index).as_ref(), all.get(index));
        let to = at + Duration::from_millis(250);
        let inside: Vec<_> = timeline.between(at, to).collect();
        assert_eq!(inside, all[index..all.partition_point(|p| p.at < to)]);
    }
    assert_eq!(timeline.point(all.len()), None);
}

fn recovered(
    mut operations: Vec<Operation>,
    rule: Recovery,
) -> (Option<Duration>, Option<Duration>) {
    let (edge, end) = (Offset::from_millis(2_000), Offset::from_millis(20_000));
    // A bad operation that was under way at the edge is on its account, of which the definition on the operations knows
    // nothing: see `Workload::account`. None of these takes longer than 3 ms.
    operations
        .iter_mut()
        .filter(|o| o.intended < edge && o.intended + Duration::from_millis(3) > edge)
        .for_each(|o| o.outcome = Outcome::Ok);
    let expected = brute_force(&operations, edge, end, &rule);
    let mut plan = plan(&["web"], 0, 20);
    plan.loads[0].recovery = rule;
    let mut history = history(plan, &[operations]);
    add_fault(&mut history, "stop", 2_000, None);
    assert_paged(&Timeline::of(&history.loads[0]));
    let measured = analyze(&history).impacts[0].time_to_recover_ms;
    (
        measured.map(|ms| Duration::from_secs_f64(ms / 1e3)),
        expected,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn recovery_from_slots_equals_recovery_from_the_operations_below_1000_per_s(
        rate in 5u64..1000,
        ratio in prop::sample::select(vec![0.0, 0.01, 0.05, 0.3]),
        stable_ms in 100u64..6_000,
        down in prop::collection::vec((0u64..20_000, 1u64..3_000), 0..4),
        stray in prop::collection::vec(0usize..20_000, 0..40),
    ) {
        let down: Vec<_> = down.into_iter().map(|(start, length)| (start, start + length)).collect();
        let mut operations = steady(rate, 20, &down);
        for i in stray {
            if let Some(o) = operations.get_mut(i) {
                o.outcome = Outcome::Unknown(Class::Timeout);
            }
        }
        let rule = Recovery { max_error_ratio: ratio, stable_for: Duration::from_millis(stable_ms), ..RULE };
        let (measured, expected) = recovered(operations, rule);
        prop_assert_eq!(measured.map(|d| d.as_nanos()), expected.map(|d| d.as_nanos()));
    }

    #[test]
    fn recovery_from_slots_is_within_a_millisecond_above_1000_per_s(
        rate in 1000u64..4000,
        down in prop::collection::vec((0u64..20_000_000, 1u64..3_000_000), 0..3),
    ) {
        let operations: Vec<_> = (0..rate * 20).map(|i| {
            let at = i * 1_000_000 / rate;
            let is_down = down.iter().any(|(a, n)| (*a..a + n).contains(&at));
            let outcome = if is_down { Outcome::Fail(Class::Reset) } else { Outcome::Ok };
            op(at, outcome, Duration::from_millis(1))
        }).collect();
        let (measured, expected) = recovered(operations, RULE);
        prop_assert_eq!(measured.is_some(), expected.is_some());
        let (m, e) = (measured.unwrap_or_default(), expected.unwrap_or_default());
        prop_assert!(m.abs_diff(e) <= Duration::from_millis(1), "{:?} is not {:?}", m, e);
    }

    #[test]
    fn every_bad_operation_of_the_measured_window_belongs_to_exactly_one_outage(
        rate in 5u64..900,
        down in prop::collection::vec((0u64..20_000, 1u64..1_000), 0..5),
    ) {
        let down: Vec<_> = down.into_iter().map(|(start, length)| (start, start + length)).collect();
        let result = analyze(&history(plan(&["web"], 2, 20), &[steady(rate, 20, &down)]));
        let load = &result.loads[0];
        prop_assert_eq!(result.outages.iter().map(|o| o.bad).sum::<u64>(), load.failed);
        prop_assert_eq!(load.series.requests.iter().sum::<u64>(), rate * 20);
        prop_assert_eq!(load.requests, load.ok + load.failed);
    }
}
