//! `lbtest run`: what was typed becomes one [`Spec`] per scenario; all are read before the first is started, so
//! that a mistake in the last one is not found an hour later.

use super::args::{Common, Run};
use super::exit::Exit;
use super::failure::Failure;
use super::session::{self, Session};
use super::{baseline, diagnostics, github, output, repeat, topology};
use crate::compose::Topology;
use crate::notice::Notice;
use crate::report::Reporter;
use crate::run::{Finished, RunError, Spec};
use crate::scenario::{self, Overrides};
use crate::source::Mistake;
use crate::verdict::Verdict;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::Path;

/// Runs the scenarios one after the other; the worst result counts.
pub fn run(args: &Run, common: &Common) -> Result<Exit, Failure> {
    let now = jiff::Zoned::now().strftime("%Y-%m-%dT%H-%M-%S").to_string();
    session::watched(common, args.ui, &args.telemetry, async |mut session| {
        if args.attach.is_some() && !args.allow_faults {
            // Whoever attaches to it has not given it to lbtest to break, beyond what was planned.
            session.commands = session.commands.without_breaking();
        }
        let attached = match &args.attach {
            Some(project) => Some(topology::of_project(project).await?),
            None => None,
        };
        let specs = specs(args, attached.as_ref(), &now)?;
        if let Some(project) = &args.attach {
            for spec in &specs {
                topology::given_to_break(project, args.allow_faults, &spec.plan).await?;
            }
        }
        let mut worst = Exit::Pass;
        for spec in &specs {
            session.following.begins(spec);
            let exit = match args.repeat.and_then(NonZeroU32::new) {
                Some(times) => repeat::run(spec, times, args.baseline.as_deref(), &session).await?,
                None => one(spec, args.baseline.as_deref(), &session).await?,
            };
            worst = worst.worst(exit);
            if session.stop.is_cancelled() {
                break;
            }
        }
        Ok(worst)
    })
}

async fn one(spec: &Spec, baseline: Option<&Path>, session: &Session) -> Result<Exit, Failure> {
    let before = baseline::before(baseline, &spec.scenario.name);
    let finished = crate::run::steered(spec, &session.notices, &session.stop, &session.commands);
    let finished = finished.await?;
    let report = output::terminal_report()
        .render(&finished.result)
        .map_err(|e| Failure::environment(e.to_string(), ""))?;
    // The progress view owns the terminal until it has shown everything before the report.
    session.notices.settle().await;
    output::stdout(&report);
    if let Some(out) = &finished.out {
        let folder = output::inert(&out.display().to_string());
        output::stdout(&format!("\nresults: {folder}\n"));
    }
    let compared =
        before.map(|before| baseline::compared(before, std::slice::from_ref(&finished.result)));
    if let Some(compared) = &compared {
        output::stdout(&baseline::shown(compared));
    }
    let untold = github::tell(&finished.result, compared.as_ref(), &spec.scenario.file);
    let told = session.following.ended(&finished.result, &session.notices);
    told.await;
    for problem in finished.problems.iter().chain(&untold) {
        session.notices.tell(Notice::Warning(problem.clone()));
    }
    Ok(exit_of(&finished))
}

/// How a run that came to an end is told to scripts.
pub fn exit_of(finished: &Finished) -> Exit {
    let verdict = match finished.result.verdict {
        Verdict::Pass => Exit::Pass,
        Verdict::Fail => Exit::GateFailed,
        Verdict::Inconclusive => Exit::Inconclusive,
    };
    let clean = if finished.problems.is_empty() {
        verdict
    } else {
        verdict.worst(Exit::Environment)
    };
    if finished.interrupted {
        Exit::Interrupted
    } else {
        clean
    }
}

fn specs(args: &Run, attached: Option<&Topology>, now: &str) -> Result<Vec<Spec>, Failure> {
    let overrides = Overrides {
        set: args.changes.set.clone(),
        seed: args.changes.seed,
    };
    let (mut specs, mut mistakes) = (Vec::new(), Vec::new());
    for path in &args.scenarios {
        match spec(args, attached, path, &overrides, now) {
            Ok((spec, warnings)) => {
                diagnostics::print_warnings(&warnings);
                specs.push(spec);
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
    if let Some(twice) = specs.iter().find(|s| !seen.insert(&s.out)) {
        let message = format!("two scenarios are called `{}`", twice.scenario.name);
        return Err(Failure::Usage {
            message,
            help: "their results would go to one folder; rename one".to_owned(),
        });
    }
    Ok(specs)
}

fn spec(
    args: &Run,
    attached: Option<&Topology>,
    path: &Path,
    overrides: &Overrides,
    now: &str,
) -> Result<(Spec, Vec<Mistake>), Failure> {
    let scenario = scenario::read(path, overrides)?;
    let (topology, mut warnings) = match attached {
        // What is up counts, whatever the files say.
        Some(attached) => (Some(attached.clone()), Vec::new()),
        None => topology::of_scenario(&scenario)?.map_or((None, Vec::new()), |read| {
            (Some(read.topology), read.warnings)
        }),
    };
    crate::load::check(&scenario.loads).map_err(RunError::Load)?;
    let faults_on = !args.changes.no_faults;
    let mut resolved = crate::plan::resolve(&scenario, topology.as_ref(), faults_on)?;
    let gates = &mut resolved.plan.gates;
    baseline::resolve(args.baseline.as_deref(), &scenario.name, gates)?;
    warnings.extend(resolved.warnings);
    let out = match &args.out {
        Some(out) if args.scenarios.len() == 1 => out.clone(),
        Some(out) => out.join(&scenario.name),
        None => Path::new("reports").join(&scenario.name).join(now),
    };
    let spec = Spec {
        scenario,
        topology,
        plan: resolved.plan,
        out: Some(out),
        keep: args.keep,
        attach: attached.is_some(),
        ready_within: None,
    };
    Ok((spec, warnings))
}
