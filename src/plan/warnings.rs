//! What is odd about a plan and not wrong: nothing to judge by, no time to see a recovery, faults in each other's way.

use super::{Gate, PlannedFault, networks};
use crate::clock::Offset;
use crate::compose::Topology;
use crate::scenario::{Fault, Scenario};
use crate::source::Mistake;
use std::collections::BTreeMap;
use std::time::Duration;

/// All warnings about a plan.
pub fn all(
    scenario: &Scenario,
    topology: Option<&Topology>,
    faults: &[PlannedFault],
    gates: &[Gate],
) -> Vec<Mistake> {
    let mut warnings = short_windows(scenario, faults);
    warnings.extend(overlapping(scenario, faults));
    if let Some(topology) = topology {
        // Occurrences of one entry have the same peers, or nearly.
        let entries: BTreeMap<&str, &PlannedFault> =
            faults.iter().rev().map(|f| (&*f.entry, f)).collect();
        warnings.extend(
            entries
                .values()
                .filter_map(|f| apart(scenario, topology, f)),
        );
    }
    warnings.extend(no_gate(scenario, gates));
    warnings
}

fn no_gate(scenario: &Scenario, gates: &[Gate]) -> Option<Mistake> {
    if !gates.is_empty() || scenario.run.observe {
        return None;
    }
    let warning = scenario
        .origin
        .mistake(0..0, "no gate: the verdict can only be inconclusive");
    Some(
        warning.with_help("add [gate] with error_rate = \"<= 1%\", or say observe = true in [run]"),
    )
}

/// Packets between those who cannot reach each other: there are none.
fn apart(scenario: &Scenario, topology: &Topology, fault: &PlannedFault) -> Option<Mistake> {
    let (one, other) = match fault.groups.as_slice() {
        [one, other] => (one, other),
        _ => (&fault.targets, &fault.towards),
    };
    let (mine, theirs) = (networks::of(topology, one), networks::of(topology, other));
    // Who uses another one's network, or has no peers to reach, is in none by name.
    if mine.is_empty() || theirs.is_empty() || !mine.is_disjoint(&theirs) {
        return None;
    }
    let entry = entry_of(scenario, fault)?;
    let message = format!(
        "`{}`: {} and {} share no network",
        fault.name.escape_debug(),
        one.join(", "),
        other.join(", ")
    );
    let mistake = scenario.origin.mistake(entry.span.clone(), message);
    Some(mistake.with_help("no packet passes between them anyway: choose others"))
}

fn entry_of<'s>(scenario: &'s Scenario, fault: &PlannedFault) -> Option<&'s Fault> {
    scenario.faults.iter().find(|f| f.name == fault.entry)
}

/// The shortest window after one kind of edge of one entry.
struct Window<'p> {
    length: Duration,
    fault: &'p PlannedFault,
    edge: &'static str,
    /// Further occurrences whose windows are too short as well.
    more: usize,
}

/// Edges after which a workload has less time than recovery takes to be seen; one warning per entry and edge.
fn short_windows(scenario: &Scenario, faults: &[PlannedFault]) -> Vec<Mistake> {
    let end = Offset::new(scenario.run.duration);
    let mut edges: Vec<(Offset, &PlannedFault, &'static str)> = Vec::new();
    for fault in faults {
        edges.push((fault.inject_at, fault, "injected"));
        edges.extend(
            fault
                .heal_at
                .filter(|at| *at < end)
                .map(|at| (at, fault, "healed")),
        );
    }
    edges.sort_by_key(|(at, ..)| *at);
    let needed = scenario
        .loads
        .iter()
        .map(|l| l.recovery.stable_for)
        .max()
        .unwrap_or_default();
    let mut found: Vec<Window<'_>> = Vec::new();
    for (i, (at, fault, edge)) in edges.iter().enumerate() {
        let mut later = edges[i + 1..].iter().map(|(next, ..)| *next);
        let length = later.find(|next| next > at).unwrap_or(end) - *at;
        if length > needed {
            continue;
        }
        let same = |w: &&mut Window<'_>| w.fault.entry == fault.entry && w.edge == *edge;
        match found.iter_mut().find(same) {
            Some(window) => {
                window.more += 1;
                if length < window.length {
                    (window.length, window.fault) = (length, fault);
                }
            }
            None => found.push(Window {
                length,
                fault,
                edge,
                more: 0,
            }),
        }
    }
    let warning = |window: &Window<'_>| {
        let entry = entry_of(scenario, window.fault)?;
        let more = match window.more {
            0 => String::new(),
            n => format!(" (and so at {n} more of its occurrences)"),
        };
        let message = format!(
            "after `{}` is {} only {:?} remain until the next edge{more}: recovery, which must hold for {needed:?}, cannot be seen",
            window.fault.name.escape_debug(),
            window.edge,
            window.length,
        );
        let mistake = scenario.origin.mistake(entry.span.clone(), message);
        Some(mistake.with_help("leave more time, or lower `stable_for` in [recovery]"))
    };
    found.iter().filter_map(warning).collect()
}

