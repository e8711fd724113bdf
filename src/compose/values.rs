//! Durations, sizes, modes and ranges, as compose writes them.

use std::time::Duration;

/// `1h30m`, `1.5s`, `200ms`: numbers with units, added up.
pub fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = 0.0_f64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let seconds = match &rest[..unit] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total += number * seconds;
        rest = &rest[unit..];
    }
    if text.is_empty() {
        return None;
    }
    // Nanoseconds, rounded: 0.1 s is not one nanosecond less.
    let nanos = (total * 1e9).round();
    (nanos < i64::MAX as f64).then(|| Duration::from_nanos(nanos as u64))
}

/// `512`, `64k`, `128mb`, `1.5GiB`: bytes in powers of 1024.
pub fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let power = match text[digits..].trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ => return None,
    };
    let bytes = number * 1024_f64.powi(power);
    (bytes < i64::MAX as f64).then_some(bytes as u64)
}

/// CPUs (`0.5`) in billionths.
pub fn nano_cpus(text: &str) -> Option<i64> {
    let cpus: f64 = text.parse().ok()?;
    ((0.0..1e6).contains(&cpus)).then_some((cpus * 1e9).round() as i64)
}

/// Mode bits: octal where quoted or written with a leading zero, as in YAML 1.1 files; else decimal.
pub fn mode(text: &str, plain: bool) -> Option<u32> {
    let octal = text
        .strip_prefix("0o")
        .or_else(|| text.strip_prefix('0').filter(|t| !t.is_empty()));
    let mode = match (octal, plain) {
        (Some(octal), _) => u32::from_str_radix(octal, 8).ok()?,
        (None, true) => text.parse().ok()?,
        (None, false) => u32::from_str_radix(text, 8).ok()?,
    };
    (mode <= 0o7777).then_some(mode)
}

/// `80` or `8000-8010`: first and last, the first not after the last.
pub fn port_range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let plain = |t: &str| {
        t.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| t.parse::<u16>().ok())?
    };
    let (first, last) = (plain(first)?, plain(last)?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_sums_of_numbers_with_units() {
        for (text, nanos) in [
            ("10s", 10_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1h", 3_600_000_000_000),
            ("1.5s", 1_500_000_000),
            ("0.1s", 100_000_000),
            ("200ms", 200_000_000),
            ("5us", 5_000),
            ("5µs", 5_000),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        for text in [
            "",
            "10",
            "s",
            "1x",
            "-1s",
            "1s ",
            "1..5s",
            "99999999999999h",
            "1d",
            "ü",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, expected) in [
            ("1", 1),
            ("10b", 10),
            ("64k", 65_536),
            ("64KB", 65_536),
            ("128m", 134_217_728),
            ("1.5GiB", 1_610_612_736),
            ("2 gb", 2_147_483_648),
        ] {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for text in ["", "m", "12x", "-1", "1e3", "99999999p", "1.2.3m"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn modes_are_octal_with_a_zero_or_quotes() {
        for (text, plain, expected) in [
            ("0440", true, Some(0o440)),
            ("0o440", true, Some(0o440)),
            ("440", false, Some(0o440)),
            ("288", true, Some(288)),
            ("0", true, Some(0)),
            ("0999", true, None),
            ("rw", false, None),
        ] {
            assert_eq!(mode(text, plain), expected, "{text}");
        }
    }

    #[test]
    fn port_ranges_run_upwards() {
        assert_eq!(port_range("80"), Some((80, 80)));
        assert_eq!(port_range("80-82"), Some((80, 82)));
        for text in ["", "82-80", "-", "65536", "a", "+80", "80-"] {
            assert_eq!(port_range(text), None, "{text}");
        }
    }
}
