//! Known truth, end to end: the real executable against targets that note when they fail, stall and come back.
//!
//! What `run.json` says is held against those notes and against arithmetic, never against an earlier run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test: clippy exempts only its #[test] functions by itself"
)]

#[path = "truth_end_to_end/crash.rs"]
mod crash;
#[path = "truth_end_to_end/interrupts.rs"]
mod interrupts;
#[path = "truth_end_to_end/memory.rs"]
mod memory;
#[path = "truth_end_to_end/outages.rs"]
mod outages;
#[path = "truth_end_to_end/protocols.rs"]
mod protocols;
#[path = "truth_end_to_end/script.rs"]
mod script;
#[path = "load_truth/servers.rs"]
mod servers;
#[path = "truth_end_to_end/slowness.rs"]
mod slowness;
mod support;
#[path = "truth_end_to_end/verdicts.rs"]
mod verdicts;
