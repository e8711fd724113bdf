//! What must hold between services, networks and volumes.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::node::{Entry, Key, Node};
use super::report::Report;
use super::service::Read;
use super::topology::{Condition, Healthcheck, Mount, Port};
use crate::source::nearest;

/// The definition that `name` refers to in a top-level section; its absence is reported at `at`.
pub fn defined<'m>(
    model: &'m Node,
    section: &str,
    name: &str,
    at: &Node,
    report: &Report,
) -> Option<&'m Node> {
    let found = model.get(section).and_then(|s| s.get(name));
    if found.is_none() {
        let known = model
            .get(section)
            .and_then(Node::entries)
            .unwrap_or_default();
        let help = match nearest(name, known.iter().map(|e| e.key.text.as_str())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("define it under the top-level `{section}:`"),
        };
        let kind = section.trim_end_matches('s');
        report.mistake(
            at.mistake(format!("there is no {kind} `{name}`"))
                .with_help(help),
        );
    }
    found
}

/// The active services, each with its entry in the tree.
pub type Active<'a> = BTreeMap<String, (&'a Entry, Read<'a>)>;

/// Every check between services.
pub fn services(active: &mut Active<'_>, all: &[Entry], report: &Report) {
    for (entry, read) in active.values() {
        itself(entry, read, report);
    }
    dependencies(active, all, report);
    cycles(active, report);
    container_names(active, report);
    host_ports(active, report);
}

fn itself(entry: &Entry, read: &Read<'_>, report: &Report) {
    let (key, service) = (&entry.key, &read.service);
    let wrong = |key: &Key, message: &str, help: &str| {
        let message = format!("services.{}: {message}", entry.key.text);
        report.mistake(key.mistake(message).with_help(help));
    };
    let has = |name| entry.value.get(name).is_some_and(|n| !n.is_null());
    if !has("image") && !has("build") {
        wrong(
            key,
            "neither image nor build is given",
            "write `image: name` or `build: ./folder`",
        );
    }
    if service.replicas > 1 && service.container_name.is_some() {
        let at = own_key(entry, "container_name");
        wrong(
            at,
            "several replicas cannot share one container_name",
            "take container_name out",
        );
    }
    if service.replicas > 1 && service.ports.iter().any(|p| p.published.is_some()) {
        let at = own_key(entry, "ports");
        wrong(
            at,
            "several replicas cannot share one host port",
            "leave the host port out: each gets a free one",
        );
    }
}

fn own_key<'a>(entry: &'a Entry, name: &str) -> &'a Key {
    let entries = entry.value.entries().unwrap_or_default();
    entries
        .iter()
        .find(|e| e.key.text == name)
        .map_or(&entry.key, |e| &e.key)
}

/// The key of one dependency in a service's tree.
fn dependency_key<'a>(entry: &'a Entry, name: &str) -> &'a Key {
    let list = entry
        .value
        .get("depends_on")
        .and_then(Node::entries)
        .unwrap_or_default();
    match list.iter().find(|e| e.key.text == name) {
        Some(found) => &found.key,
        None => own_key(entry, "network_mode"),
    }
}

fn dependencies(active: &mut Active<'_>, all: &[Entry], report: &Report) {
    let mut absent: Vec<(String, String)> = Vec::new();
    for (name, (entry, read)) in active.iter() {
        for (target, dependency) in &read.service.depends_on {
            let key = dependency_key(entry, target);
            if let Some((_, other)) = active.get(target) {
                if dependency.condition == Condition::Healthy {
                    health(name, target, key, &other.service.healthcheck, report);
                }
                continue;
            }
            let (message, help) = match all.iter().any(|e| e.key.text == *target) {
                true => (
                    format!("{name} depends on {target}, whose profile is not active"),
                    format!("activate a profile of {target}, or give {name} the same one"),
                ),
                false => (
                    format!("{name} depends on {target}, which is no service"),
                    match nearest(target, all.iter().map(|e| e.key.text.as_str())) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "define it under `services:`".into(),
                    },
                ),
            };
            let mistake = key.mistake(message).with_help(help);
            if dependency.required {
                report.mistake(mistake)
            } else {
                report.warn(mistake)
            }
            absent.push((name.clone(), target.clone()));
        }
    }
    for (name, target) in absent {
        if let Some((_, read)) = active.get_mut(&name) {
            read.service.depends_on.remove(&target);
        }
    }
}

