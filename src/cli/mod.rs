//! Arguments, one file per subcommand, exit codes, diagnostics.

/// Parses, dispatches, and says how it ended.
#[must_use]
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
