//! Which operations are worth keeping for themselves: the slowest good one of each second, and the first few bad ones
//! of each outcome in it.
//!
//! What is kept is bounded by time, never by the rate: of one workload and one second (of intended time) at most
//! [`PER_SECOND`] operations, whatever happens. A worker hands over no more than that with each flush and second, and
//! the collector keeps the slowest, and the first that came, of what all of them hand over.

use super::trace::TraceId;
use super::{InstanceId, Operation, Outcome};
use crate::clock::Offset;
use std::collections::BTreeMap;
use std::time::Duration;

/// Bad operations of one outcome and second that are kept: the first.
pub const BAD_OF_AN_OUTCOME: usize = 3;
/// Bad operations of one second that are kept.
pub const BAD: usize = 12;
/// Operations of one workload and second that are kept.
pub const PER_SECOND: usize = BAD + 1;

/// One operation, as it was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noticed {
    /// Its intended time.
    pub intended: Offset,
    /// `done − intended`.
    pub latency: Duration,
    /// What became of it.
    pub outcome: Outcome,
    /// Who answered; the recorder's numbering in a delta, the history's in a collector.
    pub instance: Option<InstanceId>,
    /// The trace that its request named.
    pub trace: Option<TraceId>,
}

impl Noticed {
    /// Of an operation that is over.
    #[must_use]
    pub fn new(op: &Operation, trace: Option<TraceId>) -> Self {
        Self {
            intended: op.intended,
            latency: op.latency(),
            outcome: op.outcome,
            instance: op.instance,
            trace,
        }
    }

    /// Index of its second.
    #[must_use]
    pub fn second(&self) -> u32 {
        second_of(self.intended)
    }
}

/// Index of the second that holds a moment.
#[must_use]
pub fn second_of(at: Offset) -> u32 {
    u32::try_from(at.as_nanos() / 1_000_000_000).unwrap_or(u32::MAX)
}

/// Keeps an operation if it is slower than the one that is kept.
fn keep_slower(kept: &mut Option<Noticed>, noticed: Noticed) {
    if kept.is_none_or(|kept| noticed.latency > kept.latency) {
        *kept = Some(noticed);
    }
}

/// The bad operations of one second that are kept.
#[derive(Debug, Clone, Default)]
pub struct BadOnes(Vec<Noticed>);

impl BadOnes {
    /// Whether one more of this outcome would be kept.
    #[must_use]
    pub fn wants(&self, outcome: Outcome) -> bool {
        let same = |kept: &&Noticed| kept.outcome == outcome;
        self.0.len() < BAD && self.0.iter().filter(same).count() < BAD_OF_AN_OUTCOME
    }

    /// Keeps it, where there is room.
    pub fn keep(&mut self, noticed: Noticed) {
        if self.wants(noticed.outcome) {
            self.0.push(noticed);
        }
    }

    /// What was kept, in the order in which it came.
    #[must_use]
    pub fn into_inner(self) -> Vec<Noticed> {
        self.0
    }
}

/// What is kept of one workload, by second.
#[derive(Debug, Default)]
pub struct Exemplars(BTreeMap<u32, (Option<Noticed>, BadOnes)>);

impl Exemplars {
    /// Keeps what is worth keeping.
    pub fn add(&mut self, noticed: Noticed) {
        let (slowest, bad) = self.0.entry(noticed.second()).or_default();
        if noticed.outcome.is_bad() {
            bad.keep(noticed);
        } else {
            keep_slower(slowest, noticed);
        }
    }

    /// Takes out the seconds below this index, by intended time.
    pub fn take_before(&mut self, second: u32) -> Vec<Noticed> {
        let later = self.0.split_off(&second);
        let settled = std::mem::replace(&mut self.0, later);
        let mut all: Vec<Noticed> = settled
            .into_values()
            .flat_map(|(slowest, bad)| bad.into_inner().into_iter().chain(slowest))
            .collect();
        all.sort_by_key(|noticed| noticed.intended);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Class;

    fn noticed(ms: u64, latency: u64, outcome: Outcome) -> Noticed {
        Noticed {
            intended: Offset::from_millis(ms),
            latency: Duration::from_millis(latency),
            outcome,
            instance: None,
            trace: None,
        }
    }

    #[test]
    fn of_each_second_the_slowest_and_the_first_three_of_each_outcome_are_kept() {
        let mut kept = Exemplars::default();
        let reset = Outcome::Fail(Class::Reset);
        for ms in (0..2000).step_by(10) {
            // The slowest of the first second is that at 370 ms.
            kept.add(noticed(ms, if ms == 370 { 90 } else { 3 }, Outcome::Ok));
            if ms >= 500 {
                kept.add(noticed(ms, 1, reset));
                kept.add(noticed(ms, 1, Outcome::Unknown(Class::Reset)));
            }
        }
        let first = kept.take_before(1);
        let at = |outcome: Outcome| {
            let of = first.iter().filter(|n| n.outcome == outcome);
            of.map(|n| n.intended.as_millis_f64()).collect::<Vec<_>>()
        };
        assert_eq!(at(Outcome::Ok), [370.0]);
        assert_eq!(at(reset), [500.0, 510.0, 520.0]);
        assert_eq!(at(Outcome::Unknown(Class::Reset)), [500.0, 510.0, 520.0]);
        assert_eq!(first.len(), 7);
        assert!(kept.take_before(1).is_empty(), "taken once");
        assert_eq!(kept.take_before(u32::MAX).len(), 7);
    }

    #[test]
    fn however_many_outcomes_there_are_a_second_keeps_thirteen() {
        let mut kept = Exemplars::default();
        for status in 0..600 {
            kept.add(noticed(1, 1, Outcome::Fail(Class::HttpStatus(status))));
            kept.add(noticed(1, status.into(), Outcome::Ok));
        }
        assert_eq!(kept.take_before(9).len(), PER_SECOND);
    }
}
