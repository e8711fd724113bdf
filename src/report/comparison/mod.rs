//! Runs side by side, for people and for programs.

mod words;

use super::json::pretty;
use super::markdown::page::{Page, clipped, folded, inert, list, table};
use super::text::plain;
use super::{ReportError, table as tables};
use crate::compare::{Compared, ComparedFigure, Judgement};

/// Figures that are shown in a comment.
const SHOWN: usize = 100;

/// The comparison as JSON.
///
/// # Errors
/// It cannot be put into JSON.
pub fn json(compared: &Compared) -> Result<String, ReportError> {
    pretty(compared)
}

/// The comparison on a terminal of a width: what differs, then everything.
#[must_use]
pub fn terminal(compared: &Compared, width: Option<u16>) -> String {
    let mut out = format!("{}\n\n", plain(&words::headline(compared)));
    for line in words::runs(compared) {
        out.push_str(&format!("{}\n", plain(&line)));
    }
    out.push('\n');
    out.push_str(&tables::terminal(
        &header(compared),
        &rows(compared, |_| true),
        width,
    ));
    for note in &compared.notes {
        out.push_str(&format!("note: {}\n", plain(note)));
    }
    out.push_str(&format!("\n{}\n", words::LEGEND));
    out
}

/// The comparison as Markdown: what differs is open, the rest folded away.
#[must_use]
pub fn markdown(compared: &Compared) -> String {
    let mut page = Page::default();
    let headline = inert(&words::headline(compared));
    let runs = list(&words::runs(compared), SHOWN);
    page.add(
        "head",
        &format!("## Comparison\n\n**{headline}**\n\n{runs}\n"),
    );
    let cells: Vec<_> = header(compared).iter().map(|cell| inert(cell)).collect();
    let cells: Vec<_> = cells.iter().map(String::as_str).collect();
    let differs = |f: &ComparedFigure| words::differs(f);
    let differing = table(&cells, &rows(compared, differs), SHOWN);
    page.add("what differs", &format!("{differing}\n"));
    let same = table(&cells, &rows(compared, |f| !words::differs(f)), SHOWN);
    page.add(
        "what is the same",
        &folded("Within the uncertainty, or not known", &same),
    );
    page.add("notes", &folded("Notes", &list(&compared.notes, SHOWN)));
    page.add("legend", &format!("<sub>{}</sub>\n", words::LEGEND));
    page.finish()
}

/// Longest label in a table's header.
const LABEL: usize = 30;

fn header(compared: &Compared) -> Vec<String> {
    let labels = compared.runs.iter().enumerate();
    let labels = labels.map(|(i, r)| format!("{} {}", words::letter(i), clipped(&r.label, LABEL)));
    let mut header = vec!["figure".to_owned()];
    header.extend(labels);
    let others = (1..compared.runs.len()).map(|i| format!("{} − A", words::letter(i)));
    header.extend(others);
    header
}

fn rows(compared: &Compared, wanted: impl Fn(&ComparedFigure) -> bool) -> Vec<Vec<String>> {
    let figures = compared.figures.iter().filter(|f| wanted(f));
    figures.map(words::row).collect()
}

/// How many figures are worse, better, the same and not known.
pub(super) fn counted(compared: &Compared, judgement: Judgement) -> usize {
    let sides = compared
        .figures
        .iter()
        .flat_map(|f| f.sides.iter().flatten());
    let judged = sides.filter_map(|s| s.difference);
    judged.filter(|d| d.judgement == judgement).count()
}

#[cfg(test)]
mod tests;
