//! What happened besides operations: faults with their measured moments, and events from every source.

use crate::clock::Offset;
use serde::{Deserialize, Serialize};

/// Something that was seen at a moment of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Offset,
    /// Who saw it: `lbtest`, `docker`, `haproxy`, …
    pub source: String,
    /// What it is about: a service, a container, a fault.
    pub subject: String,
    /// What was seen, in a few words.
    pub what: String,
}

/// The moments of one call that breaks or mends one container, all on the run's clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EdgeTimes {
    /// Just before the call to the engine.
    pub called: Offset,
    /// When it really took effect (pidfd, …), where that could be observed.
    pub truth: Option<Offset>,
    /// The engine's own event for it, as received.
    pub event: Option<Offset>,
    /// When the call came back.
    pub returned: Option<Offset>,
}

impl EdgeTimes {
    /// The best known moment of effect: the truth, else the engine's event, else the return of the call.
    #[must_use]
    pub fn effect(&self) -> Offset {
        self.truth
            .or(self.event)
            .or(self.returned)
            .unwrap_or(self.called)
    }

    /// How far the effect may lie from [`Self::effect`]: zero for an observed truth, else the length of the call
    /// (or of the part of it up to the event).
    #[must_use]
    pub fn uncertainty(&self) -> std::time::Duration {
        if self.truth.is_some() {
            std::time::Duration::ZERO
        } else {
            self.effect() - self.called
        }
    }
}

/// One container that a fault broke.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetRecord {
    /// Its service in the topology.
    pub service: String,
    /// Its container's name.
    pub container: String,
    /// The injection.
    pub inject: EdgeTimes,
    /// The heal, where it took place.
    pub heal: Option<EdgeTimes>,
    /// The effect was seen by an independent look (inspect), in words: `not running, exit code 137`.
    pub confirmed: Option<String>,
    /// It needs no heal: it was restarted, by the fault itself or by its restart policy.
    #[serde(default)]
    pub mended_itself: bool,
    /// Healing was seen by an independent look.
    pub heal_confirmed: Option<String>,
    /// What went wrong while injecting or healing.
    pub error: Option<String>,
}

/// What became of one planned fault (by its index in the plan).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultRecord {
    /// Index in `plan.faults`.
    pub index: usize,
    /// One entry per target.
    pub targets: Vec<TargetRecord>,
}

impl FaultRecord {
    /// The moment of effect: that of the first target.
    #[must_use]
    pub fn injected_at(&self) -> Option<Offset> {
        self.targets.iter().map(|t| t.inject.effect()).min()
    }

    /// The moment of healing: that of the last target. None while any target is not healed, and where
    /// none needs it.
    #[must_use]
    pub fn healed_at(&self) -> Option<Offset> {
        let to_heal = self.targets.iter().filter(|t| !t.mended_itself);
        let healed = to_heal.map(|t| t.heal.as_ref().map(EdgeTimes::effect));
        healed.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Every target's effect was seen; false where there is no target at all.
    #[must_use]
    pub fn confirmed(&self) -> bool {
        !self.targets.is_empty() && self.targets.iter().all(|t| t.confirmed.is_some())
    }
}
