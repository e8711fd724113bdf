//! The container engine: what the run and the faults ask of it.
//!
//! [`Engine`] is what faults need and what the simulated engine of the tests implements; bringing a topology up
//! and down is `docker`'s own.

pub mod absent;
pub mod docker;
pub mod simulated;

use crate::sidecar::protocol::{Done, Leftover, Order};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;
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

/// A container's place in one network: all that is needed to put it there again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The network's id.
    pub network: String,
    /// The network's name.
    pub name: String,
    /// Its key in the compose file, where compose or lbtest made it.
    pub key: Option<String>,
    /// Names that its peers know it by there.
    pub aliases: Vec<String>,
    /// Links, as the engine holds them.
    #[serde(default)]
    pub links: Vec<String>,
    /// The fixed IPv4 address that was asked for.
    pub fixed_ipv4: Option<String>,
    /// The fixed IPv6 address that was asked for.
    pub fixed_ipv6: Option<String>,
    /// Its addresses there, now.
    pub addresses: Vec<IpAddr>,
}

/// What a container may use; 0: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Billionths of a CPU. A container has either this or a quota.
    pub nano_cpus: i64,
    /// Microseconds in which the quota may be used; 0: the kernel's 100 ms.
    pub cpu_period: i64,
    /// Microseconds of CPU in each period.
    pub cpu_quota: i64,
    /// Bytes.
    pub memory: i64,
    /// Bytes of memory and swap together; -1: as much swap as there is.
    pub memory_swap: i64,
}

/// How a command in a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// Its exit code.
    pub code: i64,
    /// What it wrote, both streams, the first kilobytes of it.
    pub output: String,
}

/// What of a target a sidecar shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// Its network, with the right to change it.
    Network,
    /// Its processes, with the right to send them signals.
    Processes,
    /// Its files, through its processes.
    Files,
    /// Its cgroup: the host's tree of cgroups.
    Cgroup,
}

/// Which sidecar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SidecarSpec {
    /// The target's id.
    pub target: String,
    /// The target's name, for people and for the sidecar's own name.
    pub name: String,
    /// What it shares.
    pub join: Join,
    /// The run that it belongs to.
    pub run: String,
    /// The target's project.
    pub project: String,
    /// Tells sidecars of one target and run apart.
    pub tag: String,
}

/// A running sidecar. It ends, undoing what it did, when it is dropped.
#[async_trait]
pub trait Sidecar: Send + Sync {
    /// Tells it to do something, and waits for its answer.
    ///
    /// # Errors
    /// What it answers, or that it is gone.
    async fn ask(&self, order: Order) -> Result<Done, EngineError>;
    /// Its target's first process at the time it joined: after a restart it is beside the wrong namespace.
    fn joined(&self) -> Option<u32>;
    /// False once it is known to be gone: it ended, or the connection to it did.
    fn lives(&self) -> bool {
        true
    }
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
    /// The networks that it is in.
    async fn endpoints(&self, id: &str) -> Result<Vec<Endpoint>, EngineError>;
    /// Takes it off a network, by the network's id.
    async fn disconnect(&self, id: &str, network: &str) -> Result<(), EngineError>;
    /// Puts it into a network again, with aliases and fixed addresses.
    async fn connect(&self, id: &str, endpoint: &Endpoint) -> Result<(), EngineError>;
    /// Its limits.
    async fn limits(&self, id: &str) -> Result<Limits, EngineError>;
    /// Sets its limits; those that are 0 become none.
    async fn set_limits(&self, id: &str, limits: &Limits) -> Result<(), EngineError>;
    /// Runs a command in it, without a shell, and waits for its end.
    async fn exec(
        &self,
        id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<Executed, EngineError>;
    /// Starts a sidecar and waits until it is ready.
    async fn sidecar(&self, spec: &SidecarSpec) -> Result<Arc<dyn Sidecar>, EngineError>;
    /// Names of the sidecars that are there, running or not, of this target and tag.
    async fn sidecars(&self, spec: &SidecarSpec) -> Result<Vec<String>, EngineError>;
    /// Removes the sidecars of this target and tag, and then what they may have left. Says what it saw. Doing it twice
    /// does no harm.
    async fn mend(
        &self,
        spec: &SidecarSpec,
        leftover: Option<&Leftover>,
    ) -> Result<String, EngineError>;
    /// The last lines of its output, oldest first.
    async fn log_tail(&self, id: &str, lines: usize) -> Result<Vec<String>, EngineError>;
    /// Events of the project's containers from now on.
    fn events(&self) -> broadcast::Receiver<EngineEvent>;
    /// True where the engine's processes are this machine's, so that a pidfd can be opened on them.
    fn shares_our_kernel(&self) -> bool;
}

impl Container {
    /// A target is a service, or `service.number`.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.service == name || format!("{}.{}", self.service, self.number) == name
    }
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
