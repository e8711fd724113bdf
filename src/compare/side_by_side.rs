//! Runs side by side, each against the first.

use super::figure::{Basis, Figure, Key, figures};
use super::interval::{Interval, bounded_difference, difference};
use crate::analysis::result::{LoadResult, RunResult};
use crate::plan::Metric;
use crate::verdict::{Verdict, trust};
use serde::{Deserialize, Serialize};

/// Runs beside each other. Figures are matched by the names of workloads and faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Version of this form; that of `run.json`.
    pub schema_version: u32,
    /// The runs; the first is the one that the others are compared with.
    pub runs: Vec<ComparedRun>,
    /// Every figure that at least one of them has.
    pub figures: Vec<ComparedFigure>,
    /// What makes them hard to compare, in plain sentences: another scenario, a workload that is missing, ….
    pub notes: Vec<String>,
}

/// One of the runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedRun {
    /// As it was given: a path.
    pub label: String,
    /// Its id.
    pub run: String,
    /// Its scenario.
    pub scenario: String,
    /// Wall time of its zero.
    pub started_at: jiff::Timestamp,
    /// Its verdict.
    pub verdict: Verdict,
}

/// One figure of every run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedFigure {
    /// `p99 of reads`.
    pub name: String,
    /// Whose, and which.
    #[serde(flatten)]
    pub key: Key,
    /// In the order of the runs; null where a run does not have it.
    pub sides: Vec<Option<Side>>,
}

/// A figure of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// In the metric's unit (ratio, milliseconds, per second); null: it never came (not recovered).
    #[serde(with = "super::unbounded")]
    pub value: f64,
    /// Where the truth lies; null where nothing is known of that.
    pub interval: Option<Interval>,
    /// Where the interval comes from.
    pub basis: Basis,
    /// Against the first run; null for the first itself, and where that has no such figure.
    pub difference: Option<Difference>,
}

/// How a figure differs from that of the first run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// This one less the first one's; null where one of them never came.
    #[serde(with = "super::unbounded")]
    pub by: f64,
    /// Where the difference lies; null where nothing is known of that.
    pub interval: Option<Interval>,
    /// What that means.
    pub judgement: Judgement,
}

/// What a difference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Better than the first run, by more than the uncertainty of both.
    Better,
    /// Worse, by more than the uncertainty of both.
    Worse,
    /// The same within the uncertainty of both.
    Same,
    /// Nobody knows how uncertain they are.
    Unknown,
}

/// Sets runs beside each other, each with the label that it is to be shown by.
#[must_use]
pub fn compare(runs: &[(String, RunResult)]) -> Compared {
    let all: Vec<Vec<Figure>> = runs.iter().map(|(_, result)| figures(result)).collect();
    let mut keys: Vec<&Key> = Vec::new();
    for figure in all.iter().flatten() {
        if !keys.contains(&&figure.key) {
            keys.push(&figure.key);
        }
    }
    let figures = keys.into_iter().map(|key| {
        let of_run = |run: &Vec<Figure>| run.iter().find(|f| f.key == *key).cloned();
        let found: Vec<_> = all.iter().map(of_run).collect();
        ComparedFigure {
            name: key.name(),
            key: key.clone(),
            sides: sides(&found),
        }
    });
    Compared {
        schema_version: crate::history::SCHEMA_VERSION,
        figures: figures.collect(),
        runs: runs.iter().map(run).collect(),
        notes: notes(runs),
    }
}

fn run((label, result): &(String, RunResult)) -> ComparedRun {
    ComparedRun {
        label: label.clone(),
        run: result.run.clone(),
        scenario: result.scenario.name.clone(),
        started_at: result.started_at,
        verdict: result.verdict,
    }
}

fn sides(figures: &[Option<Figure>]) -> Vec<Option<Side>> {
    let first = figures.first().and_then(Option::as_ref);
    let side = |(index, figure): (usize, &Option<Figure>)| {
        let figure = figure.as_ref()?;
        let against = first.filter(|_| index > 0);
        Some(Side {
            value: figure.value,
            interval: figure.interval,
            basis: figure.basis,
            difference: against.map(|first| against_first(first, figure)),
        })
    };
    figures.iter().enumerate().map(side).collect()
}

