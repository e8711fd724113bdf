//! Outages do not hurt the generator: every way in which a target can be away, under every kind of load.
//!
//! Each test runs in a network and mount namespace of its own, which vanish with it: there packets really vanish,
//! peers really go without a word, and names really move. Needs root or user namespaces.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test: clippy exempts only its #[test] functions by itself"
)]

#[path = "outages_truth/breaker.rs"]
mod breaker;
#[path = "outages_truth/cost.rs"]
mod cost;
#[path = "outages_truth/engine.rs"]
mod engine;
#[path = "outages_truth/lifetimes.rs"]
mod lifetimes;
#[path = "outages_truth/namespace.rs"]
mod namespace;
#[path = "load_truth/servers.rs"]
mod servers;
#[path = "outages_truth/storm.rs"]
mod storm;
#[path = "outages_truth/streams.rs"]
mod streams;
#[path = "outages_truth/table.rs"]
mod table;
#[path = "outages_truth/upstreams.rs"]
mod upstreams;
