//! The operations of a slot by millisecond: the first and the last good and bad one of each.
//!
//! While a slot may still change it has a [`Bin`] for every millisecond (2.8 KB). Where bins are kept for the length of
//! the run — something was bad, in this slot or in the one before — they are closed: the filled ones only, as numbers of
//! variable length. An outage then costs some ten bytes for each millisecond in which an operation was intended.

use super::latencies::{decode, encode};
use std::time::Duration;

/// Bins in a slot: one per millisecond.
pub const BINS: usize = 100;
const BIN_NANOS: u32 = 1_000_000;

/// What happened in one millisecond. Times are nanoseconds from the start of the slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bin {
    /// Good operations.
    pub ok: u32,
    /// Bad operations.
    pub bad: u32,
    /// First and last good intended time, where `ok > 0`.
    pub first_ok: u32,
    /// See `first_ok`.
    pub last_ok: u32,
    /// First and last bad intended time, where `bad > 0`.
    pub first_bad: u32,
    /// See `first_bad`.
    pub last_bad: u32,
    /// How long the first good operation waited until it was sent: for a connection, or for us. Nanoseconds, and no
    /// more than what fits (4.29 s).
    pub waited: u32,
}

impl Bin {
    fn is_filled(&self) -> bool {
        self.ok > 0 || self.bad > 0
    }

    fn add(&mut self, at: u32, bad: bool, waited: Duration) {
        if !bad && (self.ok == 0 || at < self.first_ok) {
            self.waited = u32::try_from(waited.as_nanos()).unwrap_or(u32::MAX);
        }
        let (n, first, last) = if bad {
            (&mut self.bad, &mut self.first_bad, &mut self.last_bad)
        } else {
            (&mut self.ok, &mut self.first_ok, &mut self.last_ok)
        };
        *first = if *n == 0 { at } else { at.min(*first) };
        *last = if *n == 0 { at } else { at.max(*last) };
        *n += 1;
    }

    fn merge(&mut self, other: &Self) {
        let pick = |n: u32, m: u32, a: u32, b: u32, f: fn(u32, u32) -> u32| match (n, m) {
            (0, _) => b,
            (_, 0) => a,
            _ => f(a, b),
        };
        if other.ok > 0 && (self.ok == 0 || other.first_ok < self.first_ok) {
            self.waited = other.waited;
        }
        self.first_ok = pick(self.ok, other.ok, self.first_ok, other.first_ok, u32::min);
        self.last_ok = pick(self.ok, other.ok, self.last_ok, other.last_ok, u32::max);
        self.first_bad = pick(
            self.bad,
            other.bad,
            self.first_bad,
            other.first_bad,
            u32::min,
        );
        self.last_bad = pick(self.bad, other.bad, self.last_bad, other.last_bad, u32::max);
        self.ok += other.ok;
        self.bad += other.bad;
    }

    /// The counts, then what there is of each kind. Differences wrap: nothing is lost, whatever a file holds.
    fn encode(&self, into: &mut Vec<u8>) {
        let mut put = |n: u32| encode(into, n.into());
        put(self.ok);
        put(self.bad);
        if self.ok > 0 {
            put(self.first_ok);
            put(self.last_ok.wrapping_sub(self.first_ok));
            put(self.waited);
        }
        if self.bad > 0 {
            put(self.first_bad);
            put(self.last_bad.wrapping_sub(self.first_bad));
        }
    }

    fn decode(from: &mut &[u8]) -> Option<Self> {
        let mut get = || u32::try_from(decode(from)?).ok();
        let mut bin = Self {
            ok: get()?,
            bad: get()?,
            ..Self::default()
        };
        if bin.ok > 0 {
            bin.first_ok = get()?;
            bin.last_ok = bin.first_ok.wrapping_add(get()?);
            bin.waited = get()?;
        }
        if bin.bad > 0 {
            bin.first_bad = get()?;
            bin.last_bad = bin.first_bad.wrapping_add(get()?);
        }
        Some(bin)
    }
}

/// The bins of a slot: open or closed, never both.
#[derive(Debug, Clone, Default)]
pub struct Bins {
    /// One for every millisecond.
    open: Option<Box<[Bin; BINS]>>,
    /// Of each filled one the distance of its index from the one before, and what [`Bin::encode`] writes.
    closed: Box<[u8]>,
}

impl PartialEq for Bins {
    fn eq(&self, other: &Self) -> bool {
        self.filled().eq(other.filled())
    }
}

impl Eq for Bins {}

impl Bins {
    /// Closed bins of what another one's [`filled`](Self::filled) gives; none where an index is not below [`BINS`].
    #[must_use]
    pub fn of(filled: impl IntoIterator<Item = (u32, Bin)>) -> Option<Self> {
        let mut bins = Self::default();
        for (index, bin) in filled {
            *bins.opened().get_mut(usize::try_from(index).ok()?)? = bin;
        }
        bins.close();
        Some(bins)
    }

    /// Folds one operation in, so many nanoseconds after the start of the slot.
    pub(super) fn add(&mut self, within: u32, bad: bool, waited: Duration) {
        let bin = self.opened().get_mut((within / BIN_NANOS) as usize);
        if let Some(bin) = bin {
            bin.add(within, bad, waited);
        }
    }

    /// Adds all that `other` holds.
    pub(super) fn merge(&mut self, other: &Self) {
        let mine = self.opened();
        for (index, theirs) in other.filled() {
            if let Some(mine) = mine.get_mut(index as usize) {
                mine.merge(&theirs);
            }
        }
    }

