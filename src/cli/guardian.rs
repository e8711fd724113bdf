//! `lbtest guardian` (hidden).

use super::args::Guardian;
use super::exit::Exit;
use super::failure::Failure;
use crate::run::guardian;

/// Waits for the end of its parent.
pub fn run(args: &Guardian) -> Result<Exit, Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::environment(e.to_string(), "");
    let runtime = tokio::runtime::Runtime::new().map_err(|e| failed(&e))?;
    runtime
        .block_on(guardian::guard(&args.journal))
        .map_err(|e| failed(&e))?;
    Ok(Exit::Pass)
}
