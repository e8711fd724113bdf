//! The schedule of a run: its clock, which stands still while it is held, and how far each fault has come.
//!
//! The schedule's clock is that of the run, less all the time for which it was held. Planned times are times of that clock, so
//! that a hold moves what is left by exactly its length, and moves nothing that was done.

use crate::clock::Offset;
use std::collections::BTreeMap;
use std::time::Duration;

/// How far a fault has come, as the schedule sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It waits for the end of the fault that it follows.
    Follows,
    /// It waits for its time.
    Waits,
    /// It was asked for, at this moment of the run.
    Asked(Offset),
    /// It is being injected, or is on.
    On,
    /// It is being healed, or was, or needs no heal; or it did not take place.
    Over,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) targets: Vec<String>,
    /// By the schedule's clock.
    pub(super) inject_at: Offset,
    /// By the schedule's clock.
    pub(super) heal_at: Option<Offset>,
    pub(super) by_hand: bool,
    pub(super) standing: Standing,
    pub(super) heal_now: bool,
    /// By the run's clock.
    pub(super) injected: Option<Offset>,
    pub(super) healed: Option<Offset>,
    pub(super) failed: bool,
    /// What follows it may begin.
    pub(super) left: bool,
}

#[derive(Debug, Default)]
pub(super) struct Schedule {
    pub(super) held_since: Option<Offset>,
    /// How long it was held in all, without the hold that is on.
    pub(super) shift: Duration,
    /// The end of the load: nothing is injected from then on. None: there is no load.
    pub(super) load_end: Option<Offset>,
    pub(super) faults: BTreeMap<usize, Entry>,
}

impl Schedule {
    /// The run's time of a time of the schedule; none while it is held.
    pub(super) fn due(&self, at: Offset) -> Option<Offset> {
        self.held_since.is_none().then_some(at + self.shift)
    }

    /// When that is going to be, were the schedule resumed now.
    pub(super) fn expected(&self, at: Offset, now: Offset) -> Offset {
        let hold = self.held_since.map_or(Duration::ZERO, |since| now - since);
        at + self.shift + hold
    }

    /// The schedule's time of a moment of the run.
    pub(super) fn time(&self, now: Offset) -> Offset {
        let moved = self.held_since.map_or(now, |since| since.min(now));
        Offset::new(moved.since_zero().saturating_sub(self.shift))
    }

    pub(super) fn fits(&self, at: Offset) -> bool {
        self.load_end.is_none_or(|end| at < end)
    }
}

/// An edge that a hold moved behind the end of the load.
#[derive(Debug, PartialEq, Eq)]
pub struct Unfit {
    /// The fault.
    pub name: String,
    /// Where the edge would be.
    pub at: Offset,
    /// It is the heal, which takes place with the end of the load; else the injection, which does not take place.
    pub heal: bool,
}

impl Entry {
    /// Moves the injection; the heal keeps its distance.
    pub(super) fn move_to(&mut self, inject_at: Offset) {
        let lasts = self.heal_at.map(|at| at - self.inject_at);
        self.inject_at = inject_at;
        self.heal_at = lasts.map(|lasts| inject_at + lasts);
    }
}

/// Edges that fitted into the load before it was held, and do not any more.
pub(super) fn unfit(s: &Schedule, before: Duration) -> Vec<Unfit> {
    let lost = |at: Offset| s.fits(at + before) && !s.fits(at + s.shift);
    let mut unfit = Vec::new();
    for entry in s.faults.values() {
        let (waits, on) = match entry.standing {
            Standing::Follows | Standing::Waits | Standing::Asked(_) => (true, false),
            Standing::On => (false, true),
            Standing::Over => (false, false),
        };
        let inject = waits && lost(entry.inject_at);
        let heal = entry
            .heal_at
            .filter(|at| (on || waits) && !inject && lost(*at));
        let at = if inject { Some(entry.inject_at) } else { heal };
        unfit.extend(at.map(|at| Unfit {
            name: entry.name.clone(),
            at: at + s.shift,
            heal: !inject,
        }));
    }
    unfit
}
