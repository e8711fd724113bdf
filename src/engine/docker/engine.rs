//! What faults ask of an engine, as calls of the Docker API.

use super::error::Named;
use super::{
    Container, ContainerState, Docker, Endpoint, Engine, EngineError, EngineEvent, Executed,
    Limits, Sidecar, SidecarSpec, labels,
};
use crate::sidecar::protocol::Leftover;
use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::models::{ContainerInspectResponse, ContainerSummary, HealthStatusEnum};
use bollard::query_parameters::{
    KillContainerOptionsBuilder, ListContainersOptionsBuilder, LogsOptionsBuilder,
    RestartContainerOptionsBuilder, StopContainerOptionsBuilder,
};
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

/// What a stop may take beyond its grace.
const BEYOND_GRACE: Duration = Duration::from_secs(120);
/// A container's own grace is not known here without asking, and asking would delay the fault.
const UNKNOWN_GRACE: Duration = Duration::from_secs(3600);

impl Docker {
    /// A client whose calls may last as long as a stop with this grace.
    fn patient(&self, grace: Option<Duration>) -> bollard::Docker {
        self.client
            .clone()
            .with_timeout(grace.unwrap_or(UNKNOWN_GRACE).saturating_add(BEYOND_GRACE))
    }

    /// Every container that carries a project's label, whoever made it, running or not.
    pub(super) async fn all_of(&self, project: &str) -> Result<Vec<ContainerSummary>, EngineError> {
        let filters = labels::filter(&[format!("{}={project}", labels::PROJECT)]);
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        self.client
            .list_containers(Some(options))
            .await
            .named(|| format!("listing the containers of project {project}"))
    }
}

