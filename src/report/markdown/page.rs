//! A page of Markdown that never grows longer than a comment may be.

use crate::report::text::markdown;
use std::fmt::Write;

/// A comment on GitHub holds 65 536 characters; these are bytes, of which there are never fewer, and something is left
/// for what somebody writes above the report.
pub const MAX_BYTES: usize = 60_000;
/// A section holds no more: so that one that is long does not crowd out those after it.
const MAX_SECTION: usize = 12_000;
/// A text from outside is cut after so many characters.
const MAX_TEXT: usize = 300;

/// Makes a text from outside harmless, and short.
#[must_use]
pub fn inert(text: &str) -> String {
    markdown(&clipped(text, MAX_TEXT))
}

/// The first characters of a text, with a mark where there were more.
#[must_use]
pub fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Markdown, section by section.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    left_out: Vec<&'static str>,
}

impl Page {
    /// Adds a section where there is room for it; else its name is told at the end.
    pub fn add(&mut self, name: &'static str, section: &str) {
        if section.is_empty() {
            return;
        }
        if self.text.len() + section.len() <= MAX_BYTES {
            self.text.push_str(section);
        } else {
            self.left_out.push(name);
        }
    }

    /// The whole page.
    #[must_use]
    pub fn finish(mut self) -> String {
        if !self.left_out.is_empty() {
            let names = self.left_out.join(", ");
            let _ = writeln!(self.text, "\n_Left out for length: {names}; see run.json._");
        }
        self.text
    }
}

/// Lines up to a number and a length; the last one says how many there are besides.
#[must_use]
pub fn bounded(lines: &[String], most: usize, more: impl Fn(usize) -> String) -> String {
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        if index >= most || out.len() + line.len() > MAX_SECTION {
            let _ = writeln!(out, "{}", more(lines.len() - index));
            break;
        }
        let _ = writeln!(out, "{line}");
    }
    out
}

/// A table; names in it are made inert here. Empty without a row.
#[must_use]
pub fn table(header: &[&str], rows: &[Vec<String>], most: usize) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let row = |cells: &Vec<String>| {
        let cells: Vec<_> = cells.iter().map(|cell| inert(cell)).collect();
        format!("| {} |", cells.join(" | "))
    };
    let lines: Vec<_> = rows.iter().map(row).collect();
    let empty = " |".repeat(header.len() - 1);
    let more = |n| format!("| and {n} more |{empty}");
    format!(
        "| {} |\n|{}\n{}",
        header.join(" | "),
        " --- |".repeat(header.len()),
        bounded(&lines, most, more)
    )
}

/// A list; its items are made inert here.
#[must_use]
pub fn list(items: &[String], most: usize) -> String {
    let lines: Vec<_> = items.iter().map(|i| format!("- {}", inert(i))).collect();
    bounded(&lines, most, |n| format!("- and {n} more (see run.json)"))
}

/// A part that is folded away until somebody wants it. Empty where it holds nothing.
#[must_use]
pub fn folded(summary: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!("<details><summary>{summary}</summary>\n\n{content}\n</details>\n\n")
}

/// A part with its title. Empty where it holds nothing.
#[must_use]
pub fn titled(title: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!("### {title}\n\n{content}\n")
}
