//! `lbtest clean`.

use super::args::Common;
use super::exit::Exit;
use super::failure::Failure;

/// Removes what any run left behind.
pub fn run(_: &Common) -> Result<Exit, Failure> {
    Err(Failure::environment(
        "this build has no container engine",
        "",
    ))
}
