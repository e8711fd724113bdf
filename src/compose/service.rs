//! One service: its merged tree becomes a [`Service`].

use std::collections::BTreeMap;

use super::fields::{Fields, expected, loose_text, strict_text};
use super::files::Files;
use super::node::{Env, Node, Value};
use super::report::Report;
use super::topology::{Attachment, Condition, Dependency, Logging, Mount, Port, Restart, Service};
use super::{build, content, dotenv, health, limits, mounts, paths, ports, words};

/// A service with the nodes that later checks point at.
pub struct Read<'a> {
    /// The service.
    pub service: Service,
    /// Its ports with their nodes.
    pub ports: Vec<(Port, &'a Node)>,
    /// Its mounts of `volumes` with their nodes.
    pub volumes: Vec<(Mount, &'a Node)>,
}

/// Keys that compose knows and that lbtest does not carry out.
const NOT_CARRIED_OUT: &[&str] = &[
    "annotations",
    "attach",
    "blkio_config",
    "cgroup",
    "cgroup_parent",
    "cpu_count",
    "cpu_percent",
    "cpu_period",
    "cpu_quota",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "credential_spec",
    "develop",
    "device_cgroup_rules",
    "external_links",
    "gpus",
    "isolation",
    "links",
    "mac_address",
    "mem_swappiness",
    "models",
    "oom_kill_disable",
    "platform",
    "post_start",
    "pre_stop",
    "provider",
    "runtime",
    "storage_opt",
    "use_api_socket",
    "userns_mode",
    "uts",
    "volume_driver",
    "volumes_from",
];

/// Reads a service. Files are read for an active one only.
pub fn read<'a, 'r: 'a>(
    node: &'a Node,
    name: &str,
    model: &Node,
    active: bool,
    files: &mut Files<'r>,
) -> Option<Read<'a>> {
    let report = files.report;
    let path = format!("services.{name}");
    let mut fields = Fields::of(node, path.as_str(), report)?;
    let mut service = Service {
        replicas: 1,
        ..Service::default()
    };
    service.image = fields.text("image");
    service.build = fields
        .take("build")
        .and_then(|n| build::read(n, &format!("{path}.build"), report));
    read_process(&mut fields, &mut service);
    read_host(&mut fields, &mut service);
    service.environment = environment(&mut fields, active, files);
    service.labels = env_files(fields.take("label_file"), active, files);
    service.labels.extend(fields.pairs("labels"));
    service.restart = restart(&mut fields);
    limits::read(&mut fields, &mut service);
    let ports = ports::read(fields.take("ports"), &format!("{path}.ports"), report);
    service.ports = ports.iter().map(|(p, _)| p.clone()).collect();
    let volumes = mounts::read(fields.take("volumes"), &format!("{path}.volumes"), report);
    service.mounts = volumes.iter().map(|(m, _)| m.clone()).collect();
    service.mounts.extend(mounts::read_tmpfs(
        fields.take("tmpfs"),
        &format!("{path}.tmpfs"),
        report,
    ));
    for section in ["configs", "secrets"] {
        let used = fields.take(section);
        let read = content::read(
            used,
            section,
            &format!("{path}.{section}"),
            model,
            active,
            files,
        );
        service.mounts.extend(read);
    }
    service.network_mode = fields.text("network_mode");
    service.networks = networks(&mut fields, service.network_mode.is_some());
    service.depends_on = depends_on(&mut fields);
    service.healthcheck = fields
        .take("healthcheck")
        .and_then(|n| health::read(n, &format!("{path}.healthcheck"), report));
    service.logging = logging(&mut fields);
    fields.ignore(&["profiles", "extends"]);
    fields.not_carried_out(NOT_CARRIED_OUT);
    for extension in fields.finish() {
        if let Some(key) = extension.key.text.strip_prefix("x-lbtest-")
            && let Some(text) = loose_text(
                &extension.value,
                &format!("{path}.{}", extension.key.text),
                report,
            )
        {
            service.extensions.insert(key.to_owned(), text);
        }
    }
    Some(Read {
        service,
        ports,
        volumes,
    })
}

