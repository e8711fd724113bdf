//! When a started container counts as ready, and waiting until it does.

use super::error::{Named, UpError};
use super::{Docker, Engine};
use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, HealthStatusEnum};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Log lines that an error shows.
const LAST_LINES: usize = 20;
/// Between two looks without an event: events come at once, this is only for those that get lost.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What a container is brought up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Healthy where it has a healthcheck, else running (or ended well).
    Ready,
    /// Healthy; it must have a healthcheck.
    Healthy,
    /// Ended with code 0.
    Completed,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// There; the word for it: `running`, `healthy`, `completed`.
    Reached(&'static str),
    /// Not yet, and why.
    NotYet(String),
    /// It will not get there, and why.
    Failed(String),
}

/// Judges one look at a container.
pub fn judge(look: &ContainerInspectResponse, goal: Goal) -> Stage {
    let Some(state) = &look.state else {
        return Stage::NotYet("has no state".into());
    };
    let code = state.exit_code.unwrap_or_default();
    let ended = if state.oom_killed == Some(true) {
        format!("was killed for lack of memory (code {code})")
    } else {
        format!("exited with code {code}")
    };
    if state.restarting == Some(true) {
        return Stage::NotYet(format!("keeps restarting: it {ended}"));
    }
    if state.running != Some(true) {
        return match state.status {
            Some(ContainerStateStatusEnum::CREATED) => Stage::NotYet("has not started".into()),
            _ => match goal {
                Goal::Ready | Goal::Completed if code == 0 => Stage::Reached("completed"),
                Goal::Ready | Goal::Completed | Goal::Healthy => Stage::Failed(ended),
            },
        };
    }
    if goal == Goal::Completed {
        return Stage::NotYet("still runs".into());
    }
    let health = state.health.as_ref();
    match health.and_then(|h| h.status) {
        Some(HealthStatusEnum::HEALTHY) => Stage::Reached("healthy"),
        Some(HealthStatusEnum::STARTING) => Stage::NotYet("is not healthy yet".into()),
        Some(HealthStatusEnum::UNHEALTHY) => {
            let output = health
                .and_then(|h| h.log.as_ref()?.last()?.output.clone())
                .unwrap_or_default();
            let said = output.trim();
            Stage::Failed(if said.is_empty() {
                "is unhealthy".into()
            } else {
                format!("is unhealthy (its last check said: {said})")
            })
        }
        Some(HealthStatusEnum::EMPTY | HealthStatusEnum::NONE) | None => match goal {
            Goal::Healthy => {
                Stage::Failed("has no healthcheck, but a service waits for it to be healthy".into())
            }
            Goal::Ready | Goal::Completed => Stage::Reached("running"),
        },
    }
}

/// A container that is being brought up.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its service.
    pub service: String,
}

/// Until when, and whether somebody asked to stop.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The deadline.
    pub deadline: Instant,
    /// Its length, for the error.
    pub timeout: Duration,
    /// Asked to stop, or something else failed.
    pub halt: CancellationToken,
}

impl Docker {
    /// Waits until a container has reached its goal; the word for what it reached.
    pub(super) async fn until(
        &self,
        made: &Made,
        goal: Goal,
        limits: &Limits,
    ) -> Result<&'static str, UpError> {
        // Before the first look, so that nothing falls between.
        let mut events = self.events();
        loop {
            let why = match self.look(made, goal).await? {
                Stage::Reached(what) => return Ok(what),
                Stage::Failed(why) => return Err(self.failure(made, why).await),
                Stage::NotYet(why) => why,
            };
            if Instant::now() >= limits.deadline {
                let log = self.last_lines(made).await;
                let container = made.name.clone();
                return Err(UpError::NotReady {
                    after: limits.timeout,
                    container,
                    why,
                    log,
                });
            }
            let next_look = (Instant::now() + LOOK_AGAIN).min(limits.deadline);
            tokio::select! {
                () = limits.halt.cancelled() => return Err(UpError::Cancelled),
                () = tokio::time::sleep_until(next_look) => {}
                () = something_happened(&mut events, &made.id) => {}
            }
        }
    }

    /// Ends with the failure of a container that is up already and ends, or becomes unhealthy, while others still come up.
    pub(super) async fn first_loss(&self, all: &[Made], goals: impl Fn(&Made) -> Goal) -> UpError {
        let mut events = self.events();
        loop {
            let event = match events.recv().await {
                Ok(event) => event,
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => std::future::pending().await,
            };
            let Some(made) = all.iter().find(|made| made.id == event.container) else {
                continue;
            };
            if event.action != "die" && event.action != "health_status: unhealthy" {
                continue;
            }
            if let Ok(Stage::Failed(why)) = self.look(made, goals(made)).await {
                return self.failure(made, why).await;
            }
        }
    }

    pub(super) async fn look(&self, made: &Made, goal: Goal) -> Result<Stage, UpError> {
        let look = self.client.inspect_container(&made.id, None).await;
        Ok(judge(
            &look.named(|| format!("container {}", made.name))?,
            goal,
        ))
    }

    pub(super) async fn failure(&self, made: &Made, why: String) -> UpError {
        UpError::Failed {
            container: made.name.clone(),
            why,
            log: self.last_lines(made).await,
        }
    }

    /// Best effort: an error about a container must not be hidden by one about its log.
    async fn last_lines(&self, made: &Made) -> Vec<String> {
        self.log_tail(&made.id, LAST_LINES)
            .await
            .unwrap_or_default()
    }
}

