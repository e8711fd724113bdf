use super::*;
use crate::clock::Offset;
use crate::compose::topology::Service;
use crate::scenario::{Overrides, parse};
use crate::source::SourceFile;
use std::collections::BTreeMap;

fn scenario(faults: &str) -> Scenario {
    let text = format!(
        "name = \"s\"\nrun = {{ duration = \"60s\", warmup = \"5s\" }}\ngate = {{ time_to_recover = \"<= 5s\" }}\n\
             [[load]]\nname = \"reads\"\nrate = 10\n\
             postgres = {{ dsn = \"postgres://u:hidden@h:5/d\", query = \"SELECT 1\" }}\n{faults}"
    );
    parse(
        &SourceFile::new("s.toml", text),
        &Overrides::default(),
        &BTreeMap::new(),
    )
    .unwrap()
}

fn topology() -> Topology {
    let of = |replicas| Service {
        replicas,
        ..Service::default()
    };
    let services = [
        ("app", of(3)),
        ("db-master", of(1)),
        ("db-slave", of(1)),
        ("off", of(0)),
    ];
    let services = services
        .into_iter()
        .map(|(n, s)| (n.to_owned(), s))
        .collect();
    Topology {
        project: "p".into(),
        services,
        ..Topology::default()
    }
}

fn fault(target: &str, more: &str) -> String {
    format!("[[fault]]\nname = \"f\"\nat = \"10s\"\n{more}\nstop = {{ target = {target} }}\n")
}

fn targets(target: &str) -> Result<Vec<String>, String> {
    let resolved = resolve(&scenario(&fault(target, "")), Some(&topology()), true);
    resolved
        .map(|r| r.plan.faults[0].targets.clone())
        .map_err(|e| {
            let mistake = &e.mistakes()[0];
            format!(
                "{}: {} / {}",
                mistake.line_column().0,
                mistake.message,
                mistake.help.as_deref().unwrap_or_default()
            )
        })
}

#[test]
fn a_service_without_containers_is_no_target() {
    let said = targets("\"off\"").unwrap_err();
    assert!(said.contains("its scale is 0"), "{said}");
    assert!(targets("\"off.1\"").is_err());
}

#[test]
fn targets_become_containers() {
    assert_eq!(targets("\"db-slave\"").unwrap(), ["db-slave"]);
    assert_eq!(
        targets("[\"app.2\", \"db-slave.1\"]").unwrap(),
        ["app.2", "db-slave"]
    );
    assert_eq!(targets("\"app\"").unwrap(), ["app.1", "app.2", "app.3"]);
    assert_eq!(
        targets("{ all_of = \"db-*\" }").unwrap(),
        ["db-master", "db-slave"]
    );
    assert_eq!(
        targets("{ random = [\"app\"], count = 2 }").unwrap().len(),
        2
    );
}

#[test]
fn a_target_that_is_not_there_is_a_mistake_with_the_nearest_name() {
    let wrong = |t| targets(t).unwrap_err();
    assert_eq!(
        wrong("\"db-slav\""),
        "12: fault `f`: the topology has no service `db-slav` / did you mean `db-slave`?"
    );
    assert!(wrong("\"app.4\"").contains("no service `app.4`"));
    assert!(
        wrong("{ all_of = \"x*\" }").contains("services of the topology: app, db-master, db-slave")
    );
    assert!(wrong("{ random = \"app\", count = 4 }").contains("draws 4 of 3"));
    let error = resolve(&scenario(&fault("\"app\"", "")), None, true).unwrap_err();
    assert!(
        error.mistakes()[0]
            .message
            .contains("the scenario has no topology")
    );
}

#[test]
fn a_repeated_fault_has_numbered_occurrences_in_order_of_time() {
    let text = format!(
        "{}[[fault]]\nname = \"g\"\nat = \"15s\"\nexternal = {{}}\n",
        "[[fault]]\nname = \"f\"\nat = \"10s\"\nheal_after = \"6s\"\nrepeat = { every = \"20s\", times = 2 }\nkill = { target = \"app\" }\n"
    );
    let plan = resolve(&scenario(&text), Some(&topology()), true)
        .unwrap()
        .plan;
    let seen: Vec<_> = plan
        .faults
        .iter()
        .map(|f| (f.name.as_str(), f.inject_at, f.heal_at))
        .collect();
    let at = Offset::from_millis;
    assert_eq!(
        seen,
        [
            ("f #1", at(10_000), Some(at(16_000))),
            ("g", at(15_000), None),
            ("f #2", at(30_000), Some(at(36_000)))
        ]
    );
}

#[test]
fn without_faults_their_gates_are_left_out_too() {
    let s = scenario(&fault("\"app\"", ""));
    let resolved = resolve(&s, Some(&topology()), false).unwrap();
    assert!(resolved.plan.faults.is_empty() && resolved.plan.gates.is_empty());
    assert!(
        resolved
            .warnings
            .iter()
            .any(|w| w.message.starts_with("no gate"))
    );
}

#[test]
fn a_window_too_short_to_see_recovery_is_a_warning() {
    let warnings = resolve(
        &scenario(&fault("\"app\"", "heal_after = \"4s\"")),
        Some(&topology()),
        true,
    )
    .unwrap()
    .warnings;
    assert!(
        warnings
            .iter()
            .any(|w| w.message.contains("only 4s remain")),
        "{warnings:?}"
    );
}

#[test]
fn a_fault_on_what_another_one_still_holds_is_a_warning_and_one_after_its_heal_is_not() {
    let two = |second: &str| {
        let first = "[[fault]]\nname = \"a\"\nat = \"10s\"\nheal_after = \"6s\"\nstop = { target = \"app\" }\n";
        let text = format!("{first}[[fault]]\nname = \"b\"\n{second}\n");
        let resolved = resolve(&scenario(&text), Some(&topology()), true).unwrap();
        let mut warnings = resolved.warnings.into_iter();
        warnings.any(|w| {
            w.message.contains("`b` hits `app") && w.message.contains("while `a` still holds it")
        })
    };
    assert!(two("at = \"15s\"\npause = { target = \"app\" }"));
    assert!(!two("at = \"16s\"\npause = { target = \"app\" }"));
    assert!(!two("at = \"15s\"\nstart = { target = \"app\" }"));
}

#[test]
fn no_plan_holds_a_password() {
    let plan = resolve(&scenario(&fault("\"app\"", "")), Some(&topology()), true)
        .unwrap()
        .plan;
    assert_eq!(plan.loads[0].target, "postgres://u@h:5/d");
    assert!(!serde_json::to_string(&plan).unwrap().contains("hidden"));
}
