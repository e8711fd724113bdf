//! `restart`: stop and start in one call of the engine. It mends itself, so nothing is left to heal.

use super::{Effect, Kind, Site, Truth, Undo};
use crate::engine::{ContainerState, EngineError};
use async_trait::async_trait;
use std::time::Duration;

/// Restarts a container.
#[derive(Debug)]
pub struct Restart {
    /// Time until SIGKILL; none: the container's own.
    pub grace: Option<Duration>,
}

impl Restart {
    /// What proves the effect.
    fn shows(&self, before: &ContainerState, after: &ContainerState) -> Option<String> {
        let anew =
            after.running && (after.pid != before.pid || after.started_at != before.started_at);
        anew.then(|| "running again, as a new process".to_owned())
    }
}

#[async_trait]
impl Kind for Restart {
    fn name(&self) -> &'static str {
        "restart"
    }

    /// Should lbtest die between the stop and the start, the start is what is missing.
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
        site.engine.restart(&site.target.id, self.grace).await?;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_process_proves_no_restart() {
        let restart = Restart { grace: None };
        let up = ContainerState {
            running: true,
            pid: Some(7),
            started_at: Some("1".into()),
            ..ContainerState::default()
        };
        let anew = ContainerState {
            started_at: Some("2".into()),
            ..up.clone()
        };
        assert_eq!(restart.shows(&up, &up), None);
        assert!(restart.shows(&up, &anew).is_some());
        assert_eq!(
            restart.shows(&up, &ContainerState::default()),
            None,
            "stopped is not restarted"
        );
    }
}
