//! `lbtest up`.

use super::args::{Common, Up};
use super::exit::Exit;
use super::failure::Failure;

/// Bring up a topology.
pub fn run(args: &Up, common: &Common) -> Result<Exit, Failure> {
    let _ = (&args.files, &args.project, common);
    Err(Failure::environment(
        "this build has no container engine",
        "",
    ))
}
