//! From nothing to ready: images, containers, and a first good answer to every workload.

use super::ground::Ground;
use super::{RunError, Spec};
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
    futures_util::future::try_join_all(probes).await.map(drop)
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
    use crate::load::ProbeError;

    #[test]
    fn a_probe_that_failed_says_why() {
        let config: Result<tokio_postgres::Config, _> = "port=x".parse();
        let error = ProbeError::Postgres(config.err().unwrap());
        let text = with_causes(&error);
        assert!(text.starts_with("PostgreSQL does not answer as expected: "));
        assert!(text.contains("port"), "{text}");
    }
}
