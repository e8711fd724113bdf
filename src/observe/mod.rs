//! Observers: what happened to the machine and the containers while the load ran. They only look.

pub mod cgroup;
pub mod containers;
pub mod host;
pub mod states;
pub mod usage;
