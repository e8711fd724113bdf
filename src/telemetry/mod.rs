//! What other programs see of a run: Prometheus while it lasts, a collector of traces once it is over. Fed by the same
//! notices as the progress view; the run does not know of it.

pub mod bounded;
pub mod exposition;
pub mod faults;
pub mod follow;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod server;
#[cfg(feature = "otlp")]
mod spans;

pub use exposition::{Exposition, RunInfo};
pub use follow::{Follower, Timeline};
pub use server::{Server, ServerError};
