//! A heat map of latencies: one path for each of a few shades, however many cells there are.

use super::data::{Drawn, Times, Values};
use super::plot::{HEIGHT, Layer, PIXELS, Plot, Tick, WIDTH};
use super::scale::Unit;
use super::table::{Column, Table};
use crate::analysis::result::{LoadResult, Series};
use crate::report::text::grouped;

/// Columns; a run of more intervals has several of them in one.
const COLUMNS: usize = 240;
/// Shades.
const SHADES: u32 = 6;
/// Columns of the table behind it.
const STEPS: usize = 12;

/// The heat map of a workload; none where it has no good operation.
pub fn of(load: &LoadResult, end_ms: f64) -> Option<Plot> {
    let series = &load.series;
    let heat = &series.heat;
    let rows = heat.bounds_ms.len();
    if rows == 0 || heat.counts.is_empty() {
        return None;
    }
    let (length, counts) = columns(series, COLUMNS);
    let most = counts.iter().flatten().copied().max().filter(|n| *n > 0)?;
    let layers = (1..=SHADES).map(|shade| Layer {
        style: usize::try_from(shade).unwrap_or(0),
        name: name(shade, most),
        d: cells(&counts, rows, |n| shade_of(n, most) == shade),
    });
    let step = series.interval_ms * count(length);
    let cell = (step / end_ms.max(1.0) * WIDTH, HEIGHT / count(rows) / 2.0);
    let total: u64 = counts
        .iter()
        .flatten()
        .copied()
        .fold(0, u64::saturating_add);
    Some(Plot {
        id: 0,
        title: "Latency by size".to_owned(),
        about: "Good operations by the time they took: the stronger the colour, the more."
            .to_owned(),
        summary: format!(
            "{} operations, up to {} in one cell",
            grouped(total),
            grouped(most)
        ),
        kind: "heat",
        ticks: ticks(&heat.bounds_ms),
        layers: layers.collect(),
        limit: None,
        cell,
        table: table(series),
        drawn: Drawn {
            unit: "heat",
            values: Values::Heat {
                times: Times::regular(step, counts.len()),
                bounds_ms: heat.bounds_ms.clone(),
                counts,
            },
        },
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of rows and columns are small"
)]
fn count(n: usize) -> f64 {
    n as f64
}

/// Intervals taken together so that no more than `limit` are left: how many in one, and their counts.
fn columns(series: &Series, limit: usize) -> (usize, Vec<Vec<u64>>) {
    let rows = series.heat.bounds_ms.len();
    let counts = &series.heat.counts;
    let length = counts.len().div_ceil(limit).max(1);
    let sum = |part: &[Vec<u64>]| -> Vec<u64> {
        let of_row = |row: usize| {
            part.iter()
                .filter_map(|c| c.get(row))
                .fold(0u64, |sum, n| sum.saturating_add(*n))
        };
        (0..rows).map(of_row).collect()
    };
    (length, counts.chunks(length).map(sum).collect())
}

/// 0 for nothing, else 1 to [`SHADES`], on a logarithmic scale: a single operation is seen beside thousands.
fn shade_of(n: u64, most: u64) -> u32 {
    if n == 0 {
        return 0;
    }
    (1..SHADES)
        .find(|shade| n <= highest(*shade, most))
        .unwrap_or(SHADES)
}

/// The highest count of a shade.
fn highest(shade: u32, most: u64) -> u64 {
    let most_log = crate::analysis::count(most).ln();
    let of_shade = (most_log * f64::from(shade) / f64::from(SHADES)).exp();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most `most`, above zero"
    )]
    if shade >= SHADES {
        most
    } else {
        of_shade.floor() as u64
    }
}

fn name(shade: u32, most: u64) -> String {
    let from = if shade == 1 {
        1
    } else {
        highest(shade - 1, most) + 1
    };
    let to = highest(shade, most);
    if from >= to {
        grouped(to.max(1))
    } else {
        format!("{} to {}", grouped(from), grouped(to))
    }
}

