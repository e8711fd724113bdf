//! The supervisor of a run: its phases, and the promise that nothing is left behind.
//!
//! ```text
//! ground (engine, journal, guardian) → bring-up → probes → load + faults + observers → drain and heal
//!   → analysis and reports → teardown → dismissal of the guardian
//! ```
//!
//! A first interruption ends the phase that is under way; what follows — heal, report, teardown — always happens.

pub mod abilities;
pub mod bring_up;
pub mod by_hand;
pub mod ground;
pub mod guardian;
pub mod identity;
pub mod measure;
pub mod output;
pub mod recording;
pub mod repeat;
mod roles;
pub mod steer;

use crate::analysis::{self, result::RunResult};
use crate::compose::Topology;
use crate::control::Commands;
use crate::engine::EngineError;
use crate::engine::docker::UpError;
use crate::fault::journal::JournalError;
use crate::history::file::HistoryFileError;
use crate::history::{End, EndReason, Environment, Event, Head, History, SCHEMA_VERSION};
use crate::load::{self, LoadError};
use crate::notice::{Notice, Notices, Phase};
use crate::plan::Plan;
use crate::scenario::Scenario;
use ground::Ground;
use output::{Output, OutputError};
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What is to be run, with everything resolved.
#[derive(Debug)]
pub struct Spec {
    /// The scenario.
    pub scenario: Scenario,
    /// Its topology, where it has one (or where a project is attached to).
    pub topology: Option<Topology>,
    /// Its plan.
    pub plan: Plan,
    /// The folder that the results are written to, made where it is missing; none: nothing is written to disk.
    pub out: Option<PathBuf>,
    /// Leave the topology up.
    pub keep: bool,
    /// Do not bring anything up: this project is up already.
    pub attach: bool,
    /// Every workload must get a good answer within this, once everything is up; none: what the topology says, or two
    /// minutes.
    pub ready_within: Option<Duration>,
}

/// How a run ended that came to an end.
#[derive(Debug)]
pub struct Finished {
    /// What was measured, and the verdict.
    pub result: RunResult,
    /// Where it was written, where it was.
    pub out: Option<PathBuf>,
    /// Somebody ended it early.
    pub interrupted: bool,
    /// What could not be written or cleaned up, in words, with the command that does it. Empty where all is well.
    pub problems: Vec<String>,
}

/// A run that came to no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The topology did not come up.
    #[error(transparent)]
    Up(UpError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The guardian.
    #[error("the guardian process could not be started: {0}")]
    Guardian(#[source] std::io::Error),
    /// Another lbtest has the project.
    #[error(
        "project `{project}` is in use by another lbtest (process {pid}); wait for it, or stop it"
    )]
    InUse {
        /// The project.
        project: String,
        /// The other's process id.
        pid: u32,
    },
    /// A project to attach to that is not there.
    #[error("project `{0}` has no container to attach to; `docker compose ls` lists what is up")]
    NothingToAttach(String),
    /// A workload's first probe was not answered in time.
    #[error("load `{load}` got no good answer within {within:?}: {why}")]
    NotReady {
        /// The workload.
        load: String,
        /// The deadline.
        within: Duration,
        /// The last probe's error.
        why: String,
    },
    /// A container that ran before is not back for the next measurement.
    #[error(
        "{container} did not come back within {within:?} after the faults were healed: {state}"
    )]
    NotBack {
        /// The container.
        container: String,
        /// The deadline.
        within: Duration,
        /// How it is.
        state: String,
    },
    /// The load could not be made.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A target of a fault has no container.
    #[error("fault `{fault}`: service `{target}` has no container in project `{project}`")]
    NoContainer {
        /// The fault.
        fault: String,
        /// The target.
        target: String,
        /// The project.
        project: String,
    },
    /// A fault needs what this machine does not have.
    #[error("fault `{fault}`: {what}")]
    Missing {
        /// The fault.
        fault: String,
        /// What it needs, and does not find.
        what: String,
    },
    /// The results could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The history could not be written.
    #[error(transparent)]
    History(#[from] HistoryFileError),
}

/// How far a run came before it ended.
enum Ended {
    Measured(Box<History>),
    Interrupted,
}

/// Runs a scenario to its end. `stop` is cancelled by the first interruption.
///
/// # Errors
/// Where no result came of it; everything that was made is taken down all the same (unless `keep`).
pub async fn run(
    spec: &Spec,
    notices: &Notices,
    stop: &CancellationToken,
) -> Result<Finished, RunError> {
    steered(spec, notices, stop, &Commands::none()).await
}

