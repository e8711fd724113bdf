//! The supervisor of a run: its phases, and the promise that nothing is left behind.
//!
//! ```text
//! ground (engine, journal, guardian) → bring-up → probes → load + faults + observers → drain and heal
//!   → analysis and reports → teardown → dismissal of the guardian
//! ```
//!
//! A first interruption ends the phase that is under way; what follows — heal, report, teardown — always happens.

pub mod bring_up;
pub mod ground;
pub mod guardian;
pub mod identity;
pub mod measure;
pub mod output;

use crate::analysis::{self, result::RunResult};
use crate::compose::Topology;
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
    /// The folder that the results are written to; made where it is missing.
    pub out: PathBuf,
    /// Leave the topology up.
    pub keep: bool,
    /// Do not bring anything up: this project is up already.
    pub attach: bool,
}

/// How a run ended that came to an end.
#[derive(Debug)]
pub struct Finished {
    /// What was measured, and the verdict.
    pub result: RunResult,
    /// Where it was written.
    pub out: PathBuf,
    /// Somebody ended it early.
    pub interrupted: bool,
    /// What was left behind, in words with the command that cleans it up. Empty where all is well.
    pub left_behind: Vec<String>,
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
        within: std::time::Duration,
        /// The last probe's error.
        why: String,
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
    // Before anything is brought up: waiting does not mend it.
    load::check(&spec.scenario.loads)?;
    let run = identity::run_id(&spec.plan.scenario);
    let output = Output::create(&spec.out)?;
    let ground = Ground::prepare(spec, &run, notices).await?;
    let ended = bring_up_and_measure(spec, &run, &ground, &output, notices, stop).await;
    let finished = match ended {
        Ok(ended) => report(spec, &run, ended, &output, notices),
        Err(error) => Err(error),
    };
    notices.tell(Notice::Phase(Phase::TearingDown));
    let left_behind = ground.leave(notices).await;
    match finished {
        Ok(result) => Ok(Finished {
            result,
            out: spec.out.clone(),
            interrupted: stop.is_cancelled(),
            left_behind,
        }),
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
) -> Result<Ended, RunError> {
    match bring_up::bring_up(spec, ground, notices, stop).await {
        Err(RunError::Up(UpError::Cancelled)) => return Ok(Ended::Interrupted),
        other => other?,
    }
    if stop.is_cancelled() {
        return Ok(Ended::Interrupted);
    }
    let history = measure::measure(spec, run, ground, output, notices, stop).await?;
    Ok(Ended::Measured(Box::new(history)))
}

fn report(
    spec: &Spec,
    run: &str,
    ended: Ended,
    output: &Output,
    notices: &Notices,
) -> Result<RunResult, RunError> {
    notices.tell(Notice::Phase(Phase::Reporting));
    let history = match ended {
        Ended::Measured(history) => *history,
        Ended::Interrupted => nothing_measured(spec, run),
    };
    let result = analysis::analyze(&history);
    output.write(&result)?;
    Ok(result)
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
