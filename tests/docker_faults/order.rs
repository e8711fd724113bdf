//! Who is hit, and when: rolling, flapping, sequences, blocks, and targets that are found at the moment.

use crate::edges::{came_and_went, count, fails, fault, notes, unharmed, well_again};
use crate::ground::GROUND;
use crate::support::{Ran, ms};
use std::sync::LazyLock;

const APPS: [&str; 3] = ["status1", "status2", "status3"];
/// Who had not waited 300 ms when it was healed was answered: at 40 per second, and the one at each end.
const ANSWERED: u64 = 14;

static RAN: LazyLock<&'static Ran> = LazyLock::new(|| &GROUND.order);

/// Only these workloads suffer from a fault that makes its targets silent.
fn silences(fault: &str, loads: &[&str]) {
    for load in ["sql", "sql2", "status1", "status2", "status3"] {
        if loads.contains(&load) {
            fails(&RAN, fault, load, &["timeout", "connect_timeout"], ANSWERED);
            well_again(&RAN, fault, &[load]);
        } else {
            unharmed(&RAN, fault, &[load]);
        }
    }
}

fn at(name: &str, key: &str) -> f64 {
    ms(&fault(&RAN, name)[key])
}

#[test]
fn rolling_hits_one_after_the_other_and_waits_between() {
    for (n, load) in APPS.iter().enumerate() {
        let name = format!("rolling #{}", n + 1);
        let fault = came_and_went(&RAN, &name, None);
        assert_eq!(
            fault["targets"],
            serde_json::json!([format!("app{}", n + 1)])
        );
        silences(&name, &[load]);
        if n > 0 {
            let before = at(&format!("rolling #{n}"), "healed_at_ms");
            assert!(at(&name, "injected_at_ms") >= before + 300.0, "{fault:#}");
        }
    }
}

#[test]
fn what_flaps_comes_and_goes_as_often_as_it_should() {
    for n in 1..=3 {
        let name = format!("flap #{n}");
        came_and_went(&RAN, &name, Some("SIGSTOP"));
        silences(&name, &["status1"]);
        let planned = 6500.0 + 1000.0 * f64::from(n);
        assert_eq!(
            [at(&name, "inject_at_ms"), at(&name, "heal_at_ms")],
            [planned, planned + 500.0]
        );
    }
    let all = RAN.json()["faults"].as_array().unwrap();
    assert_eq!(all.iter().filter(|f| f["entry"] == "flap").count(), 3);
}

#[test]
fn in_a_sequence_each_begins_when_the_one_before_is_over() {
    came_and_went(&RAN, "primary", None);
    came_and_went(&RAN, "replicas", Some("nftables reject with tcp reset"));
    fails(&RAN, "replicas", "sql2", &["end_of_stream", "reset"], 2);
    unharmed(&RAN, "replicas", &["sql", "status1", "status2", "status3"]);
    // Plus the pause.
    assert!(at("replicas", "injected_at_ms") >= at("primary", "healed_at_ms") + 500.0);
    for member in ["one", "other"] {
        assert!(at(member, "injected_at_ms") >= at("replicas", "healed_at_ms") + 500.0);
    }
}

#[test]
fn members_of_a_parallel_block_begin_at_once() {
    came_and_went(&RAN, "one", None);
    came_and_went(&RAN, "other", Some("SIGSTOP"));
    let apart = at("one", "injected_at_ms") - at("other", "injected_at_ms");
    assert!(apart.abs() < 500.0, "{apart} ms apart, of a second");
    // The window of the one ends where the other one begins.
    let bad = |load| {
        let of = |name| count(&RAN.impact(name, "inject", load)["bad"]);
        of("one") + of("other")
    };
    assert!(bad("status1") > 0 && bad("status2") > 0);
    assert_eq!([bad("status3"), bad("sql"), bad("sql2")], [0; 3]);
}

#[test]
fn the_database_that_says_that_it_is_the_primary_is_hit() {
    let fault = came_and_went(&RAN, "primary", None);
    assert_eq!(notes(fault).len(), 2, "of one container: {fault:#}");
    assert!(
        notes(fault)[0].starts_with("lbtest-t-faults-db-1: "),
        "{fault:#}"
    );
    silences("primary", &["sql"]);
}

#[test]
fn the_databases_that_say_that_they_are_replicas_are_hit() {
    let fault = came_and_went(&RAN, "replicas pause", None);
    assert_eq!(notes(fault).len(), 2, "of one container: {fault:#}");
    assert!(
        notes(fault)[0].starts_with("lbtest-t-faults-replica-1: "),
        "{fault:#}"
    );
    silences("replicas pause", &["sql2"]);
}

#[test]
fn the_instance_that_served_last_is_hit() {
    let fault = came_and_went(&RAN, "last", None);
    assert_eq!(notes(fault).len(), 2, "of one container: {fault:#}");
    let hit = (1..=3).find(|n| notes(fault)[0].starts_with(&format!("lbtest-t-faults-app{n}-1: ")));
    let hit = hit.unwrap_or_else(|| panic!("no instance: {fault:#}"));
    silences("last", &[APPS[hit - 1]]);
}

#[test]
fn of_three_instances_two_are_drawn_and_hit() {
    let fault = came_and_went(&RAN, "two of three", None);
    let targets = fault["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 2);
    let hit: Vec<&str> = (1..=3)
        .filter(|n| targets.contains(&format!("app{n}").into()))
        .map(|n| APPS[n - 1])
        .collect();
    assert_eq!(hit.len(), 2, "{fault:#}");
    silences("two of three", &hit);
}

#[test]
fn nothing_is_in_doubt() {
    assert_eq!(RAN.code, Some(0), "{}", RAN.json()["verdict_reasons"]);
}
