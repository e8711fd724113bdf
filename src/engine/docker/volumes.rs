//! Volumes of a topology.

use super::error::{Named, UpError};
use super::{Docker, EngineError, labels};
use crate::compose::topology::{Mount, Topology, Volume};
use bollard::models::VolumeCreateRequest;
use futures_util::future;
use std::collections::{BTreeMap, HashMap};

/// The volume's name in the engine.
pub fn name_of(topology: &Topology, key: &str) -> String {
    topology
        .volumes
        .get(key)
        .map_or_else(|| format!("{}_{key}", topology.project), |v| v.name.clone())
}

impl Docker {
    /// Makes the volumes that services use. A name is looked at first: making one that is there would silently use it,
    /// with what somebody else left in it.
    pub(super) async fn make_volumes(&self, topology: &Topology, run: &str) -> Result<(), UpError> {
        let wanted = used(topology);
        let make = wanted.iter().map(|(key, volume)| async move {
            let there = match self
                .client
                .inspect_volume(&volume.name)
                .await
                .named(|| volume.name.clone())
            {
                Ok(_) => true,
                Err(EngineError::NotFound(_)) => false,
                Err(e) => return Err(UpError::Engine(e)),
            };
            match (volume.external, there) {
                (true, true) => return Ok(()),
                (true, false) => {
                    return Err(UpError::ExternalMissing {
                        kind: "volume",
                        name: volume.name.clone(),
                    });
                }
                (false, true) => {
                    return Err(UpError::Taken {
                        kind: "volume",
                        name: volume.name.clone(),
                    });
                }
                (false, false) => {}
            }
            let made = self
                .client
                .create_volume(request(&topology.project, run, key, volume))
                .await;
            made.doing(|| format!("making volume {}", volume.name))?;
            Ok(())
        });
        future::join_all(make).await.into_iter().collect()
    }
}

fn used(topology: &Topology) -> BTreeMap<String, Volume> {
    let mut volumes = topology.volumes.clone();
    for mount in topology.services.values().flat_map(|s| &s.mounts) {
        if let Mount::Volume {
            volume: Some(key), ..
        } = mount
        {
            volumes.entry(key.clone()).or_insert_with(|| Volume {
                name: format!("{}_{key}", topology.project),
                ..Volume::default()
            });
        }
    }
    volumes
}

fn request(project: &str, run: &str, key: &str, v: &Volume) -> VolumeCreateRequest {
    let opts: HashMap<String, String> = v.driver_opts.clone().into_iter().collect();
    VolumeCreateRequest {
        name: Some(v.name.clone()),
        driver: v.driver.clone(),
        driver_opts: (!opts.is_empty()).then_some(opts),
        labels: Some(labels::of_resource(
            project,
            run,
            labels::VOLUME,
            key,
            &v.labels,
        )),
        ..VolumeCreateRequest::default()
    }
}
