//! The dated file of results. A run of some experiments replaces their sections of the same day and leaves the others.

use crate::error::BenchError;
use std::path::PathBuf;

const HEADING: &str = "\n## ";
const TITLE: &str = "# lbtest beside its peers";
const PREFACE: &str = "Written by `make bench`. What the figures mean, what is pinned, and what they do not say: docs/bench.md. Every section says on what,
and at which commit, it was measured.";

/// Today's file.
pub fn path(date: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("benches/results/{date}-peers.md"))
}

/// Puts a section into today's file.
///
/// # Errors
/// Where the file cannot be written.
pub fn put(date: &str, section: &str) -> Result<PathBuf, BenchError> {
    let path = path(date);
    // None yet, or nothing of ours: a new one.
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let write = |source| BenchError::Write {
        path: path.clone(),
        source,
    };
    std::fs::write(&path, merged(&before, date, section)).map_err(write)?;
    Ok(path)
}

/// A file with one of its sections replaced, or added at its end. A section is known by its heading up to the colon.
pub fn merged(before: &str, date: &str, section: &str) -> String {
    let key = |text: &str| {
        text.trim_start_matches("## ")
            .split(':')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let mut sections: Vec<String> = before
        .split(HEADING)
        .skip(1)
        .map(|s| format!("## {}\n", s.trim_end()))
        .collect();
    match sections.iter().position(|old| key(old) == key(section)) {
        Some(index) => section.clone_into(&mut sections[index]),
        None => sections.push(section.to_owned()),
    }
    format!("{TITLE}, {date}\n\n{PREFACE}\n\n{}", sections.join("\n"))
}
