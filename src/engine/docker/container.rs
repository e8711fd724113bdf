//! A service of the topology as the engine's create call takes it. Pure: nothing here talks to the engine.

use super::engine::whole_seconds;
use super::labels;
use crate::compose::topology::{
    Attachment, Healthcheck, Mount as TopologyMount, Port, Restart, Service, Topology,
};
use bollard::models::{
    ContainerCreateBody, DeviceMapping, EndpointIpamConfig, EndpointSettings, HealthConfig,
    HostConfig, HostConfigLogConfig, Mount, MountBindOptions, MountTmpfsOptions, MountType,
    MountVolumeOptions, NetworkingConfig, PortBinding, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum,
};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Where a port without `host_ip` is published.
pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What the engine needs to know of one container.
pub struct Request<'a> {
    /// The topology it is of.
    pub topology: &'a Topology,
    /// Its service's name.
    pub service_name: &'a str,
    /// Its service.
    pub service: &'a Service,
    /// Its number, from 1.
    pub number: u32,
    /// The run.
    pub run: &'a str,
    /// The image, by name or id.
    pub image: &'a str,
    /// Ids of the containers that `service:x` modes refer to.
    pub peers: &'a HashMap<String, String>,
    /// The engine knows `start_interval` (API 1.44).
    pub start_interval: bool,
}

/// The name of a container.
pub fn name_of(topology: &Topology, service_name: &str, service: &Service, number: u32) -> String {
    service
        .container_name
        .clone()
        .unwrap_or_else(|| format!("{}-{service_name}-{number}", topology.project))
}

/// The network's name in the engine.
pub fn network_name(topology: &Topology, key: &str) -> String {
    topology
        .networks
        .get(key)
        .map_or_else(|| format!("{}_{key}", topology.project), |n| n.name.clone())
}

/// The networks of a service, those of higher priority first.
pub fn networks_in_order(service: &Service) -> Vec<(&String, &Attachment)> {
    let mut networks: Vec<_> = service.networks.iter().collect();
    networks
        .sort_by_key(|(key, attachment)| (std::cmp::Reverse(attachment.priority), key.as_str()));
    networks
}

/// The services that a `service:x` mode of this one names: they must run before it.
pub fn peers_of(service: &Service) -> impl Iterator<Item = &str> {
    [&service.network_mode, &service.pid, &service.ipc]
        .into_iter()
        .flatten()
        .filter_map(|mode| mode.strip_prefix("service:"))
}

/// The body of the create call, with the first network; further ones are connected before the start.
pub fn body(r: &Request<'_>) -> ContainerCreateBody {
    let s = r.service;
    ContainerCreateBody {
        image: Some(r.image.to_owned()),
        hostname: s.hostname.clone(),
        domainname: s.domainname.clone(),
        user: s.user.clone(),
        tty: Some(s.tty),
        open_stdin: Some(s.stdin_open),
        env: Some(
            s.environment
                .iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect(),
        ),
        cmd: s.command.clone(),
        // The engine takes an empty list for "the image's own"; one empty string clears it.
        entrypoint: s
            .entrypoint
            .clone()
            .map(|e| if e.is_empty() { vec![String::new()] } else { e }),
        working_dir: s.working_dir.clone(),
        healthcheck: s.healthcheck.as_ref().map(|h| health(h, r.start_interval)),
        stop_signal: s.stop_signal.clone(),
        stop_timeout: s.stop_grace_period.map(|d| i64::from(whole_seconds(d))),
        exposed_ports: some(exposed(s)),
        labels: Some(labels::of_container(
            r.topology,
            r.service_name,
            s,
            r.number,
            r.run,
        )),
        host_config: Some(host_config(r)),
        networking_config: first_network(r),
        ..ContainerCreateBody::default()
    }
}

/// How a container joins a network: its service's name is always one of its names there.
pub fn endpoint(service_name: &str, attachment: &Attachment) -> EndpointSettings {
    let a = attachment;
    let fixed =
        a.ipv4_address.is_some() || a.ipv6_address.is_some() || !a.link_local_ips.is_empty();
    let mut aliases = vec![service_name.to_owned()];
    aliases.extend(
        a.aliases
            .iter()
            .filter(|alias| *alias != service_name)
            .cloned(),
    );
    EndpointSettings {
        aliases: Some(aliases),
        mac_address: a.mac_address.clone(),
        ipam_config: fixed.then(|| EndpointIpamConfig {
            ipv4_address: a.ipv4_address.clone(),
            ipv6_address: a.ipv6_address.clone(),
            link_local_ips: some(a.link_local_ips.clone()),
        }),
        ..EndpointSettings::default()
    }
}

