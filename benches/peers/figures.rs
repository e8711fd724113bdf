//! Medians, ratios, and arrivals against the line that they should be on. Nothing here measures, so that all of it can be
//! tested.

use std::time::Duration;

/// An arrival that is followed by nothing for so long is no part of the load: a client looked whether the server is there.
const ALONE: u64 = 100_000_000;
/// So many at the beginning may be of that kind.
const MOST_ALONE: usize = 16;
/// The share of arrivals, the earliest ones, that the fitted line leaves on its early side.
const ON_THE_LINE: f64 = 0.01;

/// The middle one, or the mean of the middle two; none of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The value at a share of sorted values, by nearest rank; none of nothing.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank within a slice"
    )]
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank.min(sorted.len()).checked_sub(1)?).copied()
}

/// Sorted copy.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// How two clients compare, round by round: what a round's neighbours shared (clock rate, other guests) cancels out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Median of the rounds' ratios.
    pub median: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

/// Ours ÷ theirs; none where there is no round, or theirs is zero.
pub fn ratio(ours: &[f64], theirs: &[f64]) -> Option<Ratio> {
    if theirs.contains(&0.0) {
        return None;
    }
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a / b).collect();
    let sorted = sorted(&ratios);
    Some(Ratio {
        median: median(&ratios)?,
        low: *sorted.first()?,
        high: *sorted.last()?,
    })
}

/// Arrivals as a server saw them, against `t0 + i / rate`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrivals {
    /// How many.
    pub count: usize,
    /// Per second, from the first to the last.
    pub rate: f64,
    /// Median gap between neighbours.
    pub gap_p50: Duration,
    /// Median lateness.
    pub late_p50: Duration,
    /// Its 99th percentile.
    pub late_p99: Duration,
    /// The latest one's.
    pub late_max: Duration,
}

/// Leaves out what came before the load: single requests, each followed by a pause.
pub fn of_the_load(stamps: &[u64]) -> &[u64] {
    let pauses = stamps.windows(2).take(MOST_ALONE);
    let alone = pauses
        .enumerate()
        .filter(|(_, pair)| pair[1] - pair[0] > ALONE)
        .map(|(index, _)| index + 1)
        .next_back();
    &stamps[alone.unwrap_or(0)..]
}

/// Compares arrivals, in nanoseconds and in order, with the line of their rate. `t0` is not known to a server: it is put
/// where the earliest 1 % of all arrivals are on the line or before it, for every client alike. None of fewer than two.
pub fn against_line(stamps: &[u64], rate: f64) -> Option<Arrivals> {
    let (first, last) = (*stamps.first()?, *stamps.last()?);
    let gaps: Vec<f64> = stamps.windows(2).map(|p| nanos(p[1] - p[0])).collect();
    let gap_p50 = median(&gaps)?;
    let offsets: Vec<f64> = stamps
        .iter()
        .zip(0u32..)
        .map(|(at, i)| nanos(at - first) - f64::from(i) * 1e9 / rate)
        .collect();
    let offsets = sorted(&offsets);
    let t0 = quantile(&offsets, ON_THE_LINE)?;
    let late = |share: f64| Some(duration(quantile(&offsets, share)? - t0));
    Some(Arrivals {
        count: stamps.len(),
        rate: nanos(u64::try_from(gaps.len()).ok()?) * 1e9 / nanos(last - first).max(1.0),
        gap_p50: duration(gap_p50),
        late_p50: late(0.5)?,
        late_p99: late(0.99)?,
        late_max: late(1.0)?,
    })
}

/// A quantile of the latency that users see of a server which stalls for `stall` in every `every` and answers at once
/// otherwise, at a constant rate: an arrival falls into a stall with probability `stall / every`, and waits for what is
/// left of it, which is evenly distributed.
pub fn stalled_latency(stall: Duration, every: Duration, share: f64) -> Duration {
    let stalled = stall.as_secs_f64() / every.as_secs_f64();
    let beyond = (1.0 - share) / stalled;
    stall.mul_f64((1.0 - beyond).max(0.0))
}

#[expect(clippy::cast_precision_loss, reason = "well below 2^52")]
fn nanos(ns: u64) -> f64 {
    ns as f64
}

/// Of nanoseconds; what is negative, before the line, is zero late.
fn duration(ns: f64) -> Duration {
    Duration::from_secs_f64(ns.max(0.0) / 1e9)
}
