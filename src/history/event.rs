//! What happened besides operations: faults with their measured moments, and events from every source.

use super::Outcome;
use crate::clock::Offset;
use serde::{Deserialize, Serialize};

/// What an event of source `lbtest` begins with that somebody caused by hand while the run was under way.
pub const BY_HAND: &str = "by hand: ";

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

/// A figure that an observer measured at a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub at: Offset,
    /// Who measured: `host`, `docker`, `postgres`, `haproxy`, ….
    pub source: String,
    /// Of what: a service, `host`, `lbtest`.
    pub subject: String,
    /// What: `cpu`, `replication_lag`, ….
    pub metric: String,
    /// Its unit: `ratio`, `cores`, `bytes`, `ms`, `count`, `per_second`.
    pub unit: String,
    /// The value; none where there was nothing to measure.
    pub value: Option<f64>,
}

/// One operation that is worth a look for itself: a failed one, or the slowest of its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exemplar {
    /// Index of the workload in the plan.
    pub load: usize,
    /// Its intended time.
    pub intended: Offset,
    /// `done − intended`.
    pub latency: std::time::Duration,
    /// What became of it.
    pub outcome: Outcome,
    /// Who answered, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The trace that its `traceparent` named: 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// The moments of one call that breaks or mends one container, all on the run's clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EdgeTimes {
    /// Just before the call to the engine.
    pub called: Offset,
    /// When it really took effect (pidfd, …), where that could be observed.
    pub truth: Option<Offset>,
    /// When it took effect at the earliest, where the truth is an interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truth_from: Option<Offset>,
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

    /// How far the effect may lie from [`Self::effect`]: zero for an observed truth (or the length of the
    /// interval that it lies in), else the length of the call
    /// (or of the part of it up to the event).
    #[must_use]
    pub fn uncertainty(&self) -> std::time::Duration {
        if let Some(truth) = self.truth {
            self.truth_from
                .map_or(std::time::Duration::ZERO, |from| truth - from)
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
    /// What broke it, where there is a choice: `nftables drop`, `xt NFQUEUE`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
    /// It needs no heal: it was restarted, by the fault itself or by its restart policy.
    #[serde(default)]
    pub mended_itself: bool,
    /// Healing was seen by an independent look.
    pub heal_confirmed: Option<String>,
    /// The effect did not last until the heal, in words: it was restarted, removed, mended by somebody else, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_early: Option<String>,
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
