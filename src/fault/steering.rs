//! Steering a schedule that runs: hold and resume it, the next fault now, heal now; and how the conductor waits for it.

use super::conductor::Assignment;
pub use super::schedule::Unfit;
use super::schedule::{Entry, Schedule, Standing, unfit};
use crate::clock::{Clock, Offset};
use crate::history::FaultRecord;
use crate::notice::{FaultState, FaultTick};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The schedule of a run; cheap to clone.
#[derive(Clone, Default)]
pub struct Steering(Arc<watch::Sender<Schedule>>);

/// A hold that is over.
#[derive(Debug, PartialEq, Eq)]
pub struct Resumed {
    /// How long it was.
    pub held: Duration,
    /// What no longer fits into the run.
    pub unfit: Vec<Unfit>,
}

/// A fault that was moved to now.
#[derive(Debug, PartialEq, Eq)]
pub struct Moved {
    /// The fault.
    pub name: String,
    /// When it would have come.
    pub instead_of: Offset,
}

/// Why something that was asked for is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing is left to inject.
    #[error("no planned fault is left")]
    NothingLeft,
    /// What is left follows another one, which is not over.
    #[error("{0} follows another fault, which is not over: heal that one first")]
    Follows(String),
    /// The load is over.
    #[error("the load is over")]
    LoadOver,
    /// There is no such fault, or it is not on.
    #[error("{0} is not on")]
    NotOn(String),
    /// Nothing is on.
    #[error("no fault is on")]
    NothingOn,
    /// It is held already.
    #[error("the schedule is held already")]
    Held,
    /// It is not held.
    #[error("the schedule is not held")]
    NotHeld,
}

/// Why a fault is healed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Healing {
    /// Its time came.
    OnTime(Offset),
    /// It was asked for.
    ByHand,
    /// The schedule ended.
    Ended,
}

impl Steering {
    /// A schedule for a load of this length.
    #[must_use]
    pub fn of_load(length: Duration) -> Self {
        let schedule = Schedule {
            load_end: Some(Offset::new(length)),
            ..Schedule::default()
        };
        Self(Arc::new(watch::Sender::new(schedule)))
    }

    /// Puts a fault into the schedule; one that is there already stays as it is.
    pub fn enter(&self, fault: &Assignment) {
        let standing = match fault.after {
            Some(_) => Standing::Follows,
            None => Standing::Waits,
        };
        let entry = Entry {
            name: fault.name.clone(),
            kind: fault
                .kind
                .as_ref()
                .map_or("external", |k| k.name())
                .to_owned(),
            targets: fault.targets.iter().map(|t| t.service.clone()).collect(),
            inject_at: fault.inject_at,
            heal_at: fault.heal_at,
            by_hand: fault.by_hand,
            standing,
            heal_now: false,
            injected: None,
            healed: None,
            failed: false,
            left: false,
        };
        self.0.send_modify(|s| {
            let entry = match s.faults.contains_key(&fault.index) {
                true => return,
                // By hand is now, whether the schedule is held or not.
                false if fault.by_hand => Entry {
                    inject_at: s.time(fault.inject_at),
                    standing: Standing::Asked(fault.inject_at),
                    ..entry
                },
                false => entry,
            };
            s.faults.insert(fault.index, entry);
        });
    }

    /// Holds it: edges that are still to come wait.
    ///
    /// # Errors
    /// It is held already.
    pub fn hold(&self, now: Offset) -> Result<(), Refusal> {
        let mut result = Err(Refusal::Held);
        self.0.send_if_modified(|s| {
            if s.held_since.is_none() {
                (s.held_since, result) = (Some(now), Ok(()));
            }
            result.is_ok()
        });
        result
    }

    /// Resumes it: all that is left comes later by the length of the hold.
    ///
    /// # Errors
    /// It is not held.
    pub fn resume(&self, now: Offset) -> Result<Resumed, Refusal> {
        let mut result = Err(Refusal::NotHeld);
        self.0.send_if_modified(|s| {
            let Some(since) = s.held_since.take() else {
                return false;
            };
            let before = s.shift;
            let held = now - since;
            s.shift += held;
            let unfit = unfit(s, before);
            result = Ok(Resumed { held, unfit });
            true
        });
        result
    }

    /// Whether it is held.
    #[must_use]
    pub fn held(&self) -> bool {
        self.0.borrow().held_since.is_some()
    }

