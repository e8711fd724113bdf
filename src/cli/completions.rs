//! `lbtest completions`.

use super::args::{Cli, Completions};
use super::exit::Exit;
use super::failure::Failure;
use super::output;
use clap::CommandFactory;

/// Prints a completion script.
pub fn run(args: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lbtest", &mut script);
    output::stdout(&String::from_utf8_lossy(&script));
    Ok(Exit::Pass)
}
