//! The one place where commands turn compose files, or a project that is up, into a topology.

use super::failure::Failure;
use crate::compose::topology::{Service, Topology};
use crate::compose::{self, LoadRequest};
use crate::engine::Engine;
use crate::engine::docker::Docker;
use crate::scenario::{Scenario, TopologySource};
use crate::source::Mistake;

/// A topology and what is odd about its files.
pub struct Read {
    /// The topology.
    pub topology: Topology,
    /// Keys that are not carried out, and the like.
    pub warnings: Vec<Mistake>,
}

/// Reads the topology of a scenario, where it has one.
pub fn of_scenario(scenario: &Scenario) -> Result<Option<Read>, Failure> {
    scenario.topology.as_ref().map(read).transpose()
}

/// Reads compose files.
pub fn read(source: &TopologySource) -> Result<Read, Failure> {
    let mut env: std::collections::BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect();
    env.extend(source.env.clone());
    let request = LoadRequest {
        files: source.files.clone(),
        profiles: source.profiles.clone(),
        project: source.project.clone(),
        env,
    };
    let loaded =
        compose::load(&request).map_err(|e| Failure::Mistakes(e.mistakes().to_vec()))?;
    Ok(Read { topology: loaded.topology, warnings: loaded.warnings })
}

/// What is up of a project: its services, as far as faults need to know them.
pub async fn of_project(project: &str) -> Result<Topology, Failure> {
    let docker = Docker::connect().await?;
    let containers = docker.containers(project).await?;
    let mut topology = Topology { project: project.to_owned(), ..Topology::default() };
    for container in containers {
        let service: &mut Service = topology.services.entry(container.service).or_default();
        service.replicas = service.replicas.max(container.number);
    }
    if topology.services.is_empty() {
        return Err(Failure::environment(
            format!("project `{project}` has no container to attach to"),
            "`docker compose ls` lists the projects that are up",
        ));
    }
    Ok(topology)
}
