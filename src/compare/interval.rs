//! How far the truth may lie from a figure: intervals of 95 %, without an assumption on how latencies are distributed.
//!
//! They hold for operations that are independent of each other. Those of a run are not quite: errors come in bursts. So
//! an interval says how exact *this run's* figure is, and not how much the next run may differ: only repeated runs
//! tell that (see [`super::repeat`]).

use crate::analysis::count;
use crate::analysis::result::Histogram;
use serde::{Deserialize, Serialize};

/// What an interval is to cover at least.
pub const CONFIDENCE: f64 = 0.95;
/// Two-sided 95 % of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;
/// Half of what may lie outside.
const TAIL: f64 = (1.0 - CONFIDENCE) / 2.0;
/// A bucket of a histogram of two significant digits is no wider than this share of its value.
const BUCKET: f64 = 0.01;

/// Both ends included; infinite where there is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    #[serde(with = "super::unbounded")]
    pub low: f64,
    /// Upper end; `null` in JSON where it is infinite.
    #[serde(with = "super::unbounded")]
    pub high: f64,
}

impl Interval {
    /// From this value to that one.
    #[must_use]
    pub fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }

    /// As far to either side; never below zero.
    #[must_use]
    pub fn around(value: f64, by: f64) -> Self {
        Self::new((value - by).max(0.0), value + by)
    }
}

/// Wilson's score interval of a share: `bad` of `all`.
///
/// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
#[must_use]
pub fn wilson(bad: u64, all: u64) -> Interval {
    if all == 0 {
        return Interval::new(0.0, 1.0);
    }
    let (n, p) = (count(all), count(bad.min(all)) / count(all));
    let z2 = Z * Z;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    // At the ends the formula gives 0 and 1 but for rounding.
    let low = if bad == 0 { 0.0 } else { centre - half };
    let high = if bad >= all { 1.0 } else { centre + half };
    Interval::new(low.max(0.0), high.min(1.0))
}

/// The interval of a quantile of latencies, by order statistics, with what the buckets add. Without an end where the
/// sample is too small for one: of a thousand operations, nobody knows how bad the worst in a thousand gets.
#[must_use]
pub fn quantile(histogram: &Histogram, q: f64) -> Option<Interval> {
    let counts = histogram.counts.iter();
    let n = counts.fold(0u64, |sum, n| sum.saturating_add(*n));
    let (lower, upper) = ranks(n, q)?;
    let low = lower.map_or(0.0, |rank| value_at(histogram, rank) * (1.0 - BUCKET));
    let high = upper.map_or(f64::INFINITY, |rank| value_at(histogram, rank));
    Some(Interval::new(low, high))
}

/// The highest value of the bucket that holds the operation of this rank (from 1).
fn value_at(histogram: &Histogram, rank: u64) -> f64 {
    let mut seen = 0u64;
    for (upper, n) in histogram.upper_ms.iter().zip(&histogram.counts) {
        seen = seen.saturating_add(*n);
        if seen >= rank {
            return *upper;
        }
    }
    f64::INFINITY
}

/// The ranks (from 1) between which a quantile lies with 95 %; none where there is no such rank. None at all without a
/// sample.
///
/// The number of values above the quantile has the binomial distribution of `n` and `1 − q`, whatever the values are.
/// Source: H. A. David, H. N. Nagaraja, *Order Statistics*, 3rd ed., 7.1.
#[must_use]
pub fn ranks(n: u64, q: f64) -> Option<(Option<u64>, Option<u64>)> {
    if n == 0 || !(0.0..1.0).contains(&q) {
        return None;
    }
    let (few, many) = above(n, 1.0 - q);
    let lower = n.checked_sub(many).filter(|rank| *rank > 0);
    let upper = (few > 0).then(|| n - few + 1);
    Some((lower, upper))
}

/// Exact sums are made up to so many expected values above a quantile; beyond, the normal distribution is as good.
const EXACT: f64 = 10_000.0;

/// `few`: the largest number with P(Y < few) ≤ 2.5 %. `many`: the least with P(Y > many) ≤ 2.5 %. Y is binomial.
fn above(n: u64, p: f64) -> (u64, u64) {
    let mean = count(n) * p;
    if mean > EXACT {
        let half = Z * (mean * (1.0 - p)).sqrt() + 1.0;
        return (whole(mean - half), whole(mean + half).min(n));
    }
    // ln P(Y = 0), and from there by the ratio of neighbours.
    let mut ln = count(n) * (-p).ln_1p();
    let odds = (p / (1.0 - p)).ln();
    let (mut sum, mut few) = (0.0, 0);
    for k in 0..=n {
        if sum <= TAIL {
            few = k;
        }
        sum += ln.exp();
        if sum >= 1.0 - TAIL {
            return (few, k);
        }
        ln += (count(n - k) / count(k + 1)).ln() + odds;
    }
    (few, n)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count; a cast saturates"
)]
fn whole(value: f64) -> u64 {
    value.max(0.0).floor() as u64
}

/// Student's t, two-sided 95 %, for 1 to 19 degrees of freedom. Source: any table, for example NIST/SEMATECH e-Handbook,
/// 1.3.6.7.2.
const T: [f64; 19] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093,
];

