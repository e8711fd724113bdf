//! A project for each test, taken down and seen to be gone whatever the test did; and services to put in it.

use lbtest::compose::topology::{
    Attachment, Condition, Dependency, Healthcheck, Service, Topology,
};
use lbtest::engine::Engine;
use lbtest::engine::docker::{Docker, Scope, UpError, UpOptions};
use lbtest::notice::{Notice, Notices};
use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

pub const BASE: &str = "debian:bookworm-slim";

/// One test's project: taken down, and seen to be gone, whatever the test did.
pub struct Project {
    pub docker: Docker,
    pub name: String,
    pub notices: Notices,
    pub told: tokio::sync::mpsc::UnboundedReceiver<Notice>,
}

impl Project {
    pub async fn new(test: &str) -> Self {
        let executable = PathBuf::from(env!("CARGO_BIN_EXE_lbtest"));
        let docker = Docker::connect_as(executable)
            .await
            .unwrap_or_else(|e| panic!("these tests need Docker: {e}"));
        let looked = docker.examine(&[BASE], &[]).await.expect("an engine");
        assert!(
            looked.images[0].present,
            "these tests need the image {BASE}: run `make base-image`"
        );
        let name = format!("lbtest-t-engine-{test}");
        let (notices, told) = Notices::channel();
        docker.down(&name, &notices).await.expect("a clean start");
        Self {
            docker,
            name,
            notices,
            told,
        }
    }

    pub fn topology(
        &self,
        services: impl IntoIterator<Item = (&'static str, Service)>,
    ) -> Topology {
        let services = services
            .into_iter()
            .map(|(name, service)| (name.to_owned(), service))
            .collect();
        Topology {
            project: self.name.clone(),
            working_dir: "/".into(),
            services,
            ..Topology::default()
        }
    }

    pub async fn up(&self, topology: &Topology) -> Result<(), UpError> {
        self.up_within(topology, Duration::from_secs(60), &CancellationToken::new())
            .await
    }

    pub async fn up_within(
        &self,
        topology: &Topology,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), UpError> {
        let options = UpOptions {
            run: format!("run-of-{}", self.name),
            ready_timeout: limit,
        };
        self.docker
            .up(topology, &options, &self.notices, cancel)
            .await
    }

    pub async fn id_of(&self, service: &str) -> String {
        let all = self.docker.containers(&self.name).await.expect("a list");
        all.into_iter()
            .find(|c| c.service == service)
            .expect("the service's container")
            .id
    }
}

/// Runs a test with a project; a test that panics is cleaned up after all the same.
pub async fn with<F: Future<Output = ()> + Send + 'static>(
    test: &'static str,
    body: impl FnOnce(Project) -> F + Send + 'static,
) {
    let project = Project::new(test).await;
    let (docker, name) = (project.docker.clone(), project.name.clone());
    let outcome = tokio::spawn(body(project)).await;
    docker
        .down(&name, &Notices::channel().0)
        .await
        .expect("taken down");
    let left = docker
        .leftovers(&Scope::Project(name.clone()))
        .await
        .expect("a look");
    assert!(left.is_empty(), "left behind: {left:?}");
    let again = docker
        .down(&name, &Notices::channel().0)
        .await
        .expect("down of nothing is no error");
    assert!(again.is_empty());
    if let Err(e) = outcome {
        std::panic::resume_unwind(e.into_panic());
    }
}

pub fn shell(script: &str) -> Service {
    Service {
        image: Some(BASE.into()),
        command: Some(["sh", "-c", script].map(str::to_owned).into()),
        networks: [("default".to_owned(), Attachment::default())].into(),
        replicas: 1,
        // `sh` as the first process ignores SIGTERM.
        init: Some(true),
        config_hash: "0123".into(),
        ..Service::default()
    }
}

pub fn sleeper() -> Service {
    shell("sleep 1000")
}

pub fn check(command: &str, interval_ms: u64) -> Option<Healthcheck> {
    Some(Healthcheck::Test {
        test: vec!["CMD-SHELL".into(), command.into()],
        interval: Some(Duration::from_millis(interval_ms)),
        timeout: Some(Duration::from_secs(5)),
        retries: Some(2),
        start_period: None,
        start_interval: None,
    })
}

pub fn after(
    service: &str,
    condition: Condition,
) -> std::collections::BTreeMap<String, Dependency> {
    [(
        service.to_owned(),
        Dependency {
            condition,
            required: true,
        },
    )]
    .into()
}

/// The kill's return does not promise that the state is written.
pub async fn wait_for_end(docker: &Docker, id: &str) -> Option<i64> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let state = docker.state(id).await.expect("a state");
        if !state.running || Instant::now() > deadline {
            return state.exit_code;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
