//! The container engine: what the run and the faults ask of it.
//!
//! [`Engine`] is what faults need and what the simulated engine of the tests implements; bringing a topology up
//! and down is `docker`'s own.

pub mod docker;
pub mod simulated;

use async_trait::async_trait;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;

/// One container of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The engine's id.
    pub id: String,
    /// Its name, without a slash.
    pub name: String,
    /// Its service.
    pub service: String,
    /// Its number within the service, from 1.
    pub number: u32,
}

/// The state of a container, as an independent look shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerState {
    /// It runs (also while paused).
    pub running: bool,
    /// It is frozen.
    pub paused: bool,
    /// Its first process, as the engine's machine counts; none while it does not run.
    pub pid: Option<u32>,
    /// Exit code of the last end.
    pub exit_code: Option<i64>,
    /// When it was last started, as the engine says it (to tell a restart from none).
    pub started_at: Option<String>,
    /// Health, where it has a healthcheck: `starting`, `healthy`, `unhealthy`.
    pub health: Option<String>,
}

/// Something the engine saw. `at` is when lbtest received it.
#[derive(Debug, Clone)]
pub struct EngineEvent {
    /// Receipt.
    pub at: Instant,
    /// The container's id.
    pub container: String,
    /// Its service, by label.
    pub service: String,
    /// `kill`, `die`, `stop`, `start`, `pause`, `unpause`, `restart`, `oom`, `health_status: healthy`, ….
    pub action: String,
    /// Further attributes worth keeping: `signal=9`, `exitCode=137`.
    pub detail: String,
}

/// An engine call that went wrong. The message names its subject.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The engine cannot be reached.
    #[error("cannot reach the Docker engine: {0}")]
    Unreachable(String),
    /// There is no such container, network, volume or image.
    #[error("{0} does not exist")]
    NotFound(String),
    /// The engine refused, with its own words.
    #[error("{what}: {answer}")]
    Refused {
        /// What was asked.
        what: String,
        /// The engine's answer.
        answer: String,
    },
    /// The object does not carry the project's labels, so lbtest will not touch it.
    #[error("{0} was not made by this project; lbtest does not touch it")]
    NotOurs(String),
}

/// What faults ask of an engine. Every method waits for the call to return.
#[async_trait]
pub trait Engine: Send + Sync {
    /// The containers of a project (also those that do not run), by service and number.
    async fn containers(&self, project: &str) -> Result<Vec<Container>, EngineError>;
    /// An independent look at one container.
    async fn state(&self, id: &str) -> Result<ContainerState, EngineError>;
    /// Stop; SIGKILL after the grace (none: the container's own). A stopped one is left as it is.
    async fn stop(&self, id: &str, grace: Option<Duration>) -> Result<(), EngineError>;
    /// Send a signal to its first process.
    async fn kill(&self, id: &str, signal: &str) -> Result<(), EngineError>;
    /// Freeze.
    async fn pause(&self, id: &str) -> Result<(), EngineError>;
    /// Thaw.
    async fn unpause(&self, id: &str) -> Result<(), EngineError>;
    /// Stop and start.
    async fn restart(&self, id: &str, grace: Option<Duration>) -> Result<(), EngineError>;
    /// Start. A running one is left as it is.
    async fn start(&self, id: &str) -> Result<(), EngineError>;
    /// The last lines of its output, oldest first.
    async fn log_tail(&self, id: &str, lines: usize) -> Result<Vec<String>, EngineError>;
    /// Events of the project's containers from now on.
    fn events(&self) -> broadcast::Receiver<EngineEvent>;
    /// True where the engine's processes are this machine's, so that a pidfd can be opened on them.
    fn shares_our_kernel(&self) -> bool;
}

impl ContainerState {
    /// How it ended, in words.
    #[must_use]
    pub fn ended(&self) -> String {
        match self.exit_code {
            Some(code) => format!("not running, exit code {code}"),
            None => "not running".to_owned(),
        }
    }
}
