//! `stop`: the container's stop signal, then SIGKILL after the grace. Healed by a start.

use super::{Effect, Kind, Site, Truth, Undo, early};
use crate::engine::{ContainerState, EngineError};
use async_trait::async_trait;
use std::time::Duration;

/// Stops a container.
#[derive(Debug)]
pub struct Stop {
    /// Time until SIGKILL; none: the container's own.
    pub grace: Option<Duration>,
}

impl Stop {
    /// What proves the effect.
    fn shows(&self, before: &ContainerState, after: &ContainerState) -> Option<String> {
        (before.running && !after.running).then(|| after.ended())
    }
}

#[async_trait]
impl Kind for Stop {
    fn name(&self) -> &'static str {
        "stop"
    }

    async fn undo(
        &self,
        _: Site<'_>,
        before: &ContainerState,
    ) -> Result<Option<Undo>, EngineError> {
        Ok(before.running.then_some(Undo::Start))
    }

    fn truth(&self) -> Truth {
        Truth::ProcessDeath
    }

    fn event(&self) -> &'static str {
        "die"
    }

    async fn inject(&self, site: Site<'_>) -> Result<Effect, EngineError> {
        site.engine.stop(&site.target.id, self.grace).await?;
        Ok(Effect::default())
    }

    fn lingers(&self) -> Duration {
        self.grace.unwrap_or(super::USUAL_GRACE) + super::AT_ONCE
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_was_not_running_proves_no_stop() {
        let stop = Stop { grace: None };
        let down = ContainerState {
            exit_code: Some(143),
            ..ContainerState::default()
        };
        let up = ContainerState {
            running: true,
            ..ContainerState::default()
        };
        assert_eq!(
            stop.shows(&up, &down).unwrap(),
            "not running, exit code 143"
        );
        assert_eq!(stop.shows(&down, &down), None);
        assert_eq!(stop.shows(&up, &up), None);
    }
}
