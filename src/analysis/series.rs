//! A workload over time, in intervals that are bounded in number.

use super::load::{instance_name, p50_p99};
use super::result::Series;
use crate::clock::{Offset, millis};
use crate::history::LoadHistory;
use crate::history::slot::new_histogram;
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
    let mut histograms = vec![None; intervals];
    for (second, recorded) in &history.seconds {
        let histogram = histograms[interval(*second)].get_or_insert_with(new_histogram);
        // All histograms have the same bounds, so that adding cannot fail.
        let _ = histogram.add(&recorded.latency);
    }
    let of_each = histograms
        .iter()
        .map(|h| h.as_ref().map_or((None, None), p50_p99));
    (series.p50_ms, series.p99_ms) = of_each.unzip();
    series
}
