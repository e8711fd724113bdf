//! `external`: something else breaks the system; lbtest only marks the edges of the schedule.
//!
//! There is nothing to look at, so the record says in words that the effect was not checked.

use crate::clock::Offset;
use crate::history::event::{EdgeTimes, TargetRecord};

/// What stands for the target, which nobody knows.
pub const SERVICE: &str = "external";
/// In words, for either edge.
pub const MARKED: &str = "marked on schedule, not checked";

/// The record of an external fault whose edge was at `at`.
#[must_use]
pub fn marked(at: Offset) -> TargetRecord {
    TargetRecord {
        service: SERVICE.to_owned(),
        container: SERVICE.to_owned(),
        inject: on_schedule(at),
        heal: None,
        confirmed: Some(MARKED.to_owned()),
        mended_itself: false,
        heal_confirmed: None,
        error: None,
    }
}

/// An edge that is what the schedule says.
#[must_use]
pub fn on_schedule(at: Offset) -> EdgeTimes {
    EdgeTimes {
        called: at,
        truth: Some(at),
        event: None,
        returned: Some(at),
    }
}
