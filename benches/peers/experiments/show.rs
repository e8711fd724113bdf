//! Figures as they are written.

use crate::figures::Ratio;
use std::time::Duration;

/// `152 341`.
pub fn whole(value: f64) -> String {
    let digits = format!("{:.0}", value.max(0.0));
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for group in digits.as_bytes()[first..].chunks(3) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.extend(group.iter().map(|&b| char::from(b)));
    }
    text
}

/// `1.031 (0.99–1.05)`.
pub fn ratio(ratio: Ratio) -> String {
    let Ratio { median, low, high } = ratio;
    format!("{median:.3} ({low:.2}–{high:.2})")
}

/// Microseconds.
pub fn micros(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    if micros < 10.0 {
        format!("{micros:.1}")
    } else {
        whole(micros)
    }
}

/// Milliseconds; nothing where it is not said.
pub fn millis(time: Option<Duration>) -> String {
    match time.map(|t| t.as_secs_f64() * 1e3) {
        None => "–".to_owned(),
        Some(ms) if ms < 10.0 => format!("{ms:.2}"),
        Some(ms) => format!("{ms:.0}"),
    }
}

/// One per round.
pub fn rounds(values: &[f64], show: impl Fn(f64) -> String) -> String {
    values
        .iter()
        .map(|&v| show(v))
        .collect::<Vec<_>>()
        .join(", ")
}
