//! The blast radius of a plan: whom each fault hits, who depends on them, and which published ports lie behind them.
//!
//! It tells what may be felt, from the compose file alone; what is felt is measured.

use super::targets::service_of;
use super::{Plan, PlannedFault};
use crate::compose::Topology;
use crate::compose::topology::Service;
use serde::Serialize;
use std::collections::BTreeSet;

/// What one fault may touch. Services are named once, in the first list they belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blast {
    /// The fault's name in the plan.
    pub fault: String,
    /// The services that it hits.
    pub hit: Vec<String>,
    /// Only some of `hit`, found at the moment of injection.
    pub some_of_them: bool,
    /// The services that depend on those (`depends_on`), directly or not.
    pub dependants: Vec<String>,
    /// The services that share a network with those that are hit.
    pub neighbours: Vec<String>,
    /// The published ports of `hit` and `dependants`: `nginx 127.0.0.1:8080`.
    pub ports: Vec<String>,
}

/// The blast radius of every fault of a plan, in its order.
#[must_use]
pub fn radius(plan: &Plan, topology: Option<&Topology>) -> Vec<Blast> {
    let none = Topology::default();
    let topology = topology.unwrap_or(&none);
    plan.faults.iter().map(|f| of(f, topology)).collect()
}

fn of(fault: &PlannedFault, topology: &Topology) -> Blast {
    let containers = fault.targets.iter();
    let hit: BTreeSet<&str> = containers.map(|c| service_of(topology, c)).collect();
    let dependants = dependants(topology, &hit);
    let neighbours = neighbours(topology, &hit);
    let owned = |names: &BTreeSet<&str>| names.iter().map(|n| (*n).to_owned()).collect();
    let behind = hit.union(&dependants);
    let ports = behind.filter_map(|name| Some((*name, topology.services.get(*name)?)));
    Blast {
        fault: fault.name.clone(),
        some_of_them: fault.late.is_some(),
        ports: ports
            .flat_map(|(name, service)| ports_of(name, service))
            .collect(),
        neighbours: owned(&neighbours.difference(&dependants).copied().collect()),
        dependants: owned(&dependants),
        hit: owned(&hit),
    }
}

fn dependants<'t>(topology: &'t Topology, hit: &BTreeSet<&str>) -> BTreeSet<&'t str> {
    let mut found: BTreeSet<&str> = BTreeSet::new();
    loop {
        let needs = |service: &Service| {
            let mut names = service.depends_on.keys();
            names.any(|n| hit.contains(n.as_str()) || found.contains(n.as_str()))
        };
        let more: Vec<&str> = topology
            .services
            .iter()
            .filter(|(name, service)| {
                !hit.contains(name.as_str()) && !found.contains(name.as_str()) && needs(service)
            })
            .map(|(name, _)| name.as_str())
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

fn neighbours<'t>(topology: &'t Topology, hit: &BTreeSet<&str>) -> BTreeSet<&'t str> {
    let networks: BTreeSet<&String> = hit
        .iter()
        .filter_map(|name| topology.services.get(*name))
        .flat_map(|service| service.networks.keys())
        .collect();
    let services = topology.services.iter();
    services
        .filter(|(name, service)| {
            !hit.contains(name.as_str()) && service.networks.keys().any(|n| networks.contains(n))
        })
        .map(|(name, _)| name.as_str())
        .collect()
}

fn ports_of(name: &str, service: &Service) -> Vec<String> {
    let shown = |port: &crate::compose::topology::Port| {
        let published = port.published?;
        let host = match port.host_ip {
            Some(std::net::IpAddr::V6(v6)) => format!("[{v6}]:"),
            Some(std::net::IpAddr::V4(v4)) => format!("{v4}:"),
            None => "*:".to_owned(),
        };
        let protocol = match port.protocol.as_str() {
            "tcp" | "" => String::new(),
            other => format!("/{other}"),
        };
        Some(format!("{name} {host}{published}{protocol}"))
    };
    service.ports.iter().filter_map(shown).collect()
}

#[cfg(test)]
mod tests;
