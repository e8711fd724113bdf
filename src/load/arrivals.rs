//! When operations are wanted: pure functions of an arrival's index.
//!
//! The rate is a piecewise linear function of time; its integral `Λ(t)` is the number of arrivals due by `t`.
//! Arrival `i` is intended at the inverse, `Λ⁻¹(i)`, computed from the integer index and never accumulated, so
//! that no error grows over a run. A Poisson process is the same inverse applied to a unit-rate process
//! (time rescaling): `Λ⁻¹(E₀ + … + Eᵢ)` with exponential gaps of mean 1.
//!
//! Workers share nothing: worker `w` of `n` takes the arrivals with `i ≡ w (mod n)`. For Poisson arrivals every
//! worker walks the whole seeded stream (about 20 ns a step) and keeps its own share, so that the sequence does
//! not depend on the number of workers.

use crate::clock::Offset;
use crate::scenario::Stage;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// A linear piece of the rate.
#[derive(Debug, Clone, Copy)]
struct Segment {
    /// Seconds from zero.
    start: f64,
    /// Arrivals due before it.
    before: f64,
    /// Arrivals per second at its start.
    rate: f64,
    /// Change of the rate, per second.
    slope: f64,
    /// Seconds.
    length: f64,
}

impl Segment {
    /// Arrivals due `t` seconds after the start of this segment.
    fn due_after(&self, t: f64) -> f64 {
        let t = t.clamp(0.0, self.length);
        (self.rate + self.slope * t / 2.0) * t
    }

    /// Seconds after the start of this segment at which `n` arrivals are due: the root of
    /// `rate·t + slope/2·t² = n` in the form that does not cancel.
    fn inverse(&self, n: f64) -> f64 {
        if n <= 0.0 {
            return 0.0;
        }
        let root = (self.rate * self.rate + 2.0 * self.slope * n)
            .max(0.0)
            .sqrt();
        (2.0 * n / (self.rate + root)).min(self.length)
    }
}

/// The arrivals of one open-loop workload over a run.
#[derive(Debug, Clone)]
pub struct Schedule {
    segments: Vec<Segment>,
    duration: Duration,
}

impl Schedule {
    /// Stages one after the other; the last rate holds until `duration`, and a stage without length takes all
    /// that is left. Rates below zero or not finite count as zero.
    #[must_use]
    pub fn new(stages: &[Stage], duration: Duration) -> Self {
        let end = duration.as_secs_f64();
        let rate_of = |r: f64| if r.is_finite() { r.max(0.0) } else { 0.0 };
        let mut schedule = Self {
            segments: Vec::with_capacity(stages.len() + 1),
            duration,
        };
        for stage in stages {
            let length = stage.length.map_or(end, |l| l.as_secs_f64());
            let left = end - schedule.end();
            // A stage that the end of the run cuts short keeps its slope; one without length spans what is left.
            let whole = if stage.length.is_some() { length } else { left };
            schedule.push(rate_of(stage.from), rate_of(stage.to), whole, left);
        }
        if let Some(last) = stages.last() {
            let (rate, left) = (rate_of(last.to), end - schedule.end());
            schedule.push(rate, rate, left, left);
        }
        schedule
    }

    fn push(&mut self, rate: f64, to: f64, whole: f64, left: f64) {
        let length = whole.min(left);
        if length > 0.0 {
            let (start, before) = (self.end(), self.total());
            self.segments.push(Segment {
                start,
                before,
                rate,
                slope: (to - rate) / whole,
                length,
            });
        }
    }

    /// Seconds covered so far.
    fn end(&self) -> f64 {
        self.segments.last().map_or(0.0, |s| s.start + s.length)
    }

