//! Scenario, topology and seed become a [`Plan`].

use super::{Gate, GateScope, LoopKind, Metric, Plan, PlannedLoad, arrivals, composite, warnings};
use crate::compose::Topology;
use crate::scenario::{
    Arrivals, ClientSpec, FaultKind, Scenario, ScenarioError, Workload, url_without_secrets,
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
    let faults = if faults_on {
        composite::lay(scenario, topology).map_err(ScenarioError)?
    } else {
        Vec::new()
    };
    let gates = gates(scenario, faults_on);
    let mut warnings = scenario.warnings.clone();
    warnings.extend(warnings::all(scenario, topology, &faults, &gates));
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
        FaultKind::Disconnect { .. } => "disconnect",
        FaultKind::Partition(_) => "partition",
        FaultKind::Delay { .. } => "delay",
        FaultKind::Loss { .. } => "loss",
        FaultKind::Bandwidth { .. } => "bandwidth",
        FaultKind::ResetConnections { .. } => "reset_connections",
        FaultKind::Cpu { .. } => "cpu",
        FaultKind::Memory { .. } => "memory",
        FaultKind::Stress(_) => "stress",
        FaultKind::FillDisk(_) => "fill_disk",
        FaultKind::FreezeProcess { .. } => "freeze_process",
        FaultKind::Http(_) => "http",
        FaultKind::Exec(_) => "exec",
        FaultKind::Command(_) => "command",
        FaultKind::Sql(_) => "sql",
        FaultKind::External => "external",
    }
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

#[cfg(test)]
mod tests;
