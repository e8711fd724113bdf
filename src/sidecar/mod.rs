//! lbtest in a container beside a target: what breaks packets, processes, disks and resources from within the target's
//! namespaces, without a tool in the target.

pub mod act;
pub mod cgroup;
mod clock;
mod deeds;
pub mod disk;
mod figures;
pub mod http;
pub mod net;
pub mod process;
mod procfs;
pub mod protocol;
pub mod role;
pub mod serve;
pub mod stress;
pub mod worker;
