//! `report.md`: reads well as a comment on a pull request.

use super::text::{markdown as inert, seconds};
use super::{ReportError, Reporter, sentence};
use crate::analysis::result::RunResult;
use crate::verdict::Verdict;
use std::fmt::Write;

/// Events and outages that are shown; the rest is in run.json.
const LISTED: usize = 50;

/// Renders Markdown (GitHub's dialect).
#[derive(Debug, Clone, Copy, Default)]
pub struct Markdown;

impl Reporter for Markdown {
    fn file_name(&self) -> &'static str {
        "report.md"
    }

    fn render(&self, result: &RunResult) -> Result<String, ReportError> {
        let mut out = String::new();
        head(&mut out, result);
        faults(&mut out, result);
        let loads = result.loads.iter().map(|l| sentence::load_row(l).to_vec());
        table(
            &mut out,
            "Workloads",
            &sentence::LOAD_COLUMNS,
            loads.collect(),
        );
        let shares = result.loads.iter().filter_map(sentence::shares);
        list(&mut out, "Who answered", shares.collect());
        timeline(&mut out, result);
        let gates = result.gates.iter().map(|g| sentence::gate_row(g).to_vec());
        table(&mut out, "Gates", &sentence::GATE_COLUMNS, gates.collect());
        let outages = result.outages.iter().map(sentence::outage);
        list(&mut out, "Outages", outages.collect());
        errors(&mut out, result);
        events(&mut out, result);
        tail(&mut out, result);
        Ok(out)
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

fn head(out: &mut String, result: &RunResult) {
    let mark = match result.verdict {
        Verdict::Pass => "✅",
        Verdict::Fail => "❌",
        Verdict::Inconclusive => "❔",
    };
    let verdict = sentence::verdict(result.verdict);
    line(
        out,
        &format!("# {mark} {verdict}: {}\n", inert(&result.scenario.name)),
    );
    if !result.scenario.description.is_empty() {
        line(out, &format!("{}\n", inert(&result.scenario.description)));
    }
    result
        .verdict_reasons
        .iter()
        .for_each(|reason| line(out, &format!("- {}", inert(reason))));
    if !result.verdict_reasons.is_empty() {
        line(out, "");
    }
}

fn faults(out: &mut String, result: &RunResult) {
    if result.faults.is_empty() {
        return;
    }
    line(out, "## Faults\n");
    for fault in &result.faults {
        line(out, &format!("- **{}**", inert(&sentence::fault(fault))));
        for impact in sentence::impacts_of(result, fault) {
            line(
                out,
                &format!("  - {}", inert(&sentence::impact(result, impact))),
            );
        }
    }
    line(out, "");
}

fn table(out: &mut String, title: &str, header: &[&str], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    line(out, &format!("## {title}\n"));
    line(out, &format!("| {} |", header.join(" | ")));
    line(out, &format!("|{}", " --- |".repeat(header.len())));
    for row in rows {
        let cells: Vec<_> = row.iter().map(|cell| inert(cell)).collect();
        line(out, &format!("| {} |", cells.join(" | ")));
    }
    line(out, "");
}

/// A strip of error ratios per workload. Its title stands outside the code block, made inert; the strip itself
/// holds only bars and marks.
fn timeline(out: &mut String, result: &RunResult) {
    if result.loads.is_empty() {
        return;
    }
    line(out, "## Errors over time\n");
    for load in &result.loads {
        let (strip, marks) = sentence::strip(result, load);
        line(
            out,
            &format!("{}:\n\n```text\n{strip}\n{marks}\n```\n", inert(&load.name)),
        );
    }
    line(out, &format!("{}.\n", sentence::STRIP_LEGEND));
}

fn list(out: &mut String, title: &str, items: Vec<String>) {
    if items.is_empty() {
        return;
    }
    line(out, &format!("## {title}\n"));
    items
        .iter()
        .take(LISTED)
        .for_each(|item| line(out, &format!("- {}", inert(item))));
    if items.len() > LISTED {
        line(
            out,
            &format!("- and {} more (see run.json)", items.len() - LISTED),
        );
    }
    line(out, "");
}

fn errors(out: &mut String, result: &RunResult) {
    let bad = result.loads.iter().filter(|l| !l.errors.is_empty());
    let items = bad.map(|l| format!("{}: {}", l.name, sentence::errors(&l.errors)));
    list(out, "Errors by class", items.collect());
}

fn events(out: &mut String, result: &RunResult) {
    if result.events.is_empty() {
        return;
    }
    line(out, "<details><summary>Events</summary>\n");
    line(
        out,
        "| at | source | subject | what |\n| --- | --- | --- | --- |",
    );
    for e in result.events.iter().take(LISTED) {
        let cells = [&e.source, &e.subject, &e.what].map(|t| inert(t));
        line(
            out,
            &format!("| {} | {} |", seconds(e.at_ms), cells.join(" | ")),
        );
    }
    if result.events.len() > LISTED {
        line(
            out,
            &format!("\n{} more in run.json.", result.events.len() - LISTED),
        );
    }
    line(out, "\n</details>\n");
}

fn tail(out: &mut String, result: &RunResult) {
    line(
        out,
        &format!(
            "Generator: {}.\n",
            sentence::generator(result.generator.as_ref())
        ),
    );
    result
        .hints
        .iter()
        .for_each(|hint| line(out, &format!("> Hint: {}\n", inert(hint))));
    let e = &result.environment;
    let engine = e
        .engine_version
        .as_ref()
        .map(|v| format!(", Docker {v}"))
        .unwrap_or_default();
    let kernel = e
        .kernel
        .as_ref()
        .map(|v| format!(", kernel {v}"))
        .unwrap_or_default();
    let cpus = e.cpus.map(|n| format!(", {n} cores")).unwrap_or_default();
    let version = &result.lbtest_version;
    let text = format!(
        "lbtest {version}, seed {}, started {}{engine}{kernel}{cpus}",
        result.scenario.seed, result.started_at
    );
    line(out, &format!("<sub>{}</sub>", inert(&text)));
}
