//! What GitHub Actions reads from the output of a step: annotations that are meant, and none that are not.
//!
//! Source: "Workflow commands for GitHub Actions" (docs.github.com), and the runner's `ActionCommand`: a line is a command
//! if it begins with `::` after white space, or holds `##[` anywhere.

use super::sentence;
use super::text::plain;
use crate::analysis::result::{GateResult, RunResult};
use crate::compare::repeat::{GateOutcome, Repeated};
use crate::verdict::Verdict;
use std::borrow::Cow;

/// GitHub shows no more than so many annotations of one level from one step.
const SHOWN: usize = 10;
/// A longer message is cut.
const LONGEST: usize = 1_000;

/// Where an annotation belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, relative to the repository.
    pub file: String,
    /// Its line, from 1, where it is known.
    pub line: Option<usize>,
}

/// How an annotation is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Notice,
}

/// The annotations of a run, a line each: an error for each gate that failed, a warning for every other reason, a notice
/// of what was measured. `place` knows where a gate (or, with none, the scenario) was written.
#[must_use]
pub fn annotations(
    result: &RunResult,
    place: impl Fn(Option<&GateResult>) -> Option<Place>,
) -> String {
    let name = &result.scenario.name;
    let mut out = Vec::new();
    let failed = result.gates.iter().filter(|g| g.judged && !g.passed);
    for gate in failed.take(SHOWN) {
        let [of, limit, measured, _] = sentence::gate_row(gate);
        let message = format!("{of} {limit}: {measured}");
        let title = format!("{name}: gate failed");
        out.push(command(Level::Error, place(Some(gate)), &title, &message));
    }
    let of_gate = |reason: &&String| {
        let begins = |g: &GateResult| reason.starts_with(&format!("{} {}:", g.name, g.limit));
        result.gates.iter().any(|g| g.judged && begins(g))
    };
    let others = result.verdict_reasons.iter().filter(|r| !of_gate(r));
    let title = format!(
        "{name}: {}",
        sentence::verdict(result.verdict).to_lowercase()
    );
    out.extend(
        others
            .take(SHOWN)
            .map(|reason| command(Level::Warning, place(None), &title, reason)),
    );
    let headline = sentence::headline(result);
    out.push(command(Level::Notice, place(None), &title, &headline));
    lines(&out)
}

/// The annotations of repeated runs.
#[must_use]
pub fn annotations_of_repeated(repeated: &Repeated, place: Option<&Place>) -> String {
    let title = format!(
        "{}: {} over {} runs",
        repeated.scenario,
        sentence::verdict(repeated.verdict).to_lowercase(),
        repeated.runs.len()
    );
    let failed = repeated
        .gates
        .iter()
        .any(|g| g.outcome == GateOutcome::Failed);
    let level = match (repeated.verdict, failed) {
        (Verdict::Fail, _) | (_, true) => Level::Error,
        (Verdict::Inconclusive, false) => Level::Warning,
        (Verdict::Pass, false) => Level::Notice,
    };
    let reasons = repeated.reasons.iter().take(SHOWN);
    let mut out: Vec<_> = reasons
        .map(|r| command(level, place.cloned(), &title, r))
        .collect();
    if out.is_empty() {
        out.push(command(level, place.cloned(), &title, "every gate holds"));
    }
    lines(&out)
}

fn lines(commands: &[String]) -> String {
    commands.iter().map(|c| format!("{c}\n")).collect()
}

fn command(level: Level, place: Option<Place>, title: &str, message: &str) -> String {
    let name = match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Notice => "notice",
    };
    let mut properties = Vec::new();
    if let Some(place) = place {
        properties.push(format!("file={}", property(&place.file)));
        properties.extend(place.line.map(|line| format!("line={line}")));
    }
    properties.push(format!("title={}", property(title)));
    format!("::{name} {}::{}", properties.join(","), value(message))
}

/// A message as the command's syntax demands it.
fn value(text: &str) -> String {
    let short = super::markdown::page::clipped(text, LONGEST);
    let text = plain(&short)
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A");
    // A command of the older syntax is one wherever it stands.
    text.replace("##[", "#\u{2060}#[")
}

/// A property's value: what would end it is escaped too.
fn property(text: &str) -> String {
    value(text).replace(':', "%3A").replace(',', "%2C")
}

/// A text in which no line is a workflow command: where one would be, a word joiner (which nobody sees) breaks it.
#[must_use]
pub fn disarmed(text: &str) -> Cow<'_, str> {
    let is_command = |line: &str| line.trim_start().starts_with("::");
    if !text.contains("##[") && !text.split(['\n', '\r']).any(is_command) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive(['\n', '\r']) {
        if is_command(line) {
            out.push_str(&line.replacen("::", ":\u{2060}:", 1));
        } else {
            out.push_str(line);
        }
    }
    Cow::Owned(out.replace("##[", "#\u{2060}#["))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_and_its_properties_are_escaped() {
        let place = Place {
            file: "a,b:c%.toml".to_owned(),
            line: Some(7),
        };
        let shown = command(Level::Error, Some(place), "x: y", "50 %\n::error::z");
        assert_eq!(
            shown,
            "::error file=a%2Cb%3Ac%25.toml,line=7,title=x%3A y::50 %25\\u{a}::error::z"
        );
    }

    #[test]
    fn no_line_of_a_disarmed_text_is_a_command_and_a_harmless_one_is_unchanged() {
        let hostile = "ok\n::error::x\n  ::add-mask::y\r::z\n\u{a0}::w\na ##[error]b\n";
        let shown = disarmed(hostile);
        assert!(!shown.contains("##["), "{shown}");
        let begins = |line: &str| line.trim_start().starts_with("::");
        assert!(!shown.split(['\n', '\r']).any(begins), "{shown}");
        assert_eq!(shown.replace('\u{2060}', ""), hostile);
        assert!(matches!(disarmed("a :: b\nstd::fmt\n"), Cow::Borrowed(_)));
    }
}
