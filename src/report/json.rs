//! `run.json`: the whole result, for programs.

use super::{ReportError, Reporter};
use crate::analysis::result::RunResult;
use crate::history::SCHEMA_VERSION;

/// Renders the result as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl Reporter for Json {
    fn file_name(&self) -> &'static str {
        "run.json"
    }

    fn render(&self, result: &RunResult) -> Result<String, ReportError> {
        let mut text = serde_json::to_string_pretty(result).map_err(ReportError::Write)?;
        text.push('\n');
        Ok(text)
    }
}

/// Reads a result back.
///
/// # Errors
/// The text is not a result, or one of a newer form.
pub fn read(text: &str) -> Result<RunResult, ReportError> {
    let result: RunResult = serde_json::from_str(text).map_err(ReportError::Read)?;
    if result.schema_version > SCHEMA_VERSION {
        return Err(ReportError::Newer(result.schema_version));
    }
    Ok(result)
}
