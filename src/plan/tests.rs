//! Plans of the kinds of faults that need more than a list of containers, and of composites.

mod order;

use super::*;
use crate::compose::Topology;
use crate::compose::topology::{Attachment, Network, Service};
use crate::scenario::{Overrides, ScenarioError, parse};
use crate::source::SourceFile;
use std::collections::BTreeMap;

/// Three lines before the faults: the first of them is on line 4. The postgres workload comes after them.
fn resolved(faults: &str) -> Result<Resolved, ScenarioError> {
    resolved_with(faults, true, &topology())
}

fn resolved_with(
    faults: &str,
    postgres: bool,
    topology: &Topology,
) -> Result<Resolved, ScenarioError> {
    let client = if postgres {
        "postgres = { dsn = \"postgres://u:hidden@h/d\", query = \"SELECT 1\" }"
    } else {
        "http = { url = \"http://h/\" }"
    };
    let text = format!(
        "name = \"s\"\nrun = {{ duration = \"100s\", warmup = \"5s\", observe = true }}\nrecovery = {{ stable_for = \"1s\" }}\n{faults}\n[[load]]\nname = \"web\"\nrate = 1\n{client}\n"
    );
    let file = SourceFile::new("s.toml", text);
    let scenario = parse(&file, &Overrides::default(), &BTreeMap::new())?;
    resolve(&scenario, Some(topology), true)
}

fn plan(faults: &str) -> Vec<PlannedFault> {
    match resolved(faults) {
        Ok(resolved) => resolved.plan.faults,
        Err(error) => panic!("{faults}: {:?}", error.mistakes()),
    }
}

fn one(line: &str) -> PlannedFault {
    plan(&format!("[[fault]]\nname = \"f\"\nat = \"10s\"\n{line}")).remove(0)
}

/// Mistakes as `line:column: message / help`; the kind stands on line 7.
fn told(line: &str) -> String {
    let fault = format!("[[fault]]\nname = \"f\"\nat = \"10s\"\n{line}");
    first(resolved(&fault))
}

fn first(resolved: Result<Resolved, ScenarioError>) -> String {
    let error = resolved.map(|r| r.plan).expect_err("must be refused");
    let mistake = &error.mistakes()[0];
    let (line, column) = mistake.line_column();
    let help = mistake.help.as_deref().unwrap_or("NO HELP");
    format!("{line}:{column}: {} / {help}", mistake.message)
}

fn warnings(faults: &str) -> Vec<String> {
    let warnings = resolved(faults).unwrap().warnings;
    warnings.into_iter().map(|w| w.message).collect()
}

/// Databases whose role is asked for, applications in two networks, one that uses the host's.
fn topology() -> Topology {
    let of = |role: &str, networks: &[&str]| Service {
        replicas: 1,
        networks: networks
            .iter()
            .map(|n| ((*n).to_owned(), Attachment::default()))
            .collect(),
        extensions: BTreeMap::from([("role".to_owned(), role.to_owned())]),
        ..Service::default()
    };
    let mut labelled = of("", &["default"]);
    labelled.extensions.clear();
    labelled.labels.insert("io.lbtest.role".into(), "lb".into());
    let host = Service {
        network_mode: Some("host".to_owned()),
        ..of("agent", &[])
    };
    let shares = Service {
        network_mode: Some("service:app".to_owned()),
        ..of("sidecar", &[])
    };
    let services = [
        (
            "app",
            Service {
                replicas: 3,
                ..of("app", &["default", "back"])
            },
        ),
        ("db1", of("database", &["back"])),
        ("db2", of("database", &["back"])),
        ("db3", of("database", &["back"])),
        ("haproxy", labelled),
        ("monitor", host),
        ("shares", shares),
    ];
    Topology {
        project: "p".into(),
        services: services.map(|(n, s)| (n.to_owned(), s)).into(),
        networks: ["default", "back", "far"]
            .map(|n| (n.to_owned(), Network::default()))
            .into(),
        ..Topology::default()
    }
}

#[test]
fn a_role_in_the_compose_file_is_a_target_like_any_other() {
    let fault = one("pause = { target = { role = \"app\" } }");
    assert_eq!(fault.targets, ["app.1", "app.2", "app.3"]);
    assert_eq!(fault.late, None);
    assert_eq!(
        one("pause = { target = { role = \"lb\" } }").targets,
        ["haproxy"]
    );
    assert_eq!(
        told("pause = { target = { role = \"ap\" } }"),
        "7:20: fault `f`: no service has the role `ap` / did you mean `app`?"
    );
    let said = told("pause = { target = { role = \"queue\" } }");
    assert!(
        said.contains("roles are: agent, app, database, lb, primary, replicas, sidecar"),
        "{said}"
    );
}

#[test]
fn who_is_the_primary_is_asked_at_the_moment_of_injection() {
    let fault = one("kill = { target = { role = \"primary\" } }");
    assert_eq!(fault.targets, ["db1", "db2", "db3"]);
    assert_eq!(fault.late, Some(Late::Role("primary".to_owned())));
    let fault = one("kill = { target = { role = \"replicas\" } }");
    assert_eq!(fault.late, Some(Late::Role("replica".to_owned())));
}

#[test]
fn a_primary_that_the_compose_file_names_is_not_asked_for() {
    let mut topology = topology();
    let db1 = topology.services.get_mut("db1").unwrap();
    db1.extensions.insert("role".into(), "primary".into());
    let fault = "[[fault]]\nname = \"f\"\nat = \"10s\"\nkill = { target = { role = \"primary\" } }";
    let plan = resolved_with(fault, false, &topology).unwrap().plan;
    assert_eq!(
        (plan.faults[0].targets.as_slice(), &plan.faults[0].late),
        (&["db1".to_owned()][..], &None)
    );
}

