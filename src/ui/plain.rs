//! Plain lines with the time since the start, for CI logs: what changed, and the load every five seconds.

use super::words::{inert, load, moment, next, phase, seconds};
use crate::clock::Offset;
use crate::notice::Notice;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(5);

/// Remembers what was said, so that nothing is said twice.
#[derive(Debug, Default)]
pub struct Plain {
    states: BTreeMap<String, String>,
    building: BTreeSet<String>,
    there: BTreeSet<String>,
    last_tick: Option<Offset>,
}

impl Plain {
    /// The lines for one notice; often none.
    pub fn line(&mut self, since: Duration, notice: &Notice) -> Vec<String> {
        let stamp = format!("{:>7}", seconds(since));
        self.words(notice)
            .into_iter()
            .map(|words| format!("{stamp}  {words}"))
            .collect()
    }

    fn words(&mut self, notice: &Notice) -> Vec<String> {
        match notice {
            Notice::Phase(p) => vec![format!("== {}", phase(*p))],
            // A builder's every line would drown the log: its last one is in the error if it fails.
            Notice::Image { service, line: _ } => match self.building.insert(service.clone()) {
                true => vec![format!("image for {}: working", inert(service))],
                false => Vec::new(),
            },
            // Said of what a build starts from, and of its result.
            Notice::ImageReady { service, took } if took.is_zero() => {
                match self.there.insert(service.clone()) {
                    true => vec![format!("image for {}: there", inert(service))],
                    false => Vec::new(),
                }
            }
            Notice::ImageReady { service, took } => {
                vec![format!(
                    "image for {}: done in {}",
                    inert(service),
                    seconds(*took)
                )]
            }
            Notice::Container { service, state } => {
                let before = self.states.insert(service.clone(), state.clone());
                if before.as_ref() == Some(state) {
                    return Vec::new();
                }
                vec![format!("{}: {}", inert(service), inert(state))]
            }
            Notice::LoadStarted { duration } => {
                self.last_tick = None;
                vec![format!("load starts, for {}", seconds(*duration))]
            }
            Notice::Tick(tick) => {
                let due = self.last_tick.is_none_or(|last| tick.at - last >= EVERY);
                if !due {
                    return Vec::new();
                }
                self.last_tick = Some(tick.at);
                let mut parts: Vec<String> = tick.loads.iter().map(load).collect();
                parts.extend(next(tick));
                vec![format!(
                    "{:.0} s: {}",
                    tick.at.since_zero().as_secs_f64(),
                    parts.join("; ")
                )]
            }
            Notice::Fault { at, name: _, what } => {
                vec![format!("fault at {}: {}", moment(*at), inert(what))]
            }
            Notice::Warning(text) => vec![format!("warning: {}", inert(text))],
            Notice::Info(text) => vec![inert(text)],
            Notice::Settle(_) => Vec::new(),
        }
    }
}
