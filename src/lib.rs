//! lbtest proves, or disproves, that a load-balanced system survives the loss of its parts.
//!
//! Data flows one way only:
//!
//! ```text
//! scenario.toml ─┐
//!                ├─ Plan ── run ──► History ──► Analysis ──► Verdict ──► reports
//! compose.yaml ──┘           │
//!                  load workers, fault conductor, observers: all write to one history, on one clock
//! ```
//!
//! Analysis, verdict and report are pure functions of the history; `tests/architecture.rs` holds the
//! list of which module may use which.

pub mod analysis;
pub mod cli;
pub mod clock;
pub mod compare;
pub mod compose;
pub mod control;
pub mod engine;
pub mod fault;
pub mod history;
pub mod load;
pub mod notice;
pub mod observe;
pub mod plan;
pub mod report;
pub mod run;
pub mod sample_app;
pub mod scenario;
pub mod sidecar;
pub mod source;
pub mod telemetry;
pub mod ui;
pub mod verdict;
