//! Which plots a result has: only those for which there is something to draw.

use super::data::Times;
use super::plot::{LINES, Plot, Sketch, Track};
use super::scale::Unit;
use super::{heat, metrics};
use crate::analysis::count;
use crate::analysis::result::{LoadResult, RunResult, Series};
use serde::Serialize;

/// Points in the page, of all lines of workloads together: some seven bytes each in a path, as many in the data.
const POINTS: usize = 30_000;
/// Workloads that get plots of their own; more would be too much for a page.
const LOADS: usize = 12;

/// Plots under one heading.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// The heading: a workload's name, or what they have in common.
    pub title: String,
    /// Said where something is left out.
    pub note: String,
    /// The plots.
    pub plots: Vec<Plot>,
}

/// All plots over time, numbered.
pub fn of(result: &RunResult, end_ms: f64) -> Vec<Group> {
    let loads = &result.loads[..result.loads.len().min(LOADS)];
    let points = (POINTS / (loads.len().max(1) * 14)).clamp(60, 600);
    let mut groups = vec![Group {
        title: "All workloads".to_owned(),
        note: String::new(),
        plots: rates(&result.loads, end_ms, points).into_iter().collect(),
    }];
    for load in loads {
        let plots = [
            latency(load, end_ms, points),
            heat::of(load, end_ms),
            errors(load, end_ms, points),
            shares(load, end_ms, points),
        ];
        groups.push(Group {
            title: load.name.clone(),
            note: String::new(),
            plots: plots.into_iter().flatten().collect(),
        });
    }
    if let (Some(last), more @ 1..) = (groups.last_mut(), result.loads.len() - loads.len()) {
        last.note = format!("{more} more workloads are in run.json.");
    }
    groups.push(metrics::of(&result.metrics, end_ms));
    groups.retain(|group| !group.plots.is_empty());
    let plots = groups.iter_mut().flat_map(|group| &mut group.plots);
    plots.enumerate().for_each(|(id, plot)| plot.id = id);
    groups
}

/// Length of each interval in seconds; the last one may be cut short by the end of the load.
fn lengths(series: &Series, end_ms: f64) -> impl Iterator<Item = f64> {
    let step = series.interval_ms;
    let begins = std::iter::successors(Some(0.0), move |at| Some(at + step));
    begins.take(series.requests.len()).map(move |at| {
        let length = (end_ms - at).min(step);
        if length > 0.0 {
            length / 1e3
        } else {
            step / 1e3
        }
    })
}

fn rates(loads: &[LoadResult], end_ms: f64, points: usize) -> Option<Plot> {
    let track = |load: &LoadResult| {
        let series = &load.series;
        let rates = series.requests.iter().zip(lengths(series, end_ms));
        Track {
            name: load.name.clone(),
            times: Times::regular(series.interval_ms, series.requests.len()),
            values: rates
                .map(|(n, length)| (length > 0.0).then(|| count(*n) / length))
                .collect(),
        }
    };
    Sketch {
        title: "Requests per second".to_owned(),
        about: "Operations by the time at which they were intended, good and bad.".to_owned(),
        unit: Unit::PerSecond,
        log: false,
        tracks: loads.iter().map(track).collect(),
        limit: None,
        end_ms,
        points,
    }
    .lines()
}

fn latency(load: &LoadResult, end_ms: f64, points: usize) -> Option<Plot> {
    let s = &load.series;
    let all = [
        ("p50", &s.p50_ms),
        ("p90", &s.p90_ms),
        ("p99", &s.p99_ms),
        ("p99.9", &s.p999_ms),
        ("max", &s.max_ms),
    ];
    let filled = all
        .into_iter()
        .filter(|(_, values)| values.iter().any(Option::is_some));
    let tracks = filled.map(|(name, values)| Track {
        name: name.to_owned(),
        times: Times::regular(s.interval_ms, values.len()),
        values: values.clone(),
    });
    Sketch {
        title: "Latency".to_owned(),
        about: "Good operations, from the intended time, per interval. Logarithmic.".to_owned(),
        unit: Unit::Milliseconds,
        log: true,
        tracks: tracks.collect(),
        limit: load
            .baseline
            .p99_limit_ms
            .map(|ms| ("limit of p99".to_owned(), ms)),
        end_ms,
        points,
    }
    .lines()
}

/// Bad operations by class, as a share of all of the interval; none where nothing was bad.
fn errors(load: &LoadResult, end_ms: f64, points: usize) -> Option<Plot> {
    let series = &load.series;
    if series.bad.iter().all(|n| *n == 0) {
        return None;
    }
    let of_class = series
        .errors
        .iter()
        .map(|(class, counts)| (class.clone(), counts.clone()));
    let mut classes = most_first(of_class.collect(), "other classes");
    // What the classes do not account for.
    let told = |i: usize| {
        classes
            .iter()
            .filter_map(|(_, n)| n.get(i))
            .fold(0u64, |sum, n| sum.saturating_add(*n))
    };
    let rest: Vec<u64> = series
        .bad
        .iter()
        .enumerate()
        .map(|(i, bad)| bad.saturating_sub(told(i)))
        .collect();
    if rest.iter().any(|n| *n > 0) {
        classes.push(("no class".to_owned(), rest));
    }
    stacked(
        series,
        "Errors",
        "Bad operations by class, as a share of the operations of the interval.",
        classes,
        &series.requests,
        (end_ms, points),
    )
}

