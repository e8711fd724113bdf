//! `lbtest down`.

use super::args::{Common, Down};
use super::exit::Exit;
use super::failure::Failure;
use super::topology;

/// Take down a topology.
pub fn run(args: &Down, common: &Common) -> Result<Exit, Failure> {
    let project = match (&args.project, args.files.is_empty()) {
        (Some(project), true) => project.clone(),
        (project, _) => {
            topology::read(&topology::named(&args.files, &[], project.as_deref())?)?
                .topology
                .project
        }
    };
    let _ = (project, common.quiet);
    Err(Failure::environment(
        "this build has no container engine",
        "",
    ))
}
