//! `lbtest plan`: what would happen and when. Nothing is started.

use super::args::{Plan as PlanArgs, PlanFormat};
use super::exit::Exit;
use super::failure::Failure;
use super::{diagnostics, output, topology};
use crate::clock::Offset;
use crate::plan::blast::{self, Blast};
use crate::plan::{Gate, GateScope, Late, Plan, PlannedFault};
use crate::run::RunError;
use crate::scenario::{self, Overrides};
use comfy_table::Table;
use serde::Serialize;
use std::fmt::Write as _;
use std::time::Duration;

/// Resolves a scenario and prints it.
pub fn run(args: &PlanArgs) -> Result<Exit, Failure> {
    let overrides = Overrides {
        set: args.changes.set.clone(),
        seed: args.changes.seed,
    };
    let scenario = scenario::read(&args.scenario, &overrides)?;
    let read = topology::of_scenario(&scenario)?;
    let resolved = crate::plan::resolve(
        &scenario,
        read.as_ref().map(|r| &r.topology),
        !args.changes.no_faults,
    )?;
    crate::load::check(&scenario.loads).map_err(RunError::Load)?;
    diagnostics::print_warnings(&resolved.warnings);
    let blast_radius = blast::radius(&resolved.plan, read.as_ref().map(|r| &r.topology));
    let text = match args.format {
        PlanFormat::Terminal => terminal(&resolved.plan, &blast_radius),
        PlanFormat::Json => {
            let shown = Shown {
                plan: &resolved.plan,
                blast_radius: &blast_radius,
            };
            serde_json::to_string_pretty(&shown)
                .map_err(|e| Failure::environment(format!("cannot write the plan: {e}"), ""))?
                + "\n"
        }
    };
    output::stdout(&text);
    topology::lacking(&topology::what_is_missing(&resolved.plan)?)?;
    Ok(Exit::Pass)
}

/// The plan as JSON, and what only the topology tells.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    /// One for each of `faults`, in their order.
    blast_radius: &'a [Blast],
}

fn terminal(plan: &Plan, blast_radius: &[Blast]) -> String {
    let mut out = String::new();
    let project = plan.project.as_deref().unwrap_or("nothing is brought up");
    let _ = writeln!(out, "{}  ({project}, seed {})", plan.scenario, plan.seed);
    if !plan.description.is_empty() {
        let _ = writeln!(out, "{}", plan.description);
    }
    let _ = writeln!(out, "\n{}", timeline(plan));
    out.push_str(&touched(plan, blast_radius));
    let _ = writeln!(out, "\n{}", loads(plan));
    if plan.gates.is_empty() {
        let _ = writeln!(out, "\nNo gates.");
    } else {
        let _ = writeln!(out, "\nGates");
        plan.gates.iter().for_each(|g| {
            let _ = writeln!(out, "  {}", gate(g));
        });
    }
    output::inert(&out)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
    table.set_header(header.iter().copied());
    table
}

fn timeline(plan: &Plan) -> Table {
    let mut rows: Vec<(Offset, String, String)> = vec![
        (
            Offset::ZERO,
            "load starts (warm-up)".to_owned(),
            String::new(),
        ),
        (
            Offset::new(plan.warmup),
            "measuring starts".to_owned(),
            String::new(),
        ),
        (
            Offset::new(plan.duration),
            "load ends".to_owned(),
            String::new(),
        ),
    ];
    for fault in &plan.faults {
        rows.push((
            fault.inject_at,
            format!("{}: {}{}", fault.name, fault.kind, after(plan, fault)),
            whom(fault),
        ));
        if let Some(heal) = fault.heal_at {
            rows.push((heal, format!("{}: heal", fault.name), whom(fault)));
        }
    }
    rows.sort_by_key(|(at, ..)| *at);
    let mut table = table(&["at", "what", "whom"]);
    for (at, what, whom) in rows {
        table.add_row([time(at.since_zero()), what, whom]);
    }
    table
}

/// A fault that follows another one has no time of its own: the time shown is the one expected.
fn after(plan: &Plan, fault: &PlannedFault) -> String {
    let Some(after) = fault.after else {
        return String::new();
    };
    let former = plan.faults.get(after.index).map_or("?", |f| &f.name);
    if after.pause.is_zero() {
        format!(" (when {former} is over)")
    } else {
        format!(" ({} after {former} is over)", time(after.pause))
    }
}

/// Whom a fault hits, in words.
fn whom(fault: &PlannedFault) -> String {
    let targets = fault.targets.join(", ");
    let hit = match (fault.groups.as_slice(), &fault.late) {
        ([one], _) => format!("{} | everybody else", one.join(", ")),
        ([first, second, ..], _) => format!("{} | {}", first.join(", "), second.join(", ")),
        ([], Some(Late::Role(role))) => format!("the {role} among {targets}"),
        ([], Some(Late::LastServed(load))) => format!("the one that served {load} last"),
        ([], None) => targets,
    };
    if fault.towards.is_empty() {
        hit
    } else {
        format!("{hit} ↔ {}", fault.towards.join(", "))
    }
}

/// The blast radius: once for occurrences that touch the same.
fn touched(plan: &Plan, blast_radius: &[Blast]) -> String {
    let mut rows: Vec<(&str, &Blast)> = Vec::new();
    for (fault, blast) in plan.faults.iter().zip(blast_radius) {
        let known = |(entry, row): &(&str, &Blast)| *entry == fault.entry && row.hit == blast.hit;
        if !blast.hit.is_empty() && !rows.iter().any(known) {
            rows.push((&fault.entry, blast));
        }
    }
    let mut out = String::new();
    for (entry, blast) in &rows {
        let alone = rows.iter().filter(|(other, _)| other == entry).count() == 1;
        let name = if alone { entry } else { blast.fault.as_str() };
        let some = if blast.some_of_them { "some of " } else { "" };
        let _ = writeln!(out, "  {name}: {some}{}", blast.hit.join(", "));
        for (what, names) in [
            ("what depends on it", &blast.dependants),
            ("in the same network", &blast.neighbours),
            ("published ports", &blast.ports),
        ] {
            if !names.is_empty() {
                let _ = writeln!(out, "    {what}: {}", names.join(", "));
            }
        }
    }
    if out.is_empty() {
        out
    } else {
        format!("\nBlast radius\n{out}")
    }
}

fn loads(plan: &Plan) -> Table {
    let mut table = table(&["workload", "kind", "target", "load", "arrivals", "time-out"]);
    for load in &plan.loads {
        table.add_row([
            load.name.clone(),
            load.kind.clone(),
            load.target.clone(),
            load.arrivals.clone(),
            load.scheduled
                .map_or_else(|| "as answered".to_owned(), |n| n.to_string()),
            time(load.timeout),
        ]);
    }
    table
}

/// `0s`, `1.5s`, `45s`.
fn time(length: Duration) -> String {
    if length.is_zero() {
        "0s".to_owned()
    } else {
        format!("{length:?}")
    }
}

fn gate(gate: &Gate) -> String {
    let scope = match &gate.scope {
        GateScope::Run => String::new(),
        GateScope::Load(name) => format!("  (workload {name})"),
        GateScope::Fault(name) => format!("  (fault {name})"),
    };
    format!("{} {}{scope}", gate.metric.key(), gate.written)
}

#[cfg(test)]
mod tests;
