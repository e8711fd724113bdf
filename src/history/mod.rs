//! What happened: operations folded into slots, faults and events, on one clock; and the file that keeps it.

pub mod event;
pub mod operation;
pub mod outcome;
pub mod slot;

pub use event::{Event, FaultRecord};
pub use operation::{InstanceId, Operation};
pub use outcome::{Class, Outcome};
pub use slot::{Delta, Recorder, Second, Slot};
