//! `report.md`: reads well as a comment on a pull request.
//!
//! The verdict and why come first, then what each fault cost; what only somebody wants who looks for a cause is folded
//! away. However much there is to tell, it stays within what a comment on GitHub holds ([`page::MAX_BYTES`]).

pub mod page;
mod timeline;

use super::text::seconds;
use super::{ReportError, Reporter, sentence};
use crate::analysis::result::RunResult;
use crate::verdict::Verdict;
use page::{Page, bounded, folded, inert, list, table, titled};

/// Reasons, faults, workloads and gates that are shown; the rest is in run.json.
const SHOWN: usize = 20;
/// Events and outages that are shown, folded away.
const LISTED: usize = 50;

/// Renders Markdown (GitHub's dialect).
#[derive(Debug, Clone, Copy, Default)]
pub struct Markdown;

impl Reporter for Markdown {
    fn file_name(&self) -> &'static str {
        "report.md"
    }

    fn render(&self, result: &RunResult) -> Result<String, ReportError> {
        let mut page = Page::default();
        page.add("head", &head(result));
        page.add("gates", &gates(result));
        page.add("faults", &titled("Faults", &faults(result)));
        page.add("workloads", &titled("Workloads", &workloads(result)));
        let timeline = timeline::timeline(result);
        page.add("errors over time", &titled("Errors over time", &timeline));
        page.add("hints", &hints(result));
        let outages: Vec<_> = result.outages.iter().map(sentence::outage).collect();
        let count = |what: &str, n: usize| format!("{what} ({n})");
        let title = count("Outages", outages.len());
        page.add("outages", &folded(&title, &list(&outages, LISTED)));
        page.add(
            "errors by class",
            &folded("Errors by class", &errors(result)),
        );
        let shares = result.loads.iter().filter_map(sentence::shares);
        let shares: Vec<_> = shares.collect();
        page.add(
            "who answered",
            &folded("Who answered", &list(&shares, LISTED)),
        );
        let title = count("Events", result.events.len());
        page.add("events", &folded(&title, &events(result)));
        page.add(
            "how it was measured",
            &folded("How it was measured", &tail(result)),
        );
        Ok(page.finish())
    }
}

/// The sign of a verdict.
#[must_use]
pub fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✅",
        Verdict::Fail => "❌",
        Verdict::Inconclusive => "❔",
    }
}

fn head(result: &RunResult) -> String {
    let mark = mark(result.verdict);
    let verdict = sentence::verdict(result.verdict);
    let name = inert(&result.scenario.name);
    let headline = inert(&sentence::headline(result));
    let mut out = format!("## {mark} {verdict}: {name}\n\n**{headline}**\n\n");
    if !result.verdict_reasons.is_empty() {
        out.push_str(&list(&result.verdict_reasons, SHOWN));
        out.push('\n');
    }
    if !result.scenario.description.is_empty() {
        // A word joiner before it: a text that begins with a dash or a number is no list.
        let description = inert(&result.scenario.description);
        out.push_str(&format!("\u{2060}{description}\n\n"));
    }
    out
}

fn gates(result: &RunResult) -> String {
    let rows = result.gates.iter().map(|g| sentence::gate_row(g).to_vec());
    let rows: Vec<_> = rows.collect();
    titled("Gates", &table(&sentence::GATE_COLUMNS, &rows, SHOWN))
}

fn faults(result: &RunResult) -> String {
    let mut each = Vec::new();
    for fault in &result.faults {
        let mut lines = format!("- **{}**", inert(&sentence::fault(fault)));
        for impact in sentence::impacts(result, fault) {
            lines.push_str(&format!("\n  - {}", inert(&impact)));
        }
        each.push(lines);
    }
    bounded(&each, SHOWN, |n| format!("- and {n} more (see run.json)"))
}

fn workloads(result: &RunResult) -> String {
    let rows = result.loads.iter().map(|l| sentence::load_row(l).to_vec());
    let rows: Vec<_> = rows.collect();
    let mut out = table(&sentence::LOAD_COLUMNS, &rows, SHOWN);
    if let Some(achieved) = sentence::achieved(result) {
        out.push_str(&format!("\n{}.\n", inert(&achieved)));
    }
    out
}

fn hints(result: &RunResult) -> String {
    let hints = result.hints.iter();
    let lines: Vec<_> = hints.map(|h| format!("> Hint: {}\n", inert(h))).collect();
    bounded(&lines, SHOWN, |n| format!("> and {n} more hints\n"))
}

fn errors(result: &RunResult) -> String {
    let bad = result.loads.iter().filter(|l| !l.errors.is_empty());
    let items = bad.map(|l| format!("{}: {}", l.name, sentence::errors(&l.errors)));
    list(&items.collect::<Vec<_>>(), LISTED)
}

fn events(result: &RunResult) -> String {
    let rows = result.events.iter().map(|e| {
        let [source, subject, what] = [&e.source, &e.subject, &e.what].map(Clone::clone);
        vec![seconds(e.at_ms), source, subject, what]
    });
    let rows: Vec<_> = rows.collect();
    table(&["at", "source", "subject", "what"], &rows, LISTED)
}

fn tail(result: &RunResult) -> String {
    let e = &result.environment;
    let engine = e.engine_version.as_ref().map(|v| format!(", Docker {v}"));
    let kernel = e.kernel.as_ref().map(|v| format!(", kernel {v}"));
    let cpus = e.cpus.map(|n| format!(", {n} cores"));
    let generator = sentence::generator(result.generator.as_ref());
    let made = format!(
        "lbtest {}, run {}, seed {}, started {}{}{}{}",
        result.lbtest_version,
        result.run,
        result.scenario.seed,
        result.started_at,
        engine.unwrap_or_default(),
        kernel.unwrap_or_default(),
        cpus.unwrap_or_default()
    );
    format!("- Generator: {}\n- {}\n", inert(&generator), inert(&made))
}
