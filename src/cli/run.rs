//! `lbtest run`: what was typed becomes one [`Job`] per scenario; all are read before the first is started, so
//! that a mistake in the last one is not found an hour later.

use super::args::{Common, Run};
use super::exit::Exit;
use super::failure::Failure;
use super::{diagnostics, topology};
use crate::compose::Topology;
use crate::plan::Plan;
use crate::scenario::{self, Overrides, Scenario};
use crate::source::Mistake;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One run, with everything that was decided before it.
pub struct Job {
    /// The scenario.
    pub scenario: Scenario,
    /// Its topology, where it has one.
    pub topology: Option<Topology>,
    /// The plan.
    pub plan: Plan,
    /// Where the results go.
    pub out: PathBuf,
    /// The topology is left running.
    pub keep: bool,
    /// A project that is already up.
    pub attach: Option<String>,
}

/// Runs the scenarios one after the other; the worst result counts.
pub fn run(args: &Run, common: &Common) -> Result<Exit, Failure> {
    let now = jiff::Zoned::now().strftime("%Y-%m-%dT%H-%M-%S").to_string();
    let jobs = jobs(args, &now)?;
    let mut worst = Exit::Pass;
    for job in &jobs {
        let exit = one(job, common)?;
        worst = worst.worst(exit);
        if exit == Exit::Interrupted {
            break;
        }
    }
    Ok(worst)
}

fn jobs(args: &Run, now: &str) -> Result<Vec<Job>, Failure> {
    let overrides = Overrides {
        set: args.changes.set.clone(),
        seed: args.changes.seed,
    };
    let (mut jobs, mut mistakes) = (Vec::new(), Vec::new());
    for path in &args.scenarios {
        match job(args, path, &overrides, now) {
            Ok((job, warnings)) => {
                diagnostics::print_warnings(&warnings);
                jobs.push(job);
            }
            Err(Failure::Mistakes(found)) => mistakes.extend(found),
            Err(other @ (Failure::Usage { .. } | Failure::Environment { .. })) => {
                return Err(other);
            }
        }
    }
    if !mistakes.is_empty() {
        return Err(Failure::Mistakes(mistakes));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = jobs.iter().find(|j| !seen.insert(&j.out)) {
        let message = format!("two scenarios are called `{}`", twice.scenario.name);
        return Err(Failure::Usage {
            message,
            help: "their results would go to one folder; rename one".to_owned(),
        });
    }
    Ok(jobs)
}

fn job(
    args: &Run,
    path: &Path,
    overrides: &Overrides,
    now: &str,
) -> Result<(Job, Vec<Mistake>), Failure> {
    let scenario = scenario::read(path, overrides)?;
    let read = topology::of_scenario(&scenario)?;
    let resolved = crate::plan::resolve(
        &scenario,
        read.as_ref().map(|r| &r.topology),
        !args.changes.no_faults,
    )?;
    let mut warnings = resolved.warnings;
    let topology = read.map(|r| {
        warnings.extend(r.warnings);
        r.topology
    });
    let out = match &args.out {
        Some(out) if args.scenarios.len() == 1 => out.clone(),
        Some(out) => out.join(&scenario.name),
        None => Path::new("reports").join(&scenario.name).join(now),
    };
    let job = Job {
        scenario,
        topology,
        plan: resolved.plan,
        out,
        keep: args.keep,
        attach: args.attach.clone(),
    };
    Ok((job, warnings))
}

/// The supervisor is called here.
fn one(job: &Job, common: &Common) -> Result<Exit, Failure> {
    let _ = (
        &job.topology,
        &job.plan,
        &job.out,
        job.keep,
        &job.attach,
        common.quiet,
    );
    Err(Failure::environment("this build cannot run scenarios", ""))
}
