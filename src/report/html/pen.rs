//! Paths: short, because relative and in whole units.

use super::data::Times;
use super::plot::{Track, WIDTH, across, height};
use super::scale::Axis;

/// A line: broken where a value is missing. A point without neighbours is a dot, by its round end.
pub fn line(track: &Track, axis: Axis, end_ms: f64) -> String {
    let mut pen = Pen::default();
    for (i, value) in track.values.iter().enumerate() {
        match value.filter(|v| v.is_finite()) {
            Some(value) => pen.to(across(track.times.at_index(i), end_ms), height(axis, value)),
            None => pen.lift(),
        }
    }
    pen.lift();
    pen.d
}

/// An area between two lines, reaching from the begin to the end of the box.
pub fn area(times: &Times, (floor, top): (&[f64], &[f64]), axis: Axis, end_ms: f64) -> String {
    let mut pen = Pen::default();
    let at = |i: usize| across(times.at_index(i), end_ms);
    let (Some(first), Some(last)) = (top.first(), top.last()) else {
        return pen.d;
    };
    pen.to(0.0, height(axis, *first));
    top.iter()
        .enumerate()
        .for_each(|(i, v)| pen.to(at(i), height(axis, *v)));
    pen.to(WIDTH, height(axis, *last));
    if let Some(v) = floor.last() {
        pen.to(WIDTH, height(axis, *v));
    }
    floor
        .iter()
        .enumerate()
        .rev()
        .for_each(|(i, v)| pen.to(at(i), height(axis, *v)));
    if let Some(v) = floor.first() {
        pen.to(0.0, height(axis, *v));
    }
    pen.d.push('z');
    pen.d
}

/// Writes a path in whole units, relative to the point before: that is short.
#[derive(Default)]
struct Pen {
    d: String,
    last: Option<(f64, f64)>,
    drawn: bool,
}

impl Pen {
    fn to(&mut self, x: f64, y: f64) {
        match self.last {
            None => {
                self.d.push_str(&format!("M{x} {y}"));
                self.drawn = false;
            }
            Some((from_x, from_y)) => {
                let (dx, dy) = (x - from_x, y - from_y);
                if dx == 0.0 && dy == 0.0 {
                    return;
                }
                self.d
                    .push_str(if self.drawn && dx >= 0.0 { " " } else { "l" });
                self.d.push_str(&if dy < 0.0 {
                    format!("{dx}{dy}")
                } else {
                    format!("{dx} {dy}")
                });
                self.drawn = true;
            }
        }
        self.last = Some((x, y));
    }

    fn lift(&mut self) {
        if self.last.take().is_some() && !self.drawn {
            self.d.push_str("h0");
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The points of a path, back from its relative steps.
    #[must_use]
    pub fn points(d: &str) -> Vec<(f64, f64)> {
        let spaced = d.replace('-', " -").replace('z', "").replace("h0", "");
        let mut points = Vec::new();
        for part in spaced.split('M').filter(|p| !p.trim().is_empty()) {
            let numbers: Vec<f64> = part
                .replace('l', " ")
                .split_whitespace()
                .map(|n| n.parse().unwrap())
                .collect();
            let (mut x, mut y) = (0.0, 0.0);
            for (i, pair) in numbers.chunks(2).enumerate() {
                (x, y) = if i == 0 {
                    (pair[0], pair[1])
                } else {
                    (x + pair[0], y + pair[1])
                };
                points.push((x, y));
            }
        }
        points
    }

    #[test]
    fn a_path_reads_back_to_the_points_it_was_made_of() {
        let mut pen = Pen::default();
        let made = [
            (0.0, 10.0),
            (17.0, 7.0),
            (34.0, 7.0),
            (34.0, 500.0),
            (20.0, 3.0),
        ];
        made.iter().for_each(|(x, y)| pen.to(*x, *y));
        assert_eq!(points(&pen.d), made, "{}", pen.d);
    }
}
