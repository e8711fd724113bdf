//! Whether the network of a fault's targets can be broken at all: services without one, networks they are not in.

use super::targets::{Found, Lookup, service_of};
use crate::compose::Topology;
use crate::compose::topology::Service;
use crate::scenario::{Fault, FaultKind, Target};
use crate::source::{Mistake, nearest};
use std::collections::BTreeSet;

/// Whether a kind treats the packets of its targets.
fn treats_packets(kind: &FaultKind) -> bool {
    match kind {
        FaultKind::Partition(_)
        | FaultKind::Delay { .. }
        | FaultKind::Loss { .. }
        | FaultKind::Bandwidth { .. }
        | FaultKind::ResetConnections { .. } => true,
        FaultKind::Stop { .. }
        | FaultKind::Kill { .. }
        | FaultKind::Pause
        | FaultKind::Restart { .. }
        | FaultKind::Start
        | FaultKind::Disconnect { .. }
        | FaultKind::Cpu { .. }
        | FaultKind::Memory { .. }
        | FaultKind::Stress(_)
        | FaultKind::FillDisk(_)
        | FaultKind::FreezeProcess { .. }
        | FaultKind::Http(_)
        | FaultKind::Exec(_)
        | FaultKind::Command(_)
        | FaultKind::Sql(_)
        | FaultKind::External => false,
    }
}

/// Holds a fault's targets against their networks.
///
/// # Errors
/// A target whose network is not its own, or that is not in a network it is to be taken off.
pub fn check(
    lookup: &Lookup<'_>,
    fault: &Fault,
    target: &Target,
    found: &Found,
) -> Result<(), Mistake> {
    // Of candidates it is enough that some can be hit.
    let first_wrong = |look: &dyn Fn(&str, &Service) -> Result<(), Mistake>| {
        let results: Vec<_> = services(lookup, &found.names)
            .map(|(name, service)| look(name, service))
            .collect();
        match found.late {
            Some(_) if results.iter().any(Result::is_ok) => Ok(()),
            Some(_) | None => results
                .into_iter()
                .collect::<Result<Vec<()>, _>>()
                .map(drop),
        }
    };
    if let FaultKind::Disconnect { networks } = &fault.kind {
        first_wrong(&|name, service| own_network(lookup, target, name, service))?;
        for (network, span) in networks.iter().zip(&fault.places.networks) {
            first_wrong(&|name, service| {
                is_in(lookup, name, service, network)
                    .map_err(|(message, help)| at(lookup, span.clone(), &message).with_help(help))
            })?;
        }
        return Ok(());
    }
    if treats_packets(&fault.kind) {
        return first_wrong(&|name, service| has_packets(lookup, target, name, service));
    }
    Ok(())
}

/// Peers are told by their addresses, so each needs one of its own.
///
/// # Errors
/// A peer that has none.
pub fn check_peers(lookup: &Lookup<'_>, target: &Target, names: &[String]) -> Result<(), Mistake> {
    services(lookup, names)
        .try_for_each(|(name, service)| own_network(lookup, target, name, service))
}

/// The networks that any of these containers is in.
pub fn of<'t>(topology: &'t Topology, containers: &[String]) -> BTreeSet<&'t str> {
    let services = containers.iter().filter_map(|container| {
        let name = service_of(topology, container);
        topology.services.get(name)
    });
    services
        .flat_map(|service| service.networks.keys().map(String::as_str))
        .collect()
}

fn services<'a>(
    lookup: &'a Lookup<'_>,
    names: &'a [String],
) -> impl Iterator<Item = (&'a str, &'a Service)> {
    names.iter().filter_map(|container| {
        let name = service_of(lookup.topology, container);
        Some((name, lookup.topology.services.get(name)?))
    })
}

fn at(lookup: &Lookup<'_>, span: std::ops::Range<usize>, message: &str) -> Mistake {
    let message = format!("fault `{}`: {message}", lookup.fault.escape_debug());
    lookup.scenario.origin.mistake(span, message)
}

/// The packets of the host are not ours to touch, and where there is no network there are none.
fn has_packets(
    lookup: &Lookup<'_>,
    target: &Target,
    name: &str,
    service: &Service,
) -> Result<(), Mistake> {
    match service.network_mode.as_deref() {
        Some(mode @ ("host" | "none")) => Err(lookup.wrong(
            target,
            &format!("service `{name}` has no network of its own (network_mode: {mode})"),
            "choose a service that is in a compose network",
        )),
        Some(_) | None => Ok(()),
    }
}

fn own_network(
    lookup: &Lookup<'_>,
    target: &Target,
    name: &str,
    service: &Service,
) -> Result<(), Mistake> {
    has_packets(lookup, target, name, service)?;
    match service.network_mode.as_deref() {
        Some(mode) if service.networks.is_empty() => Err(lookup.wrong(
            target,
            &format!("service `{name}` has no address of its own (network_mode: {mode})"),
            "name the service whose network it shares",
        )),
        Some(_) | None => Ok(()),
    }
}

fn is_in(
    lookup: &Lookup<'_>,
    name: &str,
    service: &Service,
    network: &str,
) -> Result<(), (String, String)> {
    if service.networks.contains_key(network) {
        return Ok(());
    }
    let own = || service.networks.keys().map(String::as_str);
    let help = match nearest(network, own()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("its networks are: {}", own().collect::<Vec<_>>().join(", ")),
    };
    let shown = network.escape_debug();
    let message = if lookup.topology.networks.contains_key(network) {
        format!("service `{name}` is not in the network `{shown}`")
    } else {
        format!("the topology has no network `{shown}`")
    };
    Err((message, help))
}
