//! Faults: one file per kind, the conductor that injects and heals them on schedule, and the journal that
//! makes sure that nothing stays broken.
//!
//! A kind says how it breaks a target ([`Kind::inject`]), how that is undone ([`Kind::undo`]), which
//! moment is its true effect ([`Kind::truth`]) and how an independent look proves it ([`Kind::confirm`]).
//! `docs/faults.md` tells how to add one.

pub mod beside;
pub mod command;
pub mod conductor;
pub mod deed;
pub mod disconnect;
pub mod early;
pub mod edge;
pub mod exec;
pub mod external;
pub mod failpoint;
mod fill_disk;
mod freeze_process;
pub mod http;
pub mod journal;
pub mod kill;
mod kinds;
pub mod late;
pub mod leash;
pub mod limits;
pub mod linger;
mod operate;
pub mod packets;
pub mod pause;
pub mod reset_connections;
pub mod restart;
mod schedule;
pub mod sql;
pub mod start;
pub mod steering;
pub mod stop;
mod stress;
#[cfg(test)]
mod tests;
pub mod undo;

use crate::engine::{Container, ContainerState, Engine, EngineError, Join, SidecarSpec};
use async_trait::async_trait;
use std::time::Duration;
use tokio::time::Instant;

/// An engine that was asked for something that takes no time of its own has done it by then, however busy it is.
const AT_ONCE: Duration = Duration::from_secs(2);
/// The time that a container has for its end when nobody says otherwise. Source: `docker stop`, compose's
/// `stop_grace_period`.
const USUAL_GRACE: Duration = Duration::from_secs(10);

pub use kinds::{Cast, kind_of};
pub use undo::Undo;

/// Which observation shows the true moment of an effect, where engine and lbtest share a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// The container's first process ends.
    ProcessDeath,
    /// The container's cgroup is frozen.
    Frozen,
    /// The container's cgroup is thawed.
    Thawed,
    /// Nothing better than the engine's own event, or what the call itself says.
    Event,
}

/// Where a fault is carried out: one target, and what there is to do it with.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The engine.
    pub engine: &'a dyn Engine,
    /// Whom it hits.
    pub target: &'a Container,
    /// The run that does it.
    pub run: &'a str,
    /// The project that the target is of.
    pub project: &'a str,
    /// Tells this fault from the run's others.
    pub tag: &'a str,
}

impl Site<'_> {
    /// The sidecar of this fault beside this target.
    #[must_use]
    pub fn sidecar(&self, join: Join) -> SidecarSpec {
        SidecarSpec {
            target: self.target.id.clone(),
            name: self.target.name.clone(),
            join,
            run: self.run.to_owned(),
            project: self.project.to_owned(),
            tag: self.tag.to_owned(),
        }
    }
}

/// What a call that breaks or mends says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// When it took effect at the earliest and at the latest, where that is better known than by an observation from
    /// outside.
    pub at: Option<(Instant, Instant)>,
    /// What did it, where there is a choice: `nftables drop`.
    pub mechanism: Option<String>,
    /// What was seen of it, where nothing else can show it.
    pub seen: Option<String>,
}

impl Effect {
    /// Without what was seen, where there is something better to look at.
    #[must_use]
    fn unless(mut self, better: bool) -> Self {
        if better {
            self.seen = None;
        }
        self
    }
}

/// One way to break a target.
#[async_trait]
pub trait Kind: Send + Sync {
    /// Its key in a scenario.
    fn name(&self) -> &'static str;

    /// False where it hits no container, but something outside of the topology.
    fn hits_a_container(&self) -> bool {
        true
    }

    /// False for a target that nothing is done to: the side of a one-way partition whose packets arrive.
    fn hits(&self, _: &Container) -> bool {
        true
    }

    /// Makes ready before the load what would take its time at the moment of the fault.
    ///
    /// # Errors
    /// What the engine answers: the fault could not take place.
    async fn arm(&self, _site: Site<'_>) -> Result<(), EngineError> {
        Ok(())
    }

    /// What mends it again, given the state before the injection; none where nothing needs mending.
    ///
    /// # Errors
    /// What must be known for it cannot be found out: then nothing may be broken.
    async fn undo(
        &self,
        site: Site<'_>,
        before: &ContainerState,
    ) -> Result<Option<Undo>, EngineError>;

    /// The observation that shows when it took effect.
    fn truth(&self) -> Truth {
        Truth::Event
    }

    /// The engine's event that goes with it (`die`, `pause`, …); empty: none.
    fn event(&self) -> &'static str {
        ""
    }

    /// Breaks the target. Returns when the call returns.
    ///
    /// # Errors
    /// What the engine answers.
    async fn inject(&self, site: Site<'_>) -> Result<Effect, EngineError>;

    /// How long an injection that was under way when lbtest died may still take effect afterwards.
    fn lingers(&self) -> Duration {
        AT_ONCE
    }

    /// Looks after the injection: what proves the effect, in words, or none where it does not show (yet).
    ///
    /// # Errors
    /// It cannot be looked at.
    async fn confirm(
        &self,
        site: Site<'_>,
        before: &ContainerState,
    ) -> Result<Option<String>, EngineError>;

    /// Just before the heal: what ended the effect before, in words. None where it lasted, and where the look that comes
    /// before a heal tells by itself. `during`: the target when the effect was seen; `now`: none while the engine does not
    /// answer.
    async fn over_early(
        &self,
        _site: Site<'_>,
        _during: &ContainerState,
        _now: Option<&ContainerState>,
    ) -> Option<String> {
        None
    }

    /// False where it is part of the effect that it ends by itself: a killed container that its restart policy brings
    /// back.
    fn lasts(&self) -> bool {
        true
    }

    /// Mends it: the quickest way, while the run is alive. The undo in the journal does the same without this kind.
    ///
    /// # Errors
    /// What the engine answers; it is tried again.
    async fn heal(&self, site: Site<'_>, undo: &Undo) -> Result<Effect, EngineError> {
        // A look came before, where one can tell.
        undo.carry_out(site.engine, &site.target.id).await
    }

    /// Looks whether it is mended: in words, or none. The quickest way, while the run is alive; see [`Undo::look`].
    ///
    /// # Errors
    /// It cannot be looked at.
    async fn is_healed(&self, site: Site<'_>, undo: &Undo) -> Result<Option<String>, EngineError> {
        undo.look(site.engine, &site.target.id).await
    }

    /// After the end: lets go of what [`Self::arm`] made ready.
    async fn disarm(&self) {}
}
