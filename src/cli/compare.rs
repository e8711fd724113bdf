//! `lbtest compare`: runs side by side. Needs no Docker.

use super::args::{Compare, CompareFormat};
use super::exit::Exit;
use super::failure::Failure;
use super::{output, stored};
use crate::report::comparison;

/// Prints how runs differ from the first, and whether they differ by more than is known of them.
pub fn run(args: &Compare) -> Result<Exit, Failure> {
    let mut runs = Vec::new();
    for path in &args.paths {
        runs.push((path.display().to_string(), stored::read(path)?.result));
    }
    let compared = crate::compare::compare(&runs);
    let text = match args.format {
        CompareFormat::Terminal => comparison::terminal(&compared, output::terminal_report().width),
        CompareFormat::Markdown => comparison::markdown(&compared),
        CompareFormat::Json => {
            comparison::json(&compared).map_err(|e| Failure::environment(e.to_string(), ""))?
        }
    };
    output::stdout(&text);
    Ok(Exit::Pass)
}
