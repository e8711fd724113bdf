//! `restart`: stop and start in one call of the engine. It mends itself, so nothing is left to heal.

use super::{Kind, Truth, Undo};
use crate::engine::{Container, ContainerState, Engine, EngineError};
use async_trait::async_trait;
use std::time::Duration;

/// Restarts a container.
#[derive(Debug)]
pub struct Restart {
    /// Time until SIGKILL; none: the container's own.
    pub grace: Option<Duration>,
}

#[async_trait]
impl Kind for Restart {
    fn name(&self) -> &'static str {
        "restart"
    }

    /// Should lbtest die between the stop and the start, the start is what is missing.
    fn undo(&self, before: &ContainerState) -> Option<Undo> {
        before.running.then_some(Undo::Start)
    }

    fn truth(&self) -> Truth {
        Truth::ProcessDeath
    }

    fn event(&self) -> &'static str {
        "die"
    }

    async fn inject(&self, engine: &dyn Engine, target: &Container) -> Result<(), EngineError> {
        engine.restart(&target.id, self.grace).await
    }

    fn confirm(&self, before: &ContainerState, after: &ContainerState) -> Option<String> {
        let anew =
            after.running && (after.pid != before.pid || after.started_at != before.started_at);
        anew.then(|| "running again, as a new process".to_owned())
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
        assert_eq!(restart.confirm(&up, &up), None);
        assert!(restart.confirm(&up, &anew).is_some());
        assert_eq!(
            restart.confirm(&up, &ContainerState::default()),
            None,
            "stopped is not restarted"
        );
    }
}
