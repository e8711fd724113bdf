//! The one monotonic clock of a run. Zero is the start of the load; every record is an [`Offset`] from it.

use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};
use std::time::Duration;
use tokio::time::Instant;

/// A moment of the run: time since the clock's zero, in whole nanoseconds. Moments before zero are zero.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Offset(u64);

impl Offset {
    /// The start of the load.
    pub const ZERO: Self = Self(0);

    /// The moment that is `since_zero` after the clock's zero.
    #[must_use]
    pub fn new(since_zero: Duration) -> Self {
        Self(u64::try_from(since_zero.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The moment `nanos` nanoseconds after zero.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment `millis` milliseconds after zero.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// Nanoseconds since zero.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time since zero.
    #[must_use]
    pub const fn since_zero(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Milliseconds since zero, for files and reports.
    #[must_use]
    pub fn as_millis_f64(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "2^53 ns are 104 days")]
        let nanos = self.0 as f64;
        nanos / 1e6
    }
}

impl Add<Duration> for Offset {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(Self::new(d).0))
    }
}

/// The time from the right moment to the left one; zero where the left one is earlier.
impl Sub for Offset {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Milliseconds of a duration as a number, for files and reports.
#[must_use]
pub fn millis(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

/// Maps instants to offsets. Built on tokio's instant, so that paused time works in tests.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    zero: Instant,
    wall_zero: jiff::Timestamp,
}

impl Clock {
    /// A clock whose zero is `zero`; the wall time of zero is worked out from the present.
    #[must_use]
    pub fn starting_at(zero: Instant) -> Self {
        let now = Instant::now();
        let wall = jiff::Timestamp::now();
        let ahead = zero.saturating_duration_since(now);
        let behind = now.saturating_duration_since(zero);
        let wall_zero = wall.saturating_add(ahead).unwrap_or(wall);
        let wall_zero = wall_zero.saturating_sub(behind).unwrap_or(wall_zero);
        Self { zero, wall_zero }
    }

    /// The instant of zero.
    #[must_use]
    pub fn zero(&self) -> Instant {
        self.zero
    }

    /// Wall time of zero; stored once per run.
    #[must_use]
    pub fn wall_zero(&self) -> jiff::Timestamp {
        self.wall_zero
    }

    /// Now, as an offset.
    #[must_use]
    pub fn now(&self) -> Offset {
        self.offset(Instant::now())
    }

    /// The offset of an instant.
    #[must_use]
    pub fn offset(&self, at: Instant) -> Offset {
        Offset::new(at.saturating_duration_since(self.zero))
    }

    /// The instant of an offset.
    #[must_use]
    pub fn instant(&self, at: Offset) -> Instant {
        self.zero + at.since_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn offsets_count_from_zero_and_never_go_below_it() {
        let clock = Clock::starting_at(Instant::now() + Duration::from_secs(1));
        assert_eq!(clock.now(), Offset::ZERO);
        tokio::time::advance(Duration::from_millis(3500)).await;
        assert_eq!(clock.now(), Offset::from_millis(2500));
        assert_eq!(clock.instant(clock.now()), Instant::now());
        assert_eq!(
            Offset::from_millis(1) - Offset::from_millis(5),
            Duration::ZERO
        );
    }
}
