//! CSV: the long table of [`super::rows`], for a notebook or a spreadsheet.

use super::rows::{COLUMNS, Row, rows};
use super::text::plain;
use super::{ReportError, Reporter};
use crate::analysis::result::RunResult;
use crate::history::History;

/// Renders CSV: a header line, `,`, `\n`, RFC 4180's quotes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Csv<'a> {
    /// Where it is known, the slots of 100 ms are rows too.
    pub history: Option<&'a History>,
}

impl Reporter for Csv<'_> {
    fn file_name(&self) -> &'static str {
        "run.csv"
    }

    fn render(&self, result: &RunResult) -> Result<String, ReportError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS).map_err(ReportError::Table)?;
        for row in rows(result, self.history) {
            writer
                .write_record(cells(&row))
                .map_err(ReportError::Table)?;
        }
        let bytes = writer
            .into_inner()
            .map_err(|e| ReportError::Table(e.into_error().into()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn cells(row: &Row) -> [String; 10] {
    let number = |n: Option<f64>| n.map_or_else(String::new, |n| n.to_string());
    [
        row.record.to_owned(),
        row.time_ms.to_string(),
        number(row.length_ms),
        inert(&row.source),
        inert(&row.subject),
        inert(&row.metric),
        inert(&row.label),
        number(row.value),
        inert(&row.unit),
        inert(&row.text),
    ]
}

/// A cell that begins like a formula would be one to a spreadsheet: an apostrophe before it makes it a text. Control
/// characters are shown as their code, so that a row is a line.
fn inert(text: &str) -> String {
    let text = plain(text);
    if text.trim_start().starts_with(['=', '+', '-', '@']) {
        format!("'{text}")
    } else {
        text
    }
}