fn health(name: &str, target: &str, key: &Key, check: &Option<Healthcheck>, report: &Report) {
    let what = match check {
        Some(Healthcheck::Disabled) => "whose healthcheck is disabled",
        None => "which has no healthcheck here: its image must bring one",
        Some(Healthcheck::Test { .. }) => return,
    };
    let message = format!("{name} waits until {target} is healthy, {what}");
    report.warn(key.mistake(message).with_help(format!(
        "give {target} a healthcheck, or wait for service_started"
    )));
}

/// Takes away, again and again, what depends on nothing that is left; a circle remains.
fn cycles(active: &Active<'_>, report: &Report) {
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    let mut dependents: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, (_, read)) in active {
        waiting.insert(name, read.service.depends_on.len());
        for target in read.service.depends_on.keys() {
            dependents.entry(target).or_default().push(name);
        }
    }
    let mut free: Vec<&str> = waiting
        .iter()
        .filter(|(_, n)| **n == 0)
        .map(|(k, _)| *k)
        .collect();
    while let Some(name) = free.pop() {
        waiting.remove(name);
        for dependent in dependents.get(name).into_iter().flatten() {
            if let Some(left) = waiting.get_mut(dependent) {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    free.push(dependent);
                }
            }
        }
    }
    let Some(mut name) = waiting.keys().next().copied() else {
        return;
    };
    let mut walked: Vec<&str> = Vec::new();
    // Whatever is left waits for something that is left: the walk must come back to itself.
    let start = loop {
        if let Some(start) = walked.iter().position(|w| *w == name) {
            break start;
        }
        walked.push(name);
        let next = active.get(name).and_then(|(_, r)| {
            r.service
                .depends_on
                .keys()
                .find(|k| waiting.contains_key(k.as_str()))
        });
        match next {
            Some(next) => name = next,
            None => return,
        }
    };
    let circle = &walked[start..];
    let second = circle.get(1).unwrap_or(&circle[0]);
    if let Some((entry, _)) = active.get(circle[0]) {
        let shown: Vec<&str> = circle.iter().copied().chain([circle[0]]).collect();
        let message = format!("depends_on goes round in a circle: {}", shown.join(" → "));
        report.mistake(
            dependency_key(entry, second)
                .mistake(message)
                .with_help("take one of these dependencies out"),
        );
    }
}

fn container_names(active: &Active<'_>, report: &Report) {
    let mut names: HashMap<&str, &str> = HashMap::new();
    for (name, (entry, read)) in active {
        let Some(container) = &read.service.container_name else {
            continue;
        };
        if let Some(first) = names.insert(container, name) {
            let at = entry.value.get("container_name").unwrap_or(&entry.value);
            let message = format!("{name} has the container_name `{container}` of {first}");
            report.mistake(
                at.mistake(message)
                    .with_help("give each service a name of its own"),
            );
        }
    }
}

/// Addresses that a host port is bound to, with the services that do.
type Holders<'a> = Vec<(Option<IpAddr>, &'a str)>;

fn host_ports(active: &Active<'_>, report: &Report) {
    let mut taken: HashMap<(u16, &str), Holders<'_>> = HashMap::new();
    for (name, (_, read)) in active {
        for (port, node) in &read.ports {
            let Port {
                published: Some(published),
                host_ip,
                protocol,
                ..
            } = port
            else {
                continue;
            };
            let holders = taken.entry((*published, protocol)).or_default();
            if let Some((_, first)) = holders.iter().find(|(ip, _)| overlap(*ip, *host_ip)) {
                let message = format!(
                    "{name} publishes {published}/{protocol}, which {first} already publishes"
                );
                report.mistake(
                    node.mistake(message)
                        .with_help("give one of them another host port"),
                );
            }
            holders.push((*host_ip, name));
        }
    }
}

/// No address, and the unspecified ones, are every address.
fn overlap(a: Option<IpAddr>, b: Option<IpAddr>) -> bool {
    let every = |ip: Option<IpAddr>| ip.is_none_or(|ip| ip.is_unspecified());
    every(a) || every(b) || a == b
}

/// Names of the volumes that a service mounts, with the node that does.
pub fn used_volumes<'a>(read: &'a Read<'a>) -> impl Iterator<Item = (&'a str, &'a Node)> {
    read.volumes.iter().filter_map(|(mount, node)| match mount {
        Mount::Volume {
            volume: Some(name), ..
        } => Some((name.as_str(), *node)),
        Mount::Volume { volume: None, .. }
        | Mount::Bind { .. }
        | Mount::Tmpfs { .. }
        | Mount::Content { .. } => None,
    })
}
