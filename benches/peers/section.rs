//! What an experiment found, in a form that can be shown: as Markdown, and on a terminal.

use comfy_table::{CellAlignment, Table as Grid, presets};
use std::fmt::Write;

/// One experiment.
#[derive(Debug, Clone, Default)]
pub struct Section {
    /// Its key and what it is about.
    pub title: String,
    /// How it was measured: paragraphs.
    pub method: Vec<String>,
    /// Command lines.
    pub commands: Vec<String>,
    /// Versions of the programs.
    pub versions: Vec<String>,
    /// Figures.
    pub tables: Vec<Table>,
    /// What was to be reached.
    pub goals: Vec<Goal>,
    /// What has to be known beside the figures.
    pub notes: Vec<String>,
}

/// Figures; the first column is a name.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// What is in it.
    pub caption: String,
    /// Names of the columns.
    pub head: Vec<String>,
    /// As many cells as columns.
    pub rows: Vec<Vec<String>>,
}

/// What was to be reached, and what was.
#[derive(Debug, Clone)]
pub struct Goal {
    /// Of what.
    pub what: String,
    /// The limit.
    pub limit: String,
    /// The figure.
    pub measured: String,
    /// Whether it was reached.
    pub met: bool,
}

impl Goal {
    /// PASS or MISS.
    pub fn word(&self) -> &'static str {
        if self.met { "PASS" } else { "MISS" }
    }
}

impl Table {
    /// An empty one.
    pub fn new(caption: &str, head: &[&str]) -> Self {
        Self {
            caption: caption.to_owned(),
            head: head.iter().map(|&h| h.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    fn markdown(&self) -> String {
        let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rules: Vec<String> = (0..self.head.len())
            .map(|i| if i == 0 { "---" } else { "---:" }.to_owned())
            .collect();
        let rows: String = self.rows.iter().map(|cells| row(cells)).collect();
        format!(
            "{}:\n\n{}{}{rows}\n",
            self.caption,
            row(&self.head),
            row(&rules)
        )
    }

    fn terminal(&self) -> String {
        let mut grid = Grid::new();
        grid.load_style(presets::UTF8_BORDERS_ONLY)
            .set_header(&self.head)
            .add_rows(&self.rows);
        for column in grid.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        format!("{}\n{grid}\n", self.caption)
    }
}

impl Section {
    fn goals(&self) -> Option<Table> {
        let mut table = Table::new("Goals", &["goal", "limit", "measured", "result"]);
        for goal in &self.goals {
            table.rows.push(vec![
                goal.what.clone(),
                goal.limit.clone(),
                goal.measured.clone(),
                goal.word().to_owned(),
            ]);
        }
        (!self.goals.is_empty()).then_some(table)
    }

    /// For the file; the second heading is its key.
    pub fn markdown(&self, measured_on: &str) -> String {
        let mut text = format!("## {}\n\nMeasured on {measured_on}.\n\n", self.title);
        for paragraph in &self.method {
            let _ = write!(text, "{paragraph}\n\n");
        }
        for table in self.tables.iter().chain(&self.goals()) {
            text.push_str(&table.markdown());
        }
        for note in &self.notes {
            let _ = writeln!(text, "- {note}");
        }
        if !self.notes.is_empty() {
            text.push('\n');
        }
        let _ = write!(
            text,
            "Versions: {}.\n\n```text\n{}\n```\n",
            self.versions.join("; "),
            self.commands.join("\n")
        );
        text
    }

    /// For people who wait for it.
    pub fn terminal(&self) -> String {
        let mut text = format!("\n== {}\n", self.title);
        for table in self.tables.iter().chain(&self.goals()) {
            let _ = writeln!(text, "\n{}", table.terminal());
        }
        for note in &self.notes {
            let _ = writeln!(text, "- {note}");
        }
        text
    }
}
