//! The run over time as a strip of characters: a picture that every renderer shows, e-mail and terminal included.

use super::page::clipped;
use crate::analysis::result::RunResult;
use crate::report::sentence;
use crate::report::text::plain;
use std::fmt::Write;

/// Workloads that are drawn.
const DRAWN: usize = 12;
/// Characters of a workload's name.
const NAME: usize = 24;

/// One strip of error ratios for each workload (those with errors first), over one line of marks and one of times.
/// Nothing in a code block is markup but its end: names hold no backtick.
#[must_use]
pub fn timeline(result: &RunResult) -> String {
    let mut loads: Vec<_> = result.loads.iter().collect();
    loads.sort_by_key(|l| l.requests == l.ok);
    loads.truncate(DRAWN);
    let named: Vec<_> = loads.iter().map(|l| (name(&l.name), l)).collect();
    let Some(width) = named.iter().map(|(name, _)| name.chars().count()).max() else {
        return String::new();
    };
    let mut out = "```text\n".to_owned();
    let (mut marks, mut length) = (String::new(), 0);
    for (name, load) in named {
        let (strip, below) = sentence::strip(result, load);
        length = length.max(strip.chars().count());
        let _ = writeln!(out, "{name:width$}  {strip}");
        if below.chars().count() > marks.chars().count() {
            marks = below;
        }
    }
    if !marks.is_empty() {
        let _ = writeln!(out, "{:width$}  {marks}", "");
    }
    let end = format!("{:.0} s", result.end.measured_to_ms / 1e3);
    let room = length.saturating_sub(3);
    let _ = writeln!(out, "{:width$}  0 s{end:>room$}\n```\n", "");
    if result.loads.len() > DRAWN {
        let more = result.loads.len() - DRAWN;
        let _ = writeln!(out, "and {more} more workloads (see run.json)\n");
    }
    let _ = writeln!(out, "{}", sentence::STRIP_LEGEND);
    out
}

/// On one line, without a backtick, and short.
fn name(name: &str) -> String {
    clipped(&plain(name).replace('`', "'"), NAME)
}