    /// `Λ` of the whole run: the integral of the rate.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.segments
            .last()
            .map_or(0.0, |s| s.before + s.due_after(s.length))
    }

    /// `Λ(t)`: the integral of the rate from zero to `t`.
    #[must_use]
    pub fn due_by(&self, t: Duration) -> f64 {
        let t = t.as_secs_f64();
        self.segments
            .iter()
            .take_while(|s| s.start <= t)
            .last()
            .map_or(0.0, |s| s.before + s.due_after(t - s.start))
    }

    /// `Λ⁻¹(x)`: the latest moment at which no more than `x` arrivals are due; none where that is not within
    /// the run.
    #[must_use]
    pub fn moment_of(&self, x: f64) -> Option<Offset> {
        // The last segment that begins at or before `x`: where the rate was zero in between, the later one.
        let after = self.segments.partition_point(|s| s.before <= x);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        let n = x - segment.before;
        if segment.rate == 0.0 && segment.slope == 0.0 {
            return None;
        }
        let t = segment.inverse(n);
        let at = Offset::new(Duration::try_from_secs_f64(segment.start + t).ok()?);
        // `inverse` is cut off at the segment's end: beyond it lies only the end of the run.
        (n < segment.due_after(segment.length) && at.since_zero() < self.duration).then_some(at)
    }

    /// When arrival `i` of evenly spaced arrivals is wanted; none where it lies beyond the end of the run.
    #[must_use]
    pub fn intended(&self, i: u64) -> Option<Offset> {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 arrivals")]
        self.moment_of(i as f64)
    }

    /// Number of evenly spaced arrivals of the run: those with `intended < duration`.
    #[must_use]
    pub fn count(&self) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a finite count, not below zero"
        )]
        let near = self.total().ceil() as u64;
        // Rounding may put the last one on either side of the end.
        let mut n = near.saturating_sub(2);
        while self.intended(n).is_some() {
            n += 1;
        }
        n
    }
}

/// The arrivals of one worker, in order.
#[derive(Debug)]
pub struct Slice {
    schedule: Schedule,
    poisson: Option<Exponential>,
    /// Index of the next arrival that is looked at.
    next: u64,
    worker: u64,
    workers: u64,
}

/// Sums of exponential gaps with mean 1, from a seeded stream.
#[derive(Debug)]
struct Exponential {
    rng: ChaCha8Rng,
    sum: f64,
}

