//! The figures of a run that can be set beside those of another one, each with how far the truth may lie from it.

use super::interval::{self, Interval};
use crate::analysis::count;
use crate::analysis::result::{EdgeKind, Impact, LoadResult, Percentiles, RunResult};
use crate::plan::Metric;
use crate::verdict::trust::edge_name;
use serde::{Deserialize, Serialize};

/// Whose figure, and which. Runs are set beside each other by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// Which.
    pub metric: Metric,
    /// Of which workload.
    pub load: String,
    /// After which edge; none: over the measured window.
    pub after: Option<After>,
}

/// An edge, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct After {
    /// The fault.
    pub fault: String,
    /// Which of its edges.
    pub edge: EdgeKind,
}

impl Key {
    /// `p99 of reads`, `time_to_recover of reads after slave 1 stops (inject)`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} of {}", self.metric.key(), self.whose())
    }

    /// `reads`, `reads after slave 1 stops (inject)`.
    #[must_use]
    pub fn whose(&self) -> String {
        match &self.after {
            None => self.load.clone(),
            Some(after) => format!(
                "{} after {} ({})",
                self.load,
                after.fault,
                edge_name(after.edge)
            ),
        }
    }
}

/// Where the interval of a figure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Wilson's interval of a share, 95 %.
    Wilson,
    /// Order statistics of the histogram, 95 %, and the width of its buckets.
    OrderStatistics,
    /// Means of batches of seconds, 95 %.
    Batches,
    /// The resolution of the measurement: the truth lies within.
    Resolution,
    /// None: nobody knows how far it may lie from another run's.
    Unknown,
}

/// One figure of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Whose, and which.
    pub key: Key,
    /// Its value in the metric's unit (ratio, milliseconds, per second); infinite: it never came.
    pub value: f64,
    /// Where the truth lies; none where nothing is known of that.
    pub interval: Option<Interval>,
    /// Where the interval comes from.
    pub basis: Basis,
}

impl Figure {
    /// Half of the width of its interval; zero where there is none.
    #[must_use]
    pub fn resolution(&self) -> f64 {
        let width = self.interval.map_or(0.0, |i| i.high - i.low);
        if width.is_finite() { width / 2.0 } else { 0.0 }
    }
}

/// Every figure of a run: of each workload, then of each edge.
#[must_use]
pub fn figures(result: &RunResult) -> Vec<Figure> {
    let loads = result.loads.iter().flat_map(|l| of_load(result, l));
    let impacts = result.impacts.iter().flat_map(|i| of_impact(result, i));
    loads.chain(impacts).collect()
}

/// Percentiles with their place in a sample; the highest latency has none that an interval could be had for.
type Percentile = (Metric, f64, fn(&Percentiles) -> f64);
const PERCENTILES: [Percentile; 4] = [
    (Metric::P50, 0.5, |p| p.p50),
    (Metric::P90, 0.9, |p| p.p90),
    (Metric::P99, 0.99, |p| p.p99),
    (Metric::P999, 0.999, |p| p.p999),
];

fn of_load(result: &RunResult, load: &LoadResult) -> Vec<Figure> {
    if load.requests == 0 {
        return Vec::new();
    }
    let figure = |metric, value, interval: Option<Interval>, basis| Figure {
        key: Key {
            metric,
            load: load.name.clone(),
            after: None,
        },
        value,
        interval,
        basis: if interval.is_some() {
            basis
        } else {
            Basis::Unknown
        },
    };
    let bad = load.requests.saturating_sub(load.ok);
    let errors = interval::wilson(bad, load.requests);
    let mut all = vec![figure(
        Metric::ErrorRate,
        load.error_rate,
        Some(errors),
        Basis::Wilson,
    )];
    let told = result.end.measured_a_second();
    for (metric, q, pick) in PERCENTILES.into_iter().filter(|_| told) {
        let value = load.latency_ms.as_ref().map_or(f64::INFINITY, pick);
        let interval = interval::quantile(&load.histogram, q);
        all.push(figure(metric, value, interval, Basis::OrderStatistics));
    }
    let highest = load.latency_ms.map_or(f64::INFINITY, |p| p.max);
    if told {
        all.push(figure(Metric::MaxLatency, highest, None, Basis::Unknown));
    }
    let throughput = throughput(result, load);
    all.push(figure(
        Metric::Throughput,
        load.throughput,
        throughput,
        Basis::Batches,
    ));
    let (longest, resolution) = longest_outage(result, load);
    let outage = Interval::around(longest, resolution);
    all.push(figure(
        Metric::Outage,
        longest,
        Some(outage),
        Basis::Resolution,
    ));
    all
}