/// Whole seconds, as the API takes them, rounded up: a grace is not cut short.
pub(super) fn whole_seconds(d: Duration) -> i32 {
    let seconds = d.as_secs().saturating_add(u64::from(d.subsec_nanos() > 0));
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// A container of a listing; none where it carries no service (compose did not make it), or is one of
/// `docker compose run`, which has its service's name and number and is no part of what serves.
pub(super) fn container_of(summary: &ContainerSummary) -> Option<Container> {
    let labels = summary.labels.as_ref()?;
    if labels
        .get(labels::ONEOFF)
        .is_some_and(|oneoff| oneoff == "True")
    {
        return None;
    }
    Some(Container {
        id: summary.id.clone()?,
        name: summary
            .names
            .as_ref()?
            .first()?
            .trim_start_matches('/')
            .to_owned(),
        service: labels.get(labels::SERVICE)?.clone(),
        number: labels
            .get(labels::NUMBER)
            .and_then(|n| n.parse().ok())
            .unwrap_or(1),
    })
}

/// The state in an inspection.
pub(super) fn state_of(inspected: &ContainerInspectResponse) -> ContainerState {
    let Some(state) = &inspected.state else {
        return ContainerState::default();
    };
    let running = state.running.unwrap_or(false);
    let health = state
        .health
        .as_ref()
        .and_then(|h| h.status)
        .and_then(|status| match status {
            HealthStatusEnum::EMPTY | HealthStatusEnum::NONE => None,
            HealthStatusEnum::STARTING
            | HealthStatusEnum::HEALTHY
            | HealthStatusEnum::UNHEALTHY => Some(status.to_string()),
        });
    ContainerState {
        running,
        paused: state.paused.unwrap_or(false),
        pid: state
            .pid
            .and_then(|pid| u32::try_from(pid).ok())
            .filter(|pid| *pid > 0),
        exit_code: state.exit_code.filter(|_| !running),
        started_at: state
            .started_at
            .clone()
            .filter(|at| !at.starts_with("0001-")),
        health,
    }
}

#[async_trait]
impl Engine for Docker {
    async fn containers(&self, project: &str) -> Result<Vec<Container>, EngineError> {
        let listed = self.all_of(project).await?;
        let mut containers = Vec::new();
        for summary in &listed {
            let Some(container) = container_of(summary) else {
                continue;
            };
            if summary
                .labels
                .as_ref()
                .is_some_and(|labels| self.is_ours(labels))
            {
                self.remember(&container.id);
            }
            containers.push(container);
        }
        containers
            .sort_by(|a, b| (&a.service, a.number, &a.name).cmp(&(&b.service, b.number, &b.name)));
        Ok(containers)
    }

    async fn state(&self, id: &str) -> Result<ContainerState, EngineError> {
        let inspected = self
            .client
            .inspect_container(id, None)
            .await
            .named(|| format!("container {id}"))?;
        Ok(state_of(&inspected))
    }

    async fn stop(&self, id: &str, grace: Option<Duration>) -> Result<(), EngineError> {
        self.guard(id).await?;
        let options = grace.map(|g| {
            StopContainerOptionsBuilder::new()
                .t(whole_seconds(g))
                .build()
        });
        self.patient(grace)
            .stop_container(id, options)
            .await
            .named(|| format!("stopping container {id}"))
    }

    async fn kill(&self, id: &str, signal: &str) -> Result<(), EngineError> {
        self.guard(id).await?;
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        self.client
            .kill_container(id, Some(options))
            .await
            .named(|| format!("sending {signal} to container {id}"))
    }

    async fn pause(&self, id: &str) -> Result<(), EngineError> {
        self.guard(id).await?;
        self.client
            .pause_container(id)
            .await
            .named(|| format!("pausing container {id}"))
    }

    async fn unpause(&self, id: &str) -> Result<(), EngineError> {
        self.guard(id).await?;
        self.client
            .unpause_container(id)
            .await
            .named(|| format!("unpausing container {id}"))
    }

    async fn restart(&self, id: &str, grace: Option<Duration>) -> Result<(), EngineError> {
        self.guard(id).await?;
        let options = grace.map(|g| {
            RestartContainerOptionsBuilder::new()
                .t(whole_seconds(g))
                .build()
        });
        self.patient(grace)
            .restart_container(id, options)
            .await
            .named(|| format!("restarting container {id}"))
    }

    async fn start(&self, id: &str) -> Result<(), EngineError> {
        self.guard(id).await?;
        self.client
            .start_container(id, None)
            .await
            .named(|| format!("starting container {id}"))
    }

    async fn endpoints(&self, id: &str) -> Result<Vec<Endpoint>, EngineError> {
        self.endpoints_of(id).await
    }

    async fn disconnect(&self, id: &str, network: &str) -> Result<(), EngineError> {
        self.guard(id).await?;
        self.take_off(id, network).await
    }

    async fn connect(&self, id: &str, endpoint: &Endpoint) -> Result<(), EngineError> {
        self.guard(id).await?;
        self.put_back(id, endpoint).await
    }

    async fn limits(&self, id: &str) -> Result<Limits, EngineError> {
        self.limits_of(id).await
    }

    async fn set_limits(&self, id: &str, limits: &Limits) -> Result<(), EngineError> {
        // The inherent one.
        Self::set_limits(self, id, limits).await
    }

    async fn exec(
        &self,
        id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<Executed, EngineError> {
        self.guard(id).await?;
        self.execute(id, command, timeout).await
    }

    async fn sidecar(&self, spec: &SidecarSpec) -> Result<Arc<dyn Sidecar>, EngineError> {
        self.attach_sidecar(spec).await
    }

    async fn sidecars(&self, spec: &SidecarSpec) -> Result<Vec<String>, EngineError> {
        let found = self.sidecars_of(spec).await?;
        Ok(found.into_iter().map(|(_, name)| name).collect())
    }

    async fn mend(
        &self,
        spec: &SidecarSpec,
        leftover: Option<&Leftover>,
    ) -> Result<String, EngineError> {
        self.mend_after(spec, leftover).await
    }

    async fn log_tail(&self, id: &str, lines: usize) -> Result<Vec<String>, EngineError> {
        let options = LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .tail(&lines.to_string())
            .build();
        let mut stream = std::pin::pin!(self.client.logs(id, Some(options)));
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.next().await {
            let chunk: LogOutput = chunk.named(|| format!("logs of container {id}"))?;
            bytes.extend_from_slice(&chunk.into_bytes());
        }
        let text = String::from_utf8_lossy(&bytes);
        Ok(text
            .lines()
            .map(|line| line.trim_end_matches('\r').to_owned())
            .collect())
    }

    fn events(&self) -> broadcast::Receiver<EngineEvent> {
        self.shared.events.subscribe()
    }

    fn shares_our_kernel(&self) -> bool {
        self.shared.our_kernel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_of_compose_run_is_none_of_its_service() {
        let summary = |oneoff: &str| ContainerSummary {
            id: Some("1".into()),
            names: Some(vec!["/p-app-1".into()]),
            labels: Some(
                [(labels::SERVICE, "app"), (labels::ONEOFF, oneoff)]
                    .map(|(k, v)| (k.to_owned(), v.to_owned()))
                    .into(),
            ),
            ..ContainerSummary::default()
        };
        assert!(container_of(&summary("False")).is_some());
        assert_eq!(container_of(&summary("True")), None);
    }

    #[test]
    fn a_grace_is_never_cut_short() {
        assert_eq!(whole_seconds(Duration::ZERO), 0);
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(7)), 7);
        assert_eq!(whole_seconds(Duration::MAX), i32::MAX);
    }
}