    /// Nothing more is expected: takes up what the filled ones need.
    pub(super) fn close(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        let (mut encoded, mut before) = (Vec::new(), 0);
        for (index, bin) in (0u64..).zip(open.iter()).filter(|(_, b)| b.is_filled()) {
            encode(&mut encoded, index - before);
            bin.encode(&mut encoded);
            before = index;
        }
        self.closed = encoded.into();
    }

    /// The filled ones, by time: the millisecond's number, and what happened in it.
    pub fn filled(&self) -> impl Iterator<Item = (u32, Bin)> {
        let open = (0..).zip(self.open.as_deref().into_iter().flatten());
        let open = open.filter(|(_, bin)| bin.is_filled());
        open.map(|(index, bin)| (index, *bin))
            .chain(decoded(&self.closed))
    }

    fn opened(&mut self) -> &mut [Bin; BINS] {
        self.open.get_or_insert_with(|| {
            let mut open = Box::new([Bin::default(); BINS]);
            for (index, bin) in decoded(&std::mem::take(&mut self.closed)) {
                if let Some(place) = open.get_mut(index as usize) {
                    *place = bin;
                }
            }
            open
        })
    }
}

/// What [`Bins::close`] wrote.
fn decoded(mut encoded: &[u8]) -> impl Iterator<Item = (u32, Bin)> {
    let mut index = 0;
    std::iter::from_fn(move || {
        index += u32::try_from(decode(&mut encoded)?).ok()?;
        Some((index, Bin::decode(&mut encoded)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bins(operations: &[(u32, bool, u64)]) -> Bins {
        let mut bins = Bins::default();
        for (within, bad, waited) in operations {
            bins.add(*within, *bad, Duration::from_nanos(*waited));
        }
        bins
    }

    fn closed(mut bins: Bins) -> Bins {
        bins.close();
        bins
    }

    fn bytes(bins: &Bins) -> usize {
        assert!(bins.open.is_none());
        bins.closed.len()
    }

    fn operations() -> impl Strategy<Value = Vec<(u32, bool, u64)>> {
        let one = (0..100_000_000u32, any::<bool>(), 0..6_000_000_000u64);
        prop::collection::vec(one, 0..300)
    }

    proptest! {
        #[test]
        fn closed_ones_hold_what_open_ones_do(a in operations(), b in operations()) {
            let open = bins(&a);
            let closed = closed(open.clone());
            prop_assert_eq!(closed.filled().collect::<Vec<_>>(), open.filled().collect::<Vec<_>>());
            prop_assert_eq!(&Bins::of(open.filled()).unwrap(), &open);
            let all: Vec<_> = a.iter().chain(&b).copied().collect();
            let mut late = closed;
            for (within, bad, waited) in &b {
                late.add(*within, *bad, Duration::from_nanos(*waited));
            }
            prop_assert_eq!(late, bins(&all));
        }

        #[test]
        fn the_merger_of_two_is_that_of_all_their_operations(a in operations(), b in operations(), close: (bool, bool)) {
            let all = bins(&a.iter().chain(&b).copied().collect::<Vec<_>>());
            let (mut left, mut right) = (bins(&a), bins(&b));
            if close.0 { left.close(); }
            if close.1 { right.close(); }
            left.merge(&right);
            // Of two operations at one and the same nanosecond either may be the first: with `waited` of its own.
            let without = |bins: &Bins| bins.filled().map(|(i, b)| (i, Bin { waited: 0, ..b })).collect::<Vec<_>>();
            prop_assert_eq!(without(&left), without(&all));
        }

        #[test]
        fn nothing_is_lost_of_what_a_file_may_hold(fields: [u32; 7], index in 0..100u32) {
            let [ok, bad, first_ok, last_ok, first_bad, last_bad, waited] = fields;
            let (ok, bad) = (ok.max(1), bad.max(1));
            let bin = Bin { ok, bad, first_ok, last_ok, first_bad, last_bad, waited };
            let bins = Bins::of([(index, bin)]).unwrap();
            prop_assert_eq!(bins.filled().collect::<Vec<_>>(), [(index, bin)]);
        }
    }

    #[test]
    fn an_impossible_index_is_no_bin() {
        assert!(Bins::of([(99, Bin::default())]).is_some());
        assert!(Bins::of([(100, Bin::default())]).is_none());
    }

    #[test]
    fn an_outage_takes_a_small_part_of_what_open_bins_do() {
        let open = size_of::<[Bin; BINS]>();
        // 500 a second, each refused after it was sent at once; and every second one good after 300 µs.
        let outage: Vec<_> = (0..50).map(|i| (i * 2_000_000 + 17, true, 0)).collect();
        let half: Vec<_> = (0..50u32)
            .map(|i| (i * 2_000_000 + 17, i % 2 == 0, 300_000))
            .collect();
        let taken = [outage, half].map(|operations| bytes(&closed(bins(&operations))));
        assert!(taken[0] < open / 6, "{taken:?} of {open} bytes");
        assert!(taken[1] < open / 4, "{taken:?} of {open} bytes");
        // 20 000 a second, half of them bad: every millisecond has its first and last of both.
        let busy: Vec<_> = (0..2000u32)
            .map(|i| (i * 50_000, i % 2 == 0, 3_000))
            .collect();
        let taken = bytes(&closed(bins(&busy)));
        assert!(taken < open * 3 / 4, "{taken} of {open} bytes");
    }
}
