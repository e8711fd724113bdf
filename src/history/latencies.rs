//! The latencies of one second in few bytes.
//!
//! A dense histogram is an array of some 3300 counters (13 KB), of which a second fills a few hundred. What is kept of
//! a second for the length of a run is therefore its filled buckets only: by value, each as two numbers of variable
//! length (LEB128), the distance from the value before and the count. A bucket is named by its highest value, which is
//! all that a histogram itself remembers of what was recorded: nothing is lost, and whatever is computed from these
//! buckets put back into a histogram is the same to the last digit.

use super::slot::new_histogram;
use hdrhistogram::Histogram;
use std::time::Duration;

/// Latencies as filled buckets of [`new_histogram`]'s, in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    encoded: Box<[u8]>,
}

impl Latencies {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.buckets().map(|(_, count)| u64::from(count)).sum()
    }

    /// The filled buckets, by value: the highest value of each in microseconds, and its count.
    #[must_use]
    pub fn buckets(&self) -> Buckets<'_> {
        Buckets {
            encoded: &self.encoded,
            value: 0,
        }
    }

    /// Adds all that `other` holds.
    pub fn add(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            self.clone_from(other);
            return;
        }
        let mut sum = Encoder::with_capacity(self.encoded.len() + other.encoded.len());
        let (mut mine, mut theirs) = (self.buckets().peekable(), other.buckets().peekable());
        loop {
            let (a, b) = (mine.peek().copied(), theirs.peek().copied());
            let value = match (a, b) {
                (Some(a), Some(b)) => a.0.min(b.0),
                (Some((value, _)), None) | (None, Some((value, _))) => value,
                (None, None) => break,
            };
            let mut count = 0u32;
            for side in [&mut mine, &mut theirs] {
                if let Some((_, n)) = side.next_if(|bucket| bucket.0 == value) {
                    count = count.saturating_add(n);
                }
            }
            sum.push((value, count));
        }
        *self = sum.finish();
    }

    /// Adds all that is held here to a histogram.
    pub fn add_to(&self, histogram: &mut Histogram<u32>) {
        for (value, count) in self.buckets() {
            histogram.saturating_record_n(value, count);
        }
    }

    /// A histogram of them.
    #[must_use]
    pub fn histogram(&self) -> Histogram<u32> {
        let mut histogram = new_histogram();
        self.add_to(&mut histogram);
        histogram
    }

    /// How many lie above a limit. Those that the buckets cannot tell from it do not.
    #[must_use]
    pub fn above(&self, limit: Duration) -> u64 {
        let limit = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        let limit = new_histogram().highest_equivalent(limit);
        let above = self.buckets().filter(|(value, _)| *value > limit);
        above.map(|(_, count)| u64::from(count)).sum()
    }
}

impl From<&Histogram<u32>> for Latencies {
    /// Of a histogram of [`new_histogram`]'s bounds.
    fn from(histogram: &Histogram<u32>) -> Self {
        let mut encoder = Encoder::default();
        if histogram.is_empty() {
            return Self::default();
        }
        // From one filled end to the other: most of the array is empty.
        let (mut value, last) = (histogram.min(), histogram.max());
        while value <= last {
            let highest = histogram.highest_equivalent(value);
            let count = histogram.count_at(value);
            if count > 0 {
                encoder.push((highest, count));
            }
            value = highest.saturating_add(1);
        }
        encoder.finish()
    }
}

/// The buckets of some latencies, by value.
#[derive(Debug, Clone)]
pub struct Buckets<'a> {
    encoded: &'a [u8],
    value: u64,
}

impl Iterator for Buckets<'_> {
    type Item = (u64, u32);

    fn next(&mut self) -> Option<(u64, u32)> {
        self.value += decode(&mut self.encoded)?;
        let count = decode(&mut self.encoded)?;
        Some((self.value, u32::try_from(count).unwrap_or(u32::MAX)))
    }
}

