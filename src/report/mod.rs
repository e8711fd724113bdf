//! Reports: each renders a [`RunResult`] and nothing else, so that any stored `run.json` can be shown again.
//!
//! What comes from the system under test (names, classes, events) is text, never markup: [`text`] makes it inert.

pub mod comparison;
pub mod csv;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod listing;
pub mod markdown;
pub mod ndjson;
pub mod noticed;
pub mod openmetrics;
pub mod repeat;
pub mod rows;
pub mod sentence;
pub mod story;
pub mod table;
pub mod terminal;
#[cfg(test)]
mod tests;
pub mod text;

use crate::analysis::result::RunResult;

/// A report could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A figure could not be put into JSON.
    #[error("the result cannot be written as JSON: {0}")]
    Write(#[source] serde_json::Error),
    /// A figure could not be put into XML.
    #[error("the result cannot be written as XML: {0}")]
    Xml(#[source] Box<quick_junit::SerializeError>),
    /// A figure could not be put into a table.
    #[error("the result cannot be written as CSV: {0}")]
    Table(#[source] ::csv::Error),
    /// A figure could not be put into OpenMetrics.
    #[error("the result cannot be written as OpenMetrics: {0}")]
    Metrics(#[source] std::fmt::Error),
    /// The text is not a result.
    #[error("this is not the result of a run (run.json): {0}")]
    Read(#[source] serde_json::Error),
    /// A result of a form that this version does not know.
    #[error("this result has schema version {0}; this lbtest reads up to version {known}", known = crate::history::SCHEMA_VERSION)]
    Newer(u32),
    /// The page's template failed.
    #[error("the HTML report cannot be made: {0}")]
    Template(#[from] minijinja::Error),
}

/// One form of report.
pub trait Reporter {
    /// The report's file name in a run's folder.
    fn file_name(&self) -> &'static str;

    /// The report.
    ///
    /// # Errors
    /// The result cannot be put into this form.
    fn render(&self, result: &RunResult) -> Result<String, ReportError>;
}
