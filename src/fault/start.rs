//! `start`: starts a container that does not run, such as one that an earlier fault stopped for good, or a
//! late joiner. Healed by a stop only where the scenario asks for it (`heal_after`): a running service is what the
//! topology says, so that by default there is nothing to heal.

use super::{Kind, Truth, Undo};
use crate::engine::{Container, ContainerState, Engine, EngineError};
use async_trait::async_trait;

/// Starts a container.
#[derive(Debug)]
pub struct Start {
    /// The scenario wants it stopped again.
    pub heals: bool,
}

#[async_trait]
impl Kind for Start {
    fn name(&self) -> &'static str {
        "start"
    }

    fn undo(&self, before: &ContainerState) -> Option<Undo> {
        (self.heals && !before.running).then_some(Undo::Stop)
    }

    fn truth(&self) -> Truth {
        Truth::Event
    }

    fn event(&self) -> &'static str {
        "start"
    }

    async fn inject(&self, engine: &dyn Engine, target: &Container) -> Result<(), EngineError> {
        engine.start(&target.id).await
    }

    fn confirm(&self, before: &ContainerState, after: &ContainerState) -> Option<String> {
        (!before.running && after.running).then(|| "running".to_owned())
    }
}
