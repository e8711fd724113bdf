//! A sidecar in a container, spoken to as lbtest does: by its input and output.

use bollard::Docker;
use bollard::container::AttachContainerResults;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, KillContainerOptionsBuilder, TopOptionsBuilder,
};
use futures_util::StreamExt;
use lbtest::engine::docker::SELF_IMAGE;
use lbtest::sidecar::protocol::{Answer, Done, Order, Request};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

pub struct Sidecar {
    docker: Docker,
    id: String,
    pipes: AttachContainerResults,
    last: u64,
}

impl Sidecar {
    /// It is removed by the engine as it ends, and ends with its input: also where a test panics.
    pub async fn start(config: HostConfig) -> Self {
        let docker = Docker::connect_with_defaults().expect("an engine");
        let docker = docker.negotiate_version().await.expect("a version");
        let body = ContainerCreateBody {
            image: Some(SELF_IMAGE.to_owned()),
            cmd: Some(vec!["sidecar".to_owned()]),
            open_stdin: Some(true),
            stdin_once: Some(true),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            network_disabled: Some(true),
            host_config: Some(HostConfig {
                auto_remove: Some(true),
                cap_drop: Some(vec!["ALL".to_owned()]),
                ..config
            }),
            ..ContainerCreateBody::default()
        };
        let made = docker.create_container(None, body).await.expect("made");
        let options = AttachContainerOptionsBuilder::new()
            .stdin(true)
            .stdout(true)
            .stream(true)
            .build();
        let pipes = docker.attach_container(&made.id, Some(options)).await;
        docker
            .start_container(&made.id, None)
            .await
            .expect("started");
        let mut sidecar = Self {
            docker,
            id: made.id,
            pipes: pipes.expect("attached"),
            last: 0,
        };
        let ready = sidecar.answer().await;
        assert!(ready.id == 0 && ready.result.is_ok(), "{ready:?}");
        sidecar
    }

    async fn answer(&mut self) -> Answer {
        let line = self.pipes.output.next().await.expect("an answer");
        serde_json::from_slice(&line.expect("a line").into_bytes()).expect("an answer")
    }

    pub async fn order(&mut self, order: Order) -> Result<Done, String> {
        self.last += 1;
        let request = Request {
            id: self.last,
            order,
        };
        let line = serde_json::to_string(&request).expect("JSON") + "\n";
        let input = &mut self.pipes.input;
        input.write_all(line.as_bytes()).await.expect("told");
        input.flush().await.expect("told");
        let answer = self.answer().await;
        assert_eq!(answer.id, self.last);
        answer.result
    }

    /// Looks until what is to be seen is seen.
    pub async fn look_until(&mut self, what: &str, seen: impl Fn(&Done) -> bool + Send) {
        let deadline = Deadline::start();
        while !seen(&self.order(Order::Look).await.expect("a look")) {
            deadline.wait(what).await;
        }
    }

    /// Closes its input and waits until it is gone.
    pub async fn end(mut self) {
        self.pipes.input.shutdown().await.expect("closed");
        drop(self.pipes);
        gone(&self.docker, &self.id).await;
    }

    /// It has no chance to undo anything.
    pub async fn kill(self) {
        let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        let killed = self.docker.kill_container(&self.id, Some(options)).await;
        killed.expect("killed");
        gone(&self.docker, &self.id).await;
    }
}

async fn gone(docker: &Docker, id: &str) {
    let deadline = Deadline::start();
    while docker.inspect_container(id, None).await.is_ok() {
        deadline.wait("the sidecar is gone").await;
    }
}

/// How many processes of a container are stopped, as the engine's machine sees them.
async fn stopped(id: &str) -> usize {
    let docker = Docker::connect_with_defaults().expect("an engine");
    let docker = docker.negotiate_version().await.expect("a version");
    let options = TopOptionsBuilder::new().ps_args("-o pid,stat").build();
    let top = docker
        .top_processes(id, Some(options))
        .await
        .expect("a list");
    let rows = top.processes.unwrap_or_default();
    rows.iter()
        .filter(|row| row.get(1).is_some_and(|state| state.starts_with('T')))
        .count()
}

/// Waits until just so many are.
pub async fn until_stopped(id: &str, count: usize) {
    let deadline = Deadline::start();
    while stopped(id).await != count {
        deadline.wait("just as many processes are stopped").await;
    }
}

/// For conditions that hold soon.
pub struct Deadline(Instant);

impl Deadline {
    pub fn start() -> Self {
        Self(Instant::now() + Duration::from_secs(20))
    }

    pub async fn wait(&self, what: &str) {
        assert!(Instant::now() < self.0, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
