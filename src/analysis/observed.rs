//! What observers measured, and the operations that are worth a look for themselves.

use super::result::{MetricSeries, OperationSample};
use crate::clock::millis;
use crate::history::{Exemplar, History, Outcome, Sample};
use std::collections::BTreeMap;

/// Bad operations that are kept, of each workload and class: the first ones.
const BAD: usize = 20;
/// Figures of one series that are kept: an hour of them, one each second.
const MOST_FIGURES: usize = 3600;
/// Good operations that are kept, of each workload: the slowest.
const SLOWEST: usize = 20;

/// The samples of each metric, source and subject as one series, in the order of these names.
#[must_use]
pub fn metrics(history: &History) -> Vec<MetricSeries> {
    let mut series: BTreeMap<_, Vec<&Sample>> = BTreeMap::new();
    for sample in &history.samples {
        let key = (&sample.metric, &sample.source, &sample.subject);
        series.entry(key).or_default().push(sample);
    }
    let one =
        |((metric, source, subject), mut samples): ((&String, &String, &String), Vec<&Sample>)| {
            samples.sort_by_key(|s| s.at);
            let samples = highest(&samples);
            MetricSeries {
                metric: metric.clone(),
                unit: samples.first().map_or_else(String::new, |s| s.unit.clone()),
                source: source.clone(),
                subject: subject.clone(),
                at_ms: samples.iter().map(|s| s.at.as_millis_f64()).collect(),
                values: samples.iter().map(|s| s.value).collect(),
            }
        };
    series.into_iter().map(one).collect()
}

/// Of more figures than a series has, the highest of each stretch.
fn highest<'a>(samples: &[&'a Sample]) -> Vec<&'a Sample> {
    let stretch = samples.len().div_ceil(MOST_FIGURES).max(1);
    let value = |sample: &Sample| sample.value.unwrap_or(f64::NEG_INFINITY);
    let highest = samples
        .chunks(stretch)
        .filter_map(|s| s.iter().max_by(|a, b| value(a).total_cmp(&value(b))));
    highest.copied().collect()
}

/// The first bad operations of each workload and class, and its slowest good ones, by intended time.
#[must_use]
pub fn samples(history: &History) -> Vec<OperationSample> {
    let mut exemplars: Vec<_> = history.exemplars.iter().collect();
    exemplars.sort_by_key(|e| e.intended);
    let mut kept = Vec::new();
    for (load, planned) in history.head.plan.loads.iter().enumerate() {
        let of_load = exemplars.iter().filter(|e| e.load == load);
        let (bad, mut good): (Vec<&Exemplar>, Vec<_>) = of_load.partition(|e| e.outcome.is_bad());
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let first = bad.into_iter().filter(|e| {
            let n = seen.entry(name(e.outcome)).or_default();
            *n += 1;
            *n <= BAD
        });
        good.sort_by_key(|e| std::cmp::Reverse(e.latency));
        good.truncate(SLOWEST);
        let all = first.chain(good).map(|e| OperationSample {
            load: planned.name.clone(),
            at_ms: e.intended.as_millis_f64(),
            latency_ms: millis(e.latency),
            outcome: name(e.outcome),
            instance: e.instance.clone(),
            trace_id: e.trace_id.clone(),
        });
        kept.extend(all);
    }
    kept.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
    kept
}

fn name(outcome: Outcome) -> String {
    match outcome {
        Outcome::Ok => "ok".to_owned(),
        Outcome::Fail(class) | Outcome::Unknown(class) => class.to_string(),
    }
}
