//! What the view knows: notices folded into the present state of the run, and into a few minutes of its past.

use super::popup::Popup;
use crate::control::Offer;
use crate::notice::{FaultState, FaultTick, LoadTick, Notice, Phase, Tick};
use crate::ui::words::{inert, moment, seconds};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The past that is kept of a workload: as many seconds as the widest screen shows.
const PAST: usize = 600;
/// What was said and is kept.
const SAID: usize = 200;

/// One second of a workload.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Second {
    /// Operations.
    pub rate: f64,
    /// Bad share of them, 0 to 1.
    pub error_ratio: f64,
    /// p99 latency of the good ones.
    pub p99: Option<Duration>,
}

/// How something that was said is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// As anything.
    Plain,
    /// A fault's edge.
    Fault,
    /// A warning.
    Warning,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// When, in the run's time; none before the load.
    pub at: String,
    /// In words, inert.
    pub what: String,
    /// How it is shown.
    pub weight: Weight,
}

/// All that is drawn.
#[derive(Debug, Default)]
pub struct Model {
    /// What can be asked of the run.
    pub offer: Offer,
    /// Where the run is.
    pub phase: Option<Phase>,
    /// While it comes up: a service, and what was last heard of it; inert.
    pub bring_up: BTreeMap<String, String>,
    /// The length of the load, once it has begun.
    pub duration: Option<Duration>,
    /// How it goes.
    pub tick: Tick,
    /// How it went, second by second, of each workload.
    pub past: Vec<VecDeque<Second>>,
    /// What was said, the latest last.
    pub said: VecDeque<Said>,
    /// What is asked for now.
    pub popup: Popup,
    /// The run was interrupted: once more leaves at once.
    pub stopping: bool,
    /// Without: attributes only.
    pub colour: bool,
}

impl Model {
    /// Takes a notice in.
    pub fn take(&mut self, notice: &Notice) {
        match notice {
            Notice::Phase(phase) => self.phase = Some(*phase),
            Notice::Image { service, line } => self.heard(service, inert(line)),
            Notice::ImageReady { service, took } => {
                let words = match took.is_zero() {
                    true => "image there".to_owned(),
                    false => format!("image built in {}", seconds(*took)),
                };
                self.heard(service, words);
            }
            Notice::Container { service, state } => self.heard(service, inert(state)),
            Notice::LoadStarted { duration } => {
                self.duration = Some(*duration);
                self.past.clear();
                self.tick = Tick::default();
            }
            Notice::Tick(tick) => self.tick(tick),
            Notice::Fault { at, name: _, what } => self.say(moment(*at), what, Weight::Fault),
            Notice::Warning(text) => self.say(self.now(), text, Weight::Warning),
            Notice::Info(text) => self.say(self.now(), text, Weight::Plain),
            Notice::Settle(_) => {}
        }
    }

    fn heard(&mut self, service: &str, what: String) {
        self.bring_up.insert(inert(service), what);
    }

    fn now(&self) -> String {
        match self.duration {
            Some(_) => moment(self.tick.at),
            None => String::new(),
        }
    }

    fn say(&mut self, at: String, what: &str, weight: Weight) {
        let what = inert(what);
        self.said.push_back(Said { at, what, weight });
        if self.said.len() > SAID {
            self.said.pop_front();
        }
    }

    fn tick(&mut self, tick: &Tick) {
        let second = |t: &Tick| t.at.since_zero().as_secs();
        if second(tick) != second(&self.tick) {
            self.past.resize_with(tick.loads.len(), VecDeque::new);
            for (past, load) in self.past.iter_mut().zip(&tick.loads) {
                past.push_back(Second::of(load));
                if past.len() > PAST {
                    past.pop_front();
                }
            }
        }
        let on = |model: &Self| model.on().map(|(index, _)| index).collect::<Vec<_>>();
        let before = on(self);
        self.tick = tick.clone();
        if matches!(self.popup, Popup::Heal(_)) && on(self) != before {
            // Its lines are others now.
            self.popup = Popup::None;
        }
    }

    /// The load has begun, and is not yet taken down.
    #[must_use]
    pub fn under_load(&self) -> bool {
        self.duration.is_some() && self.phase != Some(Phase::TearingDown)
    }

    /// The schedule can be steered.
    #[must_use]
    pub fn steerable(&self) -> bool {
        let load = matches!(self.phase, Some(Phase::WarmUp | Phase::Measuring));
        self.duration.is_some() && load && !self.stopping
    }

    /// Faults that are on, with their index.
    pub fn on(&self) -> impl Iterator<Item = (usize, &FaultTick)> {
        let all = self.tick.faults.iter().enumerate();
        all.filter(|(_, f)| f.state == FaultState::Injected)
    }

    /// The state of the container that an instance's name means, where one is called so.
    #[must_use]
    pub fn state_of(&self, instance: &str) -> Option<&str> {
        let service = self.tick.services.iter().find(|s| s.name == instance);
        service.map(|s| s.state.as_str())
    }
}

impl Second {
    fn of(load: &LoadTick) -> Self {
        Self {
            rate: load.rate,
            error_ratio: load.error_ratio,
            p99: load.p99,
        }
    }
}
