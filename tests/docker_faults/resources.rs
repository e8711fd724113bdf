//! Less of everything: CPU, memory, disk, and a process that stands still.

use crate::edges::{
    MARGIN_MS, base, came_and_went, count, fails, latency, notes, unharmed, well_again,
};
use crate::ground::GROUND;
use crate::support::{Ran, ms};
use serde_json::Value;
use std::sync::LazyLock;

static RAN: LazyLock<&'static Ran> = LazyLock::new(|| &GROUND.resources);

/// A throttled group waits for the next of the kernel's periods of 100 ms: one request in ten at least waits for more
/// than the margin.
fn is_slowed(fault: &str, load: &str) {
    let (before, now) = (base(&RAN, load, "p90"), latency(&RAN, fault, load, "p90"));
    assert!(
        now > before + MARGIN_MS,
        "{fault}: {before} ms, then {now} ms"
    );
    assert_eq!(
        RAN.impact(fault, "inject", load)["bad"],
        0,
        "slow is not failed"
    );
}

#[test]
fn less_cpu_makes_requests_wait_for_the_next_period() {
    let fault = came_and_went(&RAN, "less cpu", None);
    assert!(
        notes(fault)[0].contains("reads"),
        "the kernel's own file, or the engine: {fault:#}"
    );
    is_slowed("less cpu", "status1");
    unharmed(&RAN, "less cpu", &["inserts", "status2", "status3"]);
    well_again(&RAN, "less cpu", &["status1"]);
}

#[test]
fn stress_takes_its_cpu_from_the_target_s_share_and_from_nobody_else_s() {
    let fault = came_and_went(&RAN, "stress", Some("cgroup"));
    assert!(
        notes(fault)[1].contains("4 workers ended"),
        "two, one and one: {fault:#}"
    );
    is_slowed("stress", "status2");
    // Of its 0.3 of a core it leaves nothing: the seventh second is within the fault.
    let metrics = RAN.json()["metrics"].as_array().unwrap();
    let cpu = |m: &&Value| m["metric"] == "cpu" && m["subject"] == "app2";
    let cpu = metrics.iter().find(cpu).unwrap();
    let at = |second: f64| {
        let times = cpu["at_ms"].as_array().unwrap().iter().map(ms);
        let index = times.clone().position(|t| t >= second * 1e3).unwrap();
        ms(&cpu["values"][index])
    };
    assert!((0.2..0.36).contains(&at(8.0)), "{cpu}");
    assert!(at(6.0) < 0.2, "{cpu}");
    unharmed(&RAN, "stress", &["inserts", "status1", "status3"]);
    well_again(&RAN, "stress", &["status2"]);
}

#[test]
fn on_a_full_disk_rows_find_no_place_and_reading_goes_on() {
    came_and_went(&RAN, "full", Some(""));
    // Four rows fit in a page, and each of the connections may have found one with room: see the pool's size.
    fails(&RAN, "full", "inserts", &["sqlstate_53100"], 16);
    unharmed(&RAN, "full", &["large", "status1", "status2", "status3"]);
    well_again(&RAN, "full", &["inserts"]);
}

#[test]
fn a_frozen_process_keeps_its_clients_waiting() {
    came_and_went(&RAN, "frozen", Some("SIGSTOP"));
    // Who had not waited 300 ms when it went on was answered.
    fails(&RAN, "frozen", "status3", &["timeout"], 14);
    unharmed(&RAN, "frozen", &["inserts", "large", "status1", "status2"]);
    well_again(&RAN, "frozen", &["status3"]);
}

#[test]
fn with_less_memory_what_needs_it_is_killed_and_the_database_starts_again() {
    came_and_went(&RAN, "less memory", None);
    // The kernel kills the back end that wants 96 MB of 100; PostgreSQL then ends all sessions and recovers.
    let classes = [
        "end_of_stream",
        "reset",
        "refused",
        "sqlstate_57P02",
        "sqlstate_57P03",
    ];
    fails(&RAN, "less memory", "large", &classes, 1);
    unharmed(
        &RAN,
        "less memory",
        &["inserts", "status1", "status2", "status3"],
    );
    let after = RAN.impact("less memory", "heal", "large");
    // The recovery that was under way takes a second or two.
    assert!(ms(&after["time_to_recover_ms"]) <= 5000.0, "{after:#}");
    assert!(
        count(&after["requests"]) > count(&after["bad"]),
        "{after:#}"
    );
}

#[test]
fn nothing_is_in_doubt() {
    assert_eq!(RAN.code, Some(0), "{}", RAN.json()["verdict_reasons"]);
}
