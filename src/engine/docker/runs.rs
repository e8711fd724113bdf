//! The objects that carry lbtest's label, and whose they are: the runs that made them.

use super::error::Named;
use super::{Docker, EngineError, labels};
use bollard::models::{ContainerSummary, Network, Volume};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
};
use futures_util::future;
use std::collections::{BTreeSet, HashMap};

/// One look at the engine's objects of certain labels.
pub struct Labelled {
    /// Containers, also those that do not run.
    pub containers: Vec<ContainerSummary>,
    /// Networks.
    pub networks: Vec<Network>,
    /// Volumes.
    pub volumes: Vec<Volume>,
}

impl Docker {
    /// Everything that a filter of labels lets through.
    pub(super) async fn labelled(
        &self,
        filters: &HashMap<String, Vec<String>>,
    ) -> Result<Labelled, EngineError> {
        let containers = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(filters)
            .build();
        let networks = ListNetworksOptionsBuilder::new().filters(filters).build();
        let volumes = ListVolumesOptionsBuilder::new().filters(filters).build();
        let (containers, networks, volumes) = future::join3(
            self.client.list_containers(Some(containers)),
            self.client.list_networks(Some(networks)),
            self.client.list_volumes(Some(volumes)),
        )
        .await;
        let volumes = volumes.named(|| "listing volumes".into())?.volumes;
        Ok(Labelled {
            containers: containers.named(|| "listing containers".into())?,
            networks: networks.named(|| "listing networks".into())?,
            volumes: volumes.unwrap_or_default(),
        })
    }

    /// Ids of the runs that have containers, networks or volumes: of one compose project, or of all.
    ///
    /// # Errors
    /// The engine's refusal.
    pub async fn runs(&self, project: Option<&str>) -> Result<BTreeSet<String>, EngineError> {
        let mut wanted = vec![labels::RUN.to_owned()];
        wanted.extend(project.map(|name| format!("{}={name}", labels::PROJECT)));
        let there = self.labelled(&labels::filter(&wanted)).await?;
        let containers = there.containers.into_iter().map(|c| c.labels);
        let networks = there.networks.into_iter().map(|n| n.labels);
        let volumes = there.volumes.into_iter().map(|v| Some(v.labels));
        let all = containers.chain(networks).chain(volumes);
        Ok(all
            .filter_map(|labels| labels?.remove(labels::RUN))
            .collect())
    }
}
