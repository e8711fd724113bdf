//! `kill`: a signal to the container's first process. Healed by a start where it ended by it.

use super::{Kind, Truth, Undo};
use crate::engine::{Container, ContainerState, Engine, EngineError};
use async_trait::async_trait;

/// Sends a signal.
#[derive(Debug)]
pub struct Kill {
    /// The signal's name, with `SIG`.
    pub signal: String,
}

impl Kill {
    /// Signals whose effect is the end of the process; others (SIGHUP, SIGUSR1, …) may do anything.
    fn is_deadly(&self) -> bool {
        [
            "SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGABRT", "SIGSEGV",
        ]
        .contains(&self.signal.as_str())
    }
}

#[async_trait]
impl Kind for Kill {
    fn name(&self) -> &'static str {
        "kill"
    }

    fn undo(&self, before: &ContainerState) -> Option<Undo> {
        before.running.then_some(Undo::Start)
    }

    fn truth(&self) -> Truth {
        if self.is_deadly() {
            Truth::ProcessDeath
        } else {
            Truth::Event
        }
    }

    fn event(&self) -> &'static str {
        if self.is_deadly() { "die" } else { "kill" }
    }

    async fn inject(&self, engine: &dyn Engine, target: &Container) -> Result<(), EngineError> {
        engine.kill(&target.id, &self.signal).await
    }

    fn confirm(&self, before: &ContainerState, after: &ContainerState) -> Option<String> {
        if !before.running {
            None
        } else if !after.running {
            Some(after.ended())
        } else if after.pid != before.pid {
            Some("ended, and was started again by its restart policy".to_owned())
        } else if self.is_deadly() {
            None
        } else {
            // The engine refuses a signal that it cannot deliver, so its answer is what there is to see.
            Some(format!("{} delivered, still running", self.signal))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadly_signal_that_left_the_process_alive_is_not_confirmed() {
        let up = ContainerState {
            running: true,
            pid: Some(7),
            ..ContainerState::default()
        };
        let again = ContainerState {
            pid: Some(9),
            ..up.clone()
        };
        let kill = Kill {
            signal: "SIGKILL".into(),
        };
        assert_eq!(kill.confirm(&up, &up), None);
        assert!(
            kill.confirm(&up, &again)
                .unwrap()
                .contains("restart policy")
        );
        assert!(
            Kill {
                signal: "SIGHUP".into()
            }
            .confirm(&up, &up)
            .unwrap()
            .contains("SIGHUP")
        );
    }
}
