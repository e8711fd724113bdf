//! What a comparison says, the same everywhere.

use crate::compare::repeat::value;
use crate::compare::{Compared, ComparedFigure, Difference, Judgement, Side};
use crate::plan::Metric;
use crate::report::sentence;

/// What the intervals mean.
pub const LEGEND: &str = "In brackets: where the truth lies (95 %, or the resolution of the measurement). It says how exact a run's own figure is, not how much \
the next run may differ: only repeated runs tell that. Of twenty figures that are the same, one looks different by chance.";

/// `A`, `B`, …; from the 27th on by number.
pub fn letter(index: usize) -> String {
    let letter = u8::try_from(index).ok().filter(|i| *i < 26);
    letter.map_or_else(|| index.to_string(), |i| char::from(b'A' + i).to_string())
}

/// `3 figures are worse, 1 is better, 20 are the same within their uncertainty`.
pub fn headline(compared: &Compared) -> String {
    let counted = |j| super::counted(compared, j);
    let mut parts = vec![
        format!("{} worse", counted(Judgement::Worse)),
        format!("{} better", counted(Judgement::Better)),
        format!(
            "{} the same within their uncertainty",
            counted(Judgement::Same)
        ),
    ];
    let unknown = counted(Judgement::Unknown);
    if unknown > 0 {
        parts.push(format!("{unknown} of unknown uncertainty"));
    }
    format!("Figures: {}", parts.join(", "))
}

/// A line for each run: `A reports/x: kill-slave, PASS, 2026-…`.
pub fn runs(compared: &Compared) -> Vec<String> {
    let line = |(index, run): (usize, &crate::compare::ComparedRun)| {
        let verdict = sentence::verdict(run.verdict);
        format!(
            "{} {}: {}, {verdict}, {}",
            letter(index),
            run.label,
            run.scenario,
            run.started_at
        )
    };
    compared.runs.iter().enumerate().map(line).collect()
}

/// Some run is worse or better than the first.
pub fn differs(figure: &ComparedFigure) -> bool {
    let sides = figure.sides.iter().flatten();
    let judged = sides.filter_map(|s| s.difference.map(|d| d.judgement));
    judged
        .into_iter()
        .any(|j| matches!(j, Judgement::Worse | Judgement::Better))
}

/// A figure's row: its name, every run's value, and every difference from the first.
pub fn row(figure: &ComparedFigure) -> Vec<String> {
    let metric = figure.key.metric;
    let mut row = vec![figure.name.clone()];
    let sides = figure.sides.iter();
    row.extend(sides.map(|s| s.as_ref().map_or("–".to_owned(), |s| side(metric, s))));
    let others = figure.sides.iter().skip(1).map(|s| s.as_ref()?.difference);
    row.extend(others.map(|d| d.map_or("–".to_owned(), |d| difference(metric, d))));
    row
}

fn side(metric: Metric, side: &Side) -> String {
    let shown = value(metric, side.value);
    match side.interval {
        Some(of) if of.low < of.high && side.value.is_finite() => {
            let high = if of.high.is_finite() {
                value(metric, of.high)
            } else {
                "?".to_owned()
            };
            format!("{shown} [{}, {high}]", value(metric, of.low))
        }
        Some(_) | None => shown,
    }
}

fn difference(metric: Metric, difference: Difference) -> String {
    let word = match difference.judgement {
        Judgement::Better => "better",
        Judgement::Worse => "worse",
        Judgement::Same => "same",
        Judgement::Unknown => "?",
    };
    if !difference.by.is_finite() {
        return word.to_owned();
    }
    let sign = if difference.by < 0.0 { "−" } else { "+" };
    let by = if difference.by == 0.0 {
        "0".to_owned()
    } else {
        format!("{sign}{}", value(metric, difference.by.abs()))
    };
    format!("{by} {word}")
}
