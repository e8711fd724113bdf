//! The occurrences of one fault: when each comes, and whom it hits.

use super::targets::{Found, Lookup, Purpose};
use super::{After, PlannedFault, kind_name, networks, partition};
use crate::clock::Offset;
use crate::compose::Topology;
use crate::scenario::{Fault, FaultKind, Link, Repeat, Rolling, Scenario, Target};
use crate::source::Mistake;
use std::time::Duration;

/// When something begins.
#[derive(Debug, Clone, Copy)]
pub enum Begin {
    /// At a time.
    At(Offset),
    /// When another one is over.
    After {
        /// The other one, and the pause.
        after: After,
        /// When that is expected to be.
        expected: Offset,
    },
}

impl Begin {
    /// After what was laid, and a pause.
    pub fn after(laid: Laid, pause: Duration) -> Self {
        let after = After {
            index: laid.last,
            pause,
        };
        Self::After {
            after,
            expected: laid.end + pause,
        }
    }

    fn expected(self) -> Offset {
        match self {
            Self::At(at) => at,
            Self::After { expected, .. } => expected,
        }
    }
}

/// What was put into the plan: which of it ends last, and when that is expected.
#[derive(Debug, Clone, Copy)]
pub struct Laid {
    /// Its index.
    pub last: usize,
    /// The moment when it is healed, or done.
    pub end: Offset,
}

/// Puts the occurrences of a fault into the plan.
///
/// # Errors
/// A target that the topology does not have, or that cannot be hit like this.
pub fn lay(
    scenario: &Scenario,
    topology: Option<&Topology>,
    fault: &Fault,
    begin: Begin,
    plan: &mut Vec<PlannedFault>,
) -> Result<Laid, Mistake> {
    match (&fault.rolling, &fault.target, topology) {
        (Some(rolling), Some(target), Some(topology)) => {
            let lookup = lookup(scenario, topology, fault, 1);
            let whom = whom(&lookup, fault)?;
            if whom.late.is_some() {
                return Err(lookup.wrong(
                    target,
                    "who is hit one after the other must be known before the run",
                    "name the services; or leave `rolling` out",
                ));
            }
            Ok(rolling_over(scenario, fault, rolling, begin, &whom, plan))
        }
        _ => repeated(scenario, topology, fault, begin, plan),
    }
}

fn lookup<'a>(
    scenario: &'a Scenario,
    topology: &'a Topology,
    fault: &'a Fault,
    occurrence: u32,
) -> Lookup<'a> {
    Lookup {
        scenario,
        topology,
        fault: &fault.name,
        occurrence,
    }
}

/// One occurrence per container, each after the one before.
fn rolling_over(
    scenario: &Scenario,
    fault: &Fault,
    rolling: &Rolling,
    begin: Begin,
    whom: &PlannedFault,
    plan: &mut Vec<PlannedFault>,
) -> Laid {
    let mut begin = begin;
    let mut laid = Laid {
        last: plan.len(),
        end: begin.expected(),
    };
    for (i, container) in whom.targets.iter().enumerate() {
        let one = PlannedFault {
            targets: vec![container.clone()],
            ..whom.clone()
        };
        let number = (whom.targets.len() > 1).then_some(i + 1);
        laid = push(scenario, fault, number, begin, one, plan);
        begin = Begin::after(laid, rolling.pause);
    }
    laid
}

/// Occurrences at a fixed pace; where the first one follows another fault, each follows the one before.
fn repeated(
    scenario: &Scenario,
    topology: Option<&Topology>,
    fault: &Fault,
    begin: Begin,
    plan: &mut Vec<PlannedFault>,
) -> Result<Laid, Mistake> {
    let Repeat { every, times } = fault.repeat.unwrap_or(Repeat {
        every: Duration::ZERO,
        times: 1,
    });
    let mut laid = Laid {
        last: plan.len(),
        end: begin.expected(),
    };
    for n in 1..=times {
        let one = match topology {
            Some(topology) => whom(&lookup(scenario, topology, fault, n), fault)?,
            None => without_topology(scenario, fault)?,
        };
        let begin = match begin {
            first if n == 1 => first,
            Begin::At(at) => Begin::At(at + every * (n - 1)),
            Begin::After { .. } => Begin::after(
                laid,
                every.saturating_sub(fault.heal_after.unwrap_or_default()),
            ),
        };
        let number = (times > 1).then_some(usize::try_from(n).unwrap_or(usize::MAX));
        laid = push(scenario, fault, number, begin, one, plan);
    }
    Ok(laid)
}