/// From the whole intervals of the series within the measured window; and an operation more or less at its ends.
fn throughput(result: &RunResult, load: &LoadResult) -> Option<Interval> {
    let (from, to) = (result.end.measured_from_ms, result.end.measured_to_ms);
    let series = &load.series;
    let width = series.interval_ms;
    let good = series.requests.iter().zip(&series.bad);
    let within = (0u32..).map(f64::from).zip(good).filter(|(i, _)| {
        let start = i * width;
        start >= from && start + width <= to
    });
    let rates: Vec<f64> = within
        .map(|(_, (all, bad))| count(all.saturating_sub(*bad)) / (width / 1e3))
        .collect();
    let of_means = interval::batch_means(&rates)?;
    let half = (of_means.high - of_means.low) / 2.0;
    let one = 1e3 / (to - from).max(1.0);
    Some(Interval::around(load.throughput, half + one))
}

/// The longest outage of a workload with its resolution; infinite where one did not end, 0 where there is none.
fn longest_outage(result: &RunResult, load: &LoadResult) -> (f64, f64) {
    let outages = result.outages.iter().filter(|o| o.load == load.name);
    let each = outages.map(|o| (o.duration_ms.unwrap_or(f64::INFINITY), o.resolution_ms));
    each.max_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap_or_else(|| (0.0, gap(load)))
}

/// The mean gap between operations: anything shorter passes unseen.
fn gap(load: &LoadResult) -> f64 {
    if load.achieved_rate > 0.0 {
        1e3 / load.achieved_rate
    } else {
        0.0
    }
}

/// A second, in whose windows recovery of performance is looked for.
const SECOND: f64 = 1000.0;

fn of_impact(result: &RunResult, impact: &Impact) -> Vec<Figure> {
    // A window too short for any operation has nothing to say.
    if impact.requests == 0 && impact.recovered {
        return Vec::new();
    }
    let figure = |metric, value: f64, interval, basis| Figure {
        key: Key {
            metric,
            load: impact.load.clone(),
            after: Some(After {
                fault: impact.fault.clone(),
                edge: impact.edge,
            }),
        },
        value,
        interval: Some(interval),
        basis,
    };
    let recovered = impact.time_to_recover_ms.unwrap_or(f64::INFINITY);
    let resolution = impact.resolution_ms.unwrap_or(0.0);
    let mut all = vec![figure(
        Metric::TimeToRecover,
        recovered,
        Interval::around(recovered, resolution),
        Basis::Resolution,
    )];
    let limited = |l: &LoadResult| l.name == impact.load && l.baseline.p99_limit_ms.is_some();
    if result.loads.iter().any(limited) {
        let slow = impact.time_to_recover_performance_ms;
        let slow = slow.unwrap_or(f64::INFINITY);
        let bounds = Interval::around(slow, SECOND);
        all.push(figure(
            Metric::TimeToRecoverPerformance,
            slow,
            bounds,
            Basis::Resolution,
        ));
    }
    if impact.requests > 0 {
        let errors = interval::wilson(impact.bad, impact.requests);
        all.push(figure(
            Metric::ErrorRate,
            impact.error_rate,
            errors,
            Basis::Wilson,
        ));
    }
    all
}