fn read_process(fields: &mut Fields<'_>, service: &mut Service) {
    service.command = command(fields, "command");
    service.entrypoint = command(fields, "entrypoint");
    service.container_name = fields.text("container_name");
    service.user = fields.text("user");
    service.working_dir = fields.text("working_dir");
    service.init = fields.flag("init");
    service.privileged = fields.flag("privileged").unwrap_or(false);
    service.read_only = fields.flag("read_only").unwrap_or(false);
    service.tty = fields.flag("tty").unwrap_or(false);
    service.stdin_open = fields.flag("stdin_open").unwrap_or(false);
    service.cap_add = fields.texts("cap_add", false);
    service.cap_drop = fields.texts("cap_drop", false);
    service.security_opt = fields.texts("security_opt", false);
    service.group_add = fields.texts("group_add", false);
    service.devices = fields.texts("devices", false);
    service.pid = fields.text("pid");
    service.ipc = fields.text("ipc");
    service.stop_signal = fields.text("stop_signal");
    service.stop_grace_period = fields.duration("stop_grace_period");
    service.pull_policy = pull_policy(fields);
}

fn read_host(fields: &mut Fields<'_>, service: &mut Service) {
    service.hostname = fields.text("hostname");
    service.domainname = fields.text("domainname");
    service.sysctls = fields.pairs("sysctls");
    service.ulimits = ulimits(fields);
    service.shm_size = fields.bytes("shm_size");
    let path = fields.path_of("extra_hosts");
    service.extra_hosts = extra_hosts(fields.take("extra_hosts"), &path, fields.report);
    service.dns = fields.texts("dns", true);
    service.dns_search = fields.texts("dns_search", true);
    service.dns_opt = fields.texts("dns_opt", true);
    service.expose = expose(fields);
}

fn expose(fields: &mut Fields<'_>) -> Vec<String> {
    let Some(node) = fields.take("expose") else {
        return Vec::new();
    };
    let path = fields.path_of("expose");
    let Value::List(items) = &node.value else {
        fields.report.mistake(expected(node, &path, "a list"));
        return Vec::new();
    };
    let one = |item: &Node| {
        let text = loose_text(item, &path, fields.report)?;
        let port = text.split_once('/').map_or(text.as_str(), |(port, _)| port);
        if super::values::port_range(port).is_none() {
            let message = format!("{path}: `{text}` is not a port");
            fields
                .report
                .mistake(item.mistake(message).with_help("write 80 or 80/udp"));
            return None;
        }
        Some(text)
    };
    items.iter().filter_map(one).collect()
}

fn command(fields: &mut Fields<'_>, key: &'static str) -> Option<Vec<String>> {
    let node = fields.take(key)?;
    let path = fields.path_of(key);
    match &node.value {
        Value::Scalar(_) => {
            let text = strict_text(node, &path, fields.report)?;
            words::split(&text)
                .map_err(|why| {
                    let help = "close the quote, or write a list of words";
                    fields
                        .report
                        .mistake(node.mistake(format!("{path} {why}")).with_help(help));
                })
                .ok()
        }
        Value::List(items) => {
            let item = |i| strict_text(i, &format!("{path}[]"), fields.report);
            Some(items.iter().filter_map(item).collect())
        }
        Value::Map(_) => {
            fields
                .report
                .mistake(expected(node, &path, "text or a list of texts"));
            None
        }
    }
}

fn pull_policy(fields: &mut Fields<'_>) -> Option<String> {
    let node = fields.take("pull_policy")?;
    let path = fields.path_of("pull_policy");
    match node.text().unwrap_or_default() {
        known @ ("always" | "never" | "missing" | "build") => Some(known.to_owned()),
        "if_not_present" => Some("missing".into()),
        text if matches!(text, "daily" | "weekly" | "refresh") || text.starts_with("every_") => {
            let warning = node.mistake(format!("{path}: `{text}` is carried out as `missing`"));
            fields
                .report
                .warn(warning.with_help("write always, never, missing or build"));
            Some("missing".into())
        }
        text => {
            let message = format!("{path}: `{text}` is not a pull policy");
            let help = "write always, never, missing or build";
            fields.report.mistake(node.mistake(message).with_help(help));
            None
        }
    }
}

