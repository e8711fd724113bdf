//! `partition`, `delay`, `loss`, `bandwidth`: packet rules in the targets' network namespaces, by a sidecar each.
//!
//! The rules belong to the sidecar's socket: the kernel removes them when it is gone, however it went.

use super::beside::{Beside, effect};
use super::{Effect, Kind, Site, Undo};
use crate::engine::{Container, ContainerState, EngineError, Join};
use crate::sidecar::protocol::{Leftover, Match, Order, Rules, Treatment};
use async_trait::async_trait;
use futures_util::future::try_join_all;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Which packets of one target are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    /// The other side; none: everybody but itself.
    pub peers: Option<Vec<Container>>,
    /// Those it receives.
    pub incoming: bool,
    /// Those it sends.
    pub outgoing: bool,
}

/// A fault of packets.
pub struct Packets {
    name: &'static str,
    treatment: Treatment,
    ports: Vec<u16>,
    /// By the target's id.
    meant: BTreeMap<String, Meant>,
    beside: Beside,
    /// Packets that were seen to be treated, by the target's id: two sides of a partition prove each other's effect, for
    /// where one side's packets vanish the other one falls silent.
    counted: Mutex<BTreeMap<String, u64>>,
    /// The networks that a target was in when its packets were seen to be treated, by the target's id.
    networks: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
}

impl Packets {
    /// Of the kind `name`, for the targets that `meant` holds.
    #[must_use]
    pub fn new(
        name: &'static str,
        treatment: Treatment,
        ports: Vec<u16>,
        meant: BTreeMap<String, Meant>,
    ) -> Self {
        Self {
            name,
            treatment,
            ports,
            meant,
            beside: Beside::new(Join::Network),
            counted: Mutex::default(),
            networks: Mutex::default(),
        }
    }

    async fn rules(&self, site: Site<'_>) -> Result<Rules, EngineError> {
        let Some(meant) = self.meant.get(&site.target.id) else {
            return Err(refused(site, "no packets of it are meant"));
        };
        Ok(Rules {
            treatment: self.treatment,
            incoming: meant.incoming,
            outgoing: meant.outgoing,
            of: matching(site, meant.peers.as_deref(), &self.ports).await?,
        })
    }

    /// What of the networks that its packets were seen in it is in no longer.
    async fn taken_off(&self, site: Site<'_>) -> Option<String> {
        let now = networks(site).await.ok()?;
        let all = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.get(&site.target.id)?;
        let gone = before.iter().filter(|(id, _)| !now.contains_key(*id));
        let names: Vec<_> = gone.map(|(_, name)| name.as_str()).collect();
        let names = names.join(", ");
        (!names.is_empty()).then(|| format!("it was taken off {names} while the fault was on"))
    }

    fn total(&self, target: &str, count: u64) -> u64 {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.insert(target.to_owned(), count);
        counted.values().sum()
    }
}

/// Names by id.
async fn networks(site: Site<'_>) -> Result<BTreeMap<String, String>, EngineError> {
    let there = site.engine.endpoints(&site.target.id).await?;
    Ok(there.into_iter().map(|e| (e.network, e.name)).collect())
}

fn refused(site: Site<'_>, answer: &str) -> EngineError {
    EngineError::Refused {
        what: format!("packet rules in container {}", site.target.name),
        answer: answer.to_owned(),
    }
}

/// Peers by the addresses that they have now: a restart may give them others.
///
/// # Errors
/// None of them has an address: a rule without addresses would be one for everybody.
pub async fn matching(
    site: Site<'_>,
    peers: Option<&[Container]>,
    ports: &[u16],
) -> Result<Match, EngineError> {
    let ports = ports.to_vec();
    let Some(peers) = peers else {
        return Ok(Match {
            peers: Vec::new(),
            ports,
        });
    };
    let others = peers.iter().filter(|p| p.id != site.target.id);
    let looks = others.map(|peer| site.engine.endpoints(&peer.id));
    let found = try_join_all(looks).await?;
    let mut peers: Vec<_> = found
        .into_iter()
        .flatten()
        .flat_map(|e| e.addresses)
        .collect();
    peers.sort_unstable();
    peers.dedup();
    if peers.is_empty() {
        return Err(refused(site, "none of its peers has an address now"));
    }
    Ok(Match { peers, ports })
}

#[async_trait]
impl Kind for Packets {
    fn name(&self) -> &'static str {
        self.name
    }

    fn hits(&self, target: &Container) -> bool {
        self.meant.contains_key(&target.id)
    }

    async fn arm(&self, site: Site<'_>) -> Result<(), EngineError> {
        self.beside.arm(site).await
    }

    async fn undo(&self, site: Site<'_>, _: &ContainerState) -> Result<Option<Undo>, EngineError> {
        Ok(Some(self.beside.undo(site, Some(Leftover::Rules))))
    }

    async fn inject(&self, site: Site<'_>) -> Result<Effect, EngineError> {
        let rules = self.rules(site).await?;
        let done = self.beside.ask(site, Order::Rules(rules)).await?;
        Ok(effect(site, &done))
    }

    async fn confirm(
        &self,
        site: Site<'_>,
        _: &ContainerState,
    ) -> Result<Option<String>, EngineError> {
        let done = self.beside.look(site).await?;
        if self.total(&site.target.id, done.count) == 0 {
            return Ok(None);
        }
        let in_them = networks(site).await?;
        let mut all = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(site.target.id.clone(), in_them);
        Ok(Some(done.seen))
    }

    async fn over_early(
        &self,
        site: Site<'_>,
        during: &ContainerState,
        now: Option<&ContainerState>,
    ) -> Option<String> {
        let held = self.beside.over_early(site, during, now, false).await;
        match held {
            Some(why) => Some(why),
            None => self.taken_off(site).await,
        }
    }

    async fn heal(&self, site: Site<'_>, undo: &Undo) -> Result<Effect, EngineError> {
        self.beside.heal(site, undo).await
    }

    async fn disarm(&self) {
        self.beside.let_go();
    }
}

/// Which packets of each member of a partition are stopped: where they arrive, because a sender whose packets are
/// stopped at home gets an error instead of silence. Members that nothing is stopped at are not in it.
#[must_use]
pub fn partitioned(
    first: &[Container],
    second: &[Container],
    to_second: bool,
    to_first: bool,
) -> BTreeMap<String, Meant> {
    let stopped = |at: &[Container], from: &[Container]| -> Vec<(String, Meant)> {
        let meant = Meant {
            peers: Some(from.to_vec()),
            incoming: true,
            outgoing: false,
        };
        at.iter().map(|c| (c.id.clone(), meant.clone())).collect()
    };
    let mut all = BTreeMap::new();
    if to_second {
        all.extend(stopped(second, first));
    }
    if to_first {
        all.extend(stopped(first, second));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(service: &str) -> Container {
        Container {
            id: format!("id-{service}"),
            name: service.to_owned(),
            service: service.to_owned(),
            number: 1,
        }
    }

    #[test]
    fn a_partition_of_one_way_stops_packets_where_they_arrive() {
        let (a, b) = (vec![container("a")], vec![container("b"), container("c")]);
        let one_way = partitioned(&a, &b, true, false);
        assert_eq!(one_way.keys().collect::<Vec<_>>(), ["id-b", "id-c"]);
        assert_eq!(one_way["id-b"].peers.as_deref(), Some(&a[..]));
        assert!(one_way.values().all(|m| m.incoming && !m.outgoing));
        assert_eq!(partitioned(&a, &b, true, true).len(), 3);
        assert_eq!(partitioned(&a, &b, false, true).len(), 1);
    }
}
