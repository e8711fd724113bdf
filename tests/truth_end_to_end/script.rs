//! Things that happen to targets at given moments of a run, and when they really did.

use crate::support::{Place, until};
use jiff::Timestamp;
use serde_json::Value;
use std::path::Path;
use std::process::Child;
use std::sync::{Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// One measurement at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    // A test that failed has already said so.
    LOCK.lock().unwrap_or_else(|e| e.into_inner())
}

/// It happened between the two.
#[derive(Debug, Clone, Copy)]
pub struct Happened {
    pub after: Timestamp,
    pub before: Timestamp,
}

impl Happened {
    /// Milliseconds from some moment: at least, at most.
    pub fn since(&self, zero: Timestamp) -> (f64, f64) {
        (ms_between(zero, self.after), ms_between(zero, self.before))
    }
}

fn ms_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() * 1e3
}

/// How long a target was away: at least, at most, milliseconds.
pub fn length(down: &Happened, up: &Happened) -> (f64, f64) {
    (
        ms_between(down.before, up.after),
        ms_between(down.after, up.before),
    )
}

/// Wall time of the clock's zero, which the run writes down half a second ahead of it.
pub fn zero_of(place: &Place, run: &mut Child) -> Timestamp {
    zero_in(&place.out(), run)
}

/// The same, of a run with its own folder of results.
pub fn zero_in(out: &Path, run: &mut Child) -> Timestamp {
    let history = out.join("history.ndjson");
    let mut zero = None;
    until(
        "the run writes its history",
        Duration::from_secs(60),
        || {
            assert!(
                run.try_wait().unwrap().is_none(),
                "the run ended before its load began"
            );
            let text = std::fs::read_to_string(&history).unwrap_or_default();
            let head = text
                .split_once('\n')
                .and_then(|(line, _)| serde_json::from_str(line).ok());
            zero = head.map(|head: Value| {
                head["head"]["started_at"]
                    .as_str()
                    .unwrap()
                    .parse()
                    .unwrap()
            });
            zero.is_some()
        },
    );
    zero.unwrap()
}

/// Does something at a moment of the run, on a thread of its own.
pub fn at(
    zero: Timestamp,
    offset: Duration,
    act: impl FnOnce() + Send + 'static,
) -> JoinHandle<Happened> {
    std::thread::spawn(move || {
        let due = zero.checked_add(offset).unwrap();
        let wait = due.duration_since(Timestamp::now());
        std::thread::sleep(Duration::try_from(wait).expect("the moment is still to come"));
        let after = Timestamp::now();
        act();
        Happened {
            after,
            before: Timestamp::now(),
        }
    })
}
