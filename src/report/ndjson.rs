//! NDJSON: the long table of [`super::rows`], one object a line.

use super::rows::rows;
use super::{ReportError, Reporter};
use crate::analysis::result::RunResult;
use crate::history::History;

/// Renders NDJSON. Texts are as they came: JSON escapes what could do harm.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ndjson<'a> {
    /// Where it is known, the slots of 100 ms are rows too.
    pub history: Option<&'a History>,
}

impl Reporter for Ndjson<'_> {
    fn file_name(&self) -> &'static str {
        "run.ndjson"
    }

    fn render(&self, result: &RunResult) -> Result<String, ReportError> {
        let mut out = String::new();
        for row in rows(result, self.history) {
            out.push_str(&serde_json::to_string(&row).map_err(ReportError::Write)?);
            out.push('\n');
        }
        Ok(out)
    }
}
