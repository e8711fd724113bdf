//! The one place where commands turn compose files, or a project that is up, into a topology.

use super::failure::Failure;
use super::output;
use crate::compose::topology::Topology;
use crate::compose::{self, LoadRequest};
use crate::engine::EngineError;
use crate::engine::docker::Docker;
use crate::plan::Plan;
use crate::run::abilities::{self, Missing};
use crate::scenario::{self, Overrides, Scenario, TopologySource};
use crate::source::Mistake;
use std::collections::{BTreeMap, BTreeSet};
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
    let topology = docker.described(project).await?;
    if topology.services.is_empty() {
        return Err(Failure::environment(
            format!("project `{project}` has no container to attach to"),
            "`docker compose ls` lists the projects that are up",
        ));
    }
    Ok(topology)
}

/// Refuses faults in a project that somebody else made, unless the user gave it to lbtest to break.
pub async fn given_to_break(project: &str, allowed: bool, plan: &Plan) -> Result<(), Failure> {
    let hit: BTreeSet<&str> = plan
        .faults
        .iter()
        .flat_map(|f| f.targets.iter().map(String::as_str))
        .collect();
    if allowed || hit.is_empty() || !Docker::connect().await?.is_foreign(project).await? {
        return Ok(());
    }
    let whom = hit.into_iter().collect::<Vec<_>>().join(", ");
    Err(Failure::Usage {
        message: format!(
            "project `{project}` was not brought up by lbtest, and would be broken: {whom}"
        ),
        help: "`lbtest plan` lists what depends on it; if it may be broken, say --allow-faults"
            .to_owned(),
    })
}

/// What a plan's faults need and the engine's machine does not have; none where nothing must be looked at. An engine that
/// does not answer is no mistake of the file's: it is said.
pub fn what_is_missing(plan: &Plan) -> Result<Vec<Missing>, Failure> {
    if !abilities::depend_on_the_machine(plan) {
        return Ok(Vec::new());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::environment(format!("cannot start: {e}"), ""))?;
    let looked: Result<_, EngineError> = runtime.block_on(async {
        let docker = Docker::connect().await?;
        abilities::missing(&docker, plan).await
    });
    runtime.shutdown_background();
    looked.or_else(|error| {
        output::stderr(&format!(
            "whether the engine's machine can carry out its network faults was not looked at: {error}\n"
        ));
        Ok(Vec::new())
    })
}

/// The failure that says so.
pub fn lacking(missing: &[Missing]) -> Result<(), Failure> {
    let all: Vec<_> = missing
        .iter()
        .map(|m| format!("fault `{}`: {}", m.fault, m.what))
        .collect();
    if all.is_empty() {
        return Ok(());
    }
    Err(Failure::environment(
        all.join("\n"),
        "run it where the kernel has it, or leave the fault out",
    ))
}
