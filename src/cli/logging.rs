//! Logs go to stderr; progress goes there too, the result to stdout.

use super::args::{Common, LogFormat};
use tracing_subscriber::EnvFilter;

/// Starts logging. `LBTEST_LOG` (as `RUST_LOG`) has the last word.
pub fn start(common: &Common) {
    let level = match (common.quiet, common.verbose) {
        (true, 0) => "error",
        (false, 0) => "warn",
        (_, 1) => "lbtest=info,warn",
        (_, 2) => "lbtest=debug,info",
        (_, _) => "trace",
    };
    let filter = EnvFilter::try_from_env("LBTEST_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| crate::ui::tui::screen::Beside);
    // A second start (in tests) changes nothing.
    let _ = match common.log_format {
        LogFormat::Text => {
            let colour =
                super::output::colour(std::io::IsTerminal::is_terminal(&std::io::stderr()));
            logs.with_ansi(colour).try_init()
        }
        LogFormat::Json => logs.json().try_init(),
    };
}
