//! Axes: where a value stands, and at which round values the lines of a grid are drawn.

use crate::report::text::grouped;
use crate::verdict::gate::duration;

/// The unit of a vertical axis. It decides how values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 0 to 1, written as a percentage.
    Ratio,
    /// Milliseconds.
    Milliseconds,
    /// Per second.
    PerSecond,
    /// Bytes, written in powers of 1024.
    Bytes,
    /// Processor cores, counts and whatever has no name here: the number alone.
    Number,
}

impl Unit {
    /// Of a metric's `unit`.
    pub fn named(name: &str) -> Self {
        match name {
            "ratio" => Self::Ratio,
            "ms" => Self::Milliseconds,
            "per_second" => Self::PerSecond,
            "bytes" => Self::Bytes,
            _ => Self::Number,
        }
    }

    /// How the script calls it: it writes values in the same way.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ratio => "ratio",
            Self::Milliseconds => "ms",
            Self::PerSecond => "rate",
            Self::Bytes => "bytes",
            Self::Number => "number",
        }
    }

    /// A value, to about three digits.
    pub fn written(self, value: f64) -> String {
        match self {
            Self::Ratio => format!("{} %", number(value * 100.0)),
            Self::Milliseconds => duration(value),
            Self::PerSecond => format!("{}/s", number(value)),
            Self::Bytes => bytes(value),
            Self::Number => number(value),
        }
    }
}

impl Unit {
    /// What one of a value's own unit is: of three million bytes one MiB.
    fn one(self, value: f64) -> f64 {
        let mut one = 1.0;
        while self == Self::Bytes && value.is_finite() && value >= one * 1024.0 && one < 1e12 {
            one *= 1024.0;
        }
        one
    }
}

fn bytes(value: f64) -> String {
    let mut value = value;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value.abs() < 1024.0 {
            return format!("{} {unit}", number(value));
        }
        value /= 1024.0;
    }
    format!("{} TiB", number(value))
}

/// About three significant digits, whole and in groups from a thousand on: `0.0456`, `4.12`, `66.7`, `51 234`.
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 => 2,
        v if v >= 0.1 => 3,
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number below 10¹⁵"
    )]
    if (1000.0..1e15).contains(&value) {
        return grouped(value.round() as u64);
    }
    if text.contains('.') {
        let text = text.trim_end_matches('0').trim_end_matches('.');
        return if text == "-0" { "0" } else { text }.to_owned();
    }
    text
}

/// No axis reaches further: differences of what it holds are finite.
const LARGEST: f64 = 1e100;

/// A vertical axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Axis {
    /// Equal distances are equal differences.
    Linear {
        /// Value at the bottom.
        bottom: f64,
        /// Value at the top.
        top: f64,
    },
    /// Equal distances are equal ratios.
    Log {
        /// Value at the bottom, above zero.
        bottom: f64,
        /// Value at the top.
        top: f64,
    },
}

impl Axis {
    /// From zero (or the lowest value, where that is below) to a round value at or above the highest.
    pub fn linear(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|v| v.is_finite())
            .map(|v| v.clamp(-LARGEST, LARGEST))
            .fold((0.0_f64, 0.0_f64), |(low, high), v| {
                (low.min(v), high.max(v))
            });
        let high = if high > low { high } else { low + 1.0 };
        let step = round_step((high - low) / 4.0);
        Self::Linear {
            bottom: (low / step).floor() * step,
            // A peak at the very edge would be cut in half by it.
            top: (high * 1.000_001 / step).ceil() * step,
        }
    }

    /// The same with values that are round in what they are written in: KiB, MiB, …. Shares that are at most all of it end
    /// there.
    pub fn linear_of(unit: Unit, values: impl Iterator<Item = f64> + Clone) -> Self {
        let high = values.clone().fold(0.0_f64, |high, v| high.max(v.abs()));
        let one = unit.one(high);
        match Self::linear(values.map(|v| v / one)).times(one) {
            Self::Linear { bottom, top } if unit == Unit::Ratio && high < 1.0 + 1e-9 => {
                Self::Linear {
                    bottom,
                    top: top.min(1.0),
                }
            }
            axis => axis,
        }
    }

    /// The values of the grid's lines, round in what they are written in.
    pub fn ticks_of(self, unit: Unit) -> Vec<f64> {
        let (Self::Linear { top, .. } | Self::Log { top, .. }) = self;
        let one = unit.one(top);
        let ticks = self.times(1.0 / one).ticks();
        ticks.into_iter().map(|tick| tick * one).collect()
    }

    fn times(self, by: f64) -> Self {
        match self {
            Self::Linear { bottom, top } => Self::Linear {
                bottom: bottom * by,
                top: top * by,
            },
            Self::Log { bottom, top } => Self::Log {
                bottom: bottom * by,
                top: top * by,
            },
        }
    }

    /// From a round value at or below the lowest to one at or above the highest; values that are not above zero are
    /// left out.
    pub fn log(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|v| v.is_finite() && *v > 0.0)
            .map(|v| v.clamp(1.0 / LARGEST, LARGEST))
            .fold((f64::INFINITY, 0.0_f64), |(low, high), v| {
                (low.min(v), high.max(v))
            });
        if high <= 0.0 {
            return Self::Log {
                bottom: 1.0,
                top: 10.0,
            };
        }
        let bottom = rounded_down(low);
        let above = rounded_down(high);
        let top = if above >= high { above } else { next(above) };
        Self::Log {
            bottom,
            top: if top > bottom { top } else { next(bottom) },
        }
    }

    /// Where a value stands: 0 at the bottom, 1 at the top. What lies outside stands at the edge.
    pub fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear { bottom, top } => (value - bottom) / (top - bottom),
            Self::Log { bottom, top } if value > 0.0 => (value / bottom).ln() / (top / bottom).ln(),
            Self::Log { .. } => 0.0,
        };
        if place.is_nan() {
            0.0
        } else {
            place.clamp(0.0, 1.0)
        }
    }

    /// The values of the grid's lines.
    pub fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear { bottom, top } => {
                let step = round_step((top - bottom) / 4.0);
                let first = (bottom / step - 1e-9).ceil() * step;
                let count = ((top - first) / step + 1e-9).floor().clamp(1.0, 12.0);
                steps(count).map(|i| first + i * step).collect()
            }
            Self::Log { bottom, top } => {
                let wide = (top / bottom).log10() > 2.1;
                let mut ticks = vec![bottom];
                let mut at = bottom;
                while at < top && ticks.len() < 60 {
                    at = next(at);
                    ticks.push(at);
                }
                if wide {
                    ticks.retain(|t| is_power_of_ten(*t));
                }
                ticks
            }
        }
    }
}

