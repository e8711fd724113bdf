//! `lbtest report`: any stored run, again. Needs no Docker.

use super::args::{Report, ReportFormat};
use super::exit::Exit;
use super::failure::Failure;
use super::output;
use crate::analysis::analyze;
use crate::analysis::result::RunResult;
use crate::history::file;
use crate::report::Reporter;
use crate::report::json::{self, Json};
use crate::report::markdown::Markdown;
use crate::run::output::HISTORY;
use std::path::Path;

/// Prints the report of a run that is over, or of what a run that crashed had measured.
pub fn run(args: &Report) -> Result<Exit, Failure> {
    let result = read(&args.path)?;
    let terminal = output::terminal_report();
    let reporter: &dyn Reporter = match args.format {
        ReportFormat::Terminal => &terminal,
        ReportFormat::Json => &Json,
        ReportFormat::Markdown => &Markdown,
    };
    let text = reporter
        .render(&result)
        .map_err(|e| Failure::environment(e.to_string(), ""))?;
    output::stdout(&text);
    Ok(Exit::Pass)
}

fn read(path: &Path) -> Result<RunResult, Failure> {
    let path = if path.is_dir() {
        let [result, history] = [path.join(Json.file_name()), path.join(HISTORY)];
        if result.exists() { result } else { history }
    } else {
        path.to_owned()
    };
    let unreadable = |why: &dyn std::fmt::Display| Failure::Usage {
        message: format!("{}: {why}", path.display()),
        help: "give a run.json, a history.ndjson, or the folder of a run".to_owned(),
    };
    if path.extension().is_some_and(|e| e == "ndjson") {
        let history = file::read(&path).map_err(|e| Failure::Usage {
            message: e.to_string(),
            help: "give a run.json, a history.ndjson, or the folder of a run".to_owned(),
        })?;
        return Ok(analyze(&history));
    }
    let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&e))?;
    json::read(&text).map_err(|e| unreadable(&e))
}
