//! A plot as the page's template draws it: paths in a box of its own units, ticks, a legend, and the table behind it.
//! All plots over time share one box: the script zooms by moving all their views at once.

use super::data::{Drawn, Times, Values};
use super::pen;
use super::scale::{Axis, Unit};
use super::table::{Column, Table};
use super::thin;
use serde::Serialize;

/// Width of a plot's box.
pub const WIDTH: f64 = 10_000.0;
/// Height of a plot's box.
pub const HEIGHT: f64 = 500.0;
/// Height on the screen, in pixels, of what lies between the highest and the lowest line of the grid.
pub const PIXELS: f64 = 140.0;
/// Rows of the table behind a plot.
const ROWS: usize = 40;
/// Lines of a plot; more would not be told apart.
pub const LINES: usize = 8;

/// A plot.
#[derive(Debug, Clone, Serialize)]
pub struct Plot {
    /// Its number in the page.
    pub id: usize,
    /// What it shows.
    pub title: String,
    /// How to read it, in a sentence.
    pub about: String,
    /// What it showed, in a sentence: for those who cannot see it.
    pub summary: String,
    /// `lines`, `stack` or `heat`: how the template draws it.
    pub kind: &'static str,
    /// The lines of its grid.
    pub ticks: Vec<Tick>,
    /// Its lines, areas or shades.
    pub layers: Vec<Layer>,
    /// A limit that is drawn across it.
    pub limit: Option<Limit>,
    /// Height of a heat map's row in the box, and width of its column; for others 0.
    pub cell: (f64, f64),
    /// Behind it.
    pub table: Table,
    /// For the script.
    #[serde(skip)]
    pub drawn: Drawn,
}

/// A line of the grid.
#[derive(Debug, Clone, Serialize)]
pub struct Tick {
    /// Pixels from the top of the box.
    pub y: f64,
    /// The value.
    pub label: String,
}

/// A line of a plot.
#[derive(Debug, Clone, Serialize)]
pub struct Layer {
    /// Which colour and dash.
    pub style: usize,
    /// Its name.
    pub name: String,
    /// Path.
    pub d: String,
}

/// A limit.
#[derive(Debug, Clone, Serialize)]
pub struct Limit {
    /// Its name and value.
    pub name: String,
    /// Height in the box.
    pub y: f64,
}

/// Values over time.
#[derive(Debug, Clone)]
pub struct Track {
    /// Its name.
    pub name: String,
    /// When.
    pub times: Times,
    /// What.
    pub values: Vec<Option<f64>>,
}

/// What a plot over time is made of.
#[derive(Debug, Clone)]
pub struct Sketch {
    /// What it shows.
    pub title: String,
    /// How to read it.
    pub about: String,
    /// Unit of its values.
    pub unit: Unit,
    /// Its axis is logarithmic.
    pub log: bool,
    /// Its lines.
    pub tracks: Vec<Track>,
    /// A limit to draw across: name and value.
    pub limit: Option<(String, f64)>,
    /// Length of the time axis.
    pub end_ms: f64,
    /// No more points than this for each line.
    pub points: usize,
}

impl Sketch {
    /// Draws lines. None where there is nothing to draw.
    pub fn lines(mut self) -> Option<Plot> {
        let more = self.tracks.len().saturating_sub(LINES);
        self.tracks.truncate(LINES);
        if more > 0 {
            self.about
                .push_str(&format!(" {more} more series are in run.json."));
        }
        let table = self.table();
        let summary = self.summary();
        for track in &mut self.tracks {
            let kept = thin::indices(&track.values, self.points);
            track.times = track.times.at(&kept);
            track.values = kept.iter().map(|i| track.values[*i]).collect();
        }
        let values = || {
            self.tracks
                .iter()
                .flat_map(|t| t.values.iter().flatten().copied())
        };
        values().next()?;
        let limits = self.limit.iter().map(|(_, value)| *value);
        let axis = if self.log {
            Axis::log(values().chain(limits))
        } else {
            Axis::linear_of(self.unit, values().chain(limits))
        };
        let layers = self.tracks.iter().enumerate().map(|(style, track)| Layer {
            style,
            name: track.name.clone(),
            d: pen::line(track, axis, self.end_ms),
        });
        let layers = layers.collect();
        let limit = self.limit.as_ref().map(|(name, value)| Limit {
            name: format!("{name} {}", self.unit.written(*value)),
            y: height(axis, *value),
        });
        Some(self.finish("lines", axis, layers, limit, table, summary))
    }

