//! A workload over time, in intervals that are bounded in number.

use super::load::instance_name;
use super::micros_to_ms;
use super::result::{Heat, Percentiles, Series};
use super::window::percentiles;
use crate::clock::{Offset, millis};
use crate::history::slot::new_histogram;
use crate::history::{Latencies, LoadHistory};
use std::time::Duration;

/// No more intervals than this: a run of more than an hour has longer ones.
const MAX_INTERVALS: u64 = 3600;
const SLOTS_PER_SECOND: u32 = 10;

/// The series of a workload from zero to the end of the load. Operations recorded after that count to the last
/// interval.
#[must_use]
pub fn of(history: &LoadHistory, load_end: Offset) -> Series {
    let seconds = load_end.as_nanos().div_ceil(1_000_000_000).max(1);
    let width = seconds.div_ceil(MAX_INTERVALS);
    let intervals = usize::try_from(seconds.div_ceil(width)).unwrap_or(1);
    let width = u32::try_from(width).unwrap_or(u32::MAX);
    let interval = |second: u32| {
        usize::try_from(second / width)
            .unwrap_or(0)
            .min(intervals - 1)
    };
    let mut series = Series {
        interval_ms: millis(Duration::from_secs(width.into())),
        requests: vec![0; intervals],
        bad: vec![0; intervals],
        ..Series::default()
    };
    for (index, slot) in &history.slots {
        let i = interval(index / SLOTS_PER_SECOND);
        series.requests[i] += slot.total();
        series.bad[i] += slot.bad();
        for (class, n) in slot.failed.iter().chain(&slot.unknown) {
            let of_class = series.errors.entry(class.to_string());
            of_class.or_insert_with(|| vec![0; intervals])[i] += n;
        }
        for (id, (all, _)) in &slot.instances {
            let of_instance = series.instances.entry(instance_name(history, id.0));
            of_instance.or_insert_with(|| vec![0; intervals])[i] += all;
        }
    }
    let seconds: Vec<_> = history.seconds.iter().collect();
    let mut latencies = vec![None; intervals];
    let mut heat = vec![Vec::new(); intervals];
    // Seconds come in order, so that those of an interval stand together: one histogram at a time.
    let mut histogram = new_histogram();
    for of_one in seconds.chunk_by(|a, b| interval(*a.0) == interval(*b.0)) {
        histogram.reset();
        let i = of_one.first().map_or(0, |(second, _)| interval(**second));
        for (_, recorded) in of_one {
            recorded.latency.add_to(&mut histogram);
            add_to_heat(&recorded.latency, &mut heat[i]);
        }
        latencies[i] = percentiles(&histogram);
    }
    let of =
        |pick: fn(&Percentiles) -> f64| latencies.iter().map(|l| l.as_ref().map(pick)).collect();
    series.p50_ms = of(|p| p.p50);
    series.p90_ms = of(|p| p.p90);
    series.p99_ms = of(|p| p.p99);
    series.p999_ms = of(|p| p.p999);
    series.max_ms = of(|p| p.max);
    series.heat = trimmed(heat);
    series
}

/// The upper end of a bucket of the heat map, in microseconds: 100 µs, and two buckets per octave from there.
fn heat_bound(bucket: usize) -> u64 {
    let octave = u32::try_from(bucket / 2).unwrap_or(u32::MAX);
    let whole = 100u64.saturating_mul(2u64.saturating_pow(octave));
    // √2, to the microsecond.
    if bucket.is_multiple_of(2) {
        whole
    } else {
        whole.saturating_mul(1414) / 1000
    }
}

fn add_to_heat(latencies: &Latencies, counts: &mut Vec<u64>) {
    let mut bucket = 0;
    for (micros, n) in latencies.buckets() {
        while heat_bound(bucket) < micros {
            bucket += 1;
        }
        if counts.len() <= bucket {
            counts.resize(bucket + 1, 0);
        }
        counts[bucket] += u64::from(n);
    }
}

/// Without the buckets below and above all that occurred.
fn trimmed(mut counts: Vec<Vec<u64>>) -> Heat {
    let last = counts.iter().map(Vec::len).max().unwrap_or(0);
    let filled = |of_one: &Vec<u64>| of_one.iter().position(|n| *n > 0);
    let first = counts.iter().filter_map(filled).min().unwrap_or(0);
    for of_one in &mut counts {
        of_one.resize(last, 0);
        of_one.drain(..first);
    }
    let bounds = (first..last).map(heat_bound);
    Heat {
        bounds_ms: bounds.map(micros_to_ms).collect(),
        counts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Second, slot::record_latency};

    fn second(millis: &[u64]) -> Second {
        let mut histogram = new_histogram();
        millis
            .iter()
            .for_each(|ms| record_latency(&mut histogram, Duration::from_millis(*ms)));
        Second {
            latency: Latencies::from(&histogram),
            ..Second::default()
        }
    }

    #[test]
    fn the_heat_map_counts_every_good_operation_once_in_the_bucket_that_holds_it() {
        let mut history = LoadHistory::default();
        history.seconds.insert(0, second(&[1, 1, 5]));
        history.seconds.insert(2, second(&[40]));
        let series = of(&history, Offset::from_millis(3000));
        let heat = &series.heat;
        assert!(heat.bounds_ms.is_sorted());
        let bucket = |ms: f64| heat.bounds_ms.iter().position(|b| *b >= ms).unwrap();
        assert_eq!(bucket(1.0), 0, "buckets below are left out");
        assert_eq!(bucket(40.0), heat.bounds_ms.len() - 1, "and those above");
        assert_eq!(
            (heat.counts[0][bucket(1.0)], heat.counts[0][bucket(5.0)]),
            (2, 1)
        );
        assert_eq!(heat.counts[1].iter().sum::<u64>(), 0);
        assert_eq!(heat.counts[2][bucket(40.0)], 1);
        assert_eq!(series.max_ms[1], None);
        assert!(series.max_ms[0].is_some_and(|ms| (ms - 5.0).abs() < 0.1));
        assert!(series.p90_ms[2] >= series.p50_ms[2] && series.p999_ms[2] <= series.max_ms[2]);
    }

    #[test]
    fn without_a_good_operation_there_is_no_heat() {
        let heat = of(&LoadHistory::default(), Offset::from_millis(2000)).heat;
        assert!(heat.bounds_ms.is_empty() && heat.counts.iter().all(Vec::is_empty));
    }
}
