//! A table as the page's template draws it.

use serde::Serialize;

/// A table.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Table {
    /// What it lists.
    pub caption: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Vec<Row>,
    /// Rows that were left out: the rest is in run.json.
    pub omitted: usize,
}

/// A column.
#[derive(Debug, Clone, Serialize)]
pub struct Column {
    /// Its heading.
    pub name: String,
    /// It holds figures: aligned to the right.
    pub number: bool,
}

impl Column {
    /// Of text.
    pub fn text(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            number: false,
        }
    }

    /// Of figures.
    pub fn number(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            number: true,
        }
    }
}

/// A row.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// `passed`, `failed`, `open`, or nothing: how the row is marked, beside what it says.
    pub mark: &'static str,
    /// Its cells.
    pub cells: Vec<String>,
}

impl Table {
    /// Without rows yet.
    pub fn new(caption: impl Into<String>, columns: Vec<Column>) -> Self {
        Self {
            caption: caption.into(),
            columns,
            ..Self::default()
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.marked("", cells);
    }

    /// Adds a row with a mark.
    pub fn marked(&mut self, mark: &'static str, cells: Vec<String>) {
        self.rows.push(Row { mark, cells });
    }

    /// Leaves out what is beyond a number of rows.
    #[must_use]
    pub fn up_to(mut self, rows: usize) -> Self {
        self.omitted = self.rows.len().saturating_sub(rows);
        self.rows.truncate(rows);
        self
    }
}