async fn something_happened(
    events: &mut tokio::sync::broadcast::Receiver<super::EngineEvent>,
    id: &str,
) {
    loop {
        match events.recv().await {
            Ok(event) if event.container == id => return,
            Ok(_) => {}
            // Some were lost: look.
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{ContainerState, Health, HealthcheckResult};

    fn look(state: ContainerState) -> ContainerInspectResponse {
        ContainerInspectResponse {
            state: Some(state),
            ..ContainerInspectResponse::default()
        }
    }

    fn running(health: Option<HealthStatusEnum>) -> ContainerInspectResponse {
        let log = vec![HealthcheckResult {
            output: Some("no route\n".into()),
            ..HealthcheckResult::default()
        }];
        let health = health.map(|status| Health {
            status: Some(status),
            log: Some(log),
            ..Health::default()
        });
        look(ContainerState {
            running: Some(true),
            health,
            ..ContainerState::default()
        })
    }

    fn exited(code: i64) -> ContainerInspectResponse {
        look(ContainerState {
            running: Some(false),
            status: Some(ContainerStateStatusEnum::EXITED),
            exit_code: Some(code),
            ..ContainerState::default()
        })
    }

    #[test]
    fn a_container_with_a_healthcheck_is_ready_when_it_is_healthy() {
        assert_eq!(
            judge(&running(None), Goal::Ready),
            Stage::Reached("running")
        );
        assert_eq!(
            judge(&running(Some(HealthStatusEnum::HEALTHY)), Goal::Ready),
            Stage::Reached("healthy")
        );
        assert!(matches!(
            judge(&running(Some(HealthStatusEnum::STARTING)), Goal::Ready),
            Stage::NotYet(_)
        ));
        let Stage::Failed(why) = judge(&running(Some(HealthStatusEnum::UNHEALTHY)), Goal::Ready)
        else {
            panic!("unhealthy is a failure")
        };
        assert!(why.contains("no route"), "{why}");
    }

    #[test]
    fn waiting_for_the_health_of_a_container_without_a_healthcheck_fails_at_once() {
        assert!(matches!(
            judge(&running(None), Goal::Healthy),
            Stage::Failed(_)
        ));
    }

    #[test]
    fn only_an_end_with_code_zero_is_a_completion() {
        assert_eq!(
            judge(&exited(0), Goal::Completed),
            Stage::Reached("completed")
        );
        assert_eq!(judge(&exited(0), Goal::Ready), Stage::Reached("completed"));
        assert_eq!(
            judge(&exited(3), Goal::Ready),
            Stage::Failed("exited with code 3".into())
        );
        assert!(
            matches!(judge(&exited(0), Goal::Healthy), Stage::Failed(_)),
            "it will never be healthy"
        );
        assert!(matches!(
            judge(&running(None), Goal::Completed),
            Stage::NotYet(_)
        ));
    }

    #[test]
    fn a_restarting_container_is_waited_for_until_the_deadline() {
        let state = ContainerState {
            restarting: Some(true),
            exit_code: Some(1),
            ..ContainerState::default()
        };
        assert!(matches!(judge(&look(state), Goal::Ready), Stage::NotYet(_)));
    }
}
