//! Where something was written: source files, spans in them, and the mistakes and warnings that point at them.
//!
//! Scenario and compose files share this, so that every mistake in either is reported alike: file, line,
//! column, excerpt and help. Rendering is done at the edge (`cli::diagnostics`).

use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A text file as it was read, kept for excerpts in diagnostics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as the user gave it (relative paths stay relative).
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

impl SourceFile {
    /// Wraps a text that was read from `path`.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            path: path.into(),
            text: text.into(),
        })
    }

    /// One-based line and column (in characters) of a byte offset; an offset past the end is the end.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        (line, column)
    }

    /// Byte offset of a one-based line and column (in characters), clamped to the text.
    #[must_use]
    pub fn offset_of(&self, line: usize, column: usize) -> usize {
        let start: usize = self
            .text
            .split_inclusive('\n')
            .take(line.saturating_sub(1))
            .map(str::len)
            .sum();
        let rest = &self.text[start.min(self.text.len())..];
        let in_line: usize = rest
            .chars()
            .take(column.saturating_sub(1))
            .take_while(|c| *c != '\n')
            .map(char::len_utf8)
            .sum();
        start + in_line
    }
}

/// Largest scenario and data file that is read, in bytes.
pub const MAX_FILE: u64 = 64 << 20;

/// Reads a text, whatever kind of file it is in; one that does not end fills no memory.
///
/// # Errors
/// Where it cannot be read, is larger than [`MAX_FILE`], or is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    let read = file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|n| n > MAX_FILE) {
        let why = format!("it is larger than {} MiB", MAX_FILE >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    String::from_utf8(bytes).map_err(|e| {
        let why = format!("byte {} is not UTF-8", e.utf8_error().valid_up_to());
        io::Error::new(io::ErrorKind::InvalidData, why)
    })
}

/// One thing that is wrong (or, as a warning, not carried out), at one place of one file.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}:{}:{}: {message}", file.path.display(), self.line_column().0, self.line_column().1)]
pub struct Mistake {
    /// What is wrong; names its subject.
    pub message: String,
    /// The file that holds it.
    pub file: Arc<SourceFile>,
    /// Byte range in `file.text`.
    pub span: Range<usize>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Mistake {
    /// A mistake at a byte range of a file.
    pub fn new(file: &Arc<SourceFile>, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            file: Arc::clone(file),
            span,
            help: None,
        }
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// One-based line and column of the start of the mistake.
    #[must_use]
    pub fn line_column(&self) -> (usize, usize) {
        self.file.line_column(self.span.start)
    }
}

/// The known name nearest to `name`, if one is near enough to be what was meant.
///
/// Source: Damerau–Levenshtein distance, at most a third of the length of the longer name (at least one).
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(name, k), k))
        .filter(|(d, k)| *d <= (name.chars().count().max(k.chars().count()) / 3).max(1))
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_line_columns_are_inverse() {
        let file = SourceFile::new("a.toml", "eins\nzwöi = 2\n\ndrei");
        for (offset, expected) in [
            (0, (1, 1)),
            (5, (2, 1)),
            (9, (2, 4)),
            (15, (3, 1)),
            (16, (4, 1)),
        ] {
            assert_eq!(file.line_column(offset), expected);
            assert_eq!(file.offset_of(expected.0, expected.1), offset);
        }
        assert_eq!(
            file.line_column(8),
            (2, 3),
            "an offset inside a character is that character's"
        );
        assert_eq!(file.line_column(1000), (4, 5));
    }

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        assert_eq!(nearest("duraton", ["duration", "warmup"]), Some("duration"));
        assert_eq!(nearest("colour", ["duration", "warmup"]), None);
    }
}
