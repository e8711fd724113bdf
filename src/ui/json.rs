//! One JSON object per notice, for programs. Times are milliseconds.

use super::words::is_hostile;
use crate::clock::millis;
use crate::notice::{Notice, Phase, Tick};
use serde_json::{Value, json};
use std::time::Duration;

/// The line for one notice.
pub fn line(since: Duration, notice: &Notice) -> String {
    let mut object = of(notice);
    if let Some(map) = object.as_object_mut() {
        map.insert("since_start_ms".to_owned(), json!(millis(since)));
    }
    // serde_json escapes what is below U+0020; what else could move text on a terminal is escaped here. Such
    // characters stand in strings only, so that this is JSON and loses nothing.
    let text = object.to_string();
    text.chars()
        .flat_map(|c| {
            if is_hostile(c) {
                format!("\\u{:04x}", u32::from(c))
            } else {
                c.to_string()
            }
            .chars()
            .collect::<Vec<_>>()
        })
        .collect()
}

fn of(notice: &Notice) -> Value {
    match notice {
        Notice::Phase(phase) => json!({ "notice": "phase", "phase": key(*phase) }),
        Notice::Image { service, line } => {
            json!({ "notice": "image", "service": service, "line": line })
        }
        Notice::ImageReady { service, took } => {
            json!({ "notice": "image_ready", "service": service, "took_ms": millis(*took) })
        }
        Notice::Container { service, state } => {
            json!({ "notice": "container", "service": service, "state": state })
        }
        Notice::LoadStarted { duration } => {
            json!({ "notice": "load_started", "duration_ms": millis(*duration) })
        }
        Notice::Tick(tick) => tick_of(tick),
        Notice::Fault { at, name, what } => {
            json!({ "notice": "fault", "at_ms": at.as_millis_f64(), "name": name, "what": what })
        }
        Notice::Warning(text) => json!({ "notice": "warning", "text": text }),
        Notice::Info(text) => json!({ "notice": "info", "text": text }),
        Notice::Settle(_) => json!({ "notice": "settled" }),
    }
}

fn tick_of(tick: &Tick) -> Value {
    let loads: Vec<Value> = tick
        .loads
        .iter()
        .map(|l| {
            json!({
                "name": l.name, "rate": l.rate, "error_rate": l.error_ratio, "p99_ms": l.p99.map(millis),
                "total": l.total, "bad": l.bad,
            })
        })
        .collect();
    let next = tick
        .next
        .as_ref()
        .map(|(at, name)| json!({ "at_ms": at.as_millis_f64(), "name": name }));
    json!({ "notice": "tick", "at_ms": tick.at.as_millis_f64(), "loads": loads, "next": next })
}

fn key(phase: Phase) -> &'static str {
    match phase {
        Phase::Images => "images",
        Phase::Starting => "starting",
        Phase::Probing => "probing",
        Phase::WarmUp => "warm_up",
        Phase::Measuring => "measuring",
        Phase::Draining => "draining",
        Phase::Reporting => "reporting",
        Phase::TearingDown => "tearing_down",
    }
}