impl Exponential {
    fn next(&mut self) -> f64 {
        // 53 random bits, shifted by half a step: never zero, so that the logarithm is finite.
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let uniform = ((self.rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        self.sum -= uniform.ln();
        self.sum
    }
}

impl Slice {
    /// The arrivals `i ≡ worker (mod workers)` of a schedule. With `poisson`, the seed of the stream.
    #[must_use]
    pub fn new(schedule: Schedule, poisson: Option<u64>, worker: usize, workers: usize) -> Self {
        let poisson = poisson.map(|seed| Exponential {
            rng: ChaCha8Rng::seed_from_u64(seed),
            sum: 0.0,
        });
        let workers = u64::try_from(workers.max(1)).unwrap_or(1);
        let worker = u64::try_from(worker).unwrap_or(0);
        let next = if poisson.is_some() { 0 } else { worker };
        Self {
            schedule,
            poisson,
            next,
            worker,
            workers,
        }
    }
}

impl Iterator for Slice {
    type Item = (u64, Offset);

    /// The global index of the next arrival and when it is intended.
    fn next(&mut self) -> Option<(u64, Offset)> {
        let Some(gaps) = &mut self.poisson else {
            let i = self.next;
            let at = self.schedule.intended(i)?;
            self.next = i + self.workers;
            return Some((i, at));
        };
        loop {
            let (i, x) = (self.next, gaps.next());
            let at = self.schedule.moment_of(x)?;
            self.next += 1;
            if i % self.workers == self.worker {
                return Some((i, at));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stage(from: f64, to: f64, secs: f64) -> Stage {
        Stage {
            from,
            to,
            length: Some(Duration::from_secs_f64(secs)),
        }
    }

    fn constant(rate: f64, duration: Duration) -> Schedule {
        Schedule::new(
            &[Stage {
                from: rate,
                to: rate,
                length: None,
            }],
            duration,
        )
    }

    fn slice_of(
        schedule: &Schedule,
        poisson: Option<u64>,
        w: usize,
        n: usize,
    ) -> Vec<(u64, Offset)> {
        Slice::new(schedule.clone(), poisson, w, n).collect()
    }

    #[test]
    fn a_constant_rate_is_exact_after_a_million_arrivals() {
        let schedule = constant(3000.0, Duration::from_secs(3600));
        assert_eq!(schedule.intended(3), Some(Offset::from_millis(1)));
        assert_eq!(
            schedule.intended(3_000_000),
            Some(Offset::from_millis(1_000_000))
        );
        assert_eq!(schedule.count(), 3000 * 3600);
    }

    #[test]
    fn the_first_arrival_is_at_zero_and_the_end_is_not_within() {
        let schedule = constant(10.0, Duration::from_secs(1));
        let all = slice_of(&schedule, None, 0, 1);
        assert_eq!(all.len(), 10);
        assert_eq!(
            (all[0].1, all[9].1),
            (Offset::ZERO, Offset::from_millis(900))
        );
    }

    #[test]
    fn a_ramp_from_zero_follows_the_square_root() {
        // Λ(t) = 50 t² over 10 s: arrival i is at sqrt(i / 5).
        let schedule = Schedule::new(&[stage(0.0, 100.0, 10.0)], Duration::from_secs(10));
        assert_eq!(schedule.count(), 500);
        let at = schedule.intended(125).unwrap().since_zero().as_secs_f64();
        assert!((at - 5.0).abs() < 1e-9, "{at}");
    }

    #[test]
    fn a_pause_between_stages_has_no_arrivals_and_loses_none() {
        let schedule = Schedule::new(
            &[
                stage(10.0, 10.0, 1.0),
                stage(0.0, 0.0, 1.0),
                stage(10.0, 10.0, 1.0),
            ],
            Duration::from_secs(3),
        );
        let all = slice_of(&schedule, None, 0, 1);
        assert_eq!(all.len(), 20);
        assert_eq!(all[10].1, Offset::from_millis(2000));
    }

    #[test]
    fn the_last_rate_holds_and_a_cut_ramp_keeps_its_slope() {
        let held = Schedule::new(&[stage(0.0, 100.0, 2.0)], Duration::from_secs(4));
        assert_eq!(held.count(), 300);
        let cut = Schedule::new(&[stage(0.0, 100.0, 2.0)], Duration::from_secs(1));
        assert_eq!(cut.count(), 25);
    }

    #[test]
    fn a_rate_of_zero_or_nonsense_has_no_arrivals() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(constant(rate, Duration::from_secs(5)).count(), 0, "{rate}");
        }
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread_of_an_exponential() {
        let schedule = constant(1000.0, Duration::from_secs(100));
        let all = slice_of(&schedule, Some(7), 0, 1);
        let gaps: Vec<f64> = all
            .windows(2)
            .map(|w| (w[1].1 - w[0].1).as_secs_f64() * 1e3)
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        // 100 000 gaps: the standard error of the mean is 0.3 %, of the variance about 1 %.
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!((variance - 1.0).abs() < 0.06, "{variance}");
    }

    prop_compose! {
        fn stages()(parts in prop::collection::vec((0.0..500.0f64, 0.0..500.0f64, 0.01..3.0f64), 1..5)) -> Vec<Stage> {
            parts.into_iter().map(|(from, to, secs)| stage(from, to, secs)).collect()
        }
    }

    proptest! {
        #[test]
        fn arrivals_are_monotone_and_as_many_as_the_integral(stages in stages(), secs in 0.1..8.0f64) {
            let duration = Duration::from_secs_f64(secs);
            let schedule = Schedule::new(&stages, duration);
            let all = slice_of(&schedule, None, 0, 1);
            prop_assert!(all.windows(2).all(|w| w[0].1 <= w[1].1));
            prop_assert!(all.iter().all(|a| a.1.since_zero() < duration));
            prop_assert_eq!(all.len() as u64, schedule.count());
            prop_assert!((all.len() as f64 - schedule.total().ceil()).abs() <= 1.0);
            for (i, at) in all {
                let due = schedule.due_by(at.since_zero());
                // A nanosecond of rounding at up to 500/s is far below a thousandth of an arrival.
                prop_assert!((due - i as f64).abs() < 1e-3, "arrival {i} at {at:?}: {due} due");
            }
        }

        #[test]
        fn slices_of_workers_are_disjoint_and_complete(
            stages in stages(), workers in 1..6usize, poisson in prop::option::of(0..99u64),
        ) {
            let schedule = Schedule::new(&stages, Duration::from_secs(4));
            let whole = slice_of(&schedule, poisson, 0, 1);
            let mut together: Vec<_> = (0..workers).flat_map(|w| slice_of(&schedule, poisson, w, workers)).collect();
            together.sort_unstable();
            prop_assert_eq!(together, whole);
        }
    }
}
