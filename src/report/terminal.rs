//! The report on a terminal: the verdict first, then what each fault cost, then the tables.

use super::text::{plain, wrapped};
use super::{ReportError, Reporter, sentence};
use crate::analysis::result::RunResult;
use crate::verdict::Verdict;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use std::fmt::Write;

/// Outages that are shown; the rest is in run.json.
const OUTAGES: usize = 8;

/// Below so many columns the workloads' arrivals are left out, for the sake of what was measured.
const NARROW: u16 = 100;
/// Their place among [`sentence::LOAD_COLUMNS`].
const ARRIVALS: usize = 1;
/// Of a cell, both sides.
const PADDING: usize = 2;
/// A figure with its unit is no longer than this.
const FIGURE: usize = 9;

/// Longer words may be broken.
const LONGEST_WORD: usize = 20;

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
        self.faults(&mut out, result);
        self.loads(&mut out, result);
        if let Some(achieved) = sentence::achieved(result) {
            self.words(&mut out, &plain(&achieved));
            line(&mut out, "");
        }
        let shares: Vec<_> = result.loads.iter().filter_map(sentence::shares).collect();
        shares.iter().for_each(|text| line(&mut out, &plain(text)));
        if !shares.is_empty() {
            line(&mut out, "");
        }
        self.strips(&mut out, result);
        let gates = result.gates.iter().map(|g| sentence::gate_row(g).to_vec());
        self.table(&mut out, &sentence::GATE_COLUMNS, gates.collect());
        self.outages(&mut out, result);
        let health = sentence::generator(result.generator.as_ref());
        self.words(&mut out, &format!("generator: {health}"));
        result
            .hints
            .iter()
            .for_each(|hint| self.words(&mut out, &format!("hint: {}", plain(hint))));
        Ok(out)
    }
}

/// Characters of a cell that should stay on one line: all of a figure, the longest word of other text.
fn unbroken(cell: &str) -> usize {
    let all = cell.chars().count();
    if all <= FIGURE {
        return all;
    }
    let words = cell.split_whitespace().map(|w| w.chars().count());
    words.max().unwrap_or(0).min(LONGEST_WORD)
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

impl Terminal {
    /// A line of words, broken where it is too long.
    fn words(&self, out: &mut String, text: &str) {
        match self.width {
            Some(width) => line(out, &wrapped(text, usize::from(width))),
            None => line(out, text),
        }
    }

    fn verdict(&self, out: &mut String, result: &RunResult) {
        let colour = match result.verdict {
            Verdict::Pass => "32",
            Verdict::Fail => "31",
            Verdict::Inconclusive => "33",
        };
        let verdict = self.painted(sentence::verdict(result.verdict), colour);
        line(out, &format!("{verdict}  {}", plain(&result.scenario.name)));
        self.words(out, &format!("  {}", plain(&sentence::headline(result))));
        result
            .verdict_reasons
            .iter()
            .for_each(|reason| self.words(out, &format!("  - {}", plain(reason))));
        line(out, "");
    }

    fn painted(&self, text: &str, colour: &str) -> String {
        if self.colour {
            format!("\u{1b}[1;{colour}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn loads(&self, out: &mut String, result: &RunResult) {
        let narrow = self.width.is_some_and(|width| width < NARROW);
        let shown = |cells: &mut Vec<_>| {
            if narrow {
                cells.remove(ARRIVALS);
            }
        };
        let mut header: Vec<_> = sentence::LOAD_COLUMNS.map(str::to_owned).into();
        shown(&mut header);
        let rows = result.loads.iter().map(|l| {
            let mut row = sentence::load_row(l).to_vec();
            shown(&mut row);
            row
        });
        let header: Vec<_> = header.iter().map(String::as_str).collect();
        self.table(out, &header, rows.collect());
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
        for row in &rows {
            table.add_row(row.iter().map(|cell| plain(cell)).collect::<Vec<_>>());
        }
        // Names may be broken anywhere, figures nowhere.
        for (index, column) in table.column_iter_mut().enumerate().skip(1) {
            let cells = rows.iter().filter_map(|row| row.get(index));
            let widest = cells.map(|cell| unbroken(cell)).max().unwrap_or(0);
            let least = widest.max(unbroken(header[index])) + PADDING;
            let least = Width::Fixed(u16::try_from(least).unwrap_or(u16::MAX));
            column.set_constraint(ColumnConstraint::LowerBoundary(least));
        }
        line(out, &table.trim_fmt());
        line(out, "");
    }

    fn faults(&self, out: &mut String, result: &RunResult) {
        for fault in &result.faults {
            self.words(out, &plain(&sentence::fault(fault)));
            for impact in sentence::impacts(result, fault) {
                self.words(out, &format!("  {}", plain(&impact)));
            }
        }
        if !result.faults.is_empty() {
            line(out, "");
        }
    }

    /// Error ratios over time, one strip per workload that had any, over the marks of the faults.
    fn strips(&self, out: &mut String, result: &RunResult) {
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
            let legend = sentence::STRIP_LEGEND;
            let fits = self
                .width
                .is_none_or(|all| width + 4 + legend.chars().count() <= usize::from(all));
            let indent = if fits { width } else { 0 };
            line(out, &format!("{:indent$}  ({legend})\n", ""));
        }
    }

    fn outages(&self, out: &mut String, result: &RunResult) {
        let mut longest: Vec<_> = result.outages.iter().collect();
        let length = |ms: Option<f64>| ms.unwrap_or(f64::INFINITY);
        longest.sort_by(|a, b| length(b.duration_ms).total_cmp(&length(a.duration_ms)));
        if longest.is_empty() {
            line(out, "no outage");
            return;
        }
        for outage in longest.iter().take(OUTAGES) {
            self.words(
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
}