/// 0, 1, … up to a count that is a small whole number.
fn steps(count: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(0.0), |i| Some(i + 1.0)).take_while(move |i| *i <= count + 0.5)
}

fn is_power_of_ten(value: f64) -> bool {
    let log = value.log10();
    (log - log.round()).abs() < 1e-6
}

/// The smallest of 1, 2, 5 × 10ⁿ that is at least this.
pub fn round_step(least: f64) -> f64 {
    let magnitude = 10f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|f| f * magnitude >= least * 0.999_999);
    factor.unwrap_or(10.0) * magnitude
}

/// The largest of 1, 2, 5 × 10ⁿ that is at most this.
fn rounded_down(value: f64) -> f64 {
    let magnitude = 10f64.powf(value.log10().floor());
    let factor = [5.0, 2.0, 1.0]
        .into_iter()
        .find(|f| f * magnitude <= value * 1.000_001);
    factor.unwrap_or(1.0) * magnitude
}

/// The next of 1, 2, 5 × 10ⁿ.
fn next(value: f64) -> f64 {
    round_step(value * 1.5)
}

/// Moments of a time axis that ends at `end` (milliseconds), at most seven, with their labels.
pub fn moments(end_ms: f64) -> Vec<(f64, String)> {
    const STEPS: [f64; 16] = [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0,
        7200.0,
    ];
    let end = end_ms / 1e3;
    let fits = |step: &&f64| end / **step <= 7.0;
    let step = STEPS.iter().find(fits).copied();
    let step = step.unwrap_or_else(|| round_step(end / 36e3) * 3600.0);
    let in_minutes = step >= 60.0;
    steps((end / step).floor())
        .map(|i| i * step)
        .filter(|at| *at <= end + 1e-9)
        .map(|at| (at * 1e3, moment(at, in_minutes)))
        .collect()
}