fn first_network(r: &Request<'_>) -> Option<NetworkingConfig> {
    if r.service.network_mode.is_some() {
        return None;
    }
    let (key, attachment) = networks_in_order(r.service).into_iter().next()?;
    let endpoints = HashMap::from([(
        network_name(r.topology, key),
        endpoint(r.service_name, attachment),
    )]);
    Some(NetworkingConfig {
        endpoints_config: Some(endpoints),
    })
}

fn host_config(r: &Request<'_>) -> HostConfig {
    let s = r.service;
    let limits = &s.resources;
    HostConfig {
        network_mode: network_mode(r),
        port_bindings: some_map(port_bindings(&s.ports)),
        binds: some(s.mounts.iter().filter_map(bind).collect()),
        mounts: some(s.mounts.iter().filter_map(|m| mount(r, m)).collect()),
        restart_policy: s.restart.map(restart_policy),
        init: s.init,
        cap_add: some(s.cap_add.clone()),
        cap_drop: some(s.cap_drop.clone()),
        security_opt: some(s.security_opt.clone()),
        privileged: Some(s.privileged),
        readonly_rootfs: Some(s.read_only),
        sysctls: some_map(
            s.sysctls
                .iter()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
        ),
        ulimits: some(s.ulimits.iter().map(ulimit).collect()),
        shm_size: s.shm_size.map(saturating),
        extra_hosts: some(s.extra_hosts.clone()),
        dns: some(s.dns.clone()),
        dns_search: some(s.dns_search.clone()),
        dns_options: some(s.dns_opt.clone()),
        group_add: some(s.group_add.clone()),
        devices: some(s.devices.iter().map(|d| device(d)).collect()),
        pid_mode: s.pid.as_deref().map(|mode| with_peer(mode, r.peers)),
        ipc_mode: s.ipc.as_deref().map(|mode| with_peer(mode, r.peers)),
        log_config: s.logging.as_ref().map(|l| HostConfigLogConfig {
            typ: l.driver.clone(),
            config: some_map(
                l.options
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect(),
            ),
        }),
        memory: limits.memory.map(saturating),
        memory_swap: limits.memory_swap,
        memory_reservation: limits.memory_reservation.map(saturating),
        nano_cpus: limits.nano_cpus,
        cpu_shares: limits.cpu_shares,
        cpuset_cpus: limits.cpuset.clone(),
        pids_limit: limits.pids,
        oom_score_adj: limits.oom_score_adj,
        ..HostConfig::default()
    }
}

fn network_mode(r: &Request<'_>) -> Option<String> {
    if let Some(mode) = &r.service.network_mode {
        return Some(with_peer(mode, r.peers));
    }
    let first = networks_in_order(r.service).into_iter().next();
    Some(first.map_or_else(
        || "none".to_owned(),
        |(key, _)| network_name(r.topology, key),
    ))
}

/// `service:x` means the first container of x.
fn with_peer(mode: &str, peers: &HashMap<String, String>) -> String {
    match mode
        .strip_prefix("service:")
        .and_then(|service| peers.get(service))
    {
        Some(id) => format!("container:{id}"),
        None => mode.to_owned(),
    }
}

fn exposed(s: &Service) -> Vec<String> {
    let mut ports: Vec<String> = s
        .ports
        .iter()
        .map(|p| format!("{}/{}", p.target, p.protocol))
        .collect();
    ports.extend(s.expose.iter().map(|p| {
        if p.contains('/') {
            p.clone()
        } else {
            format!("{p}/tcp")
        }
    }));
    ports.sort();
    ports.dedup();
    ports
}

fn port_bindings(ports: &[Port]) -> HashMap<String, Option<Vec<PortBinding>>> {
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for port in ports {
        bindings
            .entry(format!("{}/{}", port.target, port.protocol))
            .or_default()
            .get_or_insert_default()
            .push(PortBinding {
                host_ip: Some(port.host_ip.unwrap_or(LOOPBACK).to_string()),
                host_port: Some(port.published.map_or_else(String::new, |p| p.to_string())),
            });
    }
    bindings
}

/// Mounts whose source the engine shall make where it is missing: only the short form does that on every version.
/// It cannot hold a path with a colon.
fn bind(m: &TopologyMount) -> Option<String> {
    match m {
        TopologyMount::Bind {
            source,
            target,
            read_only,
            create: true,
            propagation,
        } => {
            let source = source.to_str().filter(|s| !s.contains(':'))?;
            let mode = if *read_only { "ro" } else { "rw" };
            let propagation = propagation
                .as_ref()
                .map_or_else(String::new, |p| format!(",{p}"));
            Some(format!("{source}:{target}:{mode}{propagation}"))
        }
        TopologyMount::Bind { .. }
        | TopologyMount::Volume { .. }
        | TopologyMount::Tmpfs { .. }
        | TopologyMount::Content { .. } => None,
    }
}

