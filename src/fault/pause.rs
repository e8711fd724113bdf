//! `pause`: freezes all processes of the container. It hangs instead of dying: connections stay open, and new
//! ones are still completed by the kernel. Healed by unpause.

use super::{Kind, Truth, Undo};
use crate::engine::{Container, ContainerState, Engine, EngineError};
use async_trait::async_trait;

/// Freezes a container.
#[derive(Debug)]
pub struct Pause;

#[async_trait]
impl Kind for Pause {
    fn name(&self) -> &'static str {
        "pause"
    }

    fn undo(&self, before: &ContainerState) -> Option<Undo> {
        (!before.paused).then_some(Undo::Unpause)
    }

    fn truth(&self) -> Truth {
        Truth::Frozen
    }

    fn event(&self) -> &'static str {
        "pause"
    }

    async fn inject(&self, engine: &dyn Engine, target: &Container) -> Result<(), EngineError> {
        engine.pause(&target.id).await
    }

    fn confirm(&self, before: &ContainerState, after: &ContainerState) -> Option<String> {
        (!before.paused && after.paused).then(|| "paused".to_owned())
    }
}
