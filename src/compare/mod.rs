//! Runs beside each other: what differs, and whether it differs by more than it is known.
//!
//! Pure functions of results. [`fn@compare`] sets runs side by side; [`repeat`] says what many runs of one scenario prove
//! together.

pub mod figure;
pub mod interval;
pub mod repeat;
mod side_by_side;
pub mod spread;
#[cfg(test)]
mod tests;
pub mod unbounded;

pub use repeat::{Repeated, summarize};
pub use side_by_side::{
    Compared, ComparedFigure, ComparedRun, Difference, Judgement, Side, compare,
};
