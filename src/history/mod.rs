//! What happened: operations folded into slots, faults and events, on one clock; and the file that keeps it.

pub mod bins;
pub mod collect;
pub mod event;
pub mod exemplars;
pub mod file;
pub mod flush;
pub mod head;
pub mod latencies;
pub mod operation;
pub mod outcome;
pub mod slot;
mod totals;
pub mod trace;
mod wire;

pub use event::{Event, Exemplar, FaultRecord, Sample};
pub use flush::Flush;
pub use head::{
    End, EndReason, Environment, GeneratorHealth, Head, History, LoadHistory, SCHEMA_VERSION,
};
pub use latencies::Latencies;
pub use operation::{InstanceId, Operation};
pub use outcome::{Class, Outcome};
pub use slot::{Delta, Recorder, Second, Slot};
