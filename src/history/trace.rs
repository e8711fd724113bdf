//! Which trace an operation belongs to, by W3C Trace Context (<https://www.w3.org/TR/trace-context/>, version 00).
//!
//! A trace id is made, not stored: of the run, the workload and the arrival's number, without a random source and
//! without an allocation.
//!
//! | bytes | hold |
//! | --- | --- |
//! | 0–5 | the run: the same for all of its traces, another for every run (its wall time of zero, and its seed) |
//! | 6–7 | the workload's index in the scenario + 1; 0: the run itself |
//! | 8–15 | the arrival's number, mixed: unique within the workload, and as even as a ratio sampler wants it |

use std::fmt;

/// The id of a trace: 16 bytes, never all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId {
    high: u64,
    low: u64,
}

/// `00-<trace id>-<parent id>-01`.
pub const TRACEPARENT_LENGTH: usize = 55;

/// The traces of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunTraces {
    /// The upper 48 bits of every trace id; not zero, the lower 16 are.
    prefix: u64,
}

/// The traces of one workload of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadTraces {
    high: u64,
    key: u64,
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): a bijection whose outputs pass BigCrush.
#[must_use]
pub const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl RunTraces {
    /// Of the run with this seed whose clock's zero was at this wall time: both are in its results.
    #[must_use]
    pub fn of(started_at: jiff::Timestamp, seed: u64) -> Self {
        let nanos = u64::try_from(started_at.as_nanosecond()).unwrap_or(0);
        let prefix = mix(mix(nanos) ^ seed) & !0xffff;
        Self {
            prefix: prefix.max(1 << 16),
        }
    }

    /// The trace of the run itself.
    #[must_use]
    pub fn run(self) -> TraceId {
        TraceId {
            high: self.prefix,
            low: mix(self.prefix),
        }
    }

    /// The traces of the workload with this index. Beyond 65 534 workloads they share one number, and may collide.
    #[must_use]
    pub fn load(self, index: usize) -> LoadTraces {
        let number = u16::try_from(index.saturating_add(1)).unwrap_or(u16::MAX);
        let high = self.prefix | u64::from(number);
        LoadTraces {
            high,
            key: mix(high),
        }
    }
}

impl LoadTraces {
    /// The trace of the arrival with this number.
    #[must_use]
    pub const fn operation(self, number: u64) -> TraceId {
        TraceId {
            high: self.high,
            low: mix(self.key ^ number),
        }
    }
}

impl TraceId {
    /// Its bytes, in the order in which they are written.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.high) << 64) | u128::from(self.low)).to_be_bytes()
    }

    /// The id of the request's own span within it; never zero.
    #[must_use]
    pub const fn span(self) -> u64 {
        let span = mix(self.high ^ self.low.rotate_left(32));
        if span == 0 { 1 } else { span }
    }

    /// The header's value; the trace is sampled.
    #[must_use]
    pub fn traceparent(self) -> [u8; TRACEPARENT_LENGTH] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-01";
        hexadecimal(self.high, &mut text[3..19]);
        hexadecimal(self.low, &mut text[19..35]);
        hexadecimal(self.span(), &mut text[36..52]);
        text
    }
}

/// Sixteen digits, lower case.
fn hexadecimal(number: u64, digits: &mut [u8]) {
    for (digit, byte) in digits.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        digit[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        digit[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.high, self.low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn run(at: i64, seed: u64) -> RunTraces {
        RunTraces::of(jiff::Timestamp::new(at, 5).unwrap(), seed)
    }

    #[test]
    fn a_traceparent_is_written_as_the_recommendation_says() {
        let id = run(1_700_000_000, 42).load(0).operation(7);
        let text = String::from_utf8(id.traceparent().to_vec()).unwrap();
        assert_eq!(text, format!("00-{id}-{:016x}-01", id.span()));
        assert_eq!(text.len(), TRACEPARENT_LENGTH);
        assert_eq!(
            u128::from_be_bytes(id.to_bytes()),
            u128::from_str_radix(&id.to_string(), 16).unwrap()
        );
        let lower = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c) || c == '-';
        assert!(text.chars().all(lower), "{text}");
    }

    #[test]
    fn no_two_operations_of_a_run_share_a_trace_and_all_share_its_first_six_bytes() {
        let run = run(1_700_000_000, 42);
        let ids: BTreeSet<_> = (0..5)
            .flat_map(|load| (0..2000).map(move |n| run.load(load).operation(n)))
            .chain([run.run()])
            .collect();
        assert_eq!(ids.len(), 10_001);
        let prefixes: BTreeSet<_> = ids.iter().map(|id| id.to_bytes()[..6].to_vec()).collect();
        assert_eq!(prefixes.len(), 1);
        let spans: BTreeSet<_> = ids.iter().map(|id| id.span()).collect();
        assert!(!spans.contains(&0) && spans.len() == ids.len());
    }

    #[test]
    fn another_run_with_the_same_seed_has_other_traces() {
        let of = |run: RunTraces| run.load(0).operation(0).to_bytes()[..6].to_vec();
        assert_ne!(of(run(1_700_000_000, 42)), of(run(1_700_000_001, 42)));
        assert_ne!(of(run(1_700_000_000, 42)), of(run(1_700_000_000, 43)));
    }
}
