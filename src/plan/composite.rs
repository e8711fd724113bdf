//! The order of faults: those with a time of their own, and those that composites put after or beside each other.

use super::PlannedFault;
use super::occurrence::{self, Begin, Laid};
use crate::clock::Offset;
use crate::compose::Topology;
use crate::scenario::{Composite, Fault, Order, Scenario};
use crate::source::Mistake;
use std::collections::BTreeMap;
use std::ops::Range;

/// Every occurrence of every fault, by the time at which it is expected.
///
/// # Errors
/// Targets that cannot be found or hit; occurrences that are over only after the run.
pub fn lay(
    scenario: &Scenario,
    topology: Option<&Topology>,
) -> Result<Vec<PlannedFault>, Vec<Mistake>> {
    let mut layer = Layer {
        scenario,
        topology,
        faults: scenario.faults.iter().map(|f| (&*f.name, f)).collect(),
        composites: scenario.composites.iter().map(|c| (&*c.name, c)).collect(),
        plan: Vec::new(),
        mistakes: Vec::new(),
        late: BTreeMap::new(),
    };
    let mut tops: Vec<(&Range<usize>, &str, Offset)> = Vec::new();
    let at = |at| Offset::new(at);
    tops.extend(
        scenario
            .faults
            .iter()
            .filter_map(|f| Some((&f.span, &*f.name, at(f.at?)))),
    );
    tops.extend(
        scenario
            .composites
            .iter()
            .filter_map(|c| Some((&c.span, &*c.name, at(c.at?)))),
    );
    // In the order of the file: of those at one time the first one stays the first.
    tops.sort_by_key(|(span, ..)| span.start);
    for (_, name, at) in tops {
        layer.entry(name, Begin::At(at), None);
    }
    layer.mistakes.extend(layer.late.into_values());
    if layer.mistakes.is_empty() {
        Ok(by_time(layer.plan))
    } else {
        Err(layer.mistakes)
    }
}

struct Layer<'a> {
    scenario: &'a Scenario,
    topology: Option<&'a Topology>,
    faults: BTreeMap<&'a str, &'a Fault>,
    composites: BTreeMap<&'a str, &'a Composite>,
    plan: Vec<PlannedFault>,
    mistakes: Vec<Mistake>,
    /// By place: what is over only after the run.
    late: BTreeMap<usize, Mistake>,
}

impl<'a> Layer<'a> {
    /// Puts a fault or a composite into the plan; `place` is where a composite names it.
    fn entry(&mut self, name: &str, begin: Begin, place: Option<&Range<usize>>) -> Option<Laid> {
        if let Some(fault) = self.faults.get(name).copied() {
            return self.fault(fault, begin, place);
        }
        let composite = self.composites.get(name).copied()?;
        match composite.order {
            Order::Sequence { pause } => {
                let mut last = None;
                let mut begin = begin;
                for member in &composite.members {
                    // One that is wrong ends the plan anyway; the others are still looked at.
                    if let Some(laid) = self.entry(&member.name, begin, Some(&member.span)) {
                        begin = Begin::after(laid, pause);
                        last = Some(laid);
                    }
                }
                last
            }
            Order::Parallel => {
                let laid: Vec<Laid> = composite
                    .members
                    .iter()
                    .filter_map(|m| self.entry(&m.name, begin, Some(&m.span)))
                    .collect();
                laid.into_iter().max_by_key(|l| l.end)
            }
        }
    }

    fn fault(
        &mut self,
        fault: &'a Fault,
        begin: Begin,
        place: Option<&Range<usize>>,
    ) -> Option<Laid> {
        let first = self.plan.len();
        match occurrence::lay(self.scenario, self.topology, fault, begin, &mut self.plan) {
            Ok(laid) => {
                let rolling = fault.rolling.as_ref().map(|r| &r.span);
                if let Some(span) = place.or(rolling) {
                    self.within_run(first, span);
                }
                Some(laid)
            }
            Err(mistake) => {
                self.mistakes.push(mistake);
                None
            }
        }
    }

    /// Occurrences that follow others are only here known to come too late.
    fn within_run(&mut self, first: usize, span: &Range<usize>) {
        let end = Offset::new(self.scenario.run.duration);
        let late = |f: &&PlannedFault| f.inject_at >= end || f.heal_at.is_some_and(|at| at > end);
        let Some(fault) = self.plan.iter().skip(first).find(late) else {
            return;
        };
        let (what, at) = match fault.heal_at {
            Some(heal) if fault.inject_at < end => ("healed", heal),
            Some(_) | None => ("injected", fault.inject_at),
        };
        let message = format!(
            "`{}` would be {what} at {:?}, after the end of the run",
            fault.name.escape_debug(),
            at.since_zero()
        );
        let help = format!(
            "the run ends at {:?}; shorten what comes before, or raise `run.duration`",
            end.since_zero()
        );
        let mistake = self.scenario.origin.mistake(span.clone(), message);
        self.late
            .entry(span.start)
            .or_insert_with(|| mistake.with_help(help));
    }
}

/// Sorted by injection; what follows another one keeps following it.
fn by_time(plan: Vec<PlannedFault>) -> Vec<PlannedFault> {
    let mut order: Vec<usize> = (0..plan.len()).collect();
    order.sort_by_key(|i| plan.get(*i).map(|f| f.inject_at));
    let mut place = vec![0; plan.len()];
    for (new, old) in order.iter().enumerate() {
        if let Some(place) = place.get_mut(*old) {
            *place = new;
        }
    }
    let mut numbered: Vec<(usize, PlannedFault)> = place.iter().copied().zip(plan).collect();
    numbered.sort_by_key(|(new, _)| *new);
    let moved = |mut fault: PlannedFault| {
        if let Some(after) = &mut fault.after {
            after.index = place.get(after.index).copied().unwrap_or(after.index);
        }
        fault
    };
    numbered.into_iter().map(|(_, f)| moved(f)).collect()
}