/// Runs of cells, as lines two units thick: the path is in units of a column and of half a row.
fn cells(counts: &[Vec<u64>], rows: usize, wanted: impl Fn(u64) -> bool) -> String {
    let mut d = String::new();
    for row in 0..rows {
        let y = 2 * (rows - row) - 1;
        let mut from = None;
        for column in 0..=counts.len() {
            let filled = counts
                .get(column)
                .and_then(|c| c.get(row))
                .is_some_and(|n| wanted(*n));
            match (filled, from) {
                (true, None) => from = Some(column),
                (false, Some(begin)) => {
                    d.push_str(&format!("M{begin} {y}h{}", column - begin));
                    from = None;
                }
                (true, Some(_)) | (false, None) => {}
            }
        }
    }
    d
}

/// Upper ends of some of the buckets.
fn ticks(bounds_ms: &[f64]) -> Vec<Tick> {
    let rows = bounds_ms.len();
    let every = rows.div_ceil(5).max(1);
    let shown = bounds_ms.iter().enumerate().rev().step_by(every);
    shown
        .map(|(row, bound)| Tick {
            y: (PIXELS * (1.0 - count(row + 1) / count(rows))).round(),
            label: Unit::Milliseconds.written(*bound),
        })
        .collect()
}

fn table(series: &Series) -> Table {
    let (length, counts) = columns(series, STEPS);
    let step = series.interval_ms * count(length) / 1e3;
    let mut head = vec![Column::number("at most")];
    head.extend(
        (0..counts.len())
            .map(|i| Column::number(format!("from {} s", super::scale::number(step * count(i))))),
    );
    let mut table = Table::new("Good operations by latency, over time", head);
    for (row, bound) in series.heat.bounds_ms.iter().enumerate().rev() {
        let mut cells = vec![Unit::Milliseconds.written(*bound)];
        cells.extend(
            counts
                .iter()
                .map(|c| grouped(c.get(row).copied().unwrap_or(0))),
        );
        table.row(cells);
    }
    table.up_to(80)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::result::Heat;

    fn series(counts: Vec<Vec<u64>>, bounds: Vec<f64>) -> Series {
        Series {
            interval_ms: 1000.0,
            heat: Heat {
                bounds_ms: bounds,
                counts,
            },
            ..Series::default()
        }
    }

    #[test]
    fn every_operation_is_in_one_column_whatever_the_length_of_the_run() {
        for seconds in [3usize, 240, 241, 3600] {
            let counts: Vec<_> = (0..seconds)
                .map(|i| vec![1, u64::try_from(i).unwrap()])
                .collect();
            let all: u64 = counts.iter().flatten().sum();
            let (length, folded) = columns(&series(counts, vec![1.0, 2.0]), COLUMNS);
            assert!(folded.len() <= COLUMNS && folded.len() * length >= seconds);
            assert_eq!(folded.iter().flatten().sum::<u64>(), all);
        }
    }

    #[test]
    fn every_filled_cell_has_one_shade_and_a_single_operation_is_not_lost() {
        for most in [1u64, 2, 5, 7, 1_000, 4_000_000] {
            for n in [1, most / 2, most].into_iter().filter(|n| *n > 0) {
                assert!((1..=SHADES).contains(&shade_of(n, most)), "{n} of {most}");
            }
            assert_eq!(
                (shade_of(0, most), shade_of(most, most)),
                (0, if most == 1 { 1 } else { SHADES })
            );
        }
    }

    #[test]
    fn cells_beside_each_other_are_one_stroke() {
        let counts = vec![vec![1, 0], vec![1, 5], vec![0, 5]];
        assert_eq!(cells(&counts, 2, |n| n > 0), "M0 3h2M1 1h2");
    }

    #[test]
    fn the_lowest_tick_of_the_axis_stands_above_its_row() {
        let ticks = ticks(&[1.0, 2.0, 4.0, 8.0]);
        assert_eq!((ticks[0].y, ticks[0].label.as_str()), (0.0, "8 ms"));
        assert_eq!((ticks[3].y, ticks[3].label.as_str()), (105.0, "1 ms"));
    }
}