fn against_first(first: &Figure, figure: &Figure) -> Difference {
    let more_is_better = higher_is_better(figure.key.metric);
    let judged = |higher: bool| match higher == more_is_better {
        true => Judgement::Better,
        false => Judgement::Worse,
    };
    let (a, b) = (first.value, figure.value);
    // What never came is worse than whatever did, and no better than what did not come either.
    if a.is_infinite() || b.is_infinite() {
        let judgement = if a == b {
            Judgement::Same
        } else {
            judged(b > a)
        };
        return Difference {
            by: if a == b { 0.0 } else { f64::INFINITY },
            interval: None,
            judgement,
        };
    }
    let bounds = first.interval.zip(figure.interval);
    let interval = bounds.map(|(of_a, of_b)| match figure.basis {
        Basis::Resolution => bounded_difference(of_a, of_b),
        Basis::Wilson | Basis::OrderStatistics | Basis::Batches | Basis::Unknown => {
            difference((a, of_a), (b, of_b))
        }
    });
    let judgement = match interval {
        None if a == b => Judgement::Same,
        None => Judgement::Unknown,
        Some(of) if of.low > 0.0 => judged(true),
        Some(of) if of.high < 0.0 => judged(false),
        Some(_) => Judgement::Same,
    };
    Difference {
        by: b - a,
        interval,
        judgement,
    }
}

fn higher_is_better(metric: Metric) -> bool {
    match metric {
        Metric::Throughput => true,
        Metric::ErrorRate
        | Metric::Bad
        | Metric::Unknown
        | Metric::Dropped
        | Metric::P50
        | Metric::P90
        | Metric::P99
        | Metric::P999
        | Metric::MaxLatency
        | Metric::TimeToRecover
        | Metric::TimeToRecoverPerformance
        | Metric::Outage => false,
    }
}

fn notes(runs: &[(String, RunResult)]) -> Vec<String> {
    let mut notes = Vec::new();
    for (label, result) in runs {
        let doubts = trust::doubts(result, !result.gates.is_empty());
        if !doubts.is_empty() {
            notes.push(format!("{label} is in doubt: {}", doubts.join("; ")));
        }
    }
    let Some(((base, first), others)) = runs.split_first() else {
        return notes;
    };
    for (label, result) in others {
        let (one, other) = (&first.scenario.name, &result.scenario.name);
        if one != other {
            notes.push(format!(
                "{base} ran {one}, {label} ran {other}: compared is what is called the same"
            ));
        }
        notes.extend(missing((base, first), (label, result)));
        notes.extend(missing((label, result), (base, first)));
        notes.extend(other_load((base, first), (label, result)));
    }
    notes
}

/// Workloads and faults of one run that another does not have.
fn missing(
    (of, result): (&String, &RunResult),
    (label, other): (&String, &RunResult),
) -> Vec<String> {
    let loads = result
        .loads
        .iter()
        .filter(|l| load(other, &l.name).is_none());
    let names_fault = |name: &String| other.faults.iter().any(|f| f.name == *name);
    let faults = result.faults.iter().filter(|f| !names_fault(&f.name));
    let loads = loads.map(|l| format!("workload {} of {of} is not in {label}", l.name));
    loads
        .chain(faults.map(|f| format!("fault {} of {of} is not in {label}", f.name)))
        .collect()
}

/// Workloads of the same name that put another load on the system.
fn other_load(
    (of, result): (&String, &RunResult),
    (label, other): (&String, &RunResult),
) -> Vec<String> {
    let both = result
        .loads
        .iter()
        .filter_map(|l| Some((l, load(other, &l.name)?)));
    let differ = both.filter(|(a, b)| a.arrivals != b.arrivals || a.kind != b.kind);
    differ
        .map(|(a, b)| {
            format!(
                "workload {}: {} {} in {of}, {} {} in {label}",
                a.name, a.kind, a.arrivals, b.kind, b.arrivals
            )
        })
        .collect()
}

fn load<'a>(result: &'a RunResult, name: &str) -> Option<&'a LoadResult> {
    result.loads.iter().find(|l| l.name == name)
}
