//! Faults: one file per kind, the conductor that injects and heals them on schedule, and the journal that
//! makes sure that nothing stays broken.
//!
//! A kind says how it breaks a container ([`Kind::inject`]), how that is undone ([`Kind::undo`]), which
//! moment is its true effect ([`Kind::truth`]) and how an independent look proves it ([`Kind::confirm`]).
//! `docs/faults.md` tells how to add one.

pub mod conductor;
pub mod edge;
pub mod external;
pub mod journal;
pub mod kill;
pub mod pause;
pub mod restart;
pub mod start;
pub mod stop;
#[cfg(test)]
mod tests;
pub mod undo;

use crate::engine::{Container, ContainerState, Engine, EngineError};
use crate::scenario::FaultKind;
use async_trait::async_trait;

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
    /// Nothing better than the engine's own event.
    Event,
}

/// One way to break a container.
#[async_trait]
pub trait Kind: Send + Sync {
    /// Its key in a scenario.
    fn name(&self) -> &'static str;

    /// What mends it again, given the state before the injection; none where nothing needs mending.
    fn undo(&self, before: &ContainerState) -> Option<Undo>;

    /// The observation that shows when it took effect.
    fn truth(&self) -> Truth;

    /// The engine's event that goes with it (`die`, `pause`, …).
    fn event(&self) -> &'static str;

    /// Breaks the container. Returns when the engine's call returns.
    ///
    /// # Errors
    /// What the engine answers.
    async fn inject(&self, engine: &dyn Engine, target: &Container) -> Result<(), EngineError>;

    /// Looks at the state after the injection: what proves the effect, in words, or none where it does not show.
    fn confirm(&self, before: &ContainerState, after: &ContainerState) -> Option<String>;
}

/// The kind of a scenario's fault; none for `external`, which breaks nothing itself. `heals`: the scenario sets a
/// time to heal it.
#[must_use]
pub fn kind_of(kind: &FaultKind, heals: bool) -> Option<Box<dyn Kind>> {
    match kind {
        FaultKind::Stop { grace } => Some(Box::new(stop::Stop { grace: *grace })),
        FaultKind::Kill { signal } => Some(Box::new(kill::Kill {
            signal: signal.clone(),
        })),
        FaultKind::Pause => Some(Box::new(pause::Pause)),
        FaultKind::Restart { grace } => Some(Box::new(restart::Restart { grace: *grace })),
        FaultKind::Start => Some(Box::new(start::Start { heals })),
        FaultKind::External => None,
    }
}