/// As [`run`]; meanwhile the schedule is steered by commands.
///
/// # Errors
/// As [`run`].
pub async fn steered(
    spec: &Spec,
    notices: &Notices,
    stop: &CancellationToken,
    commands: &Commands,
) -> Result<Finished, RunError> {
    commands.offer(steer::offer(spec));
    // Before anything is brought up: waiting does not mend it.
    load::check(&spec.scenario.loads)?;
    let run = identity::run_id(&spec.plan.scenario);
    let output = Output::create(spec.out.as_deref())?;
    let ground = Ground::prepare(spec, &run, notices).await?;
    let ended = bring_up_and_measure(spec, &run, &ground, &output, notices, stop, commands).await;
    let finished = match ended {
        Ok(ended) => Ok(report(spec, &run, ended, &output, notices)),
        Err(error) => Err(error),
    };
    notices.tell(Notice::Phase(Phase::TearingDown));
    let left_behind = ground.leave(notices).await;
    match finished {
        Ok((result, mut problems)) => {
            problems.extend(left_behind);
            Ok(Finished {
                result,
                out: spec.out.clone(),
                interrupted: stop.is_cancelled(),
                problems,
            })
        }
        Err(error) => {
            // The error says nothing of it, and nobody else will.
            let left = left_behind.into_iter().map(Notice::Warning);
            left.for_each(|warning| notices.tell(warning));
            Err(error)
        }
    }
}

async fn bring_up_and_measure(
    spec: &Spec,
    run: &str,
    ground: &Ground,
    output: &Output,
    notices: &Notices,
    stop: &CancellationToken,
    commands: &Commands,
) -> Result<Ended, RunError> {
    match bring_all_up(spec, ground, notices, stop).await {
        Err(RunError::Up(UpError::Cancelled)) => return Ok(Ended::Interrupted),
        other => other?,
    }
    if stop.is_cancelled() {
        return Ok(Ended::Interrupted);
    }
    let history = measure::measure(spec, run, ground, output, notices, stop, commands).await?;
    Ok(Ended::Measured(Box::new(history)))
}

/// Looks whether the machine can do what the plan asks for, and brings everything up.
async fn bring_all_up(
    spec: &Spec,
    ground: &Ground,
    notices: &Notices,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    if let Some(docker) = ground.docker() {
        let missing = abilities::missing(docker, &spec.plan).await?;
        if let Some(first) = missing.into_iter().next() {
            return Err(first.into());
        }
    }
    bring_up::bring_up(spec, ground, notices, stop).await
}

/// Analyses and writes. What cannot be written is a problem that is said; the result is there all the same.
fn report(
    spec: &Spec,
    run: &str,
    ended: Ended,
    output: &Output,
    notices: &Notices,
) -> (RunResult, Vec<String>) {
    notices.tell(Notice::Phase(Phase::Reporting));
    let history = match ended {
        Ended::Measured(history) => *history,
        Ended::Interrupted => nothing_measured(spec, run),
    };
    let result = analysis::analyze(&history);
    let unwritten = output.write(&result).err().map(|e| e.to_string());
    (result, unwritten.into_iter().collect())
}

/// What stands at the head of the history.
fn head(spec: &Spec, run: &str, started_at: jiff::Timestamp, environment: Environment) -> Head {
    Head {
        schema_version: SCHEMA_VERSION,
        lbtest_version: env!("CARGO_PKG_VERSION").to_owned(),
        run: run.to_owned(),
        started_at,
        plan: spec.plan.clone(),
        environment,
    }
}

/// The history of a run that was ended before its load began.
fn nothing_measured(spec: &Spec, run: &str) -> History {
    let now = jiff::Timestamp::now();
    let mut history = History::new(head(spec, run, now, ground::environment()));
    history.events.push(Event {
        at: crate::clock::Offset::ZERO,
        source: "lbtest".to_owned(),
        subject: spec.plan.scenario.clone(),
        what: "interrupted before the load began".to_owned(),
    });
    history.end = Some(End {
        at: crate::clock::Offset::ZERO,
        reason: EndReason::Interrupted,
        load_ended_at: crate::clock::Offset::ZERO,
        scheduled: vec![0; spec.plan.loads.len()],
    });
    history
}
