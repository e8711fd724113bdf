//! The same scenario several times on one topology: it is brought up once, and before each time after the first
//! everything runs and answers again.

use super::ground::Ground;
use super::output::Output;
use super::{Ended, Finished, RunError, Spec, bring_up, identity, measure, report, steer};
use crate::control::Commands;
use crate::engine::docker::UpError;
use crate::engine::{Container, Engine};
use crate::load;
use crate::notice::{Notice, Notices, Phase};
use crate::report::sentence;
use std::num::NonZeroU32;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// What became of all of them.
#[derive(Debug)]
pub struct Repeats {
    /// Those that came to a result, in their order. Problems of the teardown are not among theirs.
    pub runs: Vec<Finished>,
    /// Why there are no more, where one failed.
    pub failed: Option<RunError>,
    /// What could not be cleaned up, in words, with the command that does it.
    pub problems: Vec<String>,
}

/// Runs a scenario `times` times. The results of each go to a folder of its number below that of the scenario's.
///
/// # Errors
/// Where not even one could begin: the ground could not be prepared, or a folder not be made.
pub async fn repeat(
    spec: &Spec,
    times: NonZeroU32,
    notices: &Notices,
    stop: &CancellationToken,
    commands: &Commands,
) -> Result<Repeats, RunError> {
    commands.offer(steer::offer(spec));
    load::check(&spec.scenario.loads)?;
    let run = identity::run_id(&spec.plan.scenario);
    // The folder of all, before anything is brought up.
    Output::create(spec.out.as_deref())?;
    let ground = Ground::prepare(spec, &run, notices).await?;
    let mut rounds = Rounds {
        spec,
        run: &run,
        ground: &ground,
        notices,
        stop,
        commands,
        ran: Vec::new(),
    };
    let mut runs = Vec::new();
    let mut failed = None;
    for number in 1..=times.get() {
        notices.tell(Notice::Info(format!("measurement {number} of {times}")));
        match rounds.one(number).await {
            Ok(finished) => {
                let said = sentence::headline(&finished.result);
                let verdict = sentence::verdict(finished.result.verdict);
                notices.tell(Notice::Info(format!(
                    "measurement {number} of {times}: {verdict}: {said}"
                )));
                runs.push(finished);
            }
            Err(error) => failed = Some(error),
        }
        if failed.is_some() || stop.is_cancelled() {
            break;
        }
    }
    notices.tell(Notice::Phase(Phase::TearingDown));
    let problems = ground.leave(notices).await;
    Ok(Repeats {
        runs,
        failed,
        problems,
    })
}

struct Rounds<'a> {
    spec: &'a Spec,
    run: &'a str,
    ground: &'a Ground,
    notices: &'a Notices,
    stop: &'a CancellationToken,
    commands: &'a Commands,
    /// The containers that ran when everything was up.
    ran: Vec<Container>,
}

impl Rounds<'_> {
    async fn one(&mut self, number: u32) -> Result<Finished, RunError> {
        let out = self.spec.out.as_ref().map(|out| folder(out, number));
        let output = Output::create(out.as_deref())?;
        // Told apart in histories, and in what faults leave in containers.
        let run = format!("{}.{number}", self.run);
        let ended = match self.made_ready(number == 1).await {
            Err(RunError::Up(UpError::Cancelled)) => Ended::Interrupted,
            Err(error) => return Err(error),
            Ok(()) if self.stop.is_cancelled() => Ended::Interrupted,
            Ok(()) => {
                let Self {
                    spec,
                    ground,
                    notices,
                    stop,
                    commands,
                    ..
                } = self;
                let measured =
                    measure::measure(spec, &run, ground, &output, notices, stop, commands);
                Ended::Measured(Box::new(measured.await?))
            }
        };
        let (result, problems) = report(self.spec, &run, ended, &output, self.notices);
        Ok(Finished {
            result,
            out,
            interrupted: self.stop.is_cancelled(),
            problems,
        })
    }

    async fn made_ready(&mut self, first: bool) -> Result<(), RunError> {
        let Self {
            spec,
            ground,
            notices,
            stop,
            ..
        } = *self;
        let docker = ground.docker();
        if !first {
            let engine = docker.map(|docker| docker as &dyn Engine);
            notices.tell(Notice::Phase(Phase::Probing));
            let within = bring_up::ready_timeout(spec);
            let loads = &spec.scenario.loads;
            return bring_up::bring_back(loads, engine, &self.ran, within, stop).await;
        }
        super::bring_all_up(spec, ground, notices, stop).await?;
        if let (Some(docker), Some(topology)) = (docker, &spec.topology) {
            self.ran = bring_up::running(docker, &topology.project).await?;
        }
        Ok(())
    }
}

/// Where the results of one measurement go.
fn folder(out: &std::path::Path, number: u32) -> PathBuf {
    out.join(number.to_string())
}