/// Who answered, as shares of the operations whose instance is known; none where it was always the same.
fn shares(load: &LoadResult, end_ms: f64, points: usize) -> Option<Plot> {
    let series = &load.series;
    if series.instances.len() < 2 {
        return None;
    }
    let length = series.requests.len();
    let known = |i: usize| {
        series
            .instances
            .values()
            .filter_map(|n| n.get(i))
            .fold(0u64, |sum, n| sum.saturating_add(*n))
    };
    let known: Vec<u64> = (0..length).map(known).collect();
    let of_instance = series
        .instances
        .iter()
        .map(|(name, counts)| (name.clone(), counts.clone()));
    let instances = most_first(of_instance.collect(), "other instances");
    stacked(
        series,
        "Who answered",
        "Share of each instance in the operations whose instance is known.",
        instances,
        &known,
        (end_ms, points),
    )
}

type Named = (String, Vec<u64>);

/// At most [`LINES`] minus one: the most frequent ones, in the order in which they came, and the sum of the rest.
fn most_first(all: Vec<Named>, rest: &str) -> Vec<Named> {
    const KEPT: usize = LINES - 1;
    let sum = |(_, counts): &Named| counts.iter().fold(0u64, |sum, n| sum.saturating_add(*n));
    if all.len() <= KEPT {
        return all;
    }
    let mut by_sum: Vec<usize> = (0..all.len()).collect();
    by_sum.sort_by_key(|i| std::cmp::Reverse(sum(&all[*i])));
    by_sum.truncate(KEPT - 1);
    let (mut kept, mut others) = (Vec::new(), Vec::<u64>::new());
    for (i, named) in all.into_iter().enumerate() {
        if by_sum.contains(&i) {
            kept.push(named);
        } else {
            others.resize(others.len().max(named.1.len()), 0);
            others
                .iter_mut()
                .zip(&named.1)
                .for_each(|(to, n)| *to = to.saturating_add(*n));
        }
    }
    kept.push((rest.to_owned(), others));
    kept
}

fn stacked(
    series: &Series,
    title: &str,
    about: &str,
    parts: Vec<Named>,
    whole: &[u64],
    (end_ms, points): (f64, usize),
) -> Option<Plot> {
    let ratio = |counts: &[u64], i: usize| {
        let all = whole.get(i).copied().filter(|n| *n > 0)?;
        Some(count(counts.get(i).copied().unwrap_or(0)) / count(all))
    };
    let tracks = parts.into_iter().map(|(name, counts)| Track {
        name,
        times: Times::regular(series.interval_ms, whole.len()),
        values: (0..whole.len()).map(|i| ratio(&counts, i)).collect(),
    });
    Sketch {
        title: title.to_owned(),
        about: about.to_owned(),
        unit: Unit::Ratio,
        log: false,
        tracks: tracks.collect(),
        limit: None,
        end_ms,
        points,
    }
    .stack()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rare_ones_are_summed_up_and_none_is_lost() {
        let all: Vec<Named> = (0..20u64).map(|i| (format!("c{i}"), vec![i, 1])).collect();
        let whole: u64 = all.iter().flat_map(|(_, n)| n).sum();
        let kept = most_first(all, "other classes");
        assert!(kept.len() < LINES);
        assert_eq!(kept.last().unwrap().0, "other classes");
        assert_eq!(kept.iter().flat_map(|(_, n)| n).sum::<u64>(), whole);
        assert_eq!(kept[0].0, "c14");
    }

    #[test]
    fn few_classes_stay_as_they_are_even_when_they_are_equal() {
        let all: Vec<Named> = (0..3).map(|i| (format!("c{i}"), vec![1])).collect();
        assert_eq!(most_first(all.clone(), "other"), all);
        let equal: Vec<Named> = (0..9).map(|i| (format!("c{i}"), vec![1])).collect();
        assert_eq!(
            most_first(equal, "other")
                .iter()
                .flat_map(|(_, n)| n)
                .sum::<u64>(),
            9
        );
    }

    #[test]
    fn the_last_interval_is_as_long_as_the_load_lasted() {
        let series = Series {
            interval_ms: 1000.0,
            requests: vec![0; 3],
            ..Series::default()
        };
        assert_eq!(
            lengths(&series, 2500.0).collect::<Vec<_>>(),
            [1.0, 1.0, 0.5]
        );
    }
}