    /// Draws areas upon each other; all tracks have the same times. None where there is nothing to draw.
    pub fn stack(mut self) -> Option<Plot> {
        let table = self.table();
        let summary = self.summary();
        let count = self.tracks.first().map(|t| t.values.len())?;
        let sum = |i: usize, tracks: &[Track]| {
            tracks
                .iter()
                .map(|t| t.values.get(i).copied().flatten().unwrap_or(0.0))
                .sum::<f64>()
        };
        let highest = |i: usize| {
            self.tracks
                .iter()
                .filter_map(|t| t.values.get(i).copied().flatten())
                .reduce(f64::max)
        };
        let sums: Vec<f64> = (0..count).map(|i| sum(i, &self.tracks)).collect();
        // A peak is where much lies upon each other; where it is always as much (shares), where one outweighs.
        let even = sums.iter().all(|s| *s == 0.0 || (*s - 1.0).abs() < 1e-9);
        let weight = |i: usize| if even { highest(i) } else { Some(sums[i]) };
        let weights: Vec<Option<f64>> = (0..count).map(weight).collect();
        let kept = thin::indices(&weights, self.points);
        for track in &mut self.tracks {
            track.times = track.times.at(&kept);
            track.values = kept
                .iter()
                .map(|i| track.values.get(*i).copied().flatten())
                .collect();
        }
        let axis = if even {
            // Shares fill the box, and no more.
            Axis::Linear {
                bottom: 0.0,
                top: 1.0,
            }
        } else {
            Axis::linear_of(self.unit, (0..kept.len()).map(|i| sum(i, &self.tracks)))
        };
        let mut floor = vec![0.0; kept.len()];
        let mut layers = Vec::new();
        for (style, track) in self.tracks.iter().enumerate() {
            let top: Vec<f64> = floor
                .iter()
                .zip(&track.values)
                .map(|(f, v)| f + v.unwrap_or(0.0))
                .collect();
            layers.push(Layer {
                style,
                name: track.name.clone(),
                d: pen::area(&track.times, (&floor, &top), axis, self.end_ms),
            });
            floor = top;
        }
        Some(self.finish("stack", axis, layers, None, table, summary))
    }

    fn finish(
        self,
        kind: &'static str,
        axis: Axis,
        layers: Vec<Layer>,
        limit: Option<Limit>,
        table: Table,
        summary: String,
    ) -> Plot {
        let tracks = self.tracks.into_iter();
        let values = tracks.map(|t| {
            (
                t.times,
                t.values.into_iter().map(|v| v.map(thin::short)).collect(),
            )
        });
        Plot {
            id: 0,
            title: self.title,
            about: self.about,
            summary,
            kind,
            ticks: ticks(axis, self.unit),
            layers,
            limit,
            cell: (0.0, 0.0),
            table,
            drawn: Drawn {
                unit: self.unit.code(),
                values: Values::Lines(values.collect()),
            },
        }
    }

    /// `web: 0/s to 201/s; …`.
    fn summary(&self) -> String {
        let of_track = |t: &Track| {
            let filled = || t.values.iter().flatten().copied();
            let (low, high) = (filled().reduce(f64::min)?, filled().reduce(f64::max)?);
            Some(format!("{}: {}", t.name, span(self.unit, low, high)))
        };
        let all: Vec<_> = self.tracks.iter().filter_map(of_track).collect();
        all.join("; ")
    }

    /// The values in at most [`ROWS`] steps of equal length: of each its lowest and highest.
    fn table(&self) -> Table {
        let mut columns = vec![Column::number("from")];
        columns.extend(self.tracks.iter().map(|t| Column::number(t.name.clone())));
        let mut table = Table::new(format!("{}, over time", self.title), columns);
        let Some(longest) = self.tracks.iter().map(|t| &t.times).max_by_key(|t| t.len()) else {
            return table;
        };
        let parts: Vec<_> = thin::stretches(longest.len(), ROWS).collect();
        let begins: Vec<f64> = parts.iter().map(|p| longest.begin_of(p.start)).collect();
        for (row, begin) in begins.iter().enumerate() {
            // What lies before the first of the longest series belongs to its first row.
            let from = if row == 0 { f64::NEG_INFINITY } else { *begin };
            let end = begins.get(row + 1).copied().unwrap_or(f64::INFINITY);
            let mut cells = vec![format!("{} s", super::scale::number(begin / 1e3))];
            for track in &self.tracks {
                let within = |(i, v): (usize, &Option<f64>)| {
                    v.filter(|_| (from..end).contains(&track.times.begin_of(i)))
                };
                let filled = || track.values.iter().enumerate().filter_map(within);
                cells.push(
                    match (filled().reduce(f64::min), filled().reduce(f64::max)) {
                        (Some(low), Some(high)) => span(self.unit, low, high),
                        _ => "–".to_owned(),
                    },
                );
            }
            table.row(cells);
        }
        table
    }
}

fn span(unit: Unit, low: f64, high: f64) -> String {
    let (low, high) = (unit.written(low), unit.written(high));
    if low == high {
        low
    } else {
        format!("{low} to {high}")
    }
}

/// The lines of the grid.
pub fn ticks(axis: Axis, unit: Unit) -> Vec<Tick> {
    let tick = |value: f64| Tick {
        y: ((1.0 - axis.place(value)) * PIXELS).round(),
        label: unit.written(value),
    };
    axis.ticks_of(unit).into_iter().map(tick).collect()
}

