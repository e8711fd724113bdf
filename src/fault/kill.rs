//! `kill`: a signal to the container's first process. Healed by a start where it ended by it.

use super::{Effect, Kind, Site, Truth, Undo};
use crate::engine::{ContainerState, EngineError};
use async_trait::async_trait;
use std::time::Duration;

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

impl Kill {
    /// What proves the effect.
    fn shows(&self, before: &ContainerState, after: &ContainerState) -> Option<String> {
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

#[async_trait]
impl Kind for Kill {
    fn name(&self) -> &'static str {
        "kill"
    }

    async fn undo(
        &self,
        _: Site<'_>,
        before: &ContainerState,
    ) -> Result<Option<Undo>, EngineError> {
        Ok(before.running.then_some(Undo::Start))
    }

    /// A restart policy may bring it back after a while.
    fn lasts(&self) -> bool {
        false
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

    async fn inject(&self, site: Site<'_>) -> Result<Effect, EngineError> {
        site.engine.kill(&site.target.id, &self.signal).await?;
        Ok(Effect::default())
    }

    fn lingers(&self) -> Duration {
        match self.signal.as_str() {
            "SIGKILL" => super::AT_ONCE,
            // Its process may take leave.
            _ => super::USUAL_GRACE + super::AT_ONCE,
        }
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
        assert_eq!(kill.shows(&up, &up), None);
        assert!(kill.shows(&up, &again).unwrap().contains("restart policy"));
        assert!(
            Kill {
                signal: "SIGHUP".into()
            }
            .shows(&up, &up)
            .unwrap()
            .contains("SIGHUP")
        );
    }
}
