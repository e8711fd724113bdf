//! `lbtest sample-app` (hidden).

use super::exit::Exit;
use super::failure::Failure;
use crate::sample_app::{SampleAppArgs, serve};

/// Runs it until it is told to end.
pub fn run(args: &SampleAppArgs) -> Result<Exit, Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::environment(e.to_string(), "");
    let runtime = tokio::runtime::Runtime::new().map_err(|e| failed(&e))?;
    runtime
        .block_on(serve(args.clone()))
        .map_err(|e| failed(&e))?;
    Ok(Exit::Pass)
}
