//! `start`: starts a container that does not run, such as one that an earlier fault stopped for good, or a
//! late joiner. Healed by a stop only where the scenario asks for it (`heal_after`): a running service is what the
//! topology says, so that by default there is nothing to heal.

use super::{Effect, Kind, Site, Truth, Undo};
use crate::engine::{ContainerState, EngineError};
use async_trait::async_trait;

/// Starts a container.
#[derive(Debug)]
pub struct Start {
    /// The scenario wants it stopped again.
    pub heals: bool,
}

impl Start {
    /// What proves the effect.
    fn shows(&self, before: &ContainerState, after: &ContainerState) -> Option<String> {
        (!before.running && after.running).then(|| "running".to_owned())
    }
}

#[async_trait]
impl Kind for Start {
    fn name(&self) -> &'static str {
        "start"
    }

    async fn undo(
        &self,
        _: Site<'_>,
        before: &ContainerState,
    ) -> Result<Option<Undo>, EngineError> {
        Ok((self.heals && !before.running).then_some(Undo::Stop))
    }

    fn truth(&self) -> Truth {
        Truth::Event
    }

    fn event(&self) -> &'static str {
        "start"
    }

    async fn inject(&self, site: Site<'_>) -> Result<Effect, EngineError> {
        site.engine.start(&site.target.id).await?;
        Ok(Effect::default())
    }

    async fn confirm(
        &self,
        site: Site<'_>,
        before: &ContainerState,
    ) -> Result<Option<String>, EngineError> {
        Ok(self.shows(before, &site.engine.state(&site.target.id).await?))
    }
}
