//! `lbtest report`.

use super::args::{Report, ReportFormat};
use super::exit::Exit;
use super::failure::Failure;

/// Prints the report of a run that is over.
pub fn run(args: &Report) -> Result<Exit, Failure> {
    match args.format {
        ReportFormat::Terminal | ReportFormat::Json | ReportFormat::Markdown => {
            Err(Failure::environment(
                format!("this build cannot read {}", args.path.display()),
                "",
            ))
        }
    }
}
