//! `lbtest bench`: the load engine without a topology, on one target. What was typed becomes a scenario, and that goes the
//! way of every scenario: the same reader, the same load, the same figures.

mod args;
mod document;
mod options;
#[cfg(test)]
mod tests;

pub use args::Bench;

use super::args::Common;
use super::exit::Exit;
use super::failure::Failure;
use super::session::{self, Session};
use super::{diagnostics, output, run as scenario_run};
use crate::analysis::result::RunResult;
use crate::notice::Notice;
use crate::report::Reporter;
use crate::report::json::Json;
use crate::run::{RunError, Spec};
use crate::scenario::{self, Overrides, ScenarioError};
use crate::source::{Mistake, SourceFile};
use crate::verdict::Verdict;
use args::Format;
use options::COMMAND_LINE;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Nothing is brought up that could take its time: a target that gives no good answer within this is not there.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Loads one target and prints what came of it.
pub fn run(args: &Bench, common: &Common) -> Result<Exit, Failure> {
    let env = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect();
    let text = document::text(args, &env)?;
    let file = SourceFile::new(COMMAND_LINE, text);
    let spec = spec(args, &file, &env)?;
    if args.print_scenario {
        output::stdout(&printed(args, &file)?);
        return Ok(Exit::Pass);
    }
    session::watched(common, None, &args.telemetry, async |session| {
        load(args, &spec, &session).await
    })
}

fn overrides(args: &Bench) -> Overrides {
    Overrides {
        set: args.set.clone(),
        seed: args.seed,
    }
}

fn spec(
    args: &Bench,
    file: &Arc<SourceFile>,
    env: &BTreeMap<String, String>,
) -> Result<Spec, Failure> {
    let scenario = scenario::parse(file, &overrides(args), env).map_err(mistaken)?;
    if let Some(topology) = &scenario.topology {
        let message = "a topology is nothing for `lbtest bench`";
        let mistake = scenario.origin.mistake(topology.span.clone(), message);
        let help = "write a scenario (--print-scenario is a beginning), and `lbtest run` it";
        return Err(Failure::Mistakes(vec![mistake.with_help(help)]));
    }
    let resolved = crate::plan::resolve(&scenario, None, true).map_err(mistaken)?;
    diagnostics::print_warnings(&resolved.warnings);
    crate::load::check(&scenario.loads).map_err(|e| not_loadable(&e))?;
    Ok(Spec {
        scenario,
        topology: None,
        plan: resolved.plan,
        out: args.out.clone(),
        keep: false,
        attach: false,
        ready_within: Some(ANSWERS_WITHIN),
    })
}

/// All mistakes but the last are printed at once; the last one is the command's.
fn mistaken(error: ScenarioError) -> Failure {
    let (last, others) = match error.mistakes() {
        [] => return Failure::Mistakes(Vec::new()),
        [others @ .., last] => (last, others),
    };
    let tell = |mistake: &Mistake| diagnostics::print_failure(&options::failure(mistake));
    others.iter().for_each(tell);
    options::failure(last)
}

fn not_loadable(error: &crate::load::LoadError) -> Failure {
    let why =
        std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    Failure::Usage {
        message: format!("the load cannot be made: {why}"),
        help: "correct TARGET or its options".to_owned(),
    }
}

/// The scenario with every option in it.
fn printed(args: &Bench, file: &Arc<SourceFile>) -> Result<String, Failure> {
    let text = if args.set.is_empty() {
        file.text.clone()
    } else {
        let mut table = scenario::overridden(file, &overrides(args)).map_err(mistaken)?;
        // As in a run, the option goes above what is set.
        if let (Some(seed), Some(run)) = (
            args.seed.and_then(|s| i64::try_from(s).ok()),
            table.get_mut("run").and_then(toml::Value::as_table_mut),
        ) {
            run.insert("seed".to_owned(), seed.into());
        }
        toml::to_string_pretty(&table)
            .map_err(|e| Failure::environment(format!("cannot write the scenario: {e}"), ""))?
    };
    Ok(format!(
        "# The load of an `lbtest bench`, for `lbtest run`; every key: docs/scenario.md\n{text}"
    ))
}

async fn load(args: &Bench, spec: &Spec, session: &Session) -> Result<Exit, Failure> {
    let target = spec.plan.loads.first().map_or("", |l| l.target.as_str());
    session.following.begins(spec);
    let finished = crate::run::run(spec, &session.notices, &session.stop)
        .await
        .map_err(|e| not_run(e, target))?;
    let terminal = output::terminal_report();
    let reporter: &dyn Reporter = match args.format {
        Format::Text => &terminal,
        Format::Json => &Json,
    };
    let report = reporter
        .render(&finished.result)
        .map_err(|e| Failure::environment(e.to_string(), ""))?;
    // The progress view owns the terminal until it has shown everything before the report.
    session.notices.settle().await;
    output::stdout(&report);
    if let (Some(out), Format::Text) = (&finished.out, args.format) {
        let folder = output::inert(&out.display().to_string());
        output::stdout(&format!("\nresults: {folder}\n"));
    }
    let told = session.following.ended(&finished.result, &session.notices);
    told.await;
    for problem in &finished.problems {
        session.notices.tell(Notice::Warning(problem.clone()));
    }
    let exit = scenario_run::exit_of(&finished);
    Ok(match exit {
        Exit::Inconclusive if nothing_to_judge(&finished.result) => Exit::Pass,
        other => other,
    })
}

/// Without a gate, a load that ran to its end did what it was asked. A closed loop as fast as it can be is bound by lbtest
/// itself more often than not: that is to be said, and no failure.
fn nothing_to_judge(result: &RunResult) -> bool {
    result.verdict == Verdict::Inconclusive
        && result.gates.is_empty()
        && result.scenario.observe
        && result.end.reason == "completed"
        && result.loads.iter().all(|l| l.requests > 0)
}

fn not_run(error: RunError, target: &str) -> Failure {
    match error {
        RunError::NotReady { within, why, .. } => Failure::environment(
            format!("{target} gave no good answer within {within:?}: {why}"),
            "is the address right, and is such an answer good? (--expect-status, --expect-body, --expect-rows)",
        ),
        other => other.into(),
    }
}