#[test]
fn asking_for_a_role_needs_databases_and_somebody_to_ask_as() {
    let fault = |dsn: &str| {
        format!(
            "[[fault]]\nname = \"f\"\nat = \"10s\"\nkill = {{ target = {{ role = \"primary\"{dsn} }} }}"
        )
    };
    let said = first(resolved_with(&fault(""), false, &topology()));
    assert!(
        said.starts_with("7:19: fault `f`: nothing tells how a database is asked"),
        "{said}"
    );
    let dsn = fault(", dsn = \"postgres://u:hidden@localhost/d\"");
    let plan = resolved_with(&dsn, false, &topology()).unwrap().plan;
    assert!(!serde_json::to_string(&plan).unwrap().contains("hidden"));
    let mut none = topology();
    none.services.retain(|name, _| !name.starts_with("db"));
    let said = first(resolved_with(&fault(""), true, &none));
    assert!(said.contains("no service is known as a database"), "{said}");
    none.services.get_mut("haproxy").unwrap().image = Some("postgres:16".into());
    let plan = resolved_with(&fault(""), true, &none).unwrap().plan;
    assert_eq!(plan.faults[0].targets, ["haproxy"], "known by its image");
}

#[test]
fn whoever_served_last_may_be_anybody_and_the_workload_must_exist() {
    let fault = one("pause = { target = { last_served = \"web\" } }");
    assert_eq!(fault.late, Some(Late::LastServed("web".to_owned())));
    assert_eq!(fault.targets.len(), 9);
    assert_eq!(
        told("pause = { target = { last_served = \"wbe\" } }"),
        "7:20: fault `f`: there is no workload `wbe` / did you mean `web`?"
    );
}

#[test]
fn a_partition_has_groups_and_hits_all_of_them() {
    let fault = one("partition = { between = [\"haproxy\", \"db*\"] }");
    assert_eq!(fault.groups, [vec!["haproxy"], vec!["db1", "db2", "db3"]]);
    assert_eq!(fault.targets, ["db1", "db2", "db3", "haproxy"]);
    let alone = one("partition = { isolate = \"app.2\" }");
    assert_eq!(
        (alone.groups, alone.targets),
        (vec![vec!["app.2".to_owned()]], vec!["app.2".to_owned()])
    );
}

#[test]
fn a_minority_is_fewer_than_half_drawn_by_the_seed() {
    let fault = one("partition = { minority_of = [\"app\", \"db1\", \"db2\"] }");
    let [few, rest] = fault.groups.as_slice() else {
        panic!("two groups")
    };
    assert_eq!((few.len(), rest.len()), (2, 3));
    assert!(few.iter().all(|f| !rest.contains(f)));
    assert_eq!(
        fault,
        one("partition = { minority_of = [\"app\", \"db1\", \"db2\"] }")
    );
    let said = told("partition = { minority_of = [\"db1\", \"db2\"] }");
    assert!(
        said.starts_with("7:29: fault `f`: 2 containers have no minority"),
        "{said}"
    );
}

#[test]
fn peers_are_resolved_and_must_be_known_before_the_run() {
    let fault = one("delay = { target = \"app\", time = \"5ms\", towards = \"db*\" }");
    assert_eq!(fault.targets.len(), 3);
    assert_eq!(fault.towards, ["db1", "db2", "db3"]);
    for line in [
        "delay = { target = \"app\", time = \"5ms\", towards = { role = \"primary\" } }",
        "partition = { isolate = { last_served = \"web\" } }",
    ] {
        assert!(
            told(line).contains("must be known before the run"),
            "{line}"
        );
    }
}

#[test]
fn what_has_no_network_of_its_own_takes_no_fault_of_the_network() {
    for (line, expected) in [
        (
            "loss = { target = \"monitor\", ratio = \"5%\" }",
            "7:19: fault `f`: service `monitor` has no network of its own (network_mode: host)",
        ),
        (
            "partition = { between = [\"app\", \"monitor\"] }",
            "7:33: fault `f`: service `monitor` has no network of its own",
        ),
        (
            "delay = { target = \"app\", time = \"5ms\", towards = \"shares\" }",
            "7:51: fault `f`: service `shares` has no address of its own",
        ),
        (
            "disconnect = { target = \"shares\" }",
            "7:25: fault `f`: service `shares` has no address of its own",
        ),
        (
            "disconnect = { target = \"db1\", networks = [\"back\", \"defualt\"] }",
            "7:52: fault `f`: the topology has no network `defualt`",
        ),
        (
            "disconnect = { target = \"db1\", networks = [\"default\"] }",
            "7:44: fault `f`: service `db1` is not in the network `default` / its networks are: back",
        ),
        (
            "partition = { between = [\"app\", [\"db1\", \"app.2\"]] }",
            "7:33: fault `f`: `app.2` is on both sides",
        ),
    ] {
        let said = told(line);
        assert!(said.starts_with(expected), "{line}: {said}");
    }
    assert_eq!(
        one("disconnect = { target = \"app\", networks = [\"back\"] }")
            .targets
            .len(),
        3
    );
    assert_eq!(
        one("loss = { target = \"shares\", ratio = \"5%\" }").targets,
        ["shares"]
    );
}
