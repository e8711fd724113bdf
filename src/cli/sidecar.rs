//! `lbtest sidecar` (hidden).

use super::args::Sidecar;
use super::exit::Exit;
use super::failure::Failure;
use crate::sidecar::serve;
use std::io::{stdin, stdout};

/// Does what it is told beside a target, until it is told to end.
pub fn run(args: &Sidecar) -> Result<Exit, Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::environment(e.to_string(), "");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| failed(&e))?;
    let ended = runtime.block_on(async {
        if args.probe {
            return serve::probe(stdout());
        }
        match &args.mend {
            Some(leftover) => serve::mend(leftover, stdout()).await,
            None => serve::serve(stdin(), stdout()).await,
        }
    });
    // The thread that reads the input may wait for ever.
    runtime.shutdown_background();
    ended.map_err(|e| failed(&e))?;
    Ok(Exit::Pass)
}
