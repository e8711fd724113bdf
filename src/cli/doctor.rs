//! `lbtest doctor`.

use super::exit::Exit;
use super::failure::Failure;

/// Looks at the environment and says what to do.
pub fn run() -> Result<Exit, Failure> {
    Err(Failure::environment(
        "this build has no container engine",
        "",
    ))
}
