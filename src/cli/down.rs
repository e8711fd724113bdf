//! `lbtest down`.

use super::args::{Common, Down};
use super::exit::Exit;
use super::failure::Failure;

/// Take down a topology.
pub fn run(args: &Down, common: &Common) -> Result<Exit, Failure> {
    let _ = (&args.files, &args.project, common);
    Err(Failure::environment(
        "this build has no container engine",
        "",
    ))
}
