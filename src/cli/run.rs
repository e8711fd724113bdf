//! `lbtest run`: what was typed becomes one [`Spec`] per scenario; all are read before the first is started, so
//! that a mistake in the last one is not found an hour later.

use super::args::{Common, Run};
use super::exit::Exit;
use super::failure::Failure;
use super::session::{self, Session};
use super::{diagnostics, output, topology};
use crate::compose::Topology;
use crate::notice::Notice;
use crate::report::Reporter;
use crate::run::Spec;
use crate::scenario::{self, Overrides};
use crate::source::Mistake;
use crate::verdict::Verdict;
use std::collections::BTreeSet;
use std::path::Path;

/// Runs the scenarios one after the other; the worst result counts.
pub fn run(args: &Run, common: &Common) -> Result<Exit, Failure> {
    let now = jiff::Zoned::now().strftime("%Y-%m-%dT%H-%M-%S").to_string();
    session::run(common, async |session| {
        let attached = match &args.attach {
            Some(project) => Some(topology::of_project(project).await?),
            None => None,
        };
        let specs = specs(args, attached.as_ref(), &now)?;
        let mut worst = Exit::Pass;
        for spec in &specs {
            worst = worst.worst(one(spec, &session).await?);
            if session.stop.is_cancelled() {
                break;
            }
        }
        Ok(worst)
    })
}

async fn one(spec: &Spec, session: &Session) -> Result<Exit, Failure> {
    let finished = crate::run::run(spec, &session.notices, &session.stop).await?;
    let report = output::terminal_report()
        .render(&finished.result)
        .map_err(|e| Failure::environment(e.to_string(), ""))?;
    // The progress view owns the terminal until it has shown everything before the report.
    session.notices.settle().await;
    output::stdout(&report);
    output::stdout(&format!(
        "\nresults: {}\n",
        output::inert(&finished.out.display().to_string())
    ));
    for problem in &finished.problems {
        session.notices.tell(Notice::Warning(problem.clone()));
    }
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
    Ok(if finished.interrupted {
        Exit::Interrupted
    } else {
        clean
    })
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
    let faults_on = !args.changes.no_faults;
    let resolved = crate::plan::resolve(&scenario, topology.as_ref(), faults_on)?;
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
        out,
        keep: args.keep,
        attach: attached.is_some(),
    };
    Ok((spec, warnings))
}
