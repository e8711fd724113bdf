//! `stop`: the container's stop signal, then SIGKILL after the grace. Healed by a start.

use super::{Kind, Truth, Undo};
use crate::engine::{Container, ContainerState, Engine, EngineError};
use async_trait::async_trait;
use std::time::Duration;

/// Stops a container.
#[derive(Debug)]
pub struct Stop {
    /// Time until SIGKILL; none: the container's own.
    pub grace: Option<Duration>,
}

#[async_trait]
impl Kind for Stop {
    fn name(&self) -> &'static str {
        "stop"
    }

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
        engine.stop(&target.id, self.grace).await
    }

    fn confirm(&self, before: &ContainerState, after: &ContainerState) -> Option<String> {
        (before.running && !after.running).then(|| after.ended())
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
            stop.confirm(&up, &down).unwrap(),
            "not running, exit code 143"
        );
        assert_eq!(stop.confirm(&down, &down), None);
        assert_eq!(stop.confirm(&up, &up), None);
        assert_eq!(
            stop.undo(&down),
            None,
            "what was not running is not started by a heal"
        );
    }
}