fn moment(seconds: f64, in_minutes: bool) -> String {
    if in_minutes {
        format!("{} min", number(seconds / 60.0))
    } else {
        format!("{} s", number(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_of_bytes_has_round_labels_and_no_other_axis_changes() {
        let mib = 1024.0 * 1024.0;
        let labels = |values: &[f64]| {
            let axis = Axis::linear_of(Unit::Bytes, values.iter().copied());
            let ticks = axis.ticks_of(Unit::Bytes).into_iter();
            ticks.map(|t| Unit::Bytes.written(t)).collect::<Vec<_>>()
        };
        assert_eq!(
            labels(&[763.0 * mib]),
            ["0 B", "200 MiB", "400 MiB", "600 MiB", "800 MiB"]
        );
        assert_eq!(labels(&[3.0 * mib])[1..3], ["1 MiB", "2 MiB"]);
        assert_eq!(labels(&[1000.0 * mib]), ["0 B", "512 MiB", "1 GiB"]);
        let values = [3.0, 87.0, 4e7];
        let axis = Axis::linear_of(Unit::Number, values.into_iter());
        assert_eq!(axis, Axis::linear(values.into_iter()));
        assert_eq!(axis.ticks_of(Unit::Number), axis.ticks());
    }

    #[test]
    fn an_axis_of_shares_ends_at_all_of_it() {
        let top = |values: &[f64]| match Axis::linear_of(Unit::Ratio, values.iter().copied()) {
            Axis::Linear { top, .. } | Axis::Log { top, .. } => top,
        };
        assert!((top(&[0.2, 1.0]) - 1.0).abs() < 1e-12);
        assert!((top(&[0.01, 0.03]) - 0.04).abs() < 1e-12);
        assert!(top(&[1.2]) >= 1.2, "nothing is cut off");
        let all = Axis::linear_of(Unit::Ratio, [1.0].into_iter());
        assert_eq!(all.ticks_of(Unit::Ratio), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn a_linear_axis_begins_at_zero_and_ends_at_a_round_value_above_the_highest() {
        let axis = Axis::linear([3.0, 87.0].into_iter());
        assert_eq!(
            axis,
            Axis::Linear {
                bottom: 0.0,
                top: 100.0
            }
        );
        assert_eq!(axis.ticks(), [0.0, 50.0, 100.0]);
        assert_eq!(
            (axis.place(0.0), axis.place(50.0), axis.place(100.0)),
            (0.0, 0.5, 1.0)
        );
        assert_eq!(
            (axis.place(-1.0), axis.place(1e9)),
            (0.0, 1.0),
            "outside stands at the edge"
        );
    }

    #[test]
    fn values_below_zero_have_their_place() {
        let axis = Axis::linear([-3.0, 1.0].into_iter());
        assert!(axis.place(-3.0) >= 0.0 && axis.place(-3.0) < axis.place(0.0));
        assert!(axis.ticks().contains(&0.0));
    }

    #[test]
    fn nothing_or_only_zeros_still_make_an_axis() {
        for values in [vec![], vec![0.0], vec![f64::NAN]] {
            let linear = Axis::linear(values.iter().copied());
            assert!(linear.ticks().len() >= 2 && linear.place(0.0) == 0.0);
            let log = Axis::log(values.iter().copied());
            assert!(log.ticks().len() >= 2 && log.place(0.0) == 0.0);
        }
    }

    #[test]
    fn on_a_logarithmic_axis_equal_ratios_are_equal_distances() {
        let axis = Axis::log([1.0, 950.0].into_iter());
        assert_eq!(
            axis,
            Axis::Log {
                bottom: 1.0,
                top: 1000.0
            }
        );
        let ticks = axis.ticks();
        assert_eq!(
            ticks.iter().map(|t| t.round()).collect::<Vec<_>>(),
            [1.0, 10.0, 100.0, 1000.0]
        );
        let distance = |a: f64, b: f64| axis.place(b) - axis.place(a);
        assert!((distance(1.0, 10.0) - distance(40.0, 400.0)).abs() < 1e-9);
        assert_eq!(axis.place(1000.0), 1.0);
    }

    #[test]
    fn every_value_of_a_logarithmic_axis_lies_between_its_ends() {
        for values in [[0.37, 0.41], [5.0, 5.0], [1e-3, 3.6e6], [2.0, 20.0]] {
            let Axis::Log { bottom, top } = Axis::log(values.into_iter()) else {
                panic!("not logarithmic")
            };
            assert!(
                bottom <= values[0] * 1.00001 && top >= values[1] * 0.99999 && top > bottom,
                "{values:?}: {bottom} to {top}"
            );
        }
    }

    #[test]
    fn a_time_axis_has_a_handful_of_round_moments() {
        let labels = |end: f64| moments(end).into_iter().map(|(_, l)| l).collect::<Vec<_>>();
        assert_eq!(labels(36_000.0), ["0 s", "10 s", "20 s", "30 s"]);
        assert_eq!(
            labels(600_000.0),
            ["0 min", "2 min", "4 min", "6 min", "8 min", "10 min"]
        );
        for end in [1.0, 900.0, 7.3e4, 3.6e6, 9e8] {
            let count = moments(end).len();
            assert!((1..=11).contains(&count), "{count} moments to {end}");
        }
    }

    #[test]
    fn values_are_as_exact_as_a_reader_needs_them() {
        assert_eq!(
            [0.0, 0.0456, 4.125, 66.66, 213.4, 51_234.0].map(number),
            ["0", "0.0456", "4.12", "66.7", "213", "51 234"]
        );
        assert_eq!(Unit::Ratio.written(0.125), "12.5 %");
        assert_eq!(Unit::Bytes.written(3.0 * 1024.0 * 1024.0), "3 MiB");
        assert_eq!(Unit::named("per_second").written(199.0), "199/s");
        assert_eq!(Unit::named("<b>").written(1.5), "1.5");
    }
}
