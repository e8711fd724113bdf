//! `lbtest run --baseline`: limits against an earlier run, and the comparison after the report.

use super::failure::Failure;
use super::{output, stored};
use crate::analysis::result::RunResult;
use crate::compare::{Compared, compare};
use crate::plan::Gate;
use crate::report::comparison;
use std::path::{Path, PathBuf};

/// The run that a path names for a scenario: a file, the folder of a run, or a folder that holds one of that name.
fn of_scenario(path: &Path, scenario: &str) -> PathBuf {
    let inside = path.join(scenario);
    if path.is_dir() && !stored::file_of(path).exists() && inside.is_dir() {
        inside
    } else {
        path.to_owned()
    }
}

/// Reads the baseline of a scenario, and puts what it measured into the gates that are derived from one.
///
/// # Errors
/// It cannot be read.
pub fn resolve(path: Option<&Path>, scenario: &str, gates: &mut [Gate]) -> Result<(), Failure> {
    let Some(path) = path else {
        if let Some(gate) = gates.iter().find(|g| g.relative.is_some()) {
            let (key, written) = (gate.metric.key(), &gate.written);
            output::stderr(&output::inert(&format!(
                "warning: {scenario}: {key} = \"{written}\" needs a baseline: without --baseline PATH it cannot be judged\n"
            )));
        }
        return Ok(());
    };
    crate::verdict::baseline::resolve(gates, &read(path, scenario)?);
    Ok(())
}

fn read(path: &Path, scenario: &str) -> Result<RunResult, Failure> {
    Ok(stored::read(&of_scenario(path, scenario))?.result)
}

/// The baseline of a scenario, read before the run: its results may be written over it. It was readable when the gates
/// were resolved; if it no longer is, there is no comparison.
#[must_use]
pub fn before(path: Option<&Path>, scenario: &str) -> Option<RunResult> {
    read(path?, scenario).ok()
}

/// The comparison of a run, or of several measurements, with their baseline.
#[must_use]
pub fn compared(baseline: RunResult, results: &[RunResult]) -> Compared {
    let name = |number: usize| match results {
        [_] => "this run".to_owned(),
        _ => format!("measurement {number}"),
    };
    let named = (1..).zip(results).map(|(n, r)| (name(n), r.clone()));
    let all: Vec<_> = std::iter::once(("the baseline".to_owned(), baseline))
        .chain(named)
        .collect();
    compare(&all)
}

/// The comparison as it is shown after a report.
#[must_use]
pub fn shown(compared: &Compared) -> String {
    let width = output::terminal_report().width;
    format!(
        "\nAgainst the baseline\n\n{}",
        comparison::terminal(compared, width)
    )
}
