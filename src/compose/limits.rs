//! What a service may use, and how often it runs: `mem_limit`, `cpus`, `deploy`, `scale`.

use super::fields::Fields;
use super::node::Node;
use super::topology::{Resources, Restart, Service};
use super::values;

/// Containers of one service; more is a slip of the finger.
const MAX_REPLICAS: u32 = 1000;

/// Reads the limits, replicas and the deploy section.
pub fn read(fields: &mut Fields<'_>, service: &mut Service) {
    service.resources =
        Resources {
            memory: fields.bytes("mem_limit"),
            memory_swap: fields.read("memswap_limit", "a size", "write bytes, 1g, or -1", |t| {
                match t {
                    "-1" => Some(-1),
                    t => values::bytes(t).and_then(|b| i64::try_from(b).ok()),
                }
            }),
            memory_reservation: fields.bytes("mem_reservation"),
            nano_cpus: cpus(fields),
            cpu_shares: fields.integer("cpu_shares"),
            cpuset: fields.loose("cpuset"),
            pids: fields.integer("pids_limit"),
            oom_score_adj: fields.integer("oom_score_adj"),
        };
    let at = fields.take("scale");
    let scale: Option<u32> = at.and_then(|n| replicas(n, &fields.path_of("scale"), fields));
    let mut deployed = None;
    if let Some(node) = fields.take("deploy")
        && let Some(deploy) = Fields::of(node, fields.path_of("deploy"), fields.report)
    {
        deployed = read_deploy(deploy, service);
    }
    if let (Some(scale), Some(deployed), Some(at)) = (scale, deployed, at)
        && scale != deployed
    {
        let message = format!(
            "{}: scale is {scale}, deploy.replicas is {deployed}",
            fields.path
        );
        fields
            .report
            .mistake(at.mistake(message).with_help("write one of the two"));
    }
    service.replicas = scale.or(deployed).unwrap_or(1);
}

fn cpus(fields: &mut Fields<'_>) -> Option<i64> {
    fields.read(
        "cpus",
        "a number of CPUs",
        "write 0.5 or 2",
        values::nano_cpus,
    )
}

fn replicas(node: &Node, path: &str, fields: &Fields<'_>) -> Option<u32> {
    let count = node
        .text()
        .and_then(|t| t.parse().ok())
        .filter(|n| *n <= MAX_REPLICAS);
    if count.is_none() {
        let message = format!("{path} must be a number from 0 to {MAX_REPLICAS}");
        fields
            .report
            .mistake(node.mistake(message).with_help("write digits only"));
    }
    count
}

fn read_deploy(mut deploy: Fields<'_>, service: &mut Service) -> Option<u32> {
    let replicas = deploy
        .take("replicas")
        .and_then(|n| replicas(n, &deploy.path_of("replicas"), &deploy));
    if let Some(node) = deploy.take("resources") {
        read_resources(node, &deploy, &mut service.resources);
    }
    if let Some(node) = deploy.take("restart_policy") {
        let policy = read_restart_policy(node, &deploy);
        service.restart = service.restart.or(policy);
    }
    deploy.not_carried_out(&[
        "endpoint_mode",
        "labels",
        "mode",
        "placement",
        "rollback_config",
        "update_config",
    ]);
    deploy.finish();
    replicas
}

fn read_resources(node: &Node, deploy: &Fields<'_>, resources: &mut Resources) {
    let path = deploy.path_of("resources");
    let Some(mut fields) = Fields::of(node, path.as_str(), deploy.report) else {
        return;
    };
    let (limits, reservations) = (fields.take("limits"), fields.take("reservations"));
    fields.finish();
    let below = |node, name: &str| Fields::of(node, format!("{path}.{name}"), deploy.report);
    if let Some(mut fields) = limits.and_then(|n| below(n, "limits")) {
        resources.memory = fields.bytes("memory").or(resources.memory);
        resources.nano_cpus = cpus(&mut fields).or(resources.nano_cpus);
        resources.pids = fields.integer("pids").or(resources.pids);
        fields.finish();
    }
    if let Some(mut fields) = reservations.and_then(|n| below(n, "reservations")) {
        resources.memory_reservation = fields.bytes("memory").or(resources.memory_reservation);
        fields.not_carried_out(&["cpus", "devices", "generic_resources", "pids"]);
        fields.finish();
    }
}

fn read_restart_policy(node: &Node, deploy: &Fields<'_>) -> Option<Restart> {
    let mut fields = Fields::of(node, deploy.path_of("restart_policy"), deploy.report)?;
    let attempts = fields.integer("max_attempts");
    let help = "write none, on-failure or any";
    let policy = fields.read("condition", "a condition", help, |t| match t {
        "none" => Some(Restart::No),
        "on-failure" => Some(Restart::OnFailure(attempts)),
        "any" => Some(Restart::Always),
        _ => None,
    });
    fields.not_carried_out(&["delay", "window"]);
    fields.finish();
    policy
}
