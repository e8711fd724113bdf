//! Texts with units: lengths of time and limits. Strict: no bare number where a unit decides.

use crate::plan::{Comparison, Metric};
use std::time::Duration;

/// Nothing in a scenario is longer than this.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A text that is not the quantity it should be: what is wrong, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotAQuantity {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

fn not(message: impl Into<String>, help: impl Into<String>) -> NotAQuantity {
    NotAQuantity {
        message: message.into(),
        help: help.into(),
    }
}

/// Reads `5s`, `500ms`, `1m30s`, `2 min`.
///
/// # Errors
/// A bare number, another text, a negative time, more than 24 hours.
pub fn duration(text: &str) -> Result<Duration, NotAQuantity> {
    let trimmed = text.trim();
    if trimmed.parse::<f64>().is_ok() {
        let help = format!("give a unit: \"{trimmed}s\" or \"{trimmed}ms\"");
        return Err(not(format!("`{text}` has no unit"), help));
    }
    let units = "write a number and a unit: \"500ms\", \"5s\", \"1m30s\", \"2 min\"";
    // ISO 8601 (`PT5S`) is more than a scenario needs; `5 s ago` is a negative time.
    let parsed: jiff::SignedDuration = jiff::fmt::friendly::SpanParser::new()
        .parse_duration(trimmed)
        .map_err(|_| not(format!("`{text}` is not a length of time"), units))?;
    let length = Duration::try_from(parsed).map_err(|_| {
        not(
            format!("`{text}` is negative"),
            "a length of time is zero or more",
        )
    })?;
    if length > LONGEST {
        return Err(not(
            format!("`{text}` is longer than 24 hours"),
            "a run and all of its times are shorter than that",
        ));
    }
    Ok(length)
}

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Ratio,
    Count,
    Time,
    PerSecond,
}

fn unit_of(metric: Metric) -> Unit {
    match metric {
        Metric::ErrorRate => Unit::Ratio,
        Metric::Bad | Metric::Unknown | Metric::Dropped => Unit::Count,
        Metric::Throughput => Unit::PerSecond,
        Metric::P50
        | Metric::P90
        | Metric::P99
        | Metric::P999
        | Metric::MaxLatency
        | Metric::TimeToRecover
        | Metric::TimeToRecoverPerformance
        | Metric::Outage => Unit::Time,
    }
}

impl Unit {
    fn example(self) -> &'static str {
        match self {
            Self::Ratio => "\"<= 0.5%\"",
            Self::Count => "\"<= 10\"",
            Self::Time => "\"<= 200ms\" or \"<= 10s\"",
            Self::PerSecond => "\">= 190/s\"",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ratio => "a share in percent",
            Self::Count => "a whole number",
            Self::Time => "a length of time",
            Self::PerSecond => "a number per second",
        }
    }
}

/// A limit for a metric, as an example.
#[must_use]
pub fn example(metric: Metric) -> &'static str {
    unit_of(metric).example()
}

const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("<", Comparison::Below),
    (">", Comparison::Above),
];

/// Reads a limit for a metric: `<= 0.5%`, `<= 10s`, `>= 190/s`, `== 0`. The value is in the metric's own unit
/// (ratio, milliseconds, count, per second).
///
/// # Errors
/// No comparison, another unit than the metric's, a negative value.
pub fn limit(metric: Metric, text: &str) -> Result<(Comparison, f64), NotAQuantity> {
    let unit = unit_of(metric);
    let trimmed = text.trim();
    let found = COMPARISONS
        .iter()
        .find_map(|(sign, c)| trimmed.strip_prefix(sign).map(|rest| (*c, rest.trim())));
    let Some((comparison, value)) = found else {
        let help = format!("say how it is compared: {}", unit.example());
        return Err(not(
            format!("`{text}` is not a limit for `{}`", metric.key()),
            help,
        ));
    };
    let value = measure(unit, value).ok_or_else(|| {
        let help = format!(
            "`{}` is limited by {}: {}",
            metric.key(),
            unit.name(),
            unit.example()
        );
        not(format!("`{value}` is not {}", unit.name()), help)
    })?;
    Ok((comparison, value))
}

fn measure(unit: Unit, value: &str) -> Option<f64> {
    let number = |text: &str| {
        let text = text.trim();
        let plain = text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        text.parse::<f64>().ok().filter(|n| plain && n.is_finite())
    };
    match unit {
        // Zero is zero in every unit.
        _ if value == "0" => Some(0.0),
        Unit::Ratio => value
            .strip_suffix('%')
            .and_then(number)
            .filter(|p| *p <= 100.0)
            .map(|p| p / 100.0),
        Unit::Count => value.parse::<u32>().ok().map(f64::from),
        Unit::Time => duration(value).ok().map(crate::clock::millis),
        Unit::PerSecond => number(value.strip_suffix("/s").unwrap_or(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_the_forms_that_people_write_and_need_a_unit() {
        for (text, millis) in [
            ("5s", 5000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("2 min", 120_000),
            ("1.5s", 1500),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "5",
            "5.5",
            "-5s",
            "5 s ago",
            "five",
            "PT5S",
            "25h",
            "5 parsecs",
            "99999999999999999999s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(
            duration("5").unwrap_err().help,
            "give a unit: \"5s\" or \"5ms\""
        );
    }

    #[test]
    fn limits_are_in_the_unit_of_their_metric() {
        assert_eq!(
            limit(Metric::ErrorRate, "<= 0.5%"),
            Ok((Comparison::AtMost, 0.005))
        );
        assert_eq!(
            limit(Metric::TimeToRecover, "< 10s"),
            Ok((Comparison::Below, 10_000.0))
        );
        assert_eq!(
            limit(Metric::Throughput, ">=190/s"),
            Ok((Comparison::AtLeast, 190.0))
        );
        assert_eq!(limit(Metric::Unknown, "== 0"), Ok((Comparison::Equal, 0.0)));
        assert_eq!(limit(Metric::P99, "<= 0"), Ok((Comparison::AtMost, 0.0)));
    }

    #[test]
    fn a_limit_in_another_unit_is_refused() {
        for (metric, text) in [
            (Metric::TimeToRecover, "<= 5%"),
            (Metric::ErrorRate, "<= 0.005"),
            (Metric::ErrorRate, "<= 101%"),
            (Metric::ErrorRate, "<= -1%"),
            (Metric::ErrorRate, "<= nan%"),
            (Metric::ErrorRate, "<= inf%"),
            (Metric::ErrorRate, "0.5%"),
            (Metric::Bad, "<= 1.5"),
            (Metric::Bad, "<= 5s"),
            (Metric::P99, "<= 200"),
            (Metric::P99, "<="),
        ] {
            assert!(limit(metric, text).is_err(), "{text}");
        }
    }
}