#[derive(Default)]
struct Encoder {
    encoded: Vec<u8>,
    value: u64,
}

impl Encoder {
    fn with_capacity(bytes: usize) -> Self {
        Self {
            encoded: Vec::with_capacity(bytes),
            value: 0,
        }
    }

    /// Buckets come by value, each once.
    fn push(&mut self, (value, count): (u64, u32)) {
        encode(&mut self.encoded, value - self.value);
        encode(&mut self.encoded, count.into());
        self.value = value;
    }

    fn finish(self) -> Latencies {
        Latencies {
            encoded: self.encoded.into(),
        }
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
pub(super) fn encode(into: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        into.push(0x80 | u8::try_from(n & 0x7f).unwrap_or(0));
        n >>= 7;
    }
    into.push(u8::try_from(n).unwrap_or(0));
}

pub(super) fn decode(from: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        n |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::slot::record_latency;
    use proptest::prelude::*;

    /// Microseconds: the fine buckets, the usual range, and all that fits and more.
    fn latency() -> impl Strategy<Value = (u64, u32)> {
        let micros = prop_oneof![0..300u64, 50..20_000u64, 0..8_000_000_000u64];
        (micros, prop_oneof![1..5u32, 1..1_000_000u32])
    }

    fn dense(latencies: &[(u64, u32)]) -> Histogram<u32> {
        let mut histogram = new_histogram();
        for (micros, count) in latencies {
            histogram.saturating_record_n(*micros, *count);
        }
        histogram
    }

    proptest! {
        #[test]
        fn nothing_is_lost_of_a_histogram(latencies in prop::collection::vec(latency(), 0..200), limit in 0..3_000_000_000u64) {
            let dense = dense(&latencies);
            let compact = Latencies::from(&dense);
            let back = compact.histogram();
            prop_assert_eq!(&back, &dense);
            let recorded: Vec<_> = dense.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())).collect();
            prop_assert_eq!(compact.buckets().collect::<Vec<_>>(), recorded);
            prop_assert_eq!(compact.is_empty(), dense.is_empty());
            prop_assert_eq!(compact.len(), dense.len());
            for q in [0.0, 0.001, 0.5, 0.9, 0.99, 0.999, 1.0] {
                prop_assert_eq!(back.value_at_quantile(q), dense.value_at_quantile(q));
            }
            prop_assert_eq!((back.min(), back.max()), (dense.min(), dense.max()));
            let from = dense.highest_equivalent(limit).saturating_add(1);
            prop_assert_eq!(compact.above(Duration::from_micros(limit)), dense.count_between(from, u64::MAX));
        }

        #[test]
        fn a_sum_of_compact_ones_is_the_sum_of_the_dense_ones(
            parts in prop::collection::vec(prop::collection::vec((0..4_000_000_000u64, 1..1_000_000u32), 0..60), 1..6),
        ) {
            let (mut sum, mut compact, mut window) = (new_histogram(), Latencies::default(), new_histogram());
            for part in &parts {
                let part = dense(part);
                sum.add(&part).unwrap();
                compact.add(&Latencies::from(&part));
                Latencies::from(&part).add_to(&mut window);
            }
            prop_assert_eq!(&window, &sum);
            prop_assert_eq!(&compact.histogram(), &sum);
            prop_assert_eq!(compact, Latencies::from(&sum));
        }
    }

    #[test]
    fn a_second_at_a_high_rate_takes_a_small_part_of_a_histogram() {
        let mut histogram = new_histogram();
        // 20 000 operations of 100 µs to 5 ms, every value as often: no second fills more buckets of this range.
        for i in 0..20_000 {
            record_latency(
                &mut histogram,
                Duration::from_micros(100 + i * 4_900 / 20_000),
            );
        }
        let bytes = Latencies::from(&histogram).encoded.len();
        assert!(bytes < 2_000, "{bytes} bytes");
    }
}
