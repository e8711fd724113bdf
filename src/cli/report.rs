//! `lbtest report`: any stored run, again. Needs no Docker.

use super::args::{Report, ReportFormat};
use super::exit::Exit;
use super::failure::Failure;
use super::output;
use super::stored::{self, Stored};
use crate::report::csv::Csv;
use crate::report::html::Html;
use crate::report::json::Json;
use crate::report::junit::Junit;
use crate::report::markdown::Markdown;
use crate::report::ndjson::Ndjson;
use crate::report::openmetrics::OpenMetrics;
use crate::report::{ReportError, Reporter, repeat};
use std::path::{Path, PathBuf};

/// Prints (or writes) the report of a run that is over, or of what a run that crashed had measured.
pub fn run(args: &Report) -> Result<Exit, Failure> {
    let text = match repeated(&args.path) {
        Some(path) => of_repeated(&path, args.format)?,
        None => of_run(&stored::read(&args.path)?, args.format)?,
    };
    match &args.out {
        Some(out) => stored::write(out, &text)?,
        None => output::stdout(&text),
    }
    Ok(Exit::Pass)
}

fn failed(error: ReportError) -> Failure {
    Failure::environment(error.to_string(), "")
}

fn of_run(stored: &Stored, format: ReportFormat) -> Result<String, Failure> {
    let history = stored.history.as_ref();
    let (terminal, csv, ndjson) = (
        output::terminal_report(),
        Csv { history },
        Ndjson { history },
    );
    let reporter: &dyn Reporter = match format {
        ReportFormat::Terminal => &terminal,
        ReportFormat::Json => &Json,
        ReportFormat::Markdown => &Markdown,
        ReportFormat::Html => &Html,
        ReportFormat::Junit => &Junit,
        ReportFormat::Csv => &csv,
        ReportFormat::Ndjson => &ndjson,
        ReportFormat::Openmetrics => &OpenMetrics,
    };
    reporter.render(&stored.result).map_err(failed)
}

/// The repeat.json that a path names, or that its folder holds instead of a run.
fn repeated(path: &Path) -> Option<PathBuf> {
    if path
        .file_name()
        .is_some_and(|name| name == repeat::FILE_JSON)
    {
        return Some(path.to_owned());
    }
    let inside = path.join(repeat::FILE_JSON);
    (inside.is_file() && !stored::file_of(path).exists()).then_some(inside)
}

fn of_repeated(path: &Path, format: ReportFormat) -> Result<String, Failure> {
    let text = stored::text(path, stored::MAX_RESULT)?;
    let usage = |message: String, help: &str| Failure::Usage {
        message,
        help: help.to_owned(),
    };
    let repeated = repeat::read(&text).map_err(|e| {
        usage(
            format!("{}: {e}", path.display()),
            "give the repeat.json of a run with --repeat",
        )
    })?;
    match format {
        ReportFormat::Terminal => Ok(repeat::terminal_within(
            &repeated,
            output::terminal_report().width,
        )),
        ReportFormat::Json => repeat::json(&repeated).map_err(failed),
        ReportFormat::Markdown => Ok(repeat::markdown(&repeated)),
        ReportFormat::Junit => repeat::junit(&repeated).map_err(failed),
        ReportFormat::Html
        | ReportFormat::Csv
        | ReportFormat::Ndjson
        | ReportFormat::Openmetrics => Err(usage(
            format!(
                "{}: repeated runs have no report of this form",
                path.display()
            ),
            "use terminal, json, markdown or junit; or name the folder of one of the runs",
        )),
    }
}
