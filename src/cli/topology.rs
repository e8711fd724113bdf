//! The one place where commands turn compose files, or a project that is up, into a topology.

use super::failure::Failure;
use crate::compose::topology::{Service, Topology};
use crate::compose::{self, LoadRequest};
use crate::engine::Engine;
use crate::engine::docker::Docker;
use crate::scenario::{self, Overrides, Scenario, TopologySource};
use crate::source::Mistake;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

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

/// Reads compose files. The scenario's variables lie above the environment's.
pub fn read(source: &TopologySource) -> Result<Read, Failure> {
    let mut env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect();
    env.extend(source.env.clone());
    let request = LoadRequest {
        files: source.files.clone(),
        profiles: source.profiles.clone(),
        project: source.project.clone(),
        env,
    };
    match compose::load(&request) {
        Ok(loaded) => Ok(Read {
            topology: loaded.topology,
            warnings: loaded.warnings,
        }),
        Err(e) => Err(Failure::Mistakes(e.mistakes().to_vec())),
    }
}

/// What files on a command line stand for: one scenario's topology, or compose files to merge. Profiles and
/// project of the command line go above those of the scenario.
pub fn named(
    files: &[PathBuf],
    profiles: &[String],
    project: Option<&str>,
) -> Result<TopologySource, Failure> {
    let is_scenario = |f: &PathBuf| f.extension().is_some_and(|e| e == "toml");
    let mut source = match files {
        [one] if is_scenario(one) => {
            let scenario = scenario::read(one, &Overrides::default())?;
            scenario.topology.ok_or_else(|| Failure::Usage {
                message: format!("{} has no topology", one.display()),
                help: "nothing is brought up for it; name a compose file instead".to_owned(),
            })?
        }
        many => match many.iter().find(|f| is_scenario(f)) {
            Some(scenario) => {
                let message = format!("{} is a scenario among compose files", scenario.display());
                return Err(Failure::Usage {
                    message,
                    help: "give one scenario, or compose files only".to_owned(),
                });
            }
            None => compose_files(files),
        },
    };
    source.profiles.extend(profiles.iter().cloned());
    source.project = project.map(str::to_owned).or(source.project);
    Ok(source)
}

/// Compose files that stand for themselves, without a scenario.
pub fn compose_files(files: &[PathBuf]) -> TopologySource {
    TopologySource {
        files: files.to_vec(),
        profiles: Vec::new(),
        project: None,
        env: BTreeMap::new(),
        ready_timeout: Duration::from_secs(120),
        span: 0..0,
    }
}

/// What is up of a project: its services, as far as faults need to know them.
pub async fn of_project(project: &str) -> Result<Topology, Failure> {
    let docker = Docker::connect().await?;
    let containers = docker.containers(project).await?;
    let mut topology = Topology {
        project: project.to_owned(),
        ..Topology::default()
    };
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
