//! The moments at which faults really began and ended, and the windows between them.

use super::result::EdgeKind;
use crate::clock::Offset;
use crate::history::History;
use crate::history::event::{EdgeTimes, FaultRecord};
use crate::plan::PlannedFault;
use std::time::Duration;

/// Edges closer than this are one: their windows end alike.
const TOGETHER: Duration = Duration::from_millis(1);

/// One edge of a fault that took place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge<'a> {
    /// The fault.
    pub fault: &'a PlannedFault,
    /// Which of its edges.
    pub kind: EdgeKind,
    /// The moment of effect.
    pub at: Offset,
    /// How far the true moment may lie from it.
    pub uncertainty: Duration,
    /// The earliest moment at which it can have had an effect: the call to the engine.
    pub earliest: Offset,
    /// Where its window ends: at the next edge, or with the load.
    pub window_end: Offset,
    /// The call to the engine of that next edge, which can have had an effect from then on.
    pub next_call: Option<Offset>,
}

/// A fault's moment of effect and its uncertainty, and the earliest call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The moment of effect.
    pub at: Offset,
    /// How far the true moment may lie from it.
    pub uncertainty: Duration,
    /// The call to the engine.
    pub earliest: Offset,
}

/// When a fault took effect: with its first target.
#[must_use]
pub fn injected(fault: &PlannedFault, record: Option<&FaultRecord>, now: Offset) -> Option<Moment> {
    let Some(record) = record else {
        return marked(fault, fault.inject_at, now);
    };
    let edges = record.targets.iter().map(|t| &t.inject);
    edges.min_by_key(|e| e.effect()).map(moment)
}

/// When a fault was healed: with its last target; none while any target is not.
#[must_use]
pub fn healed(fault: &PlannedFault, record: Option<&FaultRecord>, now: Offset) -> Option<Moment> {
    let Some(record) = record else {
        return marked(fault, fault.heal_at?, now);
    };
    record.healed_at()?;
    let heals = record.targets.iter().filter_map(|t| t.heal.as_ref());
    heals.max_by_key(|e| e.effect()).map(moment)
}

/// The edge of an external fault of which nothing was recorded: as planned, once that time has come.
fn marked(fault: &PlannedFault, at: Offset, now: Offset) -> Option<Moment> {
    let came = fault.kind == "external" && at <= now;
    came.then_some(Moment {
        at,
        uncertainty: Duration::ZERO,
        earliest: at,
    })
}

fn moment(times: &EdgeTimes) -> Moment {
    let called = if times.called == Offset::ZERO {
        times.effect()
    } else {
        times.called
    };
    Moment {
        at: times.effect(),
        uncertainty: times.uncertainty(),
        earliest: called.min(times.effect()),
    }
}

/// Every edge that took place while the load ran, by time.
#[must_use]
pub fn edges(history: &History, load_end: Offset) -> Vec<Edge<'_>> {
    let mut edges = Vec::new();
    for (index, fault) in history.head.plan.faults.iter().enumerate() {
        let record = history.faults.iter().find(|r| r.index == index);
        let both = [
            (EdgeKind::Inject, injected(fault, record, load_end)),
            (EdgeKind::Heal, healed(fault, record, load_end)),
        ];
        for (kind, moment) in both {
            let Some(Moment {
                at,
                uncertainty,
                earliest,
            }) = moment
            else {
                continue;
            };
            if at < load_end {
                edges.push(Edge {
                    fault,
                    kind,
                    at,
                    uncertainty,
                    earliest,
                    window_end: load_end,
                    next_call: None,
                });
            }
        }
    }
    edges.sort_by_key(|e| (e.at, e.kind));
    let mut next: Option<(Offset, Offset)> = None;
    for i in (0..edges.len()).rev() {
        let Edge { at, earliest, .. } = edges[i];
        edges[i].window_end = next.map_or(load_end, |(end, _)| end);
        edges[i].next_call = next.map(|(_, call)| call);
        if i > 0 && at - edges[i - 1].at >= TOGETHER {
            next = Some((at, earliest));
        }
    }
    edges
}
