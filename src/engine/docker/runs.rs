//! Whose the objects are that carry lbtest's label: the runs that made them.

use super::error::Named;
use super::{Docker, EngineError, labels};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
};
use futures_util::future;
use std::collections::{BTreeSet, HashMap};

impl Docker {
    /// Ids of the runs that have containers, networks or volumes: of one compose project, or of all.
    ///
    /// # Errors
    /// The engine's refusal.
    pub async fn runs(&self, project: Option<&str>) -> Result<BTreeSet<String>, EngineError> {
        let mut wanted = vec![labels::RUN.to_owned()];
        wanted.extend(project.map(|name| format!("{}={name}", labels::PROJECT)));
        let filters = labels::filter(&wanted);
        let containers = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        let networks = ListNetworksOptionsBuilder::new().filters(&filters).build();
        let volumes = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let (containers, networks, volumes) = future::join3(
            self.client.list_containers(Some(containers)),
            self.client.list_networks(Some(networks)),
            self.client.list_volumes(Some(volumes)),
        )
        .await;
        let containers = containers.named(|| "listing containers".into())?;
        let networks = networks.named(|| "listing networks".into())?;
        let volumes = volumes.named(|| "listing volumes".into())?.volumes;
        let run = |labels: Option<HashMap<String, String>>| labels?.remove(labels::RUN);
        Ok(containers
            .into_iter()
            .filter_map(|c| run(c.labels))
            .chain(networks.into_iter().filter_map(|n| run(n.labels)))
            .chain(
                volumes
                    .into_iter()
                    .flatten()
                    .filter_map(|v| run(Some(v.labels))),
            )
            .collect())
    }
}