/// The interval of a mean, from the means of up to twenty batches of consecutive values: what is alike within a batch
/// (an outage) does not make the figure look more exact than it is. None with fewer than two values.
#[must_use]
pub fn batch_means(values: &[f64]) -> Option<Interval> {
    let width = values.len().div_ceil(T.len() + 1).max(1);
    let means: Vec<f64> = values.chunks_exact(width).map(mean).collect();
    let t = T.get(means.len().checked_sub(2)?)?;
    let n = count(u64::try_from(means.len()).unwrap_or(u64::MAX));
    let centre = mean(&means);
    let squares: f64 = means.iter().map(|m| (m - centre).powi(2)).sum();
    let half = t * (squares / (n - 1.0) / n).sqrt();
    Some(Interval::around(mean(values), half))
}

fn mean(values: &[f64]) -> f64 {
    let n = count(u64::try_from(values.len()).unwrap_or(u64::MAX));
    values.iter().sum::<f64>() / n
}

/// The interval of `b − a`, from those of `a` and `b`, which are independent.
///
/// Source: G. Y. Zou, A. Donner, "Construction of confidence limits about effect measures: a general approach" (MOVER),
/// 2008; for Wilson's intervals it is Newcombe's method 10.
#[must_use]
pub fn difference((a, of_a): (f64, Interval), (b, of_b): (f64, Interval)) -> Interval {
    let low = (b - of_b.low).hypot(of_a.high - a);
    let high = (of_b.high - b).hypot(a - of_a.low);
    Interval::new(b - a - low, b - a + high)
}

/// The interval of `b − a` where both are known to lie within bounds: what may be wrong adds up.
#[must_use]
pub fn bounded_difference(of_a: Interval, of_b: Interval) -> Interval {
    Interval::new(of_b.low - of_a.high, of_b.high - of_a.low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 5e-5
    }

    /// Source: R. G. Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
    #[test]
    fn wilsons_interval_has_its_known_values() {
        for (bad, all, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
            (29, 29, 0.8830, 1.0),
        ] {
            let found = wilson(bad, all);
            assert!(
                near(found.low, low) && near(found.high, high),
                "{bad}/{all}: {found:?}"
            );
        }
        assert_eq!(wilson(0, 0), Interval::new(0.0, 1.0));
    }

    /// Source: Newcombe, "Interval estimation for the difference between independent proportions", 1998, table II,
    /// method 10: 56/70 − 48/80.
    #[test]
    fn the_difference_of_two_shares_has_its_known_value() {
        let share = |bad: u64, all: u64| (count(bad) / count(all), wilson(bad, all));
        let found = difference(share(48, 80), share(56, 70));
        assert!(
            near(found.low, 0.0524) && near(found.high, 0.3339),
            "{found:?}"
        );
    }

    /// Source: David and Nagaraja; the ranks of the median of 20 are the 6th and the 15th (95.9 %).
    #[test]
    fn ranks_have_their_known_values_and_small_samples_no_end() {
        assert_eq!(ranks(20, 0.5), Some((Some(6), Some(15))));
        assert_eq!(ranks(6, 0.5), Some((Some(1), Some(6))));
        assert_eq!(ranks(5, 0.5), Some((None, None)));
        assert_eq!(ranks(100, 0.999).map(|(_, upper)| upper), Some(None));
        assert_eq!(ranks(0, 0.5), None);
    }

    #[test]
    fn the_exact_and_the_normal_ranks_agree_where_one_takes_over_from_the_other() {
        let (few, many) = above(19_999, 0.5);
        let (few_normal, many_normal) = above(20_001, 0.5);
        assert!(
            few.abs_diff(few_normal) <= 3 && many.abs_diff(many_normal) <= 3,
            "{few} {few_normal} {many} {many_normal}"
        );
    }

    #[test]
    fn the_interval_of_a_quantile_covers_the_truth_as_often_as_it_says() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        for (n, q) in [(60, 0.5), (500, 0.9), (2_000, 0.99)] {
            let rounds = 2_000;
            let mut covered = 0;
            for _ in 0..rounds {
                let mut sample: Vec<f64> = (0..n).map(|_| random.random::<f64>()).collect();
                sample.sort_by(f64::total_cmp);
                let (lower, upper) = ranks(n, q).unwrap();
                let at = |rank: u64| sample[usize::try_from(rank - 1).unwrap()];
                // Of values between 0 and 1, evenly distributed, the quantile q is q.
                let low = lower.map_or(0.0, at);
                let high = upper.map_or(1.0, at);
                covered += u32::from((low..=high).contains(&q));
            }
            let share = f64::from(covered) / f64::from(rounds);
            // Three standard errors of a share of 95 % in 2 000 rounds are 1.5 %.
            assert!(share > 0.935, "{share} of n = {n}, q = {q}");
        }
    }

    #[test]
    fn a_quantile_is_known_no_better_than_its_buckets() {
        let histogram = Histogram {
            upper_ms: vec![10.0, 20.0],
            counts: vec![1_000_000, 1],
        };
        let found = quantile(&histogram, 0.5).unwrap();
        assert_eq!((found.low, found.high), (9.9, 10.0));
    }

    #[test]
    fn a_mean_of_equal_batches_is_exact_and_one_value_says_nothing() {
        assert_eq!(batch_means(&[5.0; 40]), Some(Interval::new(5.0, 5.0)));
        assert_eq!(batch_means(&[5.0]), None);
        // Two values: mean 5, standard error 1, t = 12.706.
        let found = batch_means(&[4.0, 6.0]).unwrap();
        assert!(near(found.high, 17.706) && found.low == 0.0, "{found:?}");
    }
}
