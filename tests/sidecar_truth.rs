//! What a sidecar says that it does to packets is what happens to them: on real traffic between two network
//! namespaces, for every treatment, and nothing of it is left when the sidecar ends, however it ends.
//!
//! Needs root or user namespaces, and `ip` and `nft`. The sidecar runs where the test runs; the other namespace is
//! its peer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test: clippy exempts only its #[test] functions by itself"
)]

#[path = "sidecar_truth/connections.rs"]
mod connections;
#[path = "sidecar_truth/ends.rs"]
mod ends;
#[allow(dead_code, reason = "outages_truth uses all of it")]
#[path = "outages_truth/namespace.rs"]
mod namespace;
#[path = "sidecar_truth/orders.rs"]
mod orders;
#[path = "sidecar_truth/pace.rs"]
mod pace;
#[path = "sidecar_truth/peer.rs"]
mod peer;
#[path = "sidecar_truth/refusals.rs"]
mod refusals;
#[path = "sidecar_truth/traffic.rs"]
mod traffic;
