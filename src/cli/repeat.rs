//! `lbtest run --repeat N`: one scenario several times on one topology, and one verdict on all of them.

use super::exit::Exit;
use super::failure::Failure;
use super::session::Session;
use super::{baseline, github, output};
use crate::compare::repeat::{Repeated, summarize};
use crate::notice::Notice;
use crate::report::repeat::{FILE_JSON, FILE_JUNIT, FILE_MARKDOWN};
use crate::report::{self, ReportError};
use crate::run::Spec;
use crate::run::output::whole;
use crate::run::repeat::{Repeats, repeat};
use crate::verdict::Verdict;
use std::num::NonZeroU32;
use std::path::Path;

/// Runs a scenario `times` times, shows what they have in common, and judges that.
/// How they compare with the baseline is shown, where there is one.
pub async fn run(
    spec: &Spec,
    times: NonZeroU32,
    baseline: Option<&Path>,
    session: &Session,
) -> Result<Exit, Failure> {
    let before = baseline::before(baseline, &spec.scenario.name);
    let Repeats {
        runs,
        failed,
        problems,
    } = repeat(
        spec,
        times,
        &session.notices,
        &session.stop,
        &session.commands,
    )
    .await?;
    let mut problems: Vec<_> = problems;
    problems.extend(runs.iter().flat_map(|run| run.problems.clone()));
    if let Some(error) = failed {
        if runs.is_empty() {
            // The error says nothing of it, and nobody else will.
            let left = problems.into_iter().map(Notice::Warning);
            left.for_each(|warning| session.notices.tell(warning));
            return Err(error.into());
        }
        problems.push(format!("there is no further measurement: {error}"));
    }
    let results: Vec<_> = runs.into_iter().map(|run| run.result).collect();
    let repeated = summarize(&results);
    if let Err(error) = write(spec, &repeated) {
        problems.push(error);
    }
    // The progress view owns the terminal until it has shown everything before the report.
    session.notices.settle().await;
    let width = output::terminal_report().width;
    output::stdout(&report::repeat::terminal_within(&repeated, width));
    if let Some(out) = &spec.out {
        let folder = output::inert(&out.display().to_string());
        output::stdout(&format!("\nresults: {folder}\n"));
    }
    let compared = before.map(|before| baseline::compared(before, &results));
    if let Some(compared) = &compared {
        output::stdout(&baseline::shown(compared));
    }
    session.following.repeated(&results, &session.notices).await;
    let clean = problems.is_empty();
    problems.extend(github::tell_repeated(
        &repeated,
        compared.as_ref(),
        &spec.scenario.file,
    ));
    let warnings = problems.into_iter().map(Notice::Warning);
    warnings.for_each(|warning| session.notices.tell(warning));
    if session.stop.is_cancelled() {
        return Ok(Exit::Interrupted);
    }
    let verdict = exit_of(repeated.verdict);
    Ok(if clean {
        verdict
    } else {
        verdict.worst(Exit::Environment)
    })
}

fn exit_of(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Pass => Exit::Pass,
        Verdict::Fail => Exit::GateFailed,
        Verdict::Inconclusive => Exit::Inconclusive,
    }
}

fn write(spec: &Spec, repeated: &Repeated) -> Result<(), String> {
    let Some(out) = &spec.out else { return Ok(()) };
    let rendered = |text: Result<String, ReportError>| text.map_err(|e| e.to_string());
    let files = [
        (FILE_JSON, rendered(report::repeat::json(repeated))?),
        (FILE_MARKDOWN, report::repeat::markdown(repeated)),
        (FILE_JUNIT, rendered(report::repeat::junit(repeated))?),
    ];
    let write = |(name, text): &(&str, String)| whole(&out.join(name), text);
    files
        .iter()
        .try_for_each(|file| write(file).map_err(|e| e.to_string()))
}
