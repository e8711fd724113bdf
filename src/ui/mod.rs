//! Progress, on stderr: a live view on a terminal, plain lines elsewhere, JSON where a program reads; where it is asked
//! for, a view of the whole terminal ([`tui`]).
//!
//! Every view matches [`Notice`] without a wildcard, so that a new notice cannot be
//! forgotten.

mod json;
mod live;
mod plain;
pub mod tui;
mod words;

use crate::notice::Notice;
use std::io::{IsTerminal, Write};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UiMode {
    /// A live view; for terminals.
    Live,
    /// Lines with the time since the start.
    Plain,
    /// One JSON object per notice.
    Json,
    /// Warnings only.
    Quiet,
}

impl UiMode {
    /// What fits the options and stderr.
    #[must_use]
    pub fn choose(quiet: bool, json: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        match (quiet, json) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Json,
            (false, false) if std::io::stderr().is_terminal() && !dumb => Self::Live,
            (false, false) => Self::Plain,
        }
    }
}

/// Shows notices until nobody sends any more; then the terminal is as it was.
#[must_use]
pub fn watch(mode: UiMode, notices: UnboundedReceiver<Notice>) -> JoinHandle<()> {
    tokio::spawn(follow(mode, notices))
}

async fn follow(mode: UiMode, mut notices: UnboundedReceiver<Notice>) {
    let start = tokio::time::Instant::now();
    let mut view: Option<View> = None;
    while let Some(notice) = notices.recv().await {
        if let Notice::Settle(settle) = &notice {
            // Nothing is drawn again until there is something to show.
            if let Some(mut view) = view.take() {
                view.finish();
            }
            settle.done();
        } else {
            let view = view.get_or_insert_with(|| View::new(mode));
            view.show(start.elapsed(), &notice);
        }
    }
    if let Some(mut view) = view {
        view.finish();
    }
}

enum View {
    Live(Box<live::Live>),
    Plain(plain::Plain),
    Json,
    Quiet,
}

impl View {
    fn new(mode: UiMode) -> Self {
        match mode {
            UiMode::Live => Self::Live(Box::new(live::Live::new())),
            UiMode::Plain => Self::Plain(plain::Plain::default()),
            UiMode::Json => Self::Json,
            UiMode::Quiet => Self::Quiet,
        }
    }

    fn show(&mut self, since: Duration, notice: &Notice) {
        match self {
            Self::Live(live) => live.show(notice),
            Self::Plain(plain) => plain.line(since, notice).iter().for_each(|l| write_line(l)),
            Self::Json => write_line(&json::line(since, notice)),
            Self::Quiet => {
                if let Notice::Warning(text) = notice {
                    write_line(&format!("warning: {}", words::inert(text)));
                }
            }
        }
    }

    fn finish(&mut self) {
        match self {
            Self::Live(live) => live.finish(),
            Self::Plain(_) | Self::Json | Self::Quiet => {}
        }
    }
}

/// A closed stderr ends nothing. `##[` would be a command to GitHub Actions wherever it stands in a line.
fn write_line(line: &str) {
    let line = line.replace("##[", "#\u{2060}#[");
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests;
