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

pub(super) fn not(message: impl Into<String>, help: impl Into<String>) -> NotAQuantity {
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

/// A number and what follows it, apart: `1.5 MB` is 1.5 and `MB`. None where it does not begin with a plain number.
pub(super) fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let trimmed = text.trim();
    let end = trimmed
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    Some((number.parse().ok()?, unit.trim_start()))
}

/// Source: the SI (powers of ten) and IEC 80000-13 (powers of two).
const SIZES: [(&str, f64); 9] = [
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

/// Bytes per second.
const RATES: [(&str, f64); 11] = [
    ("B/s", 1.0),
    ("kB/s", 1e3),
    ("MB/s", 1e6),
    ("GB/s", 1e9),
    ("KiB/s", 1024.0),
    ("MiB/s", 1_048_576.0),
    ("GiB/s", 1_073_741_824.0),
    ("bit/s", 0.125),
    ("kbit/s", 125.0),
    ("Mbit/s", 125e3),
    ("Gbit/s", 125e6),
];

/// A number times its unit, in whole bytes; more than any disk holds is refused.
fn bytes(text: &str, what: &str, units: &[(&str, f64)], like: &str) -> Result<u64, NotAQuantity> {
    let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
    let Some((number, unit)) = number_and_unit(text) else {
        let message = format!("`{}` is not {what}", text.escape_debug());
        return Err(not(message, format!("write a number and a unit: {like}")));
    };
    if unit.is_empty() {
        let help = format!("give a unit, one of {}", names.join(", "));
        return Err(not(format!("`{}` has no unit", text.escape_debug()), help));
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        let near = units
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let help = match near {
            Some((name, _)) => format!("did you mean `{name}`?"),
            None => format!("units are {}", names.join(", ")),
        };
        return Err(not(
            format!("`{}` is not a unit", unit.escape_debug()),
            help,
        ));
    };
    let amount = (number * factor).round();
    if !(0.0..=1e15).contains(&amount) {
        let message = format!("`{}` is out of range", text.escape_debug());
        return Err(not(message, "at most 1000 TB"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within 0 to 1e15, a whole number"
    )]
    Ok(amount as u64)
}

/// Reads `64MB`, `1GiB`, as bytes.
///
/// # Errors
/// A bare number, another text, an unknown unit.
pub fn size(text: &str) -> Result<u64, NotAQuantity> {
    bytes(text, "a size", &SIZES, "\"500kB\", \"64MB\", \"1GiB\"")
}

/// Reads `1MB/s`, `10Mbit/s`, as bytes per second.
///
/// # Errors
/// As [`size`]; and less than one byte.
pub fn rate(text: &str) -> Result<u64, NotAQuantity> {
    let found = bytes(text, "a speed", &RATES, "\"1MB/s\" or \"10Mbit/s\"")?;
    if found == 0 {
        let message = format!("`{}` lets nothing pass", text.escape_debug());
        return Err(not(message, "to let nothing pass use `partition`"));
    }
    Ok(found)
}

/// Reads `10%` as 0.1.
///
/// # Errors
/// Anything but a share above 0 and up to 100 %.
pub fn share(text: &str) -> Result<f64, NotAQuantity> {
    match number_and_unit(text) {
        Some((percent, "%")) if percent > 0.0 && percent <= 100.0 => Ok(percent / 100.0),
        _ => Err(not(
            format!("`{}` is not a share in percent", text.escape_debug()),
            "above 0 % and at most 100 %: \"10%\"",
        )),
    }
}

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Ratio,
    Count,
    Time,
    PerSecond,
}

pub(super) fn unit_of(metric: Metric) -> Unit {
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

    pub(super) fn name(self) -> &'static str {
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

/// The comparison that a limit begins with, and what follows it.
pub(super) fn compared(metric: Metric, text: &str) -> Result<(Comparison, &str), NotAQuantity> {
    let trimmed = text.trim();
    let found = COMPARISONS
        .iter()
        .find_map(|(sign, c)| trimmed.strip_prefix(sign).map(|rest| (*c, rest.trim())));
    found.ok_or_else(|| {
        let help = format!("say how it is compared: {}", unit_of(metric).example());
        not(
            format!("`{text}` is not a limit for `{}`", metric.key()),
            help,
        )
    })
}

/// Reads a limit for a metric: `<= 0.5%`, `<= 10s`, `>= 190/s`, `== 0`. The value is in the metric's own unit
/// (ratio, milliseconds, count, per second).
///
/// # Errors
/// No comparison, another unit than the metric's, a negative value.
pub fn limit(metric: Metric, text: &str) -> Result<(Comparison, f64), NotAQuantity> {
    let unit = unit_of(metric);
    let (comparison, value) = compared(metric, text)?;
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

pub(super) fn measure(unit: Unit, value: &str) -> Option<f64> {
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
    fn sizes_and_speeds_tell_powers_of_ten_from_powers_of_two_and_bytes_from_bits() {
        for (text, expected) in [
            ("0B", 0),
            ("1.5kB", 1500),
            ("64 MB", 64_000_000),
            ("64MiB", 67_108_864),
            ("1GiB", 1_073_741_824),
        ] {
            assert_eq!(size(text), Ok(expected), "{text}");
        }
        for (text, expected) in [("1MB/s", 1_000_000), ("10Mbit/s", 1_250_000)] {
            assert_eq!(rate(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "64",
            "-1MB",
            "MB",
            "1e3MB",
            "1..2MB",
            "inf",
            "9999999TB",
            "1 Mb",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(size("1mb").unwrap_err().help, "did you mean `MB`?");
        assert!(rate("0MB/s").is_err() && rate("5MB").is_err() && rate("1bit/s").is_err());
    }

    #[test]
    fn a_share_is_in_percent_and_never_nothing() {
        assert_eq!(share("10%"), Ok(0.1));
        assert_eq!(share(" 100 %"), Ok(1.0));
        for text in ["0%", "101%", "0.1", "-1%", "%", "nan%", "ten%"] {
            assert!(share(text).is_err(), "{text}");
        }
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
