//! When a packet that arrives now may go on, if at all: the arithmetic of delay and bandwidth, without a clock or a
//! kernel.
//!
//! Packets go in the order in which they came, always.

use super::super::protocol::Treatment;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// We may hear of a packet so late: a link that has been idle for longer has been idle for no more than this, and one
/// that seems idle because we were late does not lose the time.
const LATE_NS: u64 = 2_000_000;

/// Of one direction. Times are nanoseconds on whatever clock the caller has.
#[derive(Debug)]
pub enum Pace {
    /// None goes on.
    Discard,
    /// Every packet waits.
    Delay {
        /// The least time.
        least_ns: u64,
        /// The most beyond it.
        spread_ns: u64,
        /// Of the spread.
        chance: Box<ChaCha8Rng>,
        /// No packet goes before this one.
        last_ns: u64,
    },
    /// A link of limited rate.
    Bandwidth {
        /// Its rate.
        bytes_per_second: u64,
        /// A packet that would wait longer is dropped.
        queue_ns: u64,
        /// The link is busy until then.
        busy_until_ns: u64,
    },
}

impl Pace {
    /// That of a treatment; none: the treatment needs none. `stream` keeps directions apart.
    ///
    /// Where the rules themselves drop an outgoing packet, the kernel tells its sender: UDP gets EPERM, TCP takes it
    /// as not sent. What is lost on a link nobody is told of; nor is he where we drop the packet.
    #[must_use]
    pub fn of(treatment: Treatment, outgoing: bool, stream: u64) -> Option<Self> {
        match treatment {
            Treatment::Drop | Treatment::Loss { .. } => outgoing.then_some(Self::Discard),
            Treatment::Reject | Treatment::Reset => None,
            Treatment::Delay {
                time_us,
                jitter_us,
                seed,
            } => {
                let mut chance = Box::new(ChaCha8Rng::seed_from_u64(seed));
                chance.set_stream(stream);
                let jitter_us = jitter_us.min(time_us);
                Some(Self::Delay {
                    least_ns: time_us.saturating_sub(jitter_us).saturating_mul(1000),
                    spread_ns: jitter_us.saturating_mul(2000),
                    chance,
                    last_ns: 0,
                })
            }
            Treatment::Bandwidth {
                bytes_per_second,
                queue_us,
            } => Some(Self::Bandwidth {
                bytes_per_second: bytes_per_second.max(1),
                queue_ns: queue_us.saturating_mul(1000),
                busy_until_ns: 0,
            }),
        }
    }

    /// When a packet of `length` bytes that came `now` goes on; none: it is dropped.
    pub fn admit(&mut self, now_ns: u64, length: u64) -> Option<u64> {
        match self {
            Self::Discard => None,
            Self::Delay {
                least_ns,
                spread_ns,
                chance,
                last_ns,
            } => {
                let extra = chance.random_range(0..=*spread_ns);
                let due = now_ns.saturating_add(*least_ns).saturating_add(extra);
                *last_ns = due.max(*last_ns);
                Some(*last_ns)
            }
            Self::Bandwidth {
                bytes_per_second,
                queue_ns,
                busy_until_ns,
            } => {
                let begins = now_ns.saturating_sub(LATE_NS).max(*busy_until_ns);
                if begins.saturating_sub(now_ns) > *queue_ns {
                    return None;
                }
                let takes = u128::from(length) * 1_000_000_000 / u128::from(*bytes_per_second);
                *busy_until_ns = begins.saturating_add(u64::try_from(takes).unwrap_or(u64::MAX));
                Some(*busy_until_ns)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn delay(time_us: u64, jitter_us: u64) -> Pace {
        let treatment = Treatment::Delay {
            time_us,
            jitter_us,
            seed: 7,
        };
        Pace::of(treatment, false, 0).unwrap()
    }

    #[test]
    fn only_outgoing_packets_vanish_by_us() {
        for treatment in [Treatment::Drop, Treatment::Loss { ratio: 0.5 }] {
            assert!(Pace::of(treatment, false, 0).is_none());
            let mut pace = Pace::of(treatment, true, 0).unwrap();
            assert_eq!(pace.admit(0, 1), None);
        }
        assert!(Pace::of(Treatment::Reset, true, 0).is_none());
    }

    #[test]
    fn a_delay_without_jitter_is_exact() {
        let mut pace = delay(50_000, 0);
        assert_eq!(pace.admit(5 * MS, 1), Some(55 * MS));
        assert_eq!(pace.admit(6 * MS, 9000), Some(56 * MS));
    }

    #[test]
    fn jitter_spreads_evenly_around_the_time_and_never_reorders() {
        let mut pace = delay(50_000, 10_000);
        let mut last = 0;
        let mut sum = 0;
        for i in 0..1000 {
            // Far enough apart that nothing pushes.
            let now = i * 100 * MS;
            let due = pace.admit(now, 1).unwrap();
            assert!((40 * MS..=60 * MS).contains(&(due - now)), "{}", due - now);
            assert!(due >= last);
            last = due;
            sum += due - now;
        }
        assert!((49 * MS..=51 * MS).contains(&(sum / 1000)), "{sum}");
        let mut last = 0;
        for i in 0..1000 {
            let due = pace.admit(100_000 * MS + i, 1).unwrap();
            assert!(due >= last, "packets of one moment keep their order");
            last = due;
        }
    }

    #[test]
    fn a_seed_gives_the_same_jitter_and_each_direction_its_own() {
        let dues = |stream| {
            let treatment = Treatment::Delay {
                time_us: 1000,
                jitter_us: 1000,
                seed: 3,
            };
            let mut pace = Pace::of(treatment, false, stream).unwrap();
            [0, 10 * MS, 20 * MS].map(|now| pace.admit(now, 1).unwrap())
        };
        assert_eq!(dues(0), dues(0));
        assert_ne!(dues(0), dues(1));
    }

    #[test]
    fn jitter_larger_than_the_time_never_goes_into_the_past() {
        let mut pace = delay(1000, 5000);
        for i in 0..100 {
            assert!(pace.admit(i * 10 * MS, 1).unwrap() >= i * 10 * MS);
        }
    }

    #[test]
    fn a_link_is_as_fast_as_its_rate_and_drops_what_would_wait_too_long() {
        let treatment = Treatment::Bandwidth {
            bytes_per_second: 1_000_000,
            queue_us: 2500,
        };
        let mut pace = Pace::of(treatment, false, 0).unwrap();
        // A packet of 1000 bytes takes a millisecond.
        let now = 10 * MS;
        let dues: Vec<_> = (0..6).map(|_| pace.admit(now, 1000)).collect();
        let due = |ms: u64| Some(ms * MS);
        assert_eq!(
            dues,
            [due(9), due(10), due(11), due(12), due(13), None],
            "the link was idle for 2 ms; the last would wait for 3 ms"
        );
        assert_eq!(pace.admit(11 * MS, 1000), due(14), "2 ms are allowed");
        assert_eq!(
            pace.admit(100 * MS, 1000),
            due(99),
            "longer idle, no more saved"
        );
    }

    #[test]
    fn a_packet_that_itself_takes_longer_than_the_queue_still_passes() {
        let treatment = Treatment::Bandwidth {
            bytes_per_second: 1000,
            queue_us: 100_000,
        };
        let mut pace = Pace::of(treatment, false, 0).unwrap();
        assert_eq!(pace.admit(2 * MS, 1500), Some(1500 * MS));
        assert_eq!(pace.admit(2 * MS, 1500), None);
    }
}
