//! No engine: where nothing is brought up, faults that need no container are carried out all the same.

use super::{
    Container, ContainerState, Endpoint, Engine, EngineError, EngineEvent, Executed, Limits,
    Sidecar, SidecarSpec,
};
use crate::sidecar::protocol::Leftover;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

/// An engine that has no container.
#[derive(Debug, Clone, Copy)]
pub struct Absent;

fn nobody<T>() -> Result<T, EngineError> {
    Err(EngineError::Refused {
        what: "a fault in a container".to_owned(),
        answer: "the scenario has no topology".to_owned(),
    })
}

#[async_trait]
impl Engine for Absent {
    async fn containers(&self, _: &str) -> Result<Vec<Container>, EngineError> {
        Ok(Vec::new())
    }
    async fn state(&self, _: &str) -> Result<ContainerState, EngineError> {
        nobody()
    }
    async fn stop(&self, _: &str, _: Option<Duration>) -> Result<(), EngineError> {
        nobody()
    }
    async fn kill(&self, _: &str, _: &str) -> Result<(), EngineError> {
        nobody()
    }
    async fn pause(&self, _: &str) -> Result<(), EngineError> {
        nobody()
    }
    async fn unpause(&self, _: &str) -> Result<(), EngineError> {
        nobody()
    }
    async fn restart(&self, _: &str, _: Option<Duration>) -> Result<(), EngineError> {
        nobody()
    }
    async fn start(&self, _: &str) -> Result<(), EngineError> {
        nobody()
    }
    async fn endpoints(&self, _: &str) -> Result<Vec<Endpoint>, EngineError> {
        nobody()
    }
    async fn disconnect(&self, _: &str, _: &str) -> Result<(), EngineError> {
        nobody()
    }
    async fn connect(&self, _: &str, _: &Endpoint) -> Result<(), EngineError> {
        nobody()
    }
    async fn limits(&self, _: &str) -> Result<Limits, EngineError> {
        nobody()
    }
    async fn set_limits(&self, _: &str, _: &Limits) -> Result<(), EngineError> {
        nobody()
    }
    async fn exec(&self, _: &str, _: &[String], _: Duration) -> Result<Executed, EngineError> {
        nobody()
    }
    async fn sidecar(&self, _: &SidecarSpec) -> Result<Arc<dyn Sidecar>, EngineError> {
        nobody()
    }
    async fn sidecars(&self, _: &SidecarSpec) -> Result<Vec<String>, EngineError> {
        nobody()
    }
    async fn mend(&self, _: &SidecarSpec, _: Option<&Leftover>) -> Result<String, EngineError> {
        nobody()
    }
    async fn log_tail(&self, _: &str, _: usize) -> Result<Vec<String>, EngineError> {
        nobody()
    }
    fn events(&self) -> broadcast::Receiver<EngineEvent> {
        broadcast::channel(1).1
    }
    fn shares_our_kernel(&self) -> bool {
        false
    }
}