fn environment(fields: &mut Fields<'_>, active: bool, files: &mut Files<'_>) -> Env {
    let mut env = env_files(fields.take("env_file"), active, files);
    if let Some(node) = fields.take("environment") {
        env.extend(build::from_environment(
            node,
            &fields.path_of("environment"),
            fields.report,
        ));
    }
    env
}

fn env_files(node: Option<&Node>, active: bool, files: &mut Files<'_>) -> Env {
    let mut env = Env::new();
    let Some(node) = node else { return env };
    let Value::List(items) = &node.value else {
        files
            .report
            .mistake(expected(node, "env_file", "a path or a list"));
        return env;
    };
    for item in items {
        let (path, required, raw) = match item.text() {
            Some(path) => (Some(path.to_owned()), true, false),
            None => {
                let Some(mut fields) = Fields::of(item, "env_file[]", files.report) else {
                    continue;
                };
                let path = fields.text("path");
                let required = fields.flag("required").unwrap_or(true);
                let raw = fields.text("format").is_some_and(|f| f == "raw");
                fields.finish();
                (path, required, raw)
            }
        };
        let Some(path) = path else {
            files.report.mistake(
                item.mistake("an env_file needs a path")
                    .with_help("write `path: ./file.env`"),
            );
            continue;
        };
        let path = paths::of_node(item, &path);
        if !active || (!required && !path.exists()) {
            continue;
        }
        let at = item.get("path").unwrap_or(item);
        if let Some(file) = files.read(&path, Some(at)) {
            env.extend(dotenv::read(&file, &item.origin.env, raw, files.report));
        }
    }
    env
}

fn restart(fields: &mut Fields<'_>) -> Option<Restart> {
    let help = "write \"no\", always, on-failure, on-failure:3 or unless-stopped";
    fields.read("restart", "a restart policy", help, |text| {
        match text.split_once(':') {
            Some(("on-failure", times)) => Some(Restart::OnFailure(Some(times.parse().ok()?))),
            Some(_) => None,
            None => match text {
                "no" => Some(Restart::No),
                "always" => Some(Restart::Always),
                "on-failure" => Some(Restart::OnFailure(None)),
                "unless-stopped" => Some(Restart::UnlessStopped),
                _ => None,
            },
        }
    })
}

fn ulimits(fields: &mut Fields<'_>) -> BTreeMap<String, (i64, i64)> {
    let mut limits = BTreeMap::new();
    let Some(node) = fields.take("ulimits") else {
        return limits;
    };
    let path = fields.path_of("ulimits");
    let Some(entries) = node.entries() else {
        fields.report.mistake(expected(node, &path, "a mapping"));
        return limits;
    };
    for entry in entries {
        let path = format!("{path}.{}", entry.key.text);
        if let Some(number) = entry.value.text() {
            match number.parse() {
                Ok(number) => {
                    limits.insert(entry.key.text.clone(), (number, number));
                }
                Err(_) => fields
                    .report
                    .mistake(expected(&entry.value, &path, "a whole number")),
            }
        } else if let Some(mut both) = Fields::of(&entry.value, path.as_str(), fields.report) {
            match (both.integer("soft"), both.integer("hard")) {
                (Some(soft), Some(hard)) => {
                    limits.insert(entry.key.text.clone(), (soft, hard));
                }
                _ => fields.report.mistake(
                    entry
                        .key
                        .mistake(format!("{path} needs soft and hard"))
                        .with_help("write both numbers, or one number for both"),
                ),
            }
            both.finish();
        }
    }
    limits
}

/// `extra_hosts` in both forms, as `name:address`.
pub fn extra_hosts(node: Option<&Node>, path: &str, report: &Report) -> Vec<String> {
    let Some(node) = node else { return Vec::new() };
    let mut hosts = Vec::new();
    match &node.value {
        Value::List(items) => {
            for item in items {
                let text = loose_text(item, path, report).unwrap_or_default();
                match text.split_once('=').or_else(|| text.split_once(':')) {
                    Some((name, address)) if !name.is_empty() && !address.is_empty() => {
                        hosts.push(format!("{name}:{}", address.trim_matches(['[', ']'])));
                    }
                    _ => report.mistake(
                        item.mistake(format!("{path}: `{text}` is no host"))
                            .with_help("write name=address"),
                    ),
                }
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                let addresses = match &entry.value.value {
                    Value::List(items) => items.as_slice(),
                    Value::Scalar(_) | Value::Map(_) => std::slice::from_ref(&entry.value),
                };
                hosts.extend(addresses.iter().filter_map(|a| {
                    Some(format!(
                        "{}:{}",
                        entry.key.text,
                        loose_text(a, path, report)?
                    ))
                }));
            }
        }
        Value::Scalar(_) => report.mistake(expected(node, path, "a list or a mapping")),
    }
    hosts
}

