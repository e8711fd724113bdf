//! Compose files, read, merged and resolved into a [`Topology`].

pub mod topology;

pub use topology::Topology;
