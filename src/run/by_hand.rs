//! One fault by hand, in a project that is up: no load and no figures, but every guarantee of a run: the journal, the
//! guardian, the looks.

use super::ground::Ground;
use super::{RunError, Spec, identity, measure};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::fault::conductor::{Stage, arm, conduct};
use crate::fault::journal;
use crate::fault::late::LastServed;
use crate::fault::steering::Steering;
use crate::history::FaultRecord;
use crate::notice::Notices;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What became of it.
#[derive(Debug)]
pub struct Done {
    /// The last record of each fault of the plan.
    pub records: Vec<FaultRecord>,
    /// What could not be healed or cleaned up, in words with the command that does it.
    pub problems: Vec<String>,
}

/// Carries the faults of a plan out now, and heals them at their times or when `stop` is cancelled.
///
/// # Errors
/// The engine, the journal, or a target that is not there.
pub async fn by_hand(
    spec: &Spec,
    notices: &Notices,
    stop: &CancellationToken,
) -> Result<Done, RunError> {
    let run = identity::run_id(&spec.plan.scenario);
    let ground = Ground::prepare(spec, &run, notices).await?;
    let done = carry_out(spec, &run, &ground, notices, stop).await;
    let problems = ground.leave(notices).await;
    let records = done?;
    Ok(Done { records, problems })
}

async fn carry_out(
    spec: &Spec,
    run: &str,
    ground: &Ground,
    notices: &Notices,
    stop: &CancellationToken,
) -> Result<Vec<FaultRecord>, RunError> {
    let containers = match (ground.docker(), &spec.topology) {
        (Some(docker), Some(topology)) => docker.containers(&topology.project).await?,
        _ => Vec::new(),
    };
    let Some(reach) = ground.reach() else {
        return Ok(Vec::new());
    };
    let assignments = measure::assign(spec, run, &containers)?;
    arm(&reach, &assignments).await?;
    let (records, mut published) = unbounded_channel();
    let end = stop.child_token();
    let stage = Stage {
        reach: Some(reach.clone()),
        clock: Clock::starting_at(Instant::now()),
        notices: notices.clone(),
        records,
        served: LastServed::default(),
        steering: Steering::default(),
        end: end.clone(),
    };
    let conducting = tokio::spawn(async move { conduct(&stage, assignments).await });
    let mut last: Vec<FaultRecord> = Vec::new();
    while let Some(record) = published.recv().await {
        last.retain(|known| known.index != record.index);
        last.push(record);
        let pending = journal::read(reach.journal.path());
        if last.len() == spec.plan.faults.len() && pending.is_ok_and(|p| p.entries.is_empty()) {
            // Nothing is left to heal, so there is no end to wait for.
            end.cancel();
        }
    }
    // It has said so in its records if it failed.
    let _ = conducting.await;
    Ok(last)
}
