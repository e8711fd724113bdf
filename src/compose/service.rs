//! One service: its merged tree becomes a [`Service`].

use super::fields::{Fields, expected, loose_text, strict_text};
use super::files::Files;
use super::node::{Node, Value};
use super::topology::{Logging, Mount, Port, Restart, Service};
use super::{attach, build, content, health, hosts, limits, mounts, ports, variables, words};

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
    service.platform = fields.text("platform");
    service.build = fields
        .take("build")
        .and_then(|n| build::read(n, &format!("{path}.build"), report));
    read_process(&mut fields, &mut service);
    read_host(&mut fields, &mut service);
    service.environment = variables::environment(&mut fields, active, files);
    service.labels = variables::env_files(fields.take("label_file"), active, files);
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
    service.networks = attach::networks(&mut fields, service.network_mode.is_some());
    service.depends_on = attach::depends_on(&mut fields);
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
    service.ulimits = hosts::ulimits(fields);
    service.shm_size = fields.bytes("shm_size");
    let path = fields.path_of("extra_hosts");
    service.extra_hosts = hosts::extra_hosts(fields.take("extra_hosts"), &path, fields.report);
    service.dns = fields.texts("dns", true);
    service.dns_search = fields.texts("dns_search", true);
    service.dns_opt = fields.texts("dns_opt", true);
    service.expose = hosts::expose(fields);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_names_what_is_not_carried_out_and_nothing_else_as_such() {
        let reference = std::fs::read_to_string("docs/compose.md").unwrap();
        let row = reference.lines().find(|line| {
            line.strip_prefix("| service |")
                .is_some_and(|rest| rest.contains("annotations"))
        });
        let mut named: Vec<&str> = row.unwrap().split('`').skip(1).step_by(2).collect();
        named.sort_unstable();
        assert_eq!(named, NOT_CARRIED_OUT);
    }

    #[test]
    fn every_key_of_a_service_that_the_reference_calls_carried_out_is() {
        let reference = std::fs::read_to_string("docs/compose.md").unwrap();
        let (_, after) = reference.split_once("| carried out | |").unwrap();
        let (table, _) = after.split_once("\n\n").unwrap();
        let sources = [
            "service",
            "limits",
            "variables",
            "attach",
            "hosts",
            "extends",
        ]
        .map(|name| std::fs::read_to_string(format!("src/compose/{name}.rs")).unwrap());
        let mut seen = 0;
        for cell in table.lines().filter_map(|row| row.split('|').nth(2)) {
            // What stands in brackets are values and keys further down.
            let mut depth = 0;
            let outside: String = cell
                .chars()
                .filter(|c| {
                    depth += i32::from(*c == '(') - i32::from(*c == ')');
                    depth == 0
                })
                .collect();
            let keys = outside.split('`').skip(1).step_by(2);
            for key in keys.filter(|key| !key.starts_with("x-")) {
                seen += 1;
                let quoted = format!("\"{key}\"");
                assert!(sources.iter().any(|s| s.contains(&quoted)), "{key}");
                assert!(!NOT_CARRIED_OUT.contains(&key), "{key}");
            }
        }
        assert!(seen > 50, "{seen} keys were found");
    }
}
