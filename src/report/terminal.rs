//! The report on a terminal: the verdict first, then what each fault cost, then the tables.

use super::text::plain;
use super::{ReportError, Reporter, sentence};
use crate::analysis::result::RunResult;
use crate::verdict::Verdict;
use comfy_table::{ContentArrangement, Table, presets};
use std::fmt::Write;

/// Outages that are shown; the rest is in run.json.
const OUTAGES: usize = 8;

/// How it is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal {
    /// With colours (where asked for, and where the output is a terminal: the caller knows).
    pub colour: bool,
    /// Width in columns; none: as wide as the content.
    pub width: Option<u16>,
}

impl Reporter for Terminal {
    fn file_name(&self) -> &'static str {
        "report.txt"
    }

    fn render(&self, result: &RunResult) -> Result<String, ReportError> {
        let mut out = String::new();
        self.verdict(&mut out, result);
        faults(&mut out, result);
        let loads = result.loads.iter().map(|l| sentence::load_row(l).to_vec());
        self.table(&mut out, &sentence::LOAD_COLUMNS, loads.collect());
        let shares: Vec<_> = result.loads.iter().filter_map(sentence::shares).collect();
        shares.iter().for_each(|text| line(&mut out, &plain(text)));
        if !shares.is_empty() {
            line(&mut out, "");
        }
        strips(&mut out, result);
        let gates = result.gates.iter().map(|g| sentence::gate_row(g).to_vec());
        self.table(&mut out, &sentence::GATE_COLUMNS, gates.collect());
        outages(&mut out, result);
        let health = sentence::generator(result.generator.as_ref());
        line(&mut out, &format!("generator: {health}"));
        result
            .hints
            .iter()
            .for_each(|hint| line(&mut out, &format!("hint: {}", plain(hint))));
        Ok(out)
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

impl Terminal {
    fn verdict(&self, out: &mut String, result: &RunResult) {
        let colour = match result.verdict {
            Verdict::Pass => "32",
            Verdict::Fail => "31",
            Verdict::Inconclusive => "33",
        };
        let verdict = self.painted(sentence::verdict(result.verdict), colour);
        line(out, &format!("{verdict}  {}", plain(&result.scenario.name)));
        line(out, &format!("  {}", plain(&sentence::headline(result))));
        result
            .verdict_reasons
            .iter()
            .for_each(|reason| line(out, &format!("  - {}", plain(reason))));
        line(out, "");
    }

    fn painted(&self, text: &str, colour: &str) -> String {
        if self.colour {
            format!("\u{1b}[1;{colour}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn table(&self, out: &mut String, header: &[&str], rows: Vec<Vec<String>>) {
        if rows.is_empty() {
            return;
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_BORDERS_ONLY).force_no_tty();
        if let Some(width) = self.width {
            table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width);
        }
        table.set_header(header.to_vec());
        for row in rows {
            table.add_row(row.iter().map(|cell| plain(cell)).collect::<Vec<_>>());
        }
        line(out, &table.trim_fmt());
        line(out, "");
    }
}

fn faults(out: &mut String, result: &RunResult) {
    for fault in &result.faults {
        line(out, &plain(&sentence::fault(fault)));
        for impact in sentence::impacts(result, fault) {
            line(out, &format!("  {}", plain(&impact)));
        }
    }
    if !result.faults.is_empty() {
        line(out, "");
    }
}

/// Error ratios over time, one strip per workload that had any, over the marks of the faults.
fn strips(out: &mut String, result: &RunResult) {
    let names = result.loads.iter().map(|l| plain(&l.name).chars().count());
    let width = names.max().unwrap_or(0);
    let mut marks = None;
    for load in result.loads.iter().filter(|l| l.requests > l.ok) {
        let (strip, below) = sentence::strip(result, load);
        line(out, &format!("{:width$}  {strip}", plain(&load.name)));
        marks = Some(below);
    }
    if let Some(marks) = marks {
        line(out, &format!("{:width$}  {marks}", ""));
        line(
            out,
            &format!("{:width$}  ({})\n", "", sentence::STRIP_LEGEND),
        );
    }
}

fn outages(out: &mut String, result: &RunResult) {
    let mut longest: Vec<_> = result.outages.iter().collect();
    let length = |ms: Option<f64>| ms.unwrap_or(f64::INFINITY);
    longest.sort_by(|a, b| length(b.duration_ms).total_cmp(&length(a.duration_ms)));
    if longest.is_empty() {
        line(out, "no outage");
        return;
    }
    for outage in longest.iter().take(OUTAGES) {
        line(
            out,
            &format!("outage of {}", plain(&sentence::outage(outage))),
        );
    }
    let listed = longest.len().min(OUTAGES);
    let omitted: u64 = result.loads.iter().map(|l| l.outages_omitted).sum();
    let more = u64::try_from(longest.len() - listed).unwrap_or(0) + omitted;
    if more > 0 {
        line(out, &format!("and {more} shorter ones (see run.json)"));
    }
}
