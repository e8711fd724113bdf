//! How often each latency occurred: over a logarithmic axis of latency, with linear and with logarithmic counts.

use super::plot::{HEIGHT, PIXELS, Tick, WIDTH, percent};
use super::scale::{Axis, Unit};
use super::table::{Column, Table};
use crate::analysis::count;
use crate::analysis::result::LoadResult;
use crate::report::text::grouped;
use serde::Serialize;

/// Bars; the buckets of the recording are finer.
const BARS: usize = 120;
/// Rows of the table behind it.
const ROWS: usize = 40;

/// The latencies of a workload.
#[derive(Debug, Clone, Serialize)]
pub struct Histogram {
    /// Its number in the page.
    pub id: usize,
    /// The workload.
    pub load: String,
    /// In a sentence.
    pub summary: String,
    /// Along: latencies, in percent of the width.
    pub moments: Vec<(f64, String)>,
    /// Percentiles: place in the box and name.
    pub marks: Vec<Mark>,
    /// With counts, and with their logarithms.
    pub forms: [Form; 2],
    /// Behind it.
    pub table: Table,
}

/// A percentile in a histogram.
#[derive(Debug, Clone, Serialize)]
pub struct Mark {
    /// Place in the box.
    pub x: f64,
    /// Place in percent of the width.
    pub percent: f64,
    /// `p99`.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

/// One way to draw the counts.
#[derive(Debug, Clone, Serialize)]
pub struct Form {
    /// `linear` or `log`.
    pub name: &'static str,
    /// The lines of its grid.
    pub ticks: Vec<Tick>,
    /// Its bars.
    pub d: String,
}

/// The histogram of a workload; none where nothing was recorded.
pub fn of(load: &LoadResult) -> Option<Histogram> {
    let recorded = || {
        load.histogram
            .upper_ms
            .iter()
            .copied()
            .zip(load.histogram.counts.iter().copied())
    };
    let filled = || recorded().filter(|(upper, n)| *n > 0 && upper.is_finite() && *upper > 0.0);
    let across = Axis::log(filled().map(|(upper, _)| upper));
    let mut bars = vec![0u64; BARS];
    for (upper, n) in filled() {
        let bar = &mut bars[bar_of(across.place(upper))];
        *bar = bar.saturating_add(n);
    }
    let most = bars.iter().copied().max().filter(|n| *n > 0)?;
    let total: u64 = bars.iter().copied().fold(0, u64::saturating_add);
    let linear = Axis::linear(std::iter::once(count(most)));
    let log = Axis::Log {
        bottom: 0.5,
        top: 10f64.powf((count(most) * 1.2).log10().ceil().max(1.0)),
    };
    let form = |name, axis: Axis, ticks: Vec<f64>| Form {
        name,
        ticks: tick_marks(axis, &ticks),
        d: outline(&bars, axis),
    };
    let powers = std::iter::successors(Some(1.0), |v| Some(v * 10.0))
        .take_while(|v| *v <= count(most) * 10.0);
    let every = if most > 100_000 { 2 } else { 1 };
    let powers: Vec<f64> = powers
        .step_by(every)
        .filter(|v| log.place(*v) < 1.0)
        .collect();
    Some(Histogram {
        id: 0,
        load: load.name.clone(),
        summary: format!("{} good operations", grouped(total)),
        moments: across
            .ticks()
            .into_iter()
            .map(|ms| (percent(across.place(ms)), Unit::Milliseconds.written(ms)))
            .collect(),
        marks: marks(load, across),
        forms: [
            form("linear", linear, linear.ticks()),
            form("log", log, powers),
        ],
        table: table(load),
    })
}

/// The bar of a place between 0 and 1.
fn bar_of(place: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "between 0 and BARS"
    )]
    let bar = (place * BARS as f64) as usize;
    bar.min(BARS - 1)
}

fn tick_marks(axis: Axis, values: &[f64]) -> Vec<Tick> {
    let tick = |value: &f64| Tick {
        y: ((1.0 - axis.place(*value)) * PIXELS).round(),
        label: Unit::Number.written(*value),
    };
    values.iter().map(tick).collect()
}

fn marks(load: &LoadResult, across: Axis) -> Vec<Mark> {
    let Some(p) = load.latency_ms else {
        return Vec::new();
    };
    [
        ("p50", p.p50),
        ("p99", p.p99),
        ("p99.9", p.p999),
        ("max", p.max),
    ]
    .into_iter()
    .map(|(name, value)| Mark {
        x: (across.place(value) * WIDTH).round(),
        percent: percent(across.place(value)),
        name,
        value: Unit::Milliseconds.written(value),
    })
    .collect()
}

/// The bars as one outline.
fn outline(bars: &[u64], axis: Axis) -> String {
    let mut d = format!("M0 {HEIGHT}");
    let mut from = 0u32;
    for (i, n) in (1u32..).zip(bars) {
        let to = i * 10_000 / 120;
        let y = ((1.0 - axis.place(count(*n))) * HEIGHT).round();
        d.push_str(&format!("V{y}h{}", to - from));
        from = to;
    }
    d.push_str(&format!("V{HEIGHT}z"));
    d
}

fn table(load: &LoadResult) -> Table {
    let columns = ["more than", "up to", "operations", "share up to here"]
        .map(Column::number)
        .to_vec();
    let mut table = Table::new(format!("Latencies of {}", load.name), columns);
    let all: Vec<_> = load
        .histogram
        .upper_ms
        .iter()
        .zip(&load.histogram.counts)
        .collect();
    let total: u64 = all.iter().fold(0, |sum, (_, n)| sum.saturating_add(**n));
    let (mut above, mut so_far) = (0.0, 0u64);
    for part in super::thin::stretches(all.len(), ROWS) {
        let part = &all[part];
        let n = part
            .iter()
            .fold(0u64, |sum, (_, n)| sum.saturating_add(**n));
        let upper = part.last().map_or(above, |(upper, _)| **upper);
        so_far = so_far.saturating_add(n);
        let share = count(so_far) / count(total.max(1));
        table.row(vec![
            Unit::Milliseconds.written(above),
            Unit::Milliseconds.written(upper),
            grouped(n),
            format!("{:.2} %", share * 100.0),
        ]);
        above = upper;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_the_axis_has_a_bar() {
        assert_eq!([0.0, 0.5, 1.0].map(bar_of), [0, 60, 119]);
    }

    #[test]
    fn bars_are_as_high_as_their_counts_and_fill_the_width() {
        let mut bars = vec![0; BARS];
        bars[0] = 50;
        bars[119] = 100;
        let d = outline(
            &bars,
            Axis::Linear {
                bottom: 0.0,
                top: 100.0,
            },
        );
        assert!(d.starts_with("M0 500V250h83V500h83"), "{d}");
        assert!(d.ends_with("V0h84V500z"), "{d}");
        let widths: u32 = d
            .split('h')
            .skip(1)
            .map(|w| w.split('V').next().unwrap().parse::<u32>().unwrap())
            .sum();
        assert_eq!(widths, 10_000);
    }
}
