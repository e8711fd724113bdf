//! `lbtest plan`: what would happen and when. Nothing is started.

use super::args::{Plan as PlanArgs, PlanFormat};
use super::exit::Exit;
use super::failure::Failure;
use super::{diagnostics, output, topology};
use crate::clock::Offset;
use crate::plan::{Gate, GateScope, Plan};
use crate::scenario::{self, Overrides};
use comfy_table::Table;
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
    diagnostics::print_warnings(&resolved.warnings);
    let text = match args.format {
        PlanFormat::Terminal => terminal(&resolved.plan),
        PlanFormat::Json => {
            serde_json::to_string_pretty(&resolved.plan)
                .map_err(|e| Failure::environment(format!("cannot write the plan: {e}"), ""))?
                + "\n"
        }
    };
    output::stdout(&text);
    Ok(Exit::Pass)
}

fn terminal(plan: &Plan) -> String {
    let mut out = String::new();
    let project = plan.project.as_deref().unwrap_or("nothing is brought up");
    let _ = writeln!(out, "{}  ({project}, seed {})", plan.scenario, plan.seed);
    if !plan.description.is_empty() {
        let _ = writeln!(out, "{}", plan.description);
    }
    let _ = writeln!(out, "\n{}\n\n{}", timeline(plan), loads(plan));
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
        let whom = if fault.targets.is_empty() {
            String::new()
        } else {
            fault.targets.join(", ")
        };
        rows.push((
            fault.inject_at,
            format!("{}: {}", fault.name, fault.kind),
            whom.clone(),
        ));
        if let Some(heal) = fault.heal_at {
            rows.push((heal, format!("{}: heal", fault.name), whom));
        }
    }
    rows.sort_by_key(|(at, ..)| *at);
    let mut table = table(&["at", "what", "whom"]);
    for (at, what, whom) in rows {
        table.add_row([time(at.since_zero()), what, whom]);
    }
    table
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
