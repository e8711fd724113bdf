//! The one timer of a worker: a timerfd on CLOCK_MONOTONIC, set to absolute times.
//!
//! tokio's own timer ticks at one millisecond, which turns 5000 arrivals a second into bursts of five. A timerfd
//! wakes the same epoll within some ten microseconds, once the thread's timer slack (50 µs by default) is off.

use crate::clock::{Clock, Offset};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use std::io;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// A timer that is set to offsets of a clock.
#[derive(Debug)]
pub struct Timer {
    fd: AsyncFd<OwnedFd>,
    /// CLOCK_MONOTONIC at the clock's zero, in nanoseconds; may lie ahead.
    zero: u64,
}

impl Timer {
    /// A timer for the calling thread, whose timer slack is set to 1 ns. Needs a tokio runtime.
    ///
    /// # Errors
    /// Where the kernel gives no timerfd or it cannot be watched.
    pub fn new(clock: &Clock) -> io::Result<Self> {
        // Without it wake-ups are late by the default slack; the run still works.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        let fd = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe for descriptors that may be closed beneath it; an OwnedFd is not"
        )]
        let fd = AsyncFd::with_interest(fd, Interest::READABLE)?;
        Ok(Self {
            fd,
            zero: monotonic_zero(clock),
        })
    }

    /// Sets the timer to a moment; one that is past fires at once.
    ///
    /// # Errors
    /// Those of `timerfd_settime`.
    pub fn set(&self, at: Offset) -> io::Result<()> {
        let nanos = self.zero.saturating_add(at.as_nanos()).max(1);
        let it_value = Timespec {
            tv_sec: i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(nanos % 1_000_000_000).unwrap_or(0),
        };
        let never = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        timerfd_settime(
            self.fd.get_ref(),
            TimerfdTimerFlags::ABSTIME,
            &Itimerspec {
                it_interval: never,
                it_value,
            },
        )?;
        Ok(())
    }

    /// Waits until the timer fired. Once in a while it says so although it was set anew meanwhile: whoever waits looks
    /// at the clock.
    ///
    /// # Errors
    /// Those of the runtime's driver.
    pub async fn fired(&self) -> io::Result<()> {
        // The count of expirations is not read: setting the timer resets it, and the next expiration is a new edge for
        // epoll. That is one call to the kernel less per arrival.
        self.fd.readable().await?.clear_ready();
        Ok(())
    }
}

/// CLOCK_MONOTONIC at the clock's zero. An `Instant` does not tell its value, so both are read together, some
/// times over; the closest pair counts.
fn monotonic_zero(clock: &Clock) -> u64 {
    let readings = (0..8).map(|_| {
        let before = Instant::now();
        let now = clock_gettime(ClockId::Monotonic);
        let width = before.elapsed();
        (width, before + width / 2, now)
    });
    let Some((_, instant, now)) = readings.min_by_key(|r| r.0) else {
        return 1;
    };
    let now = u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(now.tv_nsec).unwrap_or(0);
    let nanos = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
    let zero = clock.zero();
    if zero >= instant {
        now.saturating_add(nanos(zero - instant))
    } else {
        now.saturating_sub(nanos(instant - zero))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_timer_never_fires_early_and_a_past_moment_fires_at_once() {
        let clock = Clock::starting_at(Instant::now() + Duration::from_millis(5));
        let timer = Timer::new(&clock).unwrap();
        for ms in [3, 7, 8] {
            timer.set(Offset::from_millis(ms)).unwrap();
            timer.fired().await.unwrap();
            // The two clocks are matched to within a microsecond.
            assert!(clock.now() + Duration::from_micros(5) >= Offset::from_millis(ms));
        }
        timer.set(Offset::ZERO).unwrap();
        tokio::time::timeout(Duration::from_secs(5), timer.fired())
            .await
            .unwrap()
            .unwrap();
    }
}
