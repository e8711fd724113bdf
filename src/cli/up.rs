//! `lbtest up`.

use super::args::{Common, Up};
use super::exit::Exit;
use super::failure::Failure;
use super::{diagnostics, topology};

/// Bring up a topology.
pub fn run(args: &Up, common: &Common) -> Result<Exit, Failure> {
    let source = topology::named(&args.files, &args.profile, args.project.as_deref())?;
    let read = topology::read(&source)?;
    diagnostics::print_warnings(&read.warnings);
    let _ = (&read.topology, source.ready_timeout, common.quiet);
    Err(Failure::environment(
        "this build has no container engine",
        "",
    ))
}
