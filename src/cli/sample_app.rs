//! `lbtest sample-app` (hidden).

use super::args::Rest;
use super::exit::Exit;
use super::failure::Failure;

/// Runs it.
pub fn run(args: &Rest) -> Result<Exit, Failure> {
    Err(Failure::environment(
        format!("not in this build ({} arguments)", args.rest.len()),
        "",
    ))
}
