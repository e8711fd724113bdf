//! A workload's operations in order of intended time, as far as its slots still tell them apart.
//!
//! # Exactness
//! A slot with bad operations has one bin per millisecond with its first and last good and bad times. Where a
//! bin holds at most two operations of each kind nothing is lost; beyond that, those between the first and the
//! last stand at the place of the last one, which is wrong by less than a millisecond. A slot without bins has
//! no bad operations, and neither has the one before: recovery does not begin in it.

use crate::clock::Offset;
use crate::history::bins::{Bin, Bins};
use crate::history::{LoadHistory, Slot};
use crate::plan::Recovery;
use std::cell::RefCell;
use std::ops::Range;
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

/// All points of a workload, by time, made of its slots as they are looked at: an outage has up to 400 of them in a
/// slot, which would be the most of what lbtest ever holds in memory.
#[derive(Debug, Clone)]
pub struct Timeline<'a> {
    load: &'a LoadHistory,
    /// The slots that have points, by time.
    pages: Vec<Page>,
    len: usize,
    open: RefCell<OpenPage>,
}

/// The points of one slot.
#[derive(Debug, Clone, Copy)]
struct Page {
    slot: u32,
    /// Index of its first point, and the time of that.
    first: usize,
    at: Offset,
}

/// The page that was last looked at: most looks go from point to point.
#[derive(Debug, Clone, Default)]
struct OpenPage {
    first: usize,
    points: Vec<Point>,
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

impl<'a> Timeline<'a> {
    /// The timeline of a workload.
    #[must_use]
    pub fn of(load: &'a LoadHistory) -> Self {
        let (mut pages, mut points, mut len) = (Vec::new(), Vec::new(), 0);
        for (index, slot) in &load.slots {
            points_of(*index, slot, &mut points);
            if let Some(first) = points.first() {
                pages.push(Page {
                    slot: *index,
                    first: len,
                    at: first.at,
                });
            }
            len += points.len();
        }
        Self {
            load,
            pages,
            len,
            open: RefCell::default(),
        }
    }

    /// The point of this index; none beyond the last one.
    #[must_use]
    pub fn point(&self, index: usize) -> Option<Point> {
        let mut open = self.open.borrow_mut();
        let within = |open: &OpenPage| {
            let i = index.checked_sub(open.first)?;
            open.points.get(i).copied()
        };
        if index >= self.len {
            return None;
        }
        within(&open).or_else(|| {
            let page = self.pages.partition_point(|p| p.first <= index);
            self.turn_to(page.checked_sub(1)?, &mut open);
            within(&open)
        })
    }

    fn turn_to(&self, page: usize, open: &mut OpenPage) {
        let Some(page) = self.pages.get(page) else {
            return;
        };
        let is_open = page.first == open.first && !open.points.is_empty();
        let slot = self.load.slots.get(&page.slot);
        if let Some(slot) = slot.filter(|_| !is_open) {
            points_of(page.slot, slot, &mut open.points);
            open.first = page.first;
        }
    }

    /// The points intended from `from` (included) to `to` (excluded).
    pub fn between(&self, from: Offset, to: Offset) -> impl DoubleEndedIterator<Item = Point> {
        self.range(self.index_at(from)..self.index_at(to))
    }

    /// The points with these indices.
    pub fn range(&self, indices: Range<usize>) -> impl DoubleEndedIterator<Item = Point> {
        indices.filter_map(|i| self.point(i))
    }

    /// Index of the first point at or after a moment.
    #[must_use]
    pub fn index_at(&self, at: Offset) -> usize {
        let after = self.pages.partition_point(|p| p.at < at);
        let Some(page) = after.checked_sub(1) else {
            return 0;
        };
        let mut open = self.open.borrow_mut();
        self.turn_to(page, &mut open);
        open.first + open.points.partition_point(|p| p.at < at)
    }

    /// The first operation, from the point `from` on, from which the workload is stable:
    ///
    /// ```text
    /// t is good,  t < judged,  t + stable_for ≤ end,  and for every operation u with t ≤ u < min(t + stable_for, judged):
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
        let mut after_good = false;
        for (index, point) in (from..).zip(self.range(from..self.len)) {
            let first_of_row = !std::mem::replace(&mut after_good, !point.bad);
            if point.bad || !first_of_row {
                continue;
            }
            if point.at >= judged || point.at + rule.stable_for > end {
                return None;
            }
            if self.holds(index, point.at, rule, judged) {
                return Some(self.stable_at(index, point));
            }
        }
        None
    }

    fn holds(&self, start: usize, at: Offset, rule: &Recovery, judged: Offset) -> bool {
        let until = (at + rule.stable_for).min(judged);
        let (mut bad, mut all) = (0, 0);
        for point in self.range(start..self.len) {
            if point.at >= until {
                return true;
            }
            all += point.n;
            bad += if point.bad { point.n } else { 0 };
            if point.bad && !within(bad, all, rule.max_error_ratio) {
                return false;
            }
        }
        true
    }

    fn stable_at(&self, index: usize, point: Point) -> Stable {
        Stable {
            index,
            at: point.at,
            resolution: self.gap_before(index).max(point.waited),
        }
    }

    /// The gap between a point and the operation before it, or before the point's millisecond where that is
    /// blurred; zero for the first one.
    #[must_use]
    pub fn gap_before(&self, index: usize) -> Duration {
        let before = index.checked_sub(1).and_then(|i| self.point(i));
        let (Some(before), Some(point)) = (before, self.point(index)) else {
            return Duration::ZERO;
        };
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
        for point in self.between(from, to).filter(|p| !p.bad) {
            // A point of several operations stands for them all: they came evenly since the one before.
            let gap = (point.at - last) / u32::try_from(point.n).unwrap_or(u32::MAX);
            longest = longest.max(Some(gap));
            last = point.at;
        }
        longest.map(|gap| gap.max(to - last))
    }
}

/// The points of a slot, by time, in place of what `points` holds.
fn points_of(index: u32, slot: &Slot, points: &mut Vec<Point>) {
    points.clear();
    push_slot(points, index, slot);
    // At one and the same moment the good come first: a bad one then counts against them.
    points.sort_by_key(|p| (p.at, p.bad));
}

fn push_slot(points: &mut Vec<Point>, index: u32, slot: &Slot) {
    let start = Slot::start_of(index);
    let (mut ok, mut bad) = (0, 0);
    for (_, bin) in slot.bins.iter().flat_map(Bins::filled) {
        let at = |nanos: u32| start + Duration::from_nanos(u64::from(nanos));
        let Bin {
            first_ok,
            last_ok,
            first_bad,
            last_bad,
            waited,
            ..
        } = bin;
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
