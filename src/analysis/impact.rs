//! What an edge did to a workload.

use super::edge::Edge;
use super::load::Workload;
use super::result::Impact;
use super::window::{Counts, latencies, whole_seconds};
use crate::clock::{Offset, millis};
use std::ops::Range;
use std::time::Duration;

/// Error recovery within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// From the edge.
    pub after: Duration,
    /// How far the truth may lie from it.
    pub resolution: Duration,
}

/// The impact of `edge` on a workload, over the operations on its account: [`Workload::account`].
#[must_use]
pub fn impact(workload: &Workload<'_>, edge: &Edge<'_>) -> Impact {
    let (from, to) = workload.account(edge);
    let counts = Counts::between(workload.history, &workload.timeline, from, to);
    let bad = || workload.timeline.between(from, to).filter(|p| p.bad);
    let own_until = workload.own_until(edge);
    let recovered = recovery(workload, edge.at, (from, to), own_until, counts.all());
    // Operations that were under way at the edge were intended before it.
    let after = |at: Offset| millis(at - edge.at) - millis(edge.at - at);
    Impact {
        fault: edge.fault.name.clone(),
        entry: edge.fault.entry.clone(),
        edge: edge.kind,
        edge_at_ms: edge.at.as_millis_f64(),
        window_ms: millis(edge.window_end - edge.at),
        load: workload.plan.name.clone(),
        requests: counts.all(),
        bad: counts.bad(),
        unknown: counts.unknown(),
        dropped: counts.dropped(),
        error_rate: counts.error_rate(),
        errors: counts.errors(),
        bad_under_way: workload.under_way(edge).map_or(0, |(_, n)| n),
        first_bad_ms: bad().next().map(|p| after(p.at)),
        last_bad_ms: bad().next_back().map(|p| after(p.at)),
        time_to_recover_ms: recovered.map(|r| millis(r.after)),
        resolution_ms: recovered.map(|r| millis(r.resolution + edge.uncertainty)),
        recovered: recovered.is_some(),
        time_to_recover_performance_ms: performance(workload, edge.at, own_until, edge.window_end)
            .map(millis),
        latency_ms: latencies(
            workload.history,
            whole_seconds(edge.at, edge.window_end, workload.load_end),
        )[0],
    }
}

/// Time to recover:
///
/// ```text
/// 0                                     where nothing was bad
/// intended(t) − edge                    t: the first operation, from the first bad one on, that is stable; 0 where
///                                       it lies before the edge (only what was under way was cut off)
/// none                                  where there is no such t, or less than stable_for is left after it
/// ```
///
/// What *stable* means is [`super::timeline::Timeline::stable_from`]'s. A window that is long enough to see
/// recovery and holds no operation at all proves nothing: none. The resolution of a 0 is the mean gap between
/// operations: anything shorter could pass unseen.
///
/// Operations that may have been under way when the next edge came (`own_until`) count as bad of this window, but
/// say nothing about recovery: the next fault cut them off. Where that may be said of all of them, they are what there is.
fn recovery(
    workload: &Workload<'_>,
    edge: Offset,
    (from, to): (Offset, Offset),
    own_until: Offset,
    all: u64,
) -> Option<Recovered> {
    let own_until = if own_until > edge { own_until } else { to };
    let first = workload.timeline.index_at(from);
    let mut points = workload.timeline.between(from, own_until);
    let rule = &workload.plan.recovery;
    let Some(bad) = points.position(|p| p.bad) else {
        let seen = all > 0 || to - from < rule.stable_for;
        let gap = (to - from) / u32::try_from(all.max(1)).unwrap_or(u32::MAX);
        return seen.then_some(Recovered {
            after: Duration::ZERO,
            resolution: gap,
        });
    };
    let stable = workload
        .timeline
        .stable_from(first + bad, rule, (to, own_until))?;
    Some(Recovered {
        after: stable.at - edge,
        resolution: stable.resolution,
    })
}

/// Time to recover performance, in windows of one second of the clock, the first of which holds the edge:
///
/// ```text
/// 0                          where p99 ≤ limit in every window
/// start(w) − edge            w: the first window after one with p99 > limit, from which p99 ≤ limit for stable_for
/// none                       where there is no such w within the edge's window, or no limit
/// ```
///
/// A second in which operations were intended and none was good has no p99 and is not within the limit; one
/// without operations says nothing and is passed over. From `own_until` on operations may be slow for what the next edge
/// did: what they may account for does not make a second slow.
fn performance(
    workload: &Workload<'_>,
    from: Offset,
    own_until: Offset,
    to: Offset,
) -> Option<Duration> {
    let limit = workload.p99_limit?;
    let seconds = seconds_of(from, to, workload.load_end);
    let slow = |second: u32| workload.is_slow(second, limit, own_until).unwrap_or(false);
    let Some(first_slow) = seconds.clone().find(|s| slow(*s)) else {
        return Some(Duration::ZERO);
    };
    let nanos = workload.plan.recovery.stable_for.as_nanos();
    let need = u32::try_from(nanos.div_ceil(1_000_000_000))
        .unwrap_or(u32::MAX)
        .max(1);
    let mut start = first_slow + 1;
    while start
        .checked_add(need)
        .is_some_and(|end| end <= seconds.end)
    {
        match (start..start + need).rev().find(|s| slow(*s)) {
            Some(last_slow) => start = last_slow + 1,
            None => return Some(Offset::new(Duration::from_secs(start.into())) - from),
        }
    }
    None
}

/// The seconds from the one that holds `from`, this one in any case, to the last whole one before `to`.
fn seconds_of(from: Offset, to: Offset, load_end: Offset) -> Range<u32> {
    let first = u32::try_from(from.since_zero().as_secs()).unwrap_or(u32::MAX);
    let end = whole_seconds(from, to, load_end).end;
    first..end.max(first.saturating_add(1))
}
