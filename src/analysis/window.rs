//! Counts and latencies of a workload between two moments.
//!
//! Slots that lie whole in the window are counted whole. Of a slot that a moment cuts in two, bad operations
//! are told apart by their bins, good ones by their bins or, where there are none left, as if they came
//! evenly between the first and the last; classes are shared out in proportion where a cut runs through
//! several of them. Latencies are those of the whole seconds within the window.

use super::result::Percentiles;
use super::timeline::Timeline;
use crate::clock::Offset;
use crate::history::bins::Bins;
use crate::history::slot::new_histogram;
use crate::history::{Class, LoadHistory, Slot};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Operations between two moments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Done well.
    pub ok: u64,
    /// Failed by class; dropped ones among them.
    pub failed: BTreeMap<Class, u64>,
    /// Unknown by class.
    pub unknown: BTreeMap<Class, u64>,
}

impl Counts {
    /// Counts the operations intended from `from` (included) to `to` (excluded).
    #[must_use]
    pub fn between(load: &LoadHistory, timeline: &Timeline<'_>, from: Offset, to: Offset) -> Self {
        let mut counts = Self::default();
        if to <= from {
            return counts;
        }
        for (index, slot) in load.slots.range(Slot::index_of(from)..=Slot::index_of(to)) {
            counts.add(*index, slot, timeline, from, to);
        }
        counts
    }

    fn add(&mut self, index: u32, slot: &Slot, timeline: &Timeline<'_>, from: Offset, to: Offset) {
        let (start, end) = (
            Slot::start_of(index),
            Slot::start_of(index) + crate::history::slot::SLOT,
        );
        if from <= start && end <= to {
            self.ok += slot.ok;
            add_all(&mut self.failed, &slot.failed);
            add_all(&mut self.unknown, &slot.unknown);
            return;
        }
        self.ok += ok_between(slot, start, from, to);
        let inside = timeline.between(from.max(start), to.min(end));
        let bad: u64 = inside.filter(|p| p.bad).map(|p| p.n).sum();
        let (failed, unknown) = share(slot, bad);
        add_all(&mut self.failed, &failed);
        add_all(&mut self.unknown, &unknown);
    }

    /// Bad operations.
    #[must_use]
    pub fn bad(&self) -> u64 {
        self.failed.values().sum::<u64>() + self.unknown()
    }

    /// All operations.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.ok + self.bad()
    }

    /// Operations of unknown outcome.
    #[must_use]
    pub fn unknown(&self) -> u64 {
        self.unknown.values().sum()
    }

    /// Dropped arrivals.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.failed.get(&Class::Dropped).copied().unwrap_or(0)
    }

    /// bad / all; 0 without operations.
    #[must_use]
    pub fn error_rate(&self) -> f64 {
        if self.all() == 0 {
            0.0
        } else {
            super::count(self.bad()) / super::count(self.all())
        }
    }

    /// Everything bad, by the name of its class.
    #[must_use]
    pub fn errors(&self) -> BTreeMap<String, u64> {
        let mut errors = BTreeMap::new();
        for (class, n) in self.failed.iter().chain(&self.unknown) {
            *errors.entry(class.to_string()).or_default() += n;
        }
        errors
    }
}

fn add_all(sum: &mut BTreeMap<Class, u64>, more: &BTreeMap<Class, u64>) {
    for (class, n) in more {
        if *n > 0 {
            *sum.entry(*class).or_default() += n;
        }
    }
}

fn ok_between(slot: &Slot, start: Offset, from: Offset, to: Offset) -> u64 {
    let mut binned = 0;
    let mut inside = 0;
    for (_, bin) in slot.bins.iter().flat_map(Bins::filled) {
        let at = |nanos: u32| start + std::time::Duration::from_nanos(u64::from(nanos));
        let n = u64::from(bin.ok);
        binned += n;
        inside += even(n, at(bin.first_ok), at(bin.last_ok), from, to);
    }
    let (first, last) = slot.span.unwrap_or((start, start));
    inside + even(slot.ok.saturating_sub(binned), first, last, from, to)
}

/// How many of `n` operations, evenly from `first` to `last`, lie within `from .. to`.
fn even(n: u64, first: Offset, last: Offset, from: Offset, to: Offset) -> u64 {
    let before = |moment: Offset| -> u64 {
        if n == 0 || moment <= first {
            return 0;
        }
        if moment > last {
            return n;
        }
        let part = u128::from(moment.as_nanos() - first.as_nanos()) * u128::from(n - 1);
        let whole = u128::from((last.as_nanos() - first.as_nanos()).max(1));
        u64::try_from(part.div_ceil(whole)).unwrap_or(n).min(n)
    };
    before(to).saturating_sub(before(from))
}

/// Shares `bad` of a slot's bad operations out over its classes: in proportion, by largest remainder.
fn share(slot: &Slot, bad: u64) -> (BTreeMap<Class, u64>, BTreeMap<Class, u64>) {
    let total = slot.bad();
    if bad == 0 || total == 0 {
        return Default::default();
    }
    if bad >= total {
        return (slot.failed.clone(), slot.unknown.clone());
    }
    let failed = slot.failed.iter().map(|(class, n)| (false, *class, *n));
    let unknown = slot.unknown.iter().map(|(class, n)| (true, *class, *n));
    let mut parts: Vec<(bool, Class, u64, u128)> = failed
        .chain(unknown)
        .map(|(is_unknown, class, n)| {
            let whole = u128::from(n) * u128::from(bad);
            let part = u64::try_from(whole / u128::from(total)).unwrap_or(n);
            (is_unknown, class, part, whole % u128::from(total))
        })
        .collect();
    let given: u64 = parts.iter().map(|p| p.2).sum();
    parts.sort_by_key(|p| std::cmp::Reverse(p.3));
    let missing = usize::try_from(bad - given).unwrap_or(0);
    parts.iter_mut().take(missing).for_each(|p| p.2 += 1);
    let pick = |wanted: bool| {
        let of_kind = parts.iter().filter(|p| p.0 == wanted && p.2 > 0);
        of_kind.map(|p| (p.1, p.2)).collect()
    };
    (pick(false), pick(true))
}

/// Seconds that lie whole within a window. The second in which the load ended is whole: nothing came after.
#[must_use]
pub fn whole_seconds(from: Offset, to: Offset, load_end: Offset) -> std::ops::Range<u32> {
    let second = 1_000_000_000;
    let first = u32::try_from(from.as_nanos().div_ceil(second)).unwrap_or(u32::MAX);
    let nanos = to.as_nanos();
    let end = if to >= load_end {
        nanos.div_ceil(second)
    } else {
        nanos / second
    };
    first..u32::try_from(end).unwrap_or(u32::MAX).max(first)
}

/// Latencies and service times of some seconds.
#[must_use]
pub fn latencies(load: &LoadHistory, seconds: std::ops::Range<u32>) -> [Option<Percentiles>; 2] {
    let (mut response, mut service) = (new_histogram(), new_histogram());
    for (_, second) in load.seconds.range(seconds) {
        second.latency.add_to(&mut response);
        second.service_time.add_to(&mut service);
    }
    [percentiles(&response), percentiles(&service)]
}

/// The percentiles of a histogram of microseconds; none where it is empty.
#[must_use]
pub fn percentiles(histogram: &Histogram<u32>) -> Option<Percentiles> {
    if histogram.is_empty() {
        return None;
    }
    let at = |q: f64| super::count(histogram.value_at_quantile(q)) / 1e3;
    Some(Percentiles {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: super::count(histogram.max()) / 1e3,
    })
}
