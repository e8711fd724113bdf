//! The Docker engine through its API: what faults ask of it ([`super::Engine`]), and bringing topologies up and down.

mod abilities;
mod build;
mod connect;
mod container;
mod content;
mod context;
mod described;
mod dockerfile;
mod doctor;
mod down;
mod endpoints;
mod engine;
mod error;
mod events;
mod exec;
mod images;
pub mod labels;
mod limits;
mod networks;
mod order;
mod own_image;
mod owned;
mod ports;
mod ready;
mod runs;
mod sidecar;
mod up;
mod volumes;

use super::{
    Container, ContainerState, Endpoint, Engine, EngineError, EngineEvent, Executed, Join, Limits,
    Sidecar, SidecarSpec,
};
use bollard::Docker as Client;
use engine::state_of;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use doctor::{Examination, ImagePresence, PortUse};
pub use down::{Removed, Scope};
pub use error::UpError;
pub use own_image::{EXECUTABLE, SELF_IMAGE};
pub use up::UpOptions;

/// A connection to a Docker engine. Cheap to clone; the event stream ends with the last clone.
#[derive(Debug, Clone)]
pub struct Docker {
    client: Client,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    host: String,
    our_kernel: bool,
    executable: PathBuf,
    events: broadcast::Sender<EngineEvent>,
    /// Projects that somebody else made and the user gave lbtest to break.
    allowed: Mutex<HashSet<String>>,
    /// Ids of containers that were found to be ours to touch; a container's labels never change.
    known: Mutex<HashSet<String>>,
    _following: DropGuard,
}

impl Docker {
    /// Connects: `DOCKER_HOST` or the Unix socket, TLS by `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH`, the API version
    /// negotiated, and the event stream followed from now on.
    ///
    /// # Errors
    /// [`EngineError::Unreachable`], saying what to do.
    pub async fn connect() -> Result<Self, EngineError> {
        Self::connect_as(std::env::current_exe().unwrap_or_default()).await
    }

    /// Connects, with an executable that is not the running one as the content of `lbtest:self` (tests of the library
    /// run from an executable of their own, which cannot serve as `lbtest`).
    ///
    /// # Errors
    /// [`EngineError::Unreachable`], saying what to do.
    pub async fn connect_as(executable: PathBuf) -> Result<Self, EngineError> {
        let (client, host) = connect::connect().await?;
        let our_kernel = connect::shares_our_kernel(&client, &host).await;
        let (events, _) = broadcast::channel(events::BACKLOG);
        let end = CancellationToken::new();
        tokio::spawn(events::follow(client.clone(), events.clone(), end.clone()));
        let shared = Shared {
            host,
            our_kernel,
            executable,
            events,
            allowed: Mutex::default(),
            known: Mutex::default(),
            _following: end.drop_guard(),
        };
        Ok(Self {
            client,
            shared: Arc::new(shared),
        })
    }

    /// Lets faults touch the containers of a project that lbtest did not make.
    pub fn allow(&self, project: &str) {
        lock(&self.shared.allowed).insert(project.to_owned());
    }

    /// True where the engine has at least this API version (1.41, 1.44, …).
    fn speaks(&self, minor: usize) -> bool {
        let version = self.client.client_version();
        (version.major_version, version.minor_version) >= (1, minor)
    }
}

/// A poisoned lock only means that a thread died between two statements: the sets are whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
