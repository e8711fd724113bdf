//! How one figure is spread over repeated runs.

use crate::analysis::count;
use serde::{Deserialize, Serialize};

/// Between the quartiles lies more than this share of their sum: see [`Spread::flaky`].
pub const MAX_DISPERSION: f64 = 0.3;

/// One figure over repeated runs. What never came (a service that did not recover) is +∞, `null` in JSON: it is worse
/// than any number, and never left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Runs that have the figure.
    pub n: usize,
    /// Runs among them in which it never came.
    pub never: usize,
    /// The figure of each of these runs, in their order.
    #[serde(with = "super::unbounded::list")]
    pub values: Vec<f64>,
    /// The lowest.
    #[serde(with = "super::unbounded")]
    pub min: f64,
    /// Lower quartile: a quarter lies below (linear between neighbours, R's type 7).
    #[serde(with = "super::unbounded")]
    pub q1: f64,
    /// The median.
    #[serde(with = "super::unbounded")]
    pub median: f64,
    /// Upper quartile.
    #[serde(with = "super::unbounded")]
    pub q3: f64,
    /// The highest.
    #[serde(with = "super::unbounded")]
    pub max: f64,
    /// Lower end of the interval of the median.
    #[serde(with = "super::unbounded")]
    pub low: f64,
    /// Its upper end.
    #[serde(with = "super::unbounded")]
    pub high: f64,
    /// How sure it is that the median of all runs that could be made lies in this interval, 0 to 1: at least 0.95 from
    /// six runs on; `1 − 2^(1−n)` below, where the interval is all from the lowest to the highest.
    pub coverage: f64,
    /// Too scattered to gate on: the figure came in some runs and not in others; or the quartiles lie apart by more
    /// than [`MAX_DISPERSION`] of their sum (the quartile coefficient of dispersion, `(q3 − q1) / (q3 + q1)`) and by
    /// more than twice the resolution of the figure.
    pub flaky: bool,
}

impl Spread {
    /// The spread of values, none of which is NaN; those that never came are infinite. `resolution`: how far a single
    /// one may lie from its truth. None without a value.
    #[must_use]
    pub fn of(values: &[f64], resolution: f64) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let n = sorted.len();
        let (outside, coverage) = median_rank(n);
        let [q1, median, q3] = [0.25, 0.5, 0.75].map(|q| quantile(&sorted, q));
        let never = sorted.iter().filter(|v| v.is_infinite()).count();
        let apart = q3 - q1;
        let dispersed = q1 + q3 > 0.0 && apart > MAX_DISPERSION * (q3 + q1);
        let sometimes = never > 0 && never < n;
        Some(Self {
            n,
            never,
            values: values.to_vec(),
            min,
            q1,
            median,
            q3,
            max,
            low: sorted[outside],
            high: sorted[n - 1 - outside],
            coverage,
            flaky: sometimes || (dispersed && apart > 2.0 * resolution),
        })
    }
}

/// The quantile of sorted values, linear between neighbours (R's type 7).
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let last = sorted.len() - 1;
    let place = count(u64::try_from(last).unwrap_or(u64::MAX)) * q;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index; the minimum holds it within"
    )]
    let below = (place.floor() as usize).min(last);
    let (a, b) = (sorted[below], sorted[(below + 1).min(last)]);
    let part = place - place.floor();
    // Between equals there is nothing to interpolate; between infinities nothing can be.
    if part == 0.0 || a == b {
        a
    } else {
        a + (b - a) * part
    }
}

