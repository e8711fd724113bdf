//! `lbtest schema`.

use super::exit::Exit;
use super::failure::Failure;
use super::output;

/// Prints the JSON Schema of scenario files, from the types that read them.
pub fn run() -> Result<Exit, Failure> {
    output::stdout(&format!("{:#}\n", crate::scenario::file::json_schema()));
    Ok(Exit::Pass)
}
