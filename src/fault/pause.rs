//! `pause`: freezes all processes of the container. It hangs instead of dying: connections stay open, and new
//! ones are still completed by the kernel. Healed by unpause.

use super::{Effect, Kind, Site, Truth, Undo, early};
use crate::engine::{ContainerState, EngineError};
use async_trait::async_trait;

/// Freezes a container.
#[derive(Debug)]
pub struct Pause;

impl Pause {
    /// What proves the effect.
    fn shows(&self, before: &ContainerState, after: &ContainerState) -> Option<String> {
        (!before.paused && after.paused).then(|| "paused".to_owned())
    }
}

#[async_trait]
impl Kind for Pause {
    fn name(&self) -> &'static str {
        "pause"
    }

    async fn undo(
        &self,
        _: Site<'_>,
        before: &ContainerState,
    ) -> Result<Option<Undo>, EngineError> {
        Ok((!before.paused).then_some(Undo::Unpause))
    }

    fn truth(&self) -> Truth {
        Truth::Frozen
    }

    fn event(&self) -> &'static str {
        "pause"
    }

    async fn inject(&self, site: Site<'_>) -> Result<Effect, EngineError> {
        site.engine.pause(&site.target.id).await?;
        Ok(Effect::default())
    }

    async fn confirm(
        &self,
        site: Site<'_>,
        before: &ContainerState,
    ) -> Result<Option<String>, EngineError> {
        Ok(self.shows(before, &site.engine.state(&site.target.id).await?))
    }

    async fn over_early(
        &self,
        _: Site<'_>,
        during: &ContainerState,
        now: Option<&ContainerState>,
    ) -> Option<String> {
        early::restarted(during, now?)
    }
}
