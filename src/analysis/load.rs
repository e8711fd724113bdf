//! One workload: its steady state and its figures over the measured window.

use super::edge::Edge;
use super::result::{Baseline, Histogram, InstanceShare, LoadResult, Percentiles};
use super::timeline::{Timeline, within};
use super::window::{Counts, latencies, whole_seconds};
use super::{count, micros_to_ms, series};
use crate::clock::{Offset, millis};
use crate::history::{LoadHistory, Slot};
use crate::plan::{LoopKind, PlannedLoad};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// p99 may grow by this much, or double, and still counts as recovered.
const P99_MARGIN: Duration = Duration::from_millis(25);

/// A workload with what the analysis needs of it.
#[derive(Debug)]
pub struct Workload<'a> {
    /// As planned.
    pub plan: &'a PlannedLoad,
    /// As recorded.
    pub history: &'a LoadHistory,
    /// Its operations by time.
    pub timeline: Timeline<'a>,
    /// End of the warm-up.
    pub measured_from: Offset,
    /// End of the load.
    pub load_end: Offset,
    /// Its steady state.
    pub baseline: Baseline,
    /// p99 of a second within this counts as recovered.
    pub p99_limit: Option<Duration>,
    /// For so long before an edge an operation may have been under way: p99.9 of the steady state, at most the
    /// time-out.
    tail: Duration,
}

