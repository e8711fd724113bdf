//! Composites: faults that order others by name, and whether every fault has one place in that order.

use super::super::at::At;
use super::super::check::{Check, suggestion};
use super::super::file::{FaultTable, PauseKey};
use super::super::{Composite, Fault, Member, Order, RunSettings};
use super::times::begins_in_run;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// Composites may be nested, but nobody reads what is nested deeper than this.
const DEEPEST: usize = 32;

/// Reads one composite; `None` where something in it is wrong.
pub fn read(
    check: &mut Check<'_>,
    table: &At<FaultTable>,
    run: Option<&RunSettings>,
) -> Option<Composite> {
    let before = check.mistakes.len();
    let at = check.duration(table.at.as_ref());
    if let (Some(at), Some(written), Some(run)) = (at, &table.at, run) {
        begins_in_run(check, &table.name, at, &written.span, run);
    }
    means_nothing(check, table);
    let pause = match &table.pause {
        Some(At {
            span,
            value: PauseKey::Time(text),
        }) => {
            let text = At {
                span: span.clone(),
                value: text.clone(),
            };
            check.duration(Some(&text)).unwrap_or_default()
        }
        Some(_) | None => Duration::ZERO,
    };
    let (order, list) = match (&table.sequence, &table.parallel) {
        (Some(list), _) => (Order::Sequence { pause }, list),
        (None, Some(list)) => (Order::Parallel, list),
        (None, None) => return None,
    };
    if list.is_empty() {
        check.wrong(
            &list.span,
            format!("`{}` has no members", table.name.escape_debug()),
            "name other faults: sequence = [\"slave stops\", \"slow network\"]",
        );
    }
    let members = list.iter().map(|name| Member {
        name: name.value.clone(),
        span: name.span.clone(),
    });
    let composite = Composite {
        name: table.name.value.clone(),
        at,
        order,
        members: members.collect(),
        span: table.name.span.clone(),
    };
    (check.mistakes.len() == before).then_some(composite)
}

/// What belongs to the members.
fn means_nothing(check: &mut Check<'_>, table: &FaultTable) {
    let key = if table.sequence.is_some() {
        "sequence"
    } else {
        "parallel"
    };
    let given = [
        ("heal_after", table.heal_after.as_ref().map(|t| &t.span)),
        ("repeat", table.repeat.as_ref().map(|t| &t.span)),
        ("flap", table.flap.as_ref().map(|t| &t.span)),
        ("rolling", table.rolling.as_ref().map(|t| &t.span)),
        ("gate", table.gate.as_ref().map(|t| &t.span)),
    ];
    for (name, span) in given.into_iter() {
        if let Some(span) = span {
            check.wrong(
                span,
                format!("`{name}` means nothing beside `{key}`"),
                "put it into the members it belongs to",
            );
        }
    }
}

/// Whether every member exists and is one once, and whether every fault begins at some time.
pub fn members(check: &mut Check<'_>, tables: &[At<FaultTable>], faults: &[Fault]) {
    let before = check.mistakes.len();
    let parents = parents(check, tables);
    circles(check, &parents);
    // What follows walks a tree, so it must be one.
    if check.mistakes.len() == before {
        ends(check, tables, faults);
    }
    for table in tables {
        match (&table.at, parents.get(table.name.as_str())) {
            (None, None) => check.wrong(
                &table.name.span,
                format!(
                    "fault `{}` does not say when it comes",
                    table.name.escape_debug()
                ),
                "give it a time, at = \"10s\", or name it in a `sequence` or `parallel`",
            ),
            (Some(at), Some(parent)) => check.wrong(
                &at.span,
                format!(
                    "`{}` says when `{}` comes",
                    parent.name.escape_debug(),
                    table.name.escape_debug()
                ),
                "remove `at` here, or take it out of there",
            ),
            (Some(_), None) | (None, Some(_)) => {}
        }
    }
}

