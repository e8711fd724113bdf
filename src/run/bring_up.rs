//! From nothing to ready: images, containers, and a first good answer to every workload.

use super::ground::Ground;
use super::{RunError, Spec};
use crate::compose::topology::{Restart, Topology};
use crate::engine::docker::UpError;
use crate::engine::{Container, Engine};
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
/// Between two looks at containers that are to come back.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
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
    let ready_timeout = ready_timeout(spec);
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
    // From here on: a first bring-up spends minutes on builds, which do not count.
    notices.tell(Notice::Phase(Phase::Probing));
    let deadline = Instant::now() + ready_timeout;
    until_all_answered(&spec.scenario.loads, deadline, ready_timeout, stop).await?;
    match (ground.docker(), &spec.topology) {
        (Some(docker), Some(topology)) if !spec.attach => still_there(docker, topology).await,
        _ => Ok(()),
    }
}

/// Within what time everything is to be ready.
#[must_use]
pub fn ready_timeout(spec: &Spec) -> Duration {
    let of_topology = spec.scenario.topology.as_ref().map(|t| t.ready_timeout);
    spec.ready_within.or(of_topology).unwrap_or(READY_TIMEOUT)
}

async fn until_all_answered(
    loads: &[Workload],
    deadline: Instant,
    within: Duration,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let probes = loads
        .iter()
        .map(|w| until_answered(w, deadline, within, stop));
    futures_util::future::try_join_all(probes).await?;
    Ok(())
}

/// The containers that run now.
///
/// # Errors
/// What the engine answers.
pub async fn running(engine: &dyn Engine, project: &str) -> Result<Vec<Container>, RunError> {
    let mut running = Vec::new();
    for container in engine.containers(project).await? {
        if engine.state(&container.id).await?.running {
            running.push(container);
        }
    }
    Ok(running)
}

/// Waits until what ran before a measurement runs again and is healthy, and every workload gets a good answer.
///
/// # Errors
/// What is not back in time; `UpError::Cancelled` after an interruption.
pub async fn bring_back(
    loads: &[Workload],
    engine: Option<&dyn Engine>,
    ran: &[Container],
    within: Duration,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let deadline = Instant::now() + within;
    for container in ran {
        while let Some(engine) = engine {
            let state = engine.state(&container.id).await?;
            let healthy = state.health.as_deref().is_none_or(|h| h == "healthy");
            if state.running && !state.paused && healthy {
                break;
            }
            if Instant::now() >= deadline {
                return Err(RunError::NotBack {
                    container: container.name.clone(),
                    within,
                    state: state.health.unwrap_or_else(|| "not running".to_owned()),
                });
            }
            tokio::select! {
                () = stop.cancelled() => return Err(RunError::Up(UpError::Cancelled)),
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }
    until_all_answered(loads, deadline, within, stop).await
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
    async fn what_ran_before_is_waited_for_and_named_when_it_does_not_come_back() {
        let engine = Simulated::with_services(&["db", "app"]);
        let ran = running(&engine, "").await.unwrap();
        assert_eq!(ran.len(), 2);
        let stop = CancellationToken::new();
        let within = Duration::from_secs(5);
        let back = async || bring_back(&[], Some(&engine), &ran, within, &stop).await;
        back().await.unwrap();
        engine.crash(&ran[0].id, 1);
        let before = Instant::now();
        let said = back().await.unwrap_err().to_string();
        assert!(said.contains(&ran[0].name) && said.contains("5s"), "{said}");
        assert!(before.elapsed() >= Duration::from_secs(5));
        engine.start(&ran[0].id).await.unwrap();
        back().await.unwrap();
        stop.cancel();
        engine.crash(&ran[1].id, 1);
        let cancelled = back().await.unwrap_err();
        assert!(matches!(cancelled, RunError::Up(UpError::Cancelled)));
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
