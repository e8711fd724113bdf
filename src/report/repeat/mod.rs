//! Repeated runs, for people and for programs.

mod words;

use super::json::pretty;
use super::junit::{case, not_passed, of_millis, plain as xml, status_of, written};
use super::markdown::mark;
use super::markdown::page::{Page, bounded, folded, inert, list, table, titled};
use super::text::plain;
use super::{ReportError, sentence, table as tables};
use crate::compare::repeat::{GateOutcome, Repeated, RepeatedGate};
use quick_junit::{NonSuccessKind, TestCaseStatus, TestSuite};

/// Figures, gates and runs that are shown in a comment.
const SHOWN: usize = 60;

/// Name of the JSON file.
pub const FILE_JSON: &str = "repeat.json";
/// Name of the Markdown file.
pub const FILE_MARKDOWN: &str = "repeat.md";
/// Name of the JUnit file.
pub const FILE_JUNIT: &str = "junit.xml";

/// `repeat.json`.
///
/// # Errors
/// It cannot be put into JSON.
pub fn json(repeated: &Repeated) -> Result<String, ReportError> {
    pretty(repeated)
}

/// Reads `repeat.json` back.
///
/// # Errors
/// The text is none, or one of a newer form.
pub fn read(text: &str) -> Result<Repeated, ReportError> {
    let repeated: Repeated = serde_json::from_str(text).map_err(ReportError::Read)?;
    if repeated.schema_version > crate::history::SCHEMA_VERSION {
        return Err(ReportError::Newer(repeated.schema_version));
    }
    Ok(repeated)
}

/// On a terminal, as wide as its content.
#[must_use]
pub fn terminal(repeated: &Repeated) -> String {
    terminal_within(repeated, None)
}

/// On a terminal of a width.
#[must_use]
pub fn terminal_within(repeated: &Repeated, width: Option<u16>) -> String {
    let verdict = sentence::verdict(repeated.verdict);
    let mut out = format!(
        "{verdict}  {}\n  {}\n",
        plain(&repeated.scenario),
        words::headline(repeated)
    );
    for reason in &repeated.reasons {
        out.push_str(&format!("  - {}\n", plain(reason)));
    }
    out.push('\n');
    let gates: Vec<_> = repeated.gates.iter().map(words::gate_row).collect();
    if !gates.is_empty() {
        out.push_str(&tables::terminal(&words::GATE_COLUMNS, &gates, width));
        out.push('\n');
    }
    let figures: Vec<_> = repeated.figures.iter().map(words::figure_row).collect();
    if !figures.is_empty() {
        out.push_str(&tables::terminal(&words::FIGURE_COLUMNS, &figures, width));
        out.push('\n');
    }
    words::left_out(repeated)
        .iter()
        .for_each(|l| out.push_str(&format!("{}\n", plain(l))));
    out.push_str(&format!("{}\n", words::legend(repeated)));
    out
}

/// As a comment on a pull request.
#[must_use]
pub fn markdown(repeated: &Repeated) -> String {
    let mut page = Page::default();
    let mut head = format!(
        "## {} {}: {}\n\n**{}**\n\n",
        mark(repeated.verdict),
        sentence::verdict(repeated.verdict),
        inert(&repeated.scenario),
        inert(&words::headline(repeated))
    );
    if !repeated.reasons.is_empty() {
        head.push_str(&list(&repeated.reasons, 20));
        head.push('\n');
    }
    page.add("head", &head);
    let gates: Vec<_> = repeated.gates.iter().map(words::gate_row).collect();
    page.add(
        "gates",
        &titled("Gates", &table(&words::GATE_COLUMNS, &gates, SHOWN)),
    );
    let figures: Vec<_> = repeated.figures.iter().map(words::figure_row).collect();
    let figures = table(&words::FIGURE_COLUMNS, &figures, SHOWN);
    page.add("figures", &titled("Over the runs", &figures));
    let left_out: Vec<_> = words::left_out(repeated)
        .iter()
        .map(|l| format!("- {}", inert(l)))
        .collect();
    let left_out = bounded(&left_out, SHOWN, |n| format!("- and {n} more"));
    page.add("runs that were left out", &titled("Left out", &left_out));
    let runs: Vec<_> = repeated.runs.iter().map(words::run_row).collect();
    let title = format!("Runs ({})", runs.len());
    page.add(
        "runs",
        &folded(&title, &table(&words::RUN_COLUMNS, &runs, SHOWN)),
    );
    page.add(
        "legend",
        &format!("<sub>{}</sub>\n", words::legend(repeated)),
    );
    page.finish()
}

/// JUnit's XML: a case for the verdict, and one for each gate.
///
/// # Errors
/// It cannot be written.
pub fn junit(repeated: &Repeated) -> Result<String, ReportError> {
    let name = xml(&repeated.scenario);
    let mut suite = TestSuite::new(&*name);
    suite.add_property(("runs", &*repeated.runs.len().to_string()));
    let status = status_of(repeated.verdict, &repeated.reasons);
    suite.add_test_case(case(&name, "verdict", status));
    let gates = repeated.gates.iter();
    suite.add_test_cases(gates.map(|gate| {
        let of = format!("{} {}", gate.name, gate.limit);
        case(&name, &xml(&of), gate_status(gate))
    }));
    suite.set_system_out(xml(&words::headline(repeated)));
    written(suite, of_millis(0.0))
}

fn gate_status(gate: &RepeatedGate) -> TestCaseStatus {
    let message = words::gate_row(gate).join(", ");
    match gate.outcome {
        GateOutcome::Passed => TestCaseStatus::success(),
        GateOutcome::Failed => not_passed(NonSuccessKind::Failure, "gate failed", &message),
        GateOutcome::Straddles | GateOutcome::NotJudged => {
            not_passed(NonSuccessKind::Error, "gate inconclusive", &message)
        }
    }
}

#[cfg(test)]
mod tests;