    /// The next planned fault takes place now, held or not; its heal keeps its distance.
    ///
    /// # Errors
    /// There is none, or it must wait for another one.
    pub fn inject_next(&self, now: Offset) -> Result<Moved, Refusal> {
        let mut result = Err(Refusal::NothingLeft);
        self.0.send_if_modified(|s| {
            if !s.fits(now) {
                result = Err(Refusal::LoadOver);
                return false;
            }
            let (time, shift) = (s.time(now), s.shift);
            let hold = s.held_since.map_or(Duration::ZERO, |since| now - since);
            let waits = |e: &&mut Entry| e.standing == Standing::Waits;
            let next = s.faults.values_mut().filter(waits);
            let Some(next) = next.min_by_key(|e| e.inject_at) else {
                let follows = s.faults.values().find(|e| e.standing == Standing::Follows);
                if let Some(entry) = follows {
                    result = Err(Refusal::Follows(entry.name.clone()));
                }
                return false;
            };
            result = Ok(Moved {
                name: next.name.clone(),
                instead_of: next.inject_at + shift + hold,
            });
            next.move_to(time);
            next.standing = Standing::Asked(now);
            true
        });
        result
    }

    /// Heals one fault now, held or not. Returns its name.
    ///
    /// # Errors
    /// It is not on.
    pub fn heal(&self, index: usize) -> Result<String, Refusal> {
        let name = self.0.borrow().faults.get(&index).map(|e| e.name.clone());
        let name = name.unwrap_or_else(|| format!("fault {index}"));
        let healed = self.heal_those(|i| i == index);
        match healed.is_empty() {
            true => Err(Refusal::NotOn(name)),
            false => Ok(name),
        }
    }

    /// Heals all that is on, held or not. Returns their names.
    pub fn heal_all(&self) -> Vec<String> {
        self.heal_those(|_| true)
    }

    fn heal_those(&self, whether: impl Fn(usize) -> bool) -> Vec<String> {
        let mut healed = Vec::new();
        self.0.send_if_modified(|s| {
            for (index, entry) in &mut s.faults {
                let on = matches!(entry.standing, Standing::Asked(_) | Standing::On);
                if on && !entry.heal_now && whether(*index) {
                    entry.heal_now = true;
                    healed.push(entry.name.clone());
                }
            }
            !healed.is_empty()
        });
        healed
    }

    /// Every fault, as far as it has come, in the order of the plan.
    #[must_use]
    pub fn ticks(&self, now: Offset) -> Vec<FaultTick> {
        let s = self.0.borrow();
        let tick = |e: &Entry| FaultTick {
            name: e.name.clone(),
            kind: e.kind.clone(),
            targets: e.targets.clone(),
            inject_at: e.injected.unwrap_or_else(|| s.expected(e.inject_at, now)),
            heal_at: e.healed.or_else(|| {
                let still = e.standing != Standing::Over;
                e.heal_at.filter(|_| still).map(|at| s.expected(at, now))
            }),
            state: match e.standing {
                // What was not confirmed may be in force all the same, until it is healed.
                Standing::Over if e.failed => FaultState::Failed,
                Standing::Follows | Standing::Waits | Standing::Asked(_) => FaultState::Planned,
                Standing::On if e.injected.is_none() => FaultState::Planned,
                Standing::On => FaultState::Injected,
                Standing::Over => FaultState::Healed,
            },
        };
        s.faults.values().map(tick).collect()
    }

    /// The next edge of the schedule: when it is expected, and a name for it.
    #[must_use]
    pub fn next_edge(&self, now: Offset) -> Option<(Offset, String)> {
        let s = self.0.borrow();
        let next = s.faults.values().filter_map(|e| {
            let (at, name) = match e.standing {
                Standing::Follows | Standing::Waits => (e.inject_at, e.name.clone()),
                Standing::On => (e.heal_at?, format!("{} heals", e.name)),
                Standing::Asked(_) | Standing::Over => return None,
            };
            Some((s.expected(at, now), name))
        });
        next.filter(|(at, _)| *at > now && s.fits(*at))
            .min_by_key(|(at, _)| *at)
    }
}

/// For the conductor.
impl Steering {
    /// Waits until the fault before it is over, and so long after that is its time; false where the schedule ended first.
    pub(super) async fn follow(
        &self,
        index: usize,
        (before, pause): (usize, Duration),
        clock: &Clock,
        end: &CancellationToken,
    ) -> bool {
        let mut changes = self.0.subscribe();
        let over = |s: &Schedule| s.faults.get(&before).is_some_and(|e| e.left);
        tokio::select! {
            biased;
            () = end.cancelled() => return false,
            gone = changes.wait_for(over) => if gone.is_err() { return false },
        }
        let now = clock.now();
        self.0.send_modify(|s| {
            let time = s.time(now) + pause;
            if let Some(entry) = s.faults.get_mut(&index) {
                entry.move_to(time);
                entry.standing = Standing::Waits;
            }
        });
        true
    }