/// Puts one occurrence into the plan.
fn push(
    scenario: &Scenario,
    fault: &Fault,
    number: Option<usize>,
    begin: Begin,
    whom: PlannedFault,
    plan: &mut Vec<PlannedFault>,
) -> Laid {
    let inject_at = begin.expected();
    let heal_at = fault.heal_after.map(|lasts| inject_at + lasts);
    plan.push(PlannedFault {
        name: match number {
            Some(n) => format!("{} #{n}", fault.name),
            None => fault.name.clone(),
        },
        entry: fault.name.clone(),
        kind: kind_name(&fault.kind).to_owned(),
        inject_at,
        heal_at,
        after: match begin {
            Begin::At(_) => None,
            Begin::After { after, .. } => Some(after),
        },
        ..whom
    });
    let end = match heal_at {
        Some(at) => at,
        None if fault.kind.is_momentary() => inject_at,
        None => Offset::new(scenario.run.duration).max(inject_at),
    };
    Laid {
        last: plan.len() - 1,
        end,
    }
}

/// Whom an occurrence hits: a planned fault of which nothing else is known yet.
fn whom(lookup: &Lookup<'_>, fault: &Fault) -> Result<PlannedFault, Mistake> {
    let mut whom = PlannedFault::default();
    if let FaultKind::Partition(partition) = &fault.kind {
        whom.groups = partition::groups(lookup, partition)?;
        whom.targets = whom.groups.iter().flatten().cloned().collect();
        whom.targets.sort();
        return Ok(whom);
    }
    if let Some(target) = &fault.target {
        let found = lookup.find(target, Purpose::Target)?;
        networks::check(lookup, fault, target, &found)?;
        let Found { names, late } = found;
        (whom.targets, whom.late) = (names, late);
    }
    if let Some(towards) = link_of(&fault.kind).and_then(|link| link.towards.as_ref()) {
        whom.towards = lookup.find_now(towards, Purpose::Towards, "towards")?;
        networks::check_peers(lookup, towards, &whom.towards)?;
    }
    Ok(whom)
}

/// Without a topology there is nobody to hit, so only a fault without a target can be.
fn without_topology(scenario: &Scenario, fault: &Fault) -> Result<PlannedFault, Mistake> {
    let Some(target) = any_target(fault) else {
        return Ok(PlannedFault::default());
    };
    let message = format!(
        "fault `{}` has a target, but the scenario has no topology",
        fault.name.escape_debug()
    );
    let help = "name the compose file: topology = \"compose.yaml\"; or let something else break the system: external = {}";
    Err(scenario
        .origin
        .mistake(target.span.clone(), message)
        .with_help(help))
}

fn any_target(fault: &Fault) -> Option<&Target> {
    use crate::scenario::Split;
    match &fault.kind {
        FaultKind::Partition(partition) => match &partition.split {
            Split::Between(target, _) | Split::Isolate(target) | Split::MinorityOf(target) => {
                Some(target)
            }
        },
        _ => fault.target.as_ref(),
    }
}

fn link_of(kind: &FaultKind) -> Option<&Link> {
    match kind {
        FaultKind::Delay { link, .. }
        | FaultKind::Loss { link, .. }
        | FaultKind::Bandwidth { link, .. }
        | FaultKind::ResetConnections { link } => Some(link),
        FaultKind::Stop { .. }
        | FaultKind::Kill { .. }
        | FaultKind::Pause
        | FaultKind::Restart { .. }
        | FaultKind::Start
        | FaultKind::Disconnect { .. }
        | FaultKind::Partition(_)
        | FaultKind::Cpu { .. }
        | FaultKind::Memory { .. }
        | FaultKind::Stress(_)
        | FaultKind::FillDisk(_)
        | FaultKind::FreezeProcess { .. }
        | FaultKind::Http(_)
        | FaultKind::Exec(_)
        | FaultKind::Command(_)
        | FaultKind::Sql(_)
        | FaultKind::External => None,
    }
}
