//! `disconnect`: a container is taken off networks of its topology, and put back with its aliases and fixed addresses.

use super::{Effect, Kind, Site, Undo};
use crate::engine::{ContainerState, Endpoint, EngineError};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Takes containers off networks.
#[derive(Debug)]
pub struct Disconnect {
    /// Keys of the topology; empty: all.
    networks: Vec<String>,
    /// By the target's id, what the undo was made of: the same that is taken off.
    chosen: Mutex<BTreeMap<String, Vec<Endpoint>>>,
}

impl Disconnect {
    /// From networks by their keys; none: from all.
    #[must_use]
    pub fn new(networks: Vec<String>) -> Self {
        Self {
            networks,
            chosen: Mutex::default(),
        }
    }

    fn chosen(&self, site: Site<'_>) -> Vec<Endpoint> {
        let chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.get(&site.target.id).cloned().unwrap_or_default()
    }
}

#[async_trait]
impl Kind for Disconnect {
    fn name(&self) -> &'static str {
        "disconnect"
    }

    async fn undo(&self, site: Site<'_>, _: &ContainerState) -> Result<Option<Undo>, EngineError> {
        let mut there = site.engine.endpoints(&site.target.id).await?;
        let wanted = |e: &Endpoint| {
            let key = e.key.as_ref().unwrap_or(&e.name);
            self.networks.is_empty() || self.networks.contains(key)
        };
        there.retain(wanted);
        if there.is_empty() {
            return Err(EngineError::Refused {
                what: format!("disconnecting container {}", site.target.name),
                answer: "it is in none of these networks".to_owned(),
            });
        }
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.insert(site.target.id.clone(), there.clone());
        Ok(Some(Undo::Connect(there)))
    }

    async fn inject(&self, site: Site<'_>) -> Result<Effect, EngineError> {
        for endpoint in self.chosen(site) {
            let network = &endpoint.network;
            site.engine.disconnect(&site.target.id, network).await?;
        }
        Ok(Effect::default())
    }

    async fn confirm(
        &self,
        site: Site<'_>,
        _: &ContainerState,
    ) -> Result<Option<String>, EngineError> {
        let now = site.engine.endpoints(&site.target.id).await?;
        let chosen = self.chosen(site);
        let off = |e: &Endpoint| !now.iter().any(|n| n.network == e.network);
        let names: Vec<_> = chosen.iter().map(|e| e.name.as_str()).collect();
        let all_off = chosen.iter().all(off);
        Ok(all_off.then(|| format!("not in {}", names.join(", "))))
    }

    async fn over_early(
        &self,
        site: Site<'_>,
        _: &ContainerState,
        _: Option<&ContainerState>,
    ) -> Option<String> {
        let now = site.engine.endpoints(&site.target.id).await.ok()?;
        let mut chosen = self.chosen(site);
        chosen.retain(|e| now.iter().any(|n| n.network == e.network));
        let back: Vec<_> = chosen.iter().map(|e| e.name.as_str()).collect();
        let back = back.join(", ");
        (!back.is_empty()).then(|| format!("it was put into {back} again while the fault was on"))
    }
}