/// How one fault is in the way of a later one on the same container.
enum Clash {
    /// What is stopped cannot be stopped again, nor asked for anything; the first heal mends both.
    NoEffect,
    /// Both do the same, and their effects cannot be told apart.
    Same,
    /// The later one takes the container away, and with it what the first one does in there.
    Ends,
}

/// Kinds that hold something within a running container.
const WITHIN: [&str; 10] = [
    "disconnect",
    "partition",
    "delay",
    "loss",
    "bandwidth",
    "cpu",
    "memory",
    "stress",
    "fill_disk",
    "freeze_process",
];

fn clash(first: &str, second: &str) -> Option<Clash> {
    let takes_away = |kind| matches!(kind, "stop" | "kill" | "restart");
    // What changes the container itself, or its disk, outlives its process.
    let ends_with_process = |kind| !matches!(kind, "disconnect" | "cpu" | "memory" | "fill_disk");
    match (first, second) {
        // `start` mends what was stopped for good, so it is meant to.
        (_, "start") => None,
        ("stop" | "kill" | "pause", _) => Some(Clash::NoEffect),
        (first, second) if first == second && WITHIN.contains(&first) => Some(Clash::Same),
        (first, second)
            if WITHIN.contains(&first) && ends_with_process(first) && takes_away(second) =>
        {
            Some(Clash::Ends)
        }
        _ => None,
    }
}

/// Faults that hit a container which an earlier one still holds. Of those that find their targets late nothing is known
/// yet.
fn overlapping(scenario: &Scenario, faults: &[PlannedFault]) -> Vec<Mistake> {
    let end = Offset::new(scenario.run.duration);
    let holds = |f: &PlannedFault| {
        let momentary = entry_of(scenario, f).is_some_and(|e| e.kind.is_momentary());
        match f.kind.as_str() {
            "start" => f.inject_at,
            _ if momentary => f.inject_at,
            _ => f.heal_at.unwrap_or(end),
        }
    };
    let mut found = BTreeMap::new();
    for (i, first) in faults.iter().enumerate().filter(|(_, f)| f.late.is_none()) {
        let until = holds(first);
        let later = faults[i + 1..].iter();
        for second in later.filter(|f| f.late.is_none() && f.inject_at < until) {
            let Some(clash) = clash(&first.kind, &second.kind) else {
                continue;
            };
            if let Some(both) = first.targets.iter().find(|t| second.targets.contains(t)) {
                let pair = (first.entry.clone(), second.entry.clone());
                found.entry(pair).or_insert((first, second, both, clash));
            }
        }
    }
    let warning =
        |(first, second, target, clash): &(&PlannedFault, &PlannedFault, &String, Clash)| {
            let entry = entry_of(scenario, second)?;
            let earlier = first.name.escape_debug();
            let (why, help) = match clash {
                Clash::NoEffect => (
                    "it has no effect of its own".to_owned(),
                    "heal the first one before, or choose another target",
                ),
                Clash::Same => (
                    "what each of them does cannot be told apart".to_owned(),
                    "heal the first one before, or choose another target",
                ),
                Clash::Ends => (
                    format!("what `{earlier}` does ends with the container's processes"),
                    "heal the first one before",
                ),
            };
            let message = format!(
                "`{}` hits `{}` while `{earlier}` still holds it: {why}",
                second.name.escape_debug(),
                target.escape_debug(),
            );
            let mistake = scenario.origin.mistake(entry.span.clone(), message);
            Some(mistake.with_help(help))
        };
    found.values().filter_map(warning).collect()
}
