//! `external`: something else breaks the system; lbtest only marks the edges of the schedule.
//!
//! There is nothing to look at, so the record says in words that the effect was not checked.

use crate::clock::Offset;
use crate::engine::Container;
use crate::history::event::{EdgeTimes, TargetRecord};

/// What stands for the target, which nobody knows.
pub const SERVICE: &str = "external";
/// In words, for either edge.
pub const MARKED: &str = "marked on schedule, not checked";

/// In words, for a moment that somebody marked.
pub const MARKED_BY_HAND: &str = "marked by hand, not checked";

/// The record of an external fault whose edge was at `at`.
#[must_use]
pub fn marked(at: Offset) -> TargetRecord {
    TargetRecord {
        service: SERVICE.to_owned(),
        container: SERVICE.to_owned(),
        inject: on_schedule(at),
        heal: None,
        confirmed: Some(MARKED.to_owned()),
        mechanism: None,
        mended_itself: false,
        heal_confirmed: None,
        ended_early: None,
        error: None,
    }
}

/// What stands for a target that is no container.
#[must_use]
pub fn outside(kind: &str) -> Container {
    Container {
        id: String::new(),
        name: kind.to_owned(),
        service: kind.to_owned(),
        number: 1,
    }
}

/// An edge that is what the schedule says.
#[must_use]
pub fn on_schedule(at: Offset) -> EdgeTimes {
    EdgeTimes {
        called: at,
        truth: Some(at),
        truth_from: None,
        event: None,
        returned: Some(at),
    }
}
