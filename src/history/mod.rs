//! What happened: operations folded into slots, faults and events, on one clock; and the file that keeps it.

pub mod collect;
pub mod event;
pub mod file;
pub mod flush;
pub mod head;
pub mod operation;
pub mod outcome;
pub mod slot;
mod wire;

pub use event::{Event, FaultRecord};
pub use flush::Flush;
pub use head::{
    End, EndReason, Environment, GeneratorHealth, Head, History, LoadHistory, SCHEMA_VERSION,
};
pub use operation::{InstanceId, Operation};
pub use outcome::{Class, Outcome};
pub use slot::{Delta, Recorder, Second, Slot};