/// How many values are left outside at either end of the interval of the median of `n`, and what it covers.
///
/// ```text
/// coverage(k) = 1 − 2 · P(Bin(n, ½) < k),  [x(k), x(n+1−k)]
/// ```
///
/// The largest `k` with at least 95 %; `k = 1`, from the lowest to the highest, where there is none. Source: H. A. David,
/// H. N. Nagaraja, *Order Statistics*, 3rd ed., 7.1.
fn median_rank(n: usize) -> (usize, f64) {
    let runs = count(u64::try_from(n).unwrap_or(u64::MAX));
    // P(Bin(n, ½) = 0), and its sum up to k − 1.
    let mut probability = 0.5_f64.powf(runs);
    let mut sum = probability;
    let mut found = (0, 1.0 - 2.0 * sum);
    let mut k = 1.0;
    for outside in 1..n.div_ceil(2) {
        probability *= (runs - k + 1.0) / k;
        sum += probability;
        k += 1.0;
        let coverage = 1.0 - 2.0 * sum;
        if coverage < super::interval::CONFIDENCE {
            break;
        }
        found = (outside, coverage);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn spread(values: &[f64]) -> Spread {
        Spread::of(values, 0.0).unwrap()
    }

    #[test]
    fn medians_and_quartiles_have_their_known_values() {
        let four = spread(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!(
            (four.min, four.q1, four.median, four.q3, four.max),
            (1.0, 1.75, 2.5, 3.25, 4.0)
        );
        assert_eq!(spread(&[7.0]).median, 7.0);
        assert_eq!(spread(&[3.0, 1.0, 2.0]).median, 2.0);
        assert!(Spread::of(&[], 0.0).is_none());
    }

    /// Source: the binomial distribution; the ranks are those of Conover, *Practical Nonparametric Statistics*, table A3.
    #[test]
    fn the_interval_of_the_median_has_its_known_ranks_and_coverage() {
        for (n, outside, coverage) in [
            (1, 0, 0.0),
            (2, 0, 0.5),
            (3, 0, 0.75),
            (5, 0, 0.9375),
            (6, 0, 0.968_75),
            (8, 0, 0.992_187_5),
            (9, 1, 0.960_937_5),
            (10, 1, 0.978_515_625),
            (20, 5, 0.958_6),
            (30, 9, 0.957_2),
        ] {
            let (found, of) = median_rank(n);
            assert_eq!(found, outside, "n = {n}");
            assert!((of - coverage).abs() < 1e-4, "n = {n}: {of}");
        }
    }

    #[test]
    fn the_interval_covers_the_true_median_at_least_as_often_as_it_says() {
        let mut random = ChaCha8Rng::seed_from_u64(20);
        for n in [2, 3, 5, 6, 9, 15, 40] {
            let rounds = 4_000;
            let mut covered = 0;
            let mut stated = 0.0;
            for _ in 0..rounds {
                // Two humps, as recoveries have: the distribution must not matter. The median is 3.5.
                let one = |r: f64| {
                    if r < 0.5 {
                        2.0 + 3.0 * r
                    } else {
                        3.0 + r * r * 100.0 - 24.5
                    }
                };
                let values: Vec<f64> = (0..n).map(|_| one(random.random())).collect();
                let found = spread(&values);
                stated = found.coverage;
                covered += u32::from((found.low..=found.high).contains(&3.5));
            }
            let share = f64::from(covered) / f64::from(rounds);
            let error = (stated * (1.0 - stated) / f64::from(rounds)).sqrt();
            assert!(
                share > stated - 4.0 * error - 1e-9,
                "n = {n}: {share}, stated {stated}"
            );
        }
    }

    #[test]
    fn what_never_came_is_infinite_and_not_left_out() {
        let all = spread(&[100.0, f64::INFINITY, f64::INFINITY]);
        assert_eq!((all.n, all.never, all.min), (3, 2, 100.0));
        assert!(all.median.is_infinite() && all.flaky);
        let none = spread(&[f64::INFINITY; 4]);
        assert!(
            !none.flaky && none.q1.is_infinite(),
            "it never comes: reliably"
        );
    }

    #[test]
    fn flaky_means_scattered_beyond_the_resolution() {
        let two_humps = [10.0, 12.0, 11.0, 3_000.0, 3_100.0, 3_050.0];
        assert!(spread(&two_humps).flaky);
        assert!(!spread(&[100.0, 110.0, 105.0, 95.0]).flaky);
        assert!(!Spread::of(&[1.0, 4.0, 2.0, 9.0], 10.0).unwrap().flaky);
        assert!(!spread(&[0.0, 0.0, 0.0, 0.0, 900.0]).flaky);
    }
}