struct Parent<'t> {
    name: &'t At<String>,
    /// Where it names the member.
    place: &'t Range<usize>,
}

/// Which composite each member belongs to.
fn parents<'t>(
    check: &mut Check<'_>,
    tables: &'t [At<FaultTable>],
) -> BTreeMap<&'t str, Parent<'t>> {
    let mut found: BTreeMap<&str, Parent<'_>> = BTreeMap::new();
    for table in tables {
        for member in listed(table) {
            let name = member.escape_debug();
            if !tables.iter().any(|t| t.name.value == member.value) {
                let known: Vec<&str> = tables
                    .iter()
                    .map(|t| t.name.as_str())
                    .filter(|n| *n != table.name.as_str())
                    .collect();
                check.wrong(
                    &member.span,
                    format!("no fault is called `{name}`"),
                    suggestion(member, known),
                );
            } else if let Some(first) = found.get(member.as_str()) {
                let (line, _) = check.origin.mistake(first.place.clone(), "").line_column();
                check.wrong(
                    &member.span,
                    format!("`{name}` is a member twice"),
                    format!("the first time on line {line}; a fault has one place: make a second one for the other"),
                );
            } else {
                let parent = Parent {
                    name: &table.name,
                    place: &member.span,
                };
                found.insert(member.as_str(), parent);
            }
        }
    }
    found
}

fn listed(table: &FaultTable) -> impl Iterator<Item = &At<String>> {
    let list = table.sequence.as_ref().or(table.parallel.as_ref());
    list.into_iter().flat_map(|list| list.value.iter())
}

/// Composites that are members of themselves, by whatever way; each circle is reported once.
fn circles(check: &mut Check<'_>, parents: &BTreeMap<&str, Parent<'_>>) {
    let mut seen: Vec<&str> = Vec::new();
    for start in parents.keys() {
        let mut way = vec![*start];
        while let Some(parent) = way.last().and_then(|last| parents.get(last)) {
            let name = parent.name.as_str();
            if seen.contains(&name) {
                break;
            }
            if let Some(first) = way.iter().position(|w| *w == name) {
                let mut circle: Vec<String> = way[first..]
                    .iter()
                    .rev()
                    .map(|w| format!("`{}`", w.escape_debug()))
                    .collect();
                circle.extend(circle.first().cloned());
                let message = format!("faults contain themselves: {}", circle.join(" → "));
                check.wrong(
                    parent.place,
                    message,
                    "take one of them out; a composite may hold others, and not itself",
                );
                break;
            }
            if way.len() > DEEPEST {
                check.wrong(
                    parent.place,
                    format!("composites are nested deeper than {DEEPEST}"),
                    "name the faults themselves in one of them",
                );
                return;
            }
            way.push(name);
        }
        seen.extend(way);
    }
}

/// A member that is only healed at the end of the run lets nothing come after it.
fn ends(check: &mut Check<'_>, tables: &[At<FaultTable>], faults: &[Fault]) {
    for table in tables {
        let Some(sequence) = &table.sequence else {
            continue;
        };
        let before_others = sequence.len().saturating_sub(1);
        for member in sequence.iter().take(before_others) {
            if let Some(last) = endless(tables, faults, member) {
                let message = format!(
                    "nothing comes after `{}`: it is healed at the end of the run",
                    last.escape_debug()
                );
                let help = format!("give `{}` a `heal_after`", last.escape_debug());
                check.wrong(&member.span, message, help);
            }
        }
    }
}

/// The fault, at or below an entry, that lasts until the end of the run.
fn endless<'t>(tables: &'t [At<FaultTable>], faults: &'t [Fault], name: &str) -> Option<&'t str> {
    if let Some(fault) = faults.iter().find(|f| f.name == name) {
        let lasts = fault.heal_after.is_none() && !fault.kind.is_momentary();
        return lasts.then_some(fault.name.as_str());
    }
    let table = tables.iter().find(|t| t.name.value == name)?;
    listed(table).find_map(|member| endless(tables, faults, member))
}
