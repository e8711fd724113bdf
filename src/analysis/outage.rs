//! Outages, whether or not a fault of ours explains them.

use super::edge::Edge;
use super::load::Workload;
use super::result::Outage;
use super::timeline::Timeline;
use crate::clock::{Offset, millis};
use std::ops::Range;

/// Of one workload, at most so many outages are listed: the longest.
pub const MAX_LISTED: usize = 200;

/// The outages of a workload over the measured window, by time, and how many were left out.
///
/// ```text
/// start = intended time of the first bad operation that belongs to no outage yet
/// end   = intended time of the first operation from which the workload is stable; none: not before the end
/// ```
///
/// So every bad operation belongs to exactly one outage. *Stable* is the same rule as that of time to recover
/// (see [`super::timeline::Timeline::stable_from`]), with the end of the load as the end of the window.
#[must_use]
pub fn outages(workload: &Workload<'_>, edges: &[Edge<'_>]) -> (Vec<Outage>, u64) {
    // A workload that may fail altogether is never out.
    if workload.plan.recovery.max_error_ratio >= 1.0 {
        return (Vec::new(), 0);
    }
    let timeline = &workload.timeline;
    let end_of_load = timeline.index_at(workload.load_end);
    let mut from = timeline.index_at(workload.measured_from);
    let mut outages = Vec::new();
    while let Some((first, start)) = next_bad(timeline, from..end_of_load) {
        let ends = (workload.load_end, workload.load_end);
        let stable = timeline.stable_from(first, &workload.plan.recovery, ends);
        let until = stable.map_or(end_of_load, |s| s.index);
        let bad = || timeline.range(first..until).filter(|p| p.bad);
        let resolution =
            timeline.gap_before(first) + stable.map_or_else(Default::default, |s| s.resolution);
        outages.push(Outage {
            load: workload.plan.name.clone(),
            start_ms: start.as_millis_f64(),
            end_ms: stable.map(|s| s.at.as_millis_f64()),
            duration_ms: stable.map(|s| millis(s.at - start)),
            last_bad_ms: bad().next_back().map_or(start, |p| p.at).as_millis_f64(),
            bad: bad().map(|p| p.n).sum(),
            resolution_ms: millis(resolution),
            fault: followed(workload, edges, start),
        });
        from = until;
    }
    keep_longest(outages)
}

fn next_bad(timeline: &Timeline<'_>, within: Range<usize>) -> Option<(usize, Offset)> {
    let mut points = within.clone().zip(timeline.range(within));
    points.find(|(_, p)| p.bad).map(|(index, p)| (index, p.at))
}

/// The last edge before an outage; operations under way when it came are on its account.
fn followed(workload: &Workload<'_>, edges: &[Edge<'_>], start: Offset) -> Option<String> {
    let last = edges
        .iter()
        .rev()
        .find(|e| workload.under_way_from(e) <= start);
    last.map(|e| e.fault.name.clone())
}

fn keep_longest(mut outages: Vec<Outage>) -> (Vec<Outage>, u64) {
    let omitted = outages.len().saturating_sub(MAX_LISTED);
    if omitted > 0 {
        let length = |o: &Outage| o.duration_ms.unwrap_or(f64::INFINITY);
        outages.sort_by(|a, b| length(b).total_cmp(&length(a)));
        outages.truncate(MAX_LISTED);
        outages.sort_by(|a, b| a.start_ms.total_cmp(&b.start_ms));
    }
    (outages, u64::try_from(omitted).unwrap_or(u64::MAX))
}
