//! Placeholder.

pub use crate::history::Flush;
