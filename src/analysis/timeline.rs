//! A workload's operations in order of intended time, as far as its slots still tell them apart.
//!
//! # Exactness
//! A slot with bad operations has one bin per millisecond with its first and last good and bad times. Where a
//! bin holds at most two operations of each kind nothing is lost; beyond that, those between the first and the
//! last stand at the place of the last one, which is wrong by less than a millisecond. A slot without bins has
//! no bad operations, and neither has the one before: recovery does not begin in it.

use crate::clock::Offset;
use crate::history::slot::Bin;
use crate::history::{LoadHistory, Slot};
use crate::plan::Recovery;
use std::time::Duration;

/// Operations of one kind at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Their intended time.
    pub at: Offset,
    /// How many.
    pub n: u64,
    /// Bad, or good.
    pub bad: bool,
    /// The times of some of them are known to the millisecond only.
    pub blurred: bool,
    /// How long it waited until it was sent, where that is known.
    pub waited: Duration,
}

/// All points of a workload, by time.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    points: Vec<Point>,
    /// Before each point (and after the last one): bad and all operations.
    before: Vec<(u64, u64)>,
}

/// Where a workload is stable again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stable {
    /// Index of the point.
    pub index: usize,
    /// Its time.
    pub at: Offset,
    /// How far the truth may lie from it. The true moment lies between the operation before it, and when it was
    /// sent: it may have waited for a connection while the system was still away.
    pub resolution: Duration,
}

/// Whether `bad` of `all` are within a ratio. The slack (a billionth of an operation) only undoes the rounding
/// of `ratio × all`: 1 of 100 is within 0.01.
#[must_use]
pub fn within(bad: u64, all: u64, ratio: f64) -> bool {
    super::count(bad) <= ratio * super::count(all) + 1e-9
}

impl Timeline {
    /// The timeline of a workload.
    #[must_use]
    pub fn of(load: &LoadHistory) -> Self {
        let mut points = Vec::new();
        for (index, slot) in &load.slots {
            push_slot(&mut points, *index, slot);
        }
        // At one and the same moment the good come first: a bad one then counts against them.
        points.sort_by_key(|p| (p.at, p.bad));
        let mut before = vec![(0, 0)];
        let (mut bad, mut all) = (0, 0);
        for p in &points {
            all += p.n;
            bad += if p.bad { p.n } else { 0 };
            before.push((bad, all));
        }
        Self { points, before }
    }

    /// All points, by time.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The points intended from `from` (included) to `to` (excluded).
    #[must_use]
    pub fn between(&self, from: Offset, to: Offset) -> &[Point] {
        let start = self.index_at(from);
        &self.points[start..self.index_at(to).max(start)]
    }

    /// Index of the first point at or after a moment.
    #[must_use]
    pub fn index_at(&self, at: Offset) -> usize {
        self.points.partition_point(|p| p.at < at)
    }

    /// The first operation, from the point `from` on, from which the workload is stable:
    ///
    /// ```text
    /// t is good,  t + stable_for ≤ end,  and for every operation u with t ≤ u < min(t + stable_for, judged):
    ///     bad(t ..= u) / all(t ..= u)  ≤  max_error_ratio
    /// ```
    ///
    /// Only the first of a row of good operations need be tried: if a later one of them holds, so does the
    /// first, whose counts of good operations are higher and whose window adds nothing but good ones.
    #[must_use]
    pub fn stable_from(
        &self,
        from: usize,
        rule: &Recovery,
        (end, judged): (Offset, Offset),
    ) -> Option<Stable> {
        for index in from..self.points.len() {
            let point = self.points[index];
            let first_of_row = index == 0 || index == from || self.points[index - 1].bad;
            if point.bad || !first_of_row {
                continue;
            }
            if point.at + rule.stable_for > end {
                return None;
            }
            if self.holds(index, rule, judged) {
                return Some(self.stable_at(index));
            }
        }
        None
    }

    fn holds(&self, start: usize, rule: &Recovery, judged: Offset) -> bool {
        let until = (self.points[start].at + rule.stable_for).min(judged);
        let (bad_before, all_before) = self.before[start];
        for index in start..self.points.len() {
            let point = self.points[index];
            if point.at >= until {
                return true;
            }
            let (bad, all) = self.before[index + 1];
            if point.bad && !within(bad - bad_before, all - all_before, rule.max_error_ratio) {
                return false;
            }
        }
        true
    }

    fn stable_at(&self, index: usize) -> Stable {
        Stable {
            index,
            at: self.points[index].at,
            resolution: self.gap_before(index).max(self.points[index].waited),
        }
    }

    /// The gap between a point and the operation before it, or before the point's millisecond where that is
    /// blurred; zero for the first one.
    #[must_use]
    pub fn gap_before(&self, index: usize) -> Duration {
        let Some(before) = index.checked_sub(1).and_then(|i| self.points.get(i)) else {
            return Duration::ZERO;
        };
        let point = self.points[index];
        let gap = point.at - before.at;
        if point.blurred || before.blurred {
            gap.max(Duration::from_millis(1))
        } else {
            gap
        }
    }

    /// The longest time without a success between two moments, these included; none without a success.
    /// Exact where it is longer than a slot; within a slot that has no bins operations count as evenly spread.
    #[must_use]
    pub fn longest_gap(&self, from: Offset, to: Offset) -> Option<Duration> {
        let mut last = from;
        let mut longest = None;
        for point in self.between(from, to).iter().filter(|p| !p.bad) {
            // A point of several operations stands for them all: they came evenly since the one before.
            let gap = (point.at - last) / u32::try_from(point.n).unwrap_or(u32::MAX);
            longest = longest.max(Some(gap));
            last = point.at;
        }
        longest.map(|gap| gap.max(to - last))
    }
}

fn push_slot(points: &mut Vec<Point>, index: u32, slot: &Slot) {
    let start = Slot::start_of(index);
    let (mut ok, mut bad) = (0, 0);
    for bin in slot.bins.as_deref().unwrap_or_default() {
        let at = |nanos: u32| start + Duration::from_nanos(u64::from(nanos));
        let Bin {
            first_ok,
            last_ok,
            first_bad,
            last_bad,
            waited,
            ..
        } = *bin;
        push(
            points,
            u64::from(bin.ok),
            false,
            at(first_ok),
            at(last_ok),
            true,
        );
        if bin.ok > 0 {
            let first = points.len() - bin.ok.min(2) as usize;
            points[first].waited = Duration::from_nanos(u64::from(waited));
        }
        push(
            points,
            u64::from(bin.bad),
            true,
            at(first_bad),
            at(last_bad),
            true,
        );
        ok += u64::from(bin.ok);
        bad += u64::from(bin.bad);
    }
    // What no bin holds: everything, in a closed slot without bad operations.
    let (first, last) = slot.span.unwrap_or((start, start));
    push(
        points,
        slot.ok.saturating_sub(ok),
        false,
        first,
        last,
        false,
    );
    push(
        points,
        slot.bad().saturating_sub(bad),
        true,
        first,
        last,
        true,
    );
}

fn push(points: &mut Vec<Point>, n: u64, bad: bool, first: Offset, last: Offset, binned: bool) {
    if n == 0 {
        return;
    }
    points.push(Point {
        at: first,
        n: 1,
        bad,
        blurred: false,
        waited: Duration::ZERO,
    });
    if n > 1 {
        points.push(Point {
            at: last,
            n: n - 1,
            bad,
            blurred: binned && n > 2,
            waited: Duration::ZERO,
        });
    }
}