/// A moment in the box.
pub fn across(at_ms: f64, end_ms: f64) -> f64 {
    if end_ms > 0.0 {
        (at_ms / end_ms * WIDTH).clamp(0.0, WIDTH).round()
    } else {
        0.0
    }
}

/// A share of the width in percent, to a hundredth.
pub fn percent(ratio: f64) -> f64 {
    (ratio * 1e4).round() / 100.0
}

/// A value's height in the box.
pub fn height(axis: Axis, value: f64) -> f64 {
    ((1.0 - axis.place(value)) * HEIGHT).round()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::html::pen::tests::points;

    fn track(values: Vec<Option<f64>>) -> Track {
        let times = Times::regular(1000.0, values.len());
        Track {
            name: "web".to_owned(),
            times,
            values,
        }
    }

    fn sketch(tracks: Vec<Track>, end_ms: f64) -> Sketch {
        Sketch {
            title: "Requests".to_owned(),
            about: String::new(),
            unit: Unit::PerSecond,
            log: false,
            tracks,
            limit: None,
            end_ms,
            points: 600,
        }
    }

    #[test]
    fn a_line_goes_through_every_value_at_its_place() {
        let values = [10.0, 40.0, 0.0, 20.0];
        let plot = sketch(vec![track(values.map(Some).to_vec())], 4000.0)
            .lines()
            .unwrap();
        let expected: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(i, v)| {
                let axis = Axis::linear(values.into_iter());
                (
                    1250.0 + 2500.0 * f64::from(u8::try_from(i).unwrap()),
                    ((1.0 - axis.place(*v)) * HEIGHT).round(),
                )
            })
            .collect();
        assert_eq!(points(&plot.layers[0].d), expected, "{}", plot.layers[0].d);
        assert_eq!(plot.summary, "web: 0/s to 40/s");
    }

    #[test]
    fn where_a_value_is_missing_the_line_is_broken_and_a_lone_one_is_a_dot() {
        let plot = sketch(
            vec![track(vec![Some(1.0), Some(1.0), None, Some(2.0), None])],
            5000.0,
        )
        .lines()
        .unwrap();
        let d = &plot.layers[0].d;
        assert_eq!(d.matches('M').count(), 2, "{d}");
        assert!(d.ends_with("h0"), "{d}");
    }

    #[test]
    fn the_highest_point_of_a_long_run_is_drawn_at_its_height() {
        let mut values = vec![Some(1.0); 3600];
        values[1777] = Some(950.0);
        let plot = sketch(vec![track(values)], 3_600_000.0).lines().unwrap();
        let highest = points(&plot.layers[0].d)
            .into_iter()
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap();
        assert_eq!(
            highest,
            (
                across(1_777_500.0, 3_600_000.0),
                height(Axis::linear([950.0].into_iter()), 950.0)
            )
        );
    }

    #[test]
    fn areas_lie_upon_each_other_without_a_gap() {
        let tracks = vec![
            track(vec![Some(1.0), Some(3.0)]),
            track(vec![Some(3.0), Some(1.0)]),
        ];
        let plot = sketch(tracks, 2000.0).stack().unwrap();
        let [low, high] = [0, 1].map(|i| points(&plot.layers[i].d));
        // The upper edge of the lower one, and the lower edge of the upper one, backwards.
        let mut back = high[4..].to_vec();
        back.reverse();
        assert_eq!(low[..4], back);
    }

    #[test]
    fn shares_fill_the_box() {
        let tracks = vec![
            track(vec![Some(0.25), Some(1.0)]),
            track(vec![Some(0.75), Some(0.0)]),
        ];
        let plot = sketch(tracks, 2000.0).stack().unwrap();
        assert_eq!(plot.ticks[0].y, PIXELS);
        assert_eq!(plot.ticks.last().unwrap().y, 0.0);
        assert_eq!(points(&plot.layers[1].d)[0], (0.0, 0.0));
    }

    #[test]
    fn nothing_to_draw_is_no_plot() {
        assert!(sketch(vec![], 1000.0).lines().is_none());
        assert!(
            sketch(vec![track(vec![None, None])], 2000.0)
                .lines()
                .is_none()
        );
        assert!(sketch(vec![], 1000.0).stack().is_none());
    }

    #[test]
    fn the_table_behind_a_plot_is_short_and_holds_the_peak() {
        let mut values = vec![Some(1.0); 3600];
        values[1777] = Some(950.0);
        let plot = sketch(vec![track(values)], 3_600_000.0).lines().unwrap();
        assert!(plot.table.rows.len() <= ROWS);
        let with_peak: Vec<_> = plot
            .table
            .rows
            .iter()
            .filter(|r| r.cells[1].contains("950/s"))
            .collect();
        assert_eq!(with_peak.len(), 1);
        assert_eq!(with_peak[0].cells[0], "1 710 s");
    }
}
