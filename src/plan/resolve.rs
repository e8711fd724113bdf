//! Scenario, topology and seed become a [`Plan`].

use super::{
    Gate, GateScope, LoopKind, Metric, Plan, PlannedFault, PlannedLoad, arrivals, targets,
};
use crate::clock::Offset;
use crate::compose::Topology;
use crate::scenario::{
    Arrivals, ClientSpec, Fault, FaultKind, Scenario, ScenarioError, Workload, url_without_secrets,
};
use crate::source::Mistake;
use std::time::Duration;

/// A plan, and what is odd about it.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The plan.
    pub plan: Plan,
    /// What the user should know, with its place; those of the scenario among them.
    pub warnings: Vec<Mistake>,
}

/// Resolves every time, target and value. With `faults_on` false the faults, and the gates on them, are left out.
///
/// # Errors
/// A fault whose target the topology does not have.
pub fn resolve(
    scenario: &Scenario,
    topology: Option<&Topology>,
    faults_on: bool,
) -> Result<Resolved, ScenarioError> {
    let mut mistakes = Vec::new();
    let mut warnings = scenario.warnings.clone();
    let mut faults = Vec::new();
    for fault in scenario.faults.iter().filter(|_| faults_on) {
        match occurrences(scenario, fault, topology) {
            Ok(found) => faults.extend(found),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if !mistakes.is_empty() {
        return Err(ScenarioError(mistakes));
    }
    faults.sort_by_key(|f| f.inject_at);
    let gates = gates(scenario, faults_on);
    warnings.extend(short_windows(scenario, &faults));
    warnings.extend(overlapping(scenario, &faults));
    warnings.extend(no_gate(scenario, &gates));
    let plan = Plan {
        scenario: scenario.name.clone(),
        description: scenario.description.clone(),
        project: topology.map(|t| t.project.clone()),
        seed: scenario.run.seed,
        warmup: scenario.run.warmup,
        duration: scenario.run.duration,
        recovery: scenario.recovery,
        observe: scenario.run.observe,
        loads: scenario
            .loads
            .iter()
            .map(|l| load(l, scenario.run.duration))
            .collect(),
        faults,
        gates,
    };
    Ok(Resolved { plan, warnings })
}

fn load(load: &Workload, duration: Duration) -> PlannedLoad {
    let (kind, target, timeout) = match &load.client {
        ClientSpec::Http(http) => {
            let url = http
                .requests
                .first()
                .map(|r| url_without_secrets(&r.url))
                .unwrap_or_default();
            let more = http.requests.len().saturating_sub(1);
            (
                "http",
                if more == 0 {
                    url
                } else {
                    format!("{url} and {more} more")
                },
                http.timeout,
            )
        }
        ClientSpec::Postgres(postgres) => (
            "postgres",
            without_password(&postgres.dsn),
            postgres.timeout,
        ),
    };
    let loop_kind = match load.arrivals {
        Arrivals::Open { .. } => LoopKind::Open,
        Arrivals::Closed { .. } => LoopKind::Closed,
    };
    PlannedLoad {
        name: load.name.clone(),
        kind: kind.to_owned(),
        target,
        loop_kind,
        arrivals: arrivals::in_words(&load.arrivals),
        scheduled: arrivals::scheduled(&load.arrivals, duration),
        timeout,
        recovery: load.recovery,
    }
}

/// A DSN without its password and options, built from what was understood of it.
fn without_password(dsn: &str) -> String {
    use tokio_postgres::config::Host;
    let Ok(config) = dsn.parse::<tokio_postgres::Config>() else {
        return "postgres".to_owned();
    };
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate().map(|(i, host)| {
        let port = ports.get(i).or(ports.first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            Host::Unix(path) => format!("{}:{port}", path.display()),
        }
    });
    let hosts = hosts.collect::<Vec<_>>().join(",");
    let user = config
        .get_user()
        .map(|u| format!("{u}@"))
        .unwrap_or_default();
    let database = config
        .get_dbname()
        .map(|d| format!("/{d}"))
        .unwrap_or_default();
    format!("postgres://{user}{hosts}{database}")
}

/// The name of a kind of fault.
#[must_use]
pub fn kind_name(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::Stop { .. } => "stop",
        FaultKind::Kill { .. } => "kill",
        FaultKind::Pause => "pause",
        FaultKind::Restart { .. } => "restart",
        FaultKind::Start => "start",
        FaultKind::External => "external",
    }
}

fn occurrences(
    scenario: &Scenario,
    fault: &Fault,
    topology: Option<&Topology>,
) -> Result<Vec<PlannedFault>, Mistake> {
    let (every, times) = fault
        .repeat
        .map_or((Duration::ZERO, 1), |r| (r.every, r.times));
    let mut found = Vec::new();
    for n in 1..=times {
        let targets = match (&fault.target, topology) {
            (None, _) => Vec::new(),
            (Some(target), Some(topology)) => {
                targets::of_occurrence(scenario, fault, target, topology, n)?
            }
            (Some(target), None) => {
                let message = format!(
                    "fault `{}` has a target, but the scenario has no topology",
                    fault.name.escape_debug()
                );
                let help = "name the compose file: topology = \"compose.yaml\"; or let something else break the system: external = {}";
                return Err(scenario
                    .origin
                    .mistake(target.span.clone(), message)
                    .with_help(help));
            }
        };
        let at = Offset::new(fault.at + every * (n - 1));
        found.push(PlannedFault {
            name: if times > 1 {
                format!("{} #{n}", fault.name)
            } else {
                fault.name.clone()
            },
            entry: fault.name.clone(),
            kind: kind_name(&fault.kind).to_owned(),
            targets,
            inject_at: at,
            heal_at: fault.heal_after.map(|after| at + after),
        });
    }
    Ok(found)
}

/// Gates on faults have no figure where the faults are left out.
fn gates(scenario: &Scenario, faults_on: bool) -> Vec<Gate> {
    let on_faults = |gate: &Gate| {
        matches!(gate.scope, GateScope::Fault(_))
            || matches!(
                gate.metric,
                Metric::TimeToRecover | Metric::TimeToRecoverPerformance
            )
    };
    scenario
        .gates
        .iter()
        .filter(|g| faults_on || !on_faults(g))
        .cloned()
        .collect()
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

/// Edges after which a workload has less time than recovery takes to be seen.
fn short_windows(scenario: &Scenario, faults: &[PlannedFault]) -> Vec<Mistake> {
    let end = Offset::new(scenario.run.duration);
    let mut edges: Vec<(Offset, &PlannedFault, &str)> = Vec::new();
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
    let mut warnings = Vec::new();
    for (i, (at, fault, edge)) in edges.iter().enumerate() {
        let next = edges[i + 1..]
            .iter()
            .map(|(next, ..)| *next)
            .find(|next| next > at)
            .unwrap_or(end);
        let window = next - *at;
        if window > needed {
            continue;
        }
        let Some(entry) = scenario.faults.iter().find(|f| f.name == fault.entry) else {
            continue;
        };
        let message = format!(
            "after `{}` is {edge} only {window:?} remain until the next edge: recovery, which must hold for {needed:?}, cannot be seen",
            fault.name.escape_debug()
        );
        warnings.push(
            scenario
                .origin
                .mistake(entry.span.clone(), message)
                .with_help("leave more time, or lower `stable_for` in [recovery]"),
        );
    }
    warnings
}

/// Faults that hit a container which an earlier one still holds: a stop of what is stopped has no effect of its own, and
/// the first heal mends both. (`start` mends what was stopped for good, so it is meant to.)
fn overlapping(scenario: &Scenario, faults: &[PlannedFault]) -> Vec<Mistake> {
    let end = Offset::new(scenario.run.duration);
    let holds = |f: &PlannedFault| match f.kind.as_str() {
        "restart" | "start" => f.inject_at,
        _ => f.heal_at.unwrap_or(end),
    };
    let mut found = std::collections::BTreeMap::new();
    for (i, first) in faults.iter().enumerate() {
        for second in faults[i + 1..]
            .iter()
            .filter(|f| f.kind != "start" && f.inject_at < holds(first))
        {
            if let Some(both) = first.targets.iter().find(|t| second.targets.contains(t)) {
                let pair = (first.entry.clone(), second.entry.clone());
                found.entry(pair).or_insert((first, second, both));
            }
        }
    }
    let warning = |(first, second, target): &(&PlannedFault, &PlannedFault, &String)| {
        let entry = scenario.faults.iter().find(|f| f.name == second.entry)?;
        let message = format!(
            "`{}` hits `{}` while `{}` still holds it: it has no effect of its own",
            second.name.escape_debug(),
            target.escape_debug(),
            first.name.escape_debug()
        );
        let mistake = scenario.origin.mistake(entry.span.clone(), message);
        Some(mistake.with_help("heal the first one before, or choose another target"))
    };
    found.values().filter_map(warning).collect()
}

#[cfg(test)]
mod tests;
