//! Writing to stdout and stderr: a closed pipe is no error, hostile text is made inert.

use crate::report::github::disarmed;
use crate::report::terminal::Terminal;
use std::borrow::Cow;
use std::io::{IsTerminal, Write};

/// Writes to stdout. Whoever closed it does not want more.
pub fn stdout(text: &str) {
    let _ = std::io::stdout()
        .lock()
        .write_all(harmless(text).as_bytes());
}

/// Writes to stderr.
pub fn stderr(text: &str) {
    let _ = std::io::stderr()
        .lock()
        .write_all(harmless(text).as_bytes());
}

/// Writes workflow commands to stdout, for GitHub Actions: on lines of their own, and as they are.
pub fn workflow_commands(commands: &str) {
    let _ = write!(std::io::stdout().lock(), "\n{commands}");
}

/// In a job of GitHub Actions a line of output may be a command; nothing that is shown is meant as one.
fn harmless(text: &str) -> Cow<'_, str> {
    if super::github::active() {
        disarmed(text)
    } else {
        Cow::Borrowed(text)
    }
}

/// Text without control characters other than the end of a line: nothing that a server, a log line or a file
/// name holds can move the cursor or change a colour.
#[must_use]
pub fn inert(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Whether to use colour, given whether the stream is a terminal. Source: <https://no-color.org>.
#[must_use]
pub fn colour(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Columns to wrap at: `COLUMNS`, else those of the terminal, else 100.
#[must_use]
pub fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    let terminal = || {
        // A table knows: of stdout, and of stderr where stdout is none.
        let mut table = comfy_table::Table::new();
        let width = table.width().or_else(|| table.use_stderr().width());
        width.map(usize::from)
    };
    columns.or_else(terminal).unwrap_or(100).clamp(40, 200)
}

/// The terminal report in the form that fits stdout.
#[must_use]
pub fn terminal_report() -> Terminal {
    let terminal = std::io::stdout().is_terminal();
    let width = terminal.then(|| u16::try_from(width()).unwrap_or(100));
    Terminal {
        colour: colour(terminal),
        width,
    }
}
