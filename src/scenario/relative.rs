//! Limits that are derived from a baseline: `<= baseline * 1.2`.

use super::quantity::{NotAQuantity, Unit, compared, measure, not, number_and_unit, unit_of};
use crate::plan::{Comparison, Metric, Relative};

/// Whether a limit is derived from a baseline: `<= baseline * 1.2`.
#[must_use]
pub fn is_relative(text: &str) -> bool {
    let signs = |c: char| matches!(c, '<' | '>' | '=') || c.is_whitespace();
    text.trim_start_matches(signs).starts_with(BASELINE)
}

const BASELINE: &str = "baseline";

/// Reads a limit that is derived from a baseline: `<= baseline`, `<= baseline * 1.2`, `<= baseline + 500ms`,
/// `>= baseline * 0.9 - 5/s`.
///
/// # Errors
/// No comparison, a factor that is no number or not above zero, an addend in another unit than the metric's.
pub fn relative(metric: Metric, text: &str) -> Result<(Comparison, Relative), NotAQuantity> {
    let unit = unit_of(metric);
    let (comparison, value) = compared(metric, text)?;
    let help = || {
        let addend = match unit {
            Unit::Ratio => "0.1%",
            Unit::Count => "10",
            Unit::Time => "500ms",
            Unit::PerSecond => "5/s",
        };
        format!(
            "a limit from a baseline: \"<= baseline * 1.2\", \"<= baseline + {addend}\", \"<= baseline * 1.2 + {addend}\""
        )
    };
    let rest = value.strip_prefix(BASELINE).unwrap_or(value).trim_start();
    let (factor, rest) = match rest.strip_prefix('*') {
        None => (1.0, rest),
        Some(rest) => {
            let found =
                number_and_unit(rest).filter(|(factor, _)| *factor > 0.0 && factor.is_finite());
            found.ok_or_else(|| {
                let written = rest.trim().escape_debug().to_string();
                not(format!("`{written}` is not a factor"), help())
            })?
        }
    };
    let sign = match rest.chars().next() {
        None => 0.0,
        Some('+') => 1.0,
        Some('-') => -1.0,
        Some(_) => {
            let message = format!("`{}` does not follow a baseline", rest.escape_debug());
            return Err(not(message, help()));
        }
    };
    let addend = rest.get(1..).unwrap_or_default().trim();
    let offset = match sign {
        0.0 => 0.0,
        sign => {
            let found = measure(unit, addend).ok_or_else(|| {
                let message = format!("`{}` is not {}", addend.escape_debug(), unit.name());
                not(message, help())
            })?;
            sign * found
        }
    };
    let relative = Relative {
        factor,
        offset,
        baseline: None,
    };
    Ok((comparison, relative))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_from_a_baseline_has_a_factor_and_an_addend_in_the_metrics_unit() {
        let read = |metric, text| {
            assert!(is_relative(text), "{text}");
            relative(metric, text).map(|(c, r)| (c, r.factor, r.offset))
        };
        let (at_most, at_least) = (Comparison::AtMost, Comparison::AtLeast);
        for (metric, text, expected) in [
            (Metric::P99, "<= baseline", (at_most, 1.0, 0.0)),
            (Metric::P99, "<= baseline * 1.2", (at_most, 1.2, 0.0)),
            (Metric::P99, "<=baseline*1.2+5ms", (at_most, 1.2, 5.0)),
            (
                Metric::TimeToRecover,
                "<= baseline + 500ms",
                (at_most, 1.0, 500.0),
            ),
            (
                Metric::ErrorRate,
                "<= baseline + 0.1%",
                (at_most, 1.0, 0.001),
            ),
            (
                Metric::Throughput,
                ">= baseline * 0.9 - 5/s",
                (at_least, 0.9, -5.0),
            ),
        ] {
            assert_eq!(read(metric, text), Ok(expected), "{text}");
        }
        for (metric, text) in [
            (Metric::P99, "baseline * 2"),
            (Metric::P99, "<= baseline * 0"),
            (Metric::P99, "<= baseline * -1"),
            (Metric::P99, "<= baseline * fast"),
            (Metric::P99, "<= baseline + 20%"),
            (Metric::P99, "<= baseline +"),
            (Metric::P99, "<= baseline 2"),
            (Metric::P99, "<= baselines"),
            (Metric::ErrorRate, "<= baseline + 5ms"),
            (Metric::P99, "<= baseline + é"),
        ] {
            let error = relative(metric, text).unwrap_err();
            assert!(!error.help.is_empty(), "{text}");
        }
        assert!(!is_relative("<= 200ms"));
    }
}
