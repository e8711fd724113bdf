//! From nothing to ready: images, containers, and a first good answer to every workload.

use super::ground::Ground;
use super::{RunError, Spec};
use crate::compose::topology::{Restart, Topology};
use crate::engine::Engine;
use crate::engine::docker::UpError;
use crate::load;
use crate::notice::{Notice, Notices, Phase};
use crate::scenario::Workload;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Where no topology sets a deadline.
const READY_TIMEOUT: Duration = Duration::from_secs(120);
/// Log lines shown of a container that ended.
const LAST_WORDS: usize = 20;
/// Between two probes of a workload that is not ready.
const PROBE_AGAIN: Duration = Duration::from_millis(100);

/// Brings the topology up (or finds the one that is up) and waits until every workload gets a good answer.
///
/// # Errors
/// What did not come up, or did not answer in time; `UpError::Cancelled` after an interruption.
pub async fn bring_up(
    spec: &Spec,
    ground: &Ground,
    notices: &Notices,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let ready_timeout = spec
        .scenario
        .topology
        .as_ref()
        .map_or(READY_TIMEOUT, |t| t.ready_timeout);
    if let (Some(docker), Some(topology)) = (ground.docker(), &spec.topology) {
        if spec.attach {
            if docker.containers(&topology.project).await?.is_empty() {
                return Err(RunError::NothingToAttach(topology.project.clone()));
            }
        } else {
            ground
                .up(topology, ready_timeout, notices, stop)
                .await
                .map_err(RunError::Up)?;
        }
    }
    notices.tell(Notice::Phase(Phase::Probing));
    // From here on: a first bring-up spends minutes on builds, which do not count.
    let deadline = Instant::now() + ready_timeout;
    let probes = spec
        .scenario
        .loads
        .iter()
        .map(|w| until_answered(w, deadline, ready_timeout, stop));
    futures_util::future::try_join_all(probes).await?;
    match (ground.docker(), &spec.topology) {
        (Some(docker), Some(topology)) if !spec.attach => still_there(docker, topology).await,
        _ => Ok(()),
    }
}

/// A last look before the load: a container without a healthcheck may have ended since it was started, and what is
/// measured then is not the topology that was asked for.
async fn still_there(engine: &dyn Engine, topology: &Topology) -> Result<(), RunError> {
    for container in engine.containers(&topology.project).await? {
        let restart = topology
            .services
            .get(&container.service)
            .and_then(|s| s.restart);
        if !matches!(restart, None | Some(Restart::No)) {
            continue;
        }
        let state = engine.state(&container.id).await?;
        let code = state.exit_code.filter(|code| !state.running && *code != 0);
        if let Some(code) = code {
            let log = engine
                .log_tail(&container.id, LAST_WORDS)
                .await
                .unwrap_or_default();
            let why = format!("exited with code {code}");
            return Err(RunError::Up(UpError::Failed {
                container: container.name,
                why,
                log,
            }));
        }
    }
    Ok(())
}

async fn until_answered(
    workload: &Workload,
    deadline: Instant,
    within: Duration,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    loop {
        let answer = tokio::select! {
            () = stop.cancelled() => return Err(RunError::Up(UpError::Cancelled)),
            answer = load::probe(workload) => answer,
        };
        match answer {
            Ok(()) => return Ok(()),
            Err(why) if Instant::now() >= deadline || !why.may_pass() => {
                let (load, why) = (workload.name.clone(), with_causes(&why));
                return Err(RunError::NotReady { load, within, why });
            }
            Err(_) => tokio::time::sleep(PROBE_AGAIN).await,
        }
    }
}

/// An error with everything beneath it: that there was no answer says little, that the connection was refused much.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Some say their cause in their own words already.
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::topology::Service;
    use crate::engine::simulated::Simulated;
    use crate::load::ProbeError;

    #[test]
    fn a_probe_that_failed_says_why() {
        let config: Result<tokio_postgres::Config, _> = "port=x".parse();
        let error = ProbeError::Postgres(config.err().unwrap());
        let text = with_causes(&error);
        assert!(text.starts_with("PostgreSQL does not answer as expected: "));
        assert!(text.contains("port"), "{text}");
    }

    fn topology(restart: Option<Restart>) -> Topology {
        let service = Service {
            restart,
            ..Service::default()
        };
        Topology {
            services: [("db".to_owned(), service)].into(),
            ..Topology::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_container_that_ended_after_its_start_is_named_unless_it_ended_well_or_comes_back() {
        let engine = Simulated::with_services(&["db"]);
        let id = engine.containers("").await.unwrap()[0].id.clone();
        let look = async |restart| still_there(&engine, &topology(restart)).await;
        look(None).await.unwrap();
        engine.crash(&id, 7);
        let said = look(None).await.unwrap_err().to_string();
        assert!(
            said.contains("simulated-db-1") && said.contains("code 7"),
            "{said}"
        );
        look(Some(Restart::Always)).await.unwrap();
        engine.crash(&id, 0);
        look(None).await.unwrap();
    }
}
