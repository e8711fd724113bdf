//! Notices in words, shared by the views.

use crate::clock::Offset;
use crate::notice::{LoadTick, Phase, Tick};
use std::time::Duration;

/// One line without control characters: what a builder, a container or a server wrote cannot move the cursor.
pub fn inert(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .filter(|c| !is_reordering(*c))
        .collect()
}

/// Characters that reorder text (bidirectional overrides and isolates). Source: Unicode UAX #9.
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// Characters that could move the cursor, change colours or reorder text.
pub fn is_hostile(c: char) -> bool {
    c.is_control() || is_reordering(c)
}

/// A phase as a heading.
pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Images => "building and pulling images",
        Phase::Starting => "starting containers",
        Phase::Probing => "waiting for the first answers",
        Phase::WarmUp => "warming up",
        Phase::Measuring => "measuring",
        Phase::Draining => "draining",
        Phase::Reporting => "reporting",
        Phase::TearingDown => "taking down",
    }
}

fn p99(tick: &LoadTick) -> String {
    let ms = tick.p99.map(|d| d.as_secs_f64() * 1e3);
    ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"))
}

/// `web 200/s, 0.00 % errors, p99 12.3 ms`.
pub fn load(tick: &LoadTick) -> String {
    let p99 = p99(tick);
    format!(
        "{} {:.0}/s, {:.2} % errors, p99 {p99}",
        inert(&tick.name),
        tick.rate,
        tick.error_ratio * 100.0
    )
}

/// The same in columns, below those of other workloads: `web       200/s    0.00 % errors  p99 12.3 ms`.
pub fn load_row(tick: &LoadTick, width: usize) -> String {
    let p99 = p99(tick);
    let name = inert(&tick.name);
    let errors = tick.error_ratio * 100.0;
    format!(
        "{name:width$} {:>7.0}/s {errors:>7.2} % errors  p99 {p99:>9}",
        tick.rate
    )
}

/// `next: slave 1 stops in 3 s`.
pub fn next(tick: &Tick) -> Option<String> {
    let (at, name) = tick.next.as_ref()?;
    let left = *at - tick.at;
    Some(format!(
        "next: {} in {:.0} s",
        inert(name),
        left.as_secs_f64().ceil()
    ))
}

/// `12.3s`.
pub fn seconds(d: Duration) -> String {
    format!("{:.1}s", d.as_secs_f64())
}

/// A moment of the load.
pub fn moment(at: Offset) -> String {
    format!("{:.3} s", at.since_zero().as_secs_f64())
}
