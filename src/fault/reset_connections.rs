//! `reset_connections`: the TCP connections that a target has at this moment break. Nothing is left to heal.

use super::beside::{Beside, effect};
use super::packets::matching;
use super::{Effect, Kind, Site, Undo};
use crate::engine::{Container, ContainerState, EngineError, Join};
use crate::sidecar::protocol::{Done, Order};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Destroys connections.
pub struct ResetConnections {
    /// The other side; none: everybody.
    peers: Option<Vec<Container>>,
    /// Of either side; empty: all.
    ports: Vec<u16>,
    beside: Beside,
    done: Mutex<BTreeMap<String, Done>>,
}

impl ResetConnections {
    /// With these peers, of these ports.
    #[must_use]
    pub fn new(peers: Option<Vec<Container>>, ports: Vec<u16>) -> Self {
        Self {
            peers,
            ports,
            beside: Beside::new(Join::Network),
            done: Mutex::default(),
        }
    }
}

#[async_trait]
impl Kind for ResetConnections {
    fn name(&self) -> &'static str {
        "reset_connections"
    }

    async fn arm(&self, site: Site<'_>) -> Result<(), EngineError> {
        self.beside.arm(site).await
    }

    async fn undo(&self, _: Site<'_>, _: &ContainerState) -> Result<Option<Undo>, EngineError> {
        Ok(None)
    }

    async fn inject(&self, site: Site<'_>) -> Result<Effect, EngineError> {
        let of = matching(site, self.peers.as_deref(), &self.ports).await?;
        let done = self.beside.ask(site, Order::ResetConnections(of)).await?;
        let effect = effect(site, &done);
        let mut all = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(site.target.id.clone(), done);
        Ok(effect)
    }

    /// The sidecar has looked a second time, and counts those that are gone.
    async fn confirm(
        &self,
        site: Site<'_>,
        _: &ContainerState,
    ) -> Result<Option<String>, EngineError> {
        let all = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let done = all.get(&site.target.id).filter(|d| d.count > 0);
        Ok(done.map(|d| d.seen.clone()))
    }

    async fn disarm(&self) {
        self.beside.let_go();
    }
}
