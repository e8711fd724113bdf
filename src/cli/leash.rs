//! `lbtest leash`: runs a command that ends with whoever holds the other end of our input.

use super::args::Leash;
use super::exit::Exit;
use super::failure::Failure;
use crate::fault::leash;

/// Runs the command; ends as it ends.
pub fn run(args: &Leash) -> Result<Exit, Failure> {
    let program = args.command.first().cloned().unwrap_or_default();
    match leash::hold(&args.command) {
        Ok(0) => Ok(Exit::Pass),
        // The exit code is the command's own, not one of ours.
        Ok(code) => std::process::exit(code),
        Err(error) => Err(Failure::environment(
            format!("{}: {error}", program.to_string_lossy()),
            "",
        )),
    }
}