    /// Waits for the moment of an injection, and tells it; none where the schedule ended, or the load did, first.
    pub(super) async fn turn(
        &self,
        index: usize,
        clock: &Clock,
        end: &CancellationToken,
    ) -> Option<Offset> {
        let mut changes = self.0.subscribe();
        loop {
            let due = {
                let s = changes.borrow_and_update();
                let entry = s.faults.get(&index)?;
                match entry.standing {
                    Standing::Asked(at) => Some(at),
                    Standing::Follows | Standing::Waits | Standing::On | Standing::Over => {
                        s.due(entry.inject_at).filter(|at| s.fits(*at))
                    }
                }
            };
            if !self.until(due, &mut changes, clock, end).await? {
                continue;
            }
            // What was asked between the timer and this is seen on the next round.
            let mut begins = false;
            self.0.send_if_modified(|s| {
                let held = s.held_since.is_some();
                if let Some(entry) = s.faults.get_mut(&index) {
                    begins = !held || matches!(entry.standing, Standing::Asked(_));
                    if begins {
                        entry.standing = Standing::On;
                    }
                }
                begins
            });
            if begins {
                return due;
            }
        }
    }

    /// Waits for the moment of a heal.
    pub(super) async fn heals(
        &self,
        index: usize,
        clock: &Clock,
        end: &CancellationToken,
    ) -> Healing {
        let mut changes = self.0.subscribe();
        loop {
            let due = {
                let s = changes.borrow_and_update();
                let entry = s.faults.get(&index);
                if entry.is_none_or(|e| e.heal_now) {
                    return Healing::ByHand;
                }
                entry.and_then(|e| s.due(e.heal_at?))
            };
            match (self.until(due, &mut changes, clock, end).await, due) {
                (None, _) => return Healing::Ended,
                (Some(true), Some(at)) => {
                    // Nobody can ask any more for what is under way.
                    self.0.send_modify(|s| {
                        if let Some(entry) = s.faults.get_mut(&index) {
                            entry.heal_now = true;
                        }
                    });
                    return Healing::OnTime(at);
                }
                (Some(_), _) => {}
            }
        }
    }

    /// True when the moment has come, false where something changed before, none where the schedule ended.
    async fn until(
        &self,
        due: Option<Offset>,
        changes: &mut watch::Receiver<Schedule>,
        clock: &Clock,
        end: &CancellationToken,
    ) -> Option<bool> {
        let timer = async {
            match due {
                Some(at) => tokio::time::sleep_until(clock.instant(at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = end.cancelled() => None,
            _ = changes.changed() => Some(false),
            () = timer => Some(true),
        }
    }

    /// What became of an edge.
    pub(super) fn told(&self, record: &FaultRecord, healed: bool) {
        self.0.send_modify(|s| {
            let Some(entry) = s.faults.get_mut(&record.index) else {
                return;
            };
            entry.targets = record.targets.iter().map(|t| t.service.clone()).collect();
            entry.injected = record.injected_at();
            let unhealed = healed && record.targets.iter().any(|t| t.error.is_some());
            entry.failed |= unhealed || !record.confirmed();
            if healed {
                entry.healed = record.healed_at();
                entry.standing = Standing::Over;
            }
        });
    }

    /// It needs no heal.
    pub(super) fn over(&self, index: usize) {
        self.0.send_modify(|s| {
            if let Some(entry) = s.faults.get_mut(&index) {
                entry.standing = Standing::Over;
            }
        });
    }

    /// Nothing more is done about it; what follows it may begin. Where it never began, it did not take place.
    pub(super) fn leaves(&self, index: usize) {
        self.0.send_modify(|s| {
            if let Some(entry) = s.faults.get_mut(&index) {
                entry.failed |= entry.injected.is_none();
                (entry.standing, entry.left) = (Standing::Over, true);
            }
        });
    }

    /// Whether to heal it now means to heal it before its time.
    pub(super) fn heals_early(&self, index: usize) -> bool {
        let s = self.0.borrow();
        s.faults.get(&index).is_some_and(|e| !e.by_hand)
    }
}