fn mount(r: &Request<'_>, m: &TopologyMount) -> Option<Mount> {
    match m {
        TopologyMount::Volume {
            volume,
            target,
            read_only,
            nocopy,
            subpath,
        } => Some(Mount {
            typ: Some(MountType::VOLUME),
            source: volume
                .as_ref()
                .map(|key| super::volumes::name_of(r.topology, key)),
            target: Some(target.clone()),
            read_only: Some(*read_only),
            volume_options: Some(MountVolumeOptions {
                no_copy: Some(*nocopy),
                subpath: subpath.clone(),
                // A named volume has its labels already; an anonymous one gets them here.
                labels: volume
                    .is_none()
                    .then(|| labels::common(&r.topology.project, r.run)),
                ..MountVolumeOptions::default()
            }),
            ..Mount::default()
        }),
        TopologyMount::Bind {
            source,
            target,
            read_only,
            propagation,
            ..
        } => {
            if bind(m).is_some() {
                return None;
            }
            Some(Mount {
                typ: Some(MountType::BIND),
                source: Some(source.display().to_string()),
                target: Some(target.clone()),
                read_only: Some(*read_only),
                bind_options: propagation.as_ref().map(|p| MountBindOptions {
                    propagation: p.parse().ok(),
                    ..MountBindOptions::default()
                }),
                ..Mount::default()
            })
        }
        TopologyMount::Tmpfs { target, size, mode } => Some(Mount {
            typ: Some(MountType::TMPFS),
            target: Some(target.clone()),
            tmpfs_options: Some(MountTmpfsOptions {
                size_bytes: size.map(saturating),
                mode: mode.map(i64::from),
                ..MountTmpfsOptions::default()
            }),
            ..Mount::default()
        }),
        TopologyMount::Content { .. } => None,
    }
}

fn health(check: &Healthcheck, start_interval_known: bool) -> HealthConfig {
    match check {
        Healthcheck::Disabled => HealthConfig {
            test: Some(vec!["NONE".into()]),
            ..HealthConfig::default()
        },
        Healthcheck::Test {
            test,
            interval,
            timeout,
            retries,
            start_period,
            start_interval,
        } => HealthConfig {
            test: Some(test.clone()),
            interval: interval.map(nanos),
            timeout: timeout.map(nanos),
            retries: retries.map(i64::from),
            start_period: start_period.map(nanos),
            start_interval: start_interval.filter(|_| start_interval_known).map(nanos),
        },
    }
}

fn restart_policy(restart: Restart) -> RestartPolicy {
    let (name, maximum_retry_count) = match restart {
        Restart::No => (RestartPolicyNameEnum::NO, None),
        Restart::Always => (RestartPolicyNameEnum::ALWAYS, None),
        Restart::OnFailure(times) => (RestartPolicyNameEnum::ON_FAILURE, times.map(i64::from)),
        Restart::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
    };
    RestartPolicy {
        name: Some(name),
        maximum_retry_count,
    }
}

fn ulimit((name, (soft, hard)): (&String, &(i64, i64))) -> ResourcesUlimits {
    ResourcesUlimits {
        name: Some(name.clone()),
        soft: Some(*soft),
        hard: Some(*hard),
    }
}

/// `host[:container[:permissions]]`, as the docker command reads it.
fn device(text: &str) -> DeviceMapping {
    let parts: Vec<&str> = text.split(':').collect();
    let is_permissions = |s: &str| !s.is_empty() && s.chars().all(|c| "rwm".contains(c));
    let (host, inside, permissions) = match parts.as_slice() {
        [host, second] if is_permissions(second) => (*host, *host, *second),
        [host, inside] => (*host, *inside, "rwm"),
        [host, inside, permissions, ..] => (*host, *inside, *permissions),
        _ => (text, text, "rwm"),
    };
    DeviceMapping {
        path_on_host: Some(host.to_owned()),
        path_in_container: Some(inside.to_owned()),
        cgroup_permissions: Some(permissions.to_owned()),
    }
}

fn nanos(d: Duration) -> i64 {
    i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)
}

fn saturating(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn some_map<V>(map: HashMap<String, V>) -> Option<HashMap<String, V>> {
    (!map.is_empty()).then_some(map)
}

#[cfg(test)]
#[path = "container_tests.rs"]
mod tests;