impl<'a> Workload<'a> {
    /// Prepares a workload. `edges` are all of the run, by time.
    ///
    /// The steady state is `[warm-up end, first call of a fault − tail)`, to the end of the load without a fault.
    /// Operations intended within the tail may have been under way when the fault came, so that they are on its
    /// account and not the steady state's; for the same reason its latencies are without those of the last second before the
    /// fault, where there is another. It holds where it has operations and bad / all ≤ `max_error_ratio`.
    #[must_use]
    pub fn new(
        plan: &'a PlannedLoad,
        history: &'a LoadHistory,
        edges: &[Edge<'_>],
        (measured_from, load_end): (Offset, Offset),
    ) -> Self {
        let timeline = Timeline::of(history);
        let first_call = edges.iter().map(|e| e.earliest).min();
        let until = first_call.unwrap_or(load_end).max(measured_from);
        let all = whole_seconds(measured_from, until, load_end);
        let calm = latencies(history, calm_seconds(measured_from, until, load_end))[0];
        let latency = calm.or_else(|| latencies(history, all)[0]);
        let of_ms = |ms: f64| Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default();
        let tail = latency
            .map_or(Duration::ZERO, |l| of_ms(l.p999))
            .min(plan.timeout);
        let to = first_call.map_or(load_end, |call| {
            Offset::new(call.since_zero().saturating_sub(tail))
        });
        let to = to.max(measured_from);
        let counts = Counts::between(history, &timeline, measured_from, to);
        let derived = latency.map(|l| (of_ms(l.p99) * 2).max(of_ms(l.p99) + P99_MARGIN));
        let p99_limit = plan.recovery.p99_limit.or(derived);
        let max_error_rate = plan.recovery.max_error_ratio;
        let baseline = Baseline {
            from_ms: measured_from.as_millis_f64(),
            to_ms: to.as_millis_f64(),
            requests: counts.all(),
            bad: counts.bad(),
            error_rate: counts.error_rate(),
            max_error_rate,
            latency_ms: latency,
            p99_limit_ms: p99_limit.map(millis),
            holds: counts.all() > 0 && within(counts.bad(), counts.all(), max_error_rate),
        };
        Self {
            plan,
            history,
            timeline,
            measured_from,
            load_end,
            baseline,
            p99_limit,
            tail,
        }
    }

    /// From when on an operation may have been under way when an edge came.
    #[must_use]
    pub fn under_way_from(&self, edge: &Edge<'_>) -> Offset {
        Offset::new(edge.earliest.since_zero().saturating_sub(self.tail))
    }

    /// Until when an edge's window is its own: from there on operations may have been under way when the next
    /// edge came, so that they tell nothing about recovery from this one.
    #[must_use]
    pub fn own_until(&self, edge: &Edge<'_>) -> Offset {
        let next = edge
            .next_call
            .map(|call| Offset::new(call.since_zero().saturating_sub(self.tail)));
        next.map_or(edge.window_end, |from| from.clamp(edge.at, edge.window_end))
    }

    /// The first bad operation that was under way when an edge came, and how many there were up to the edge. None
    /// where there was none, or where for as long before more operations had been failing than the workload's limit
    /// allows: then they are on the account of what came earlier.
    fn cut_off(&self, call: Offset, at: Offset) -> Option<(Offset, u64)> {
        let from = Offset::new(call.since_zero().saturating_sub(self.tail));
        let before = Offset::new(from.since_zero().saturating_sub(at - from));
        let (mut failed, mut all) = (0, 0);
        for point in self.timeline.between(before.max(self.measured_from), from) {
            all += point.n;
            failed += if point.bad { point.n } else { 0 };
        }
        let failing = failed > 0 && !within(failed, all, self.plan.recovery.max_error_ratio);
        let mut bad = self.timeline.between(from, at).filter(|p| p.bad).peekable();
        let first = bad.peek()?.at;
        (!failing).then(|| (first, bad.map(|p| p.n).sum()))
    }

    /// The first operation that an edge cut off while it was under way, and how many it cut off.
    #[must_use]
    pub fn under_way(&self, edge: &Edge<'_>) -> Option<(Offset, u64)> {
        self.cut_off(edge.earliest, edge.at)
    }

    /// The operations that are on an edge's account: from the edge, or the first operation that it cut off, to the next
    /// edge, or the first operation that the next one cut off.
    #[must_use]
    pub fn account(&self, edge: &Edge<'_>) -> (Offset, Offset) {
        let from = self.under_way(edge).map_or(edge.at, |(first, _)| first);
        let taken = edge
            .next_call
            .and_then(|call| self.cut_off(call, edge.window_end));
        (
            from,
            taken
                .map_or(edge.window_end, |(first, _)| first)
                .max(edge.at),
        )
    }

    /// Whether p99 of a second lay above a limit: more than 1 % of its operations did, and more than one — in a second of
    /// few operations a single slow one would else be its p99. A second in which operations were intended and none was
    /// good is slow; none where there was no operation. Of those that were intended `until` a moment: later ones may be all
    /// that are slow.
    #[must_use]
    pub fn is_slow(&self, second: u32, limit: Duration, until: Offset) -> Option<bool> {
        let start = Offset::new(Duration::from_secs(second.into()));
        let end = start + Duration::from_secs(1);
        let own = until.clamp(start, end);
        let recorded = self.history.seconds.get(&second);
        if let Some(latency) = recorded.map(|s| &s.latency).filter(|l| !l.is_empty()) {
            let later = Counts::between(self.history, &self.timeline, own, end).all();
            let slow = latency.above(limit).saturating_sub(later);
            return Some(slow > 1 && slow * 100 > latency.len());
        }
        self.timeline.between(start, own).next().map(|_| true)
    }

    /// The workload's figures over the measured window. `scheduled`: arrivals that the schedule held over the
    /// whole load.
    #[must_use]
    pub fn result(&self, scheduled: Option<u64>, omitted: u64) -> LoadResult {
        let (from, to) = (self.measured_from, self.load_end);
        let counts = Counts::between(
            self.history,
            &self.timeline,
            from,
            Offset::from_nanos(u64::MAX),
        );
        let before = Counts::between(self.history, &self.timeline, Offset::ZERO, from).all();
        let [latency_ms, service_time_ms] = self.latencies();
        let length = (to - from).as_secs_f64();
        let rate = |n: u64| if length > 0.0 { count(n) / length } else { 0.0 };
        let scheduled = scheduled.filter(|_| self.plan.loop_kind == LoopKind::Open);
        let failed: u64 = counts.failed.values().sum();
        LoadResult {
            name: self.plan.name.clone(),
            kind: self.plan.kind.clone(),
            target: self.plan.target.clone(),
            arrivals: self.plan.arrivals.clone(),
            requests: counts.all(),
            ok: counts.ok,
            failed: failed - counts.dropped(),
            unknown: counts.unknown(),
            dropped: counts.dropped(),
            error_rate: counts.error_rate(),
            errors: counts.errors(),
            latency_ms,
            service_time_ms,
            achieved_rate: rate(counts.all() - counts.dropped()),
            intended_rate: scheduled.map(|n| rate(n.saturating_sub(before))),
            throughput: rate(counts.ok),
            lost: scheduled.map_or(0, |n| n.saturating_sub(before + counts.all())),
            longest_gap_ms: self.timeline.longest_gap(from, to).map(millis),
            baseline: self.baseline.clone(),
            instances: self.instances(),
            outages_omitted: omitted,
            series: series::of(self.history, self.load_end),
            histogram: self.histogram(),
        }
    }

    fn latencies(&self) -> [Option<Percentiles>; 2] {
        let first = whole_seconds(self.measured_from, self.load_end, self.load_end).start;
        latencies(self.history, first..u32::MAX)
    }

    fn histogram(&self) -> Histogram {
        let first = whole_seconds(self.measured_from, self.load_end, self.load_end).start;
        let seconds = self.history.seconds.range(first..);
        let mut all = crate::history::Latencies::default();
        seconds.for_each(|(_, second)| all.add(&second.latency));
        Histogram {
            upper_ms: all
                .buckets()
                .map(|(micros, _)| micros_to_ms(micros))
                .collect(),
            counts: all.buckets().map(|(_, n)| n.into()).collect(),
        }
    }

    /// Shares over the slots that begin after the warm-up.
    fn instances(&self) -> Vec<InstanceShare> {
        let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let first = self
            .measured_from
            .as_nanos()
            .div_ceil(Slot::start_of(1).as_nanos());
        let first = u32::try_from(first).unwrap_or(u32::MAX);
        for slot in self.history.slots.range(first..).map(|(_, slot)| slot) {
            for (id, (all, bad)) in &slot.instances {
                let sum = sums.entry(instance_name(self.history, id.0)).or_default();
                sum.0 += all;
                sum.1 += bad;
            }
        }
        let total: u64 = sums.values().map(|(all, _)| all).sum();
        let share = |all: u64| {
            if total == 0 {
                0.0
            } else {
                count(all) / count(total)
            }
        };
        let sums = sums.into_iter();
        sums.map(|(name, (requests, bad))| InstanceShare {
            name,
            requests,
            bad,
            share: share(requests),
        })
        .collect()
    }
}

/// Whole seconds of the steady state, without the last one before a fault: what was intended in it may have been answered
/// by what the fault left, and late.
fn calm_seconds(from: Offset, until: Offset, load_end: Offset) -> Range<u32> {
    if until >= load_end {
        return whole_seconds(from, until, load_end);
    }
    let before = Offset::new(until.since_zero().saturating_sub(Duration::from_secs(1)));
    whole_seconds(from, before, load_end)
}

/// The name of an instance, or its number where the name was lost with the end of a cut file.
#[must_use]
pub fn instance_name(history: &LoadHistory, id: u16) -> String {
    let name = history.instances.get(usize::from(id)).cloned();
    name.unwrap_or_else(|| format!("instance {id}"))
}