fn networks(fields: &mut Fields<'_>, has_mode: bool) -> BTreeMap<String, Attachment> {
    let node = fields.take("networks");
    let path = fields.path_of("networks");
    let mut networks = BTreeMap::new();
    match node {
        Some(node) if has_mode => fields.report.mistake(
            node.mistake(format!(
                "{}: network_mode and networks exclude each other",
                fields.path
            ))
            .with_help("keep one of the two"),
        ),
        Some(node) => match node.entries() {
            Some(entries) => {
                for entry in entries {
                    let path = format!("{path}.{}", entry.key.text);
                    networks.insert(
                        entry.key.text.clone(),
                        attachment(&entry.value, &path, fields.report),
                    );
                }
            }
            None => fields
                .report
                .mistake(expected(node, &path, "a list or a mapping")),
        },
        None => {}
    }
    if networks.is_empty() && !has_mode {
        networks.insert("default".into(), Attachment::default());
    }
    networks
}

fn attachment(node: &Node, path: &str, report: &Report) -> Attachment {
    let Some(mut fields) = Fields::of(node, path, report) else {
        return Attachment::default();
    };
    let attachment = Attachment {
        aliases: fields.texts("aliases", false),
        ipv4_address: fields.read(
            "ipv4_address",
            "an IPv4 address",
            "write 172.28.0.10",
            |t| t.parse::<std::net::Ipv4Addr>().ok().map(|a| a.to_string()),
        ),
        ipv6_address: fields.read(
            "ipv6_address",
            "an IPv6 address",
            "write 2001:db8::10",
            |t| t.parse::<std::net::Ipv6Addr>().ok().map(|a| a.to_string()),
        ),
        link_local_ips: fields.texts("link_local_ips", false),
        mac_address: fields.text("mac_address"),
        priority: fields.integer("priority").unwrap_or(0),
    };
    fields.not_carried_out(&["driver_opts", "gw_priority", "interface_name"]);
    fields.finish();
    attachment
}

fn depends_on(fields: &mut Fields<'_>) -> BTreeMap<String, Dependency> {
    let mut dependencies = BTreeMap::new();
    let Some(node) = fields.take("depends_on") else {
        return dependencies;
    };
    let path = fields.path_of("depends_on");
    let Some(entries) = node.entries() else {
        fields
            .report
            .mistake(expected(node, &path, "a list or a mapping"));
        return dependencies;
    };
    let help = "write service_started, service_healthy or service_completed_successfully";
    for entry in entries {
        let path = format!("{path}.{}", entry.key.text);
        let Some(mut inner) = Fields::of(&entry.value, path, fields.report) else {
            continue;
        };
        let condition = inner.read("condition", "a condition", help, |t| match t {
            "service_started" => Some(Condition::Started),
            "service_healthy" => Some(Condition::Healthy),
            "service_completed_successfully" => Some(Condition::CompletedSuccessfully),
            _ => None,
        });
        let required = inner.flag("required").unwrap_or(true);
        inner.not_carried_out(&["restart"]);
        inner.finish();
        let condition = condition.unwrap_or(Condition::Started);
        dependencies.insert(
            entry.key.text.clone(),
            Dependency {
                condition,
                required,
            },
        );
    }
    dependencies
}

fn logging(fields: &mut Fields<'_>) -> Option<Logging> {
    let node = fields.take("logging")?;
    let mut inner = Fields::of(node, fields.path_of("logging"), fields.report)?;
    let logging = Logging {
        driver: inner.text("driver"),
        options: inner.pairs("options"),
    };
    inner.finish();
    Some(logging)
}
