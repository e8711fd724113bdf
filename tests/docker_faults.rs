//! Every kind of fault on real containers: its effect on those who talk to them, the end of the effect, and the record
//! of both.
//!
//! One topology is brought up, and scenarios are run on it as on any project that is up, with the faults one after the
//! other: two seconds on, two off. The figures are ranges with a reason. A run that lbtest itself calls inconclusive
//! because the machine was starved is repeated, twice at most; nothing else is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what a test cannot do fails the test"
)]
#![allow(missing_docs, reason = "its names say it")]

mod support;

#[path = "docker_faults/application.rs"]
mod application;
#[path = "docker_faults/edges.rs"]
mod edges;
#[path = "docker_faults/ground.rs"]
mod ground;
#[path = "docker_faults/network.rs"]
mod network;
#[path = "docker_faults/order.rs"]
mod order;
#[path = "docker_faults/resources.rs"]
mod resources;
#[path = "docker_faults/unseen.rs"]
mod unseen;
