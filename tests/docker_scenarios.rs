//! Every shipped scenario, for real, through the executable: figures that must hold, and why.
//!
//! A stop is bimodal (FIN and resets, or a black hole), so figures are ranges. A bound that does not hold is a
//! finding, never a reason to run again; only a run that lbtest itself calls inconclusive because the
//! machine was starved is repeated, twice at most.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what a test cannot do fails the test"
)]
#![allow(missing_docs, reason = "its names say it")]

mod support;

use lbtest::verdict::trust::{MAX_CPU_RATIO, MAX_LATE_P99_MS, MIN_HOST_IDLE_RATIO};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use support::{Place, Ran, assert_nothing_left, ms};

/// What the client keeps open at 100 reads/s: two connections (10 ms of work per second and arrival, at least two),
/// and as many again that were opened while the first two were busy for once.
const READ_POOL: u64 = 4;
/// From the call to the effect: the engine needs 10 to 40 ms to pass a signal on, and a busy machine some more.
const SIGNAL_MS: f64 = 1000.0;
/// From the call to the effect of a start: namespaces, mounts, the process.
const START_MS: f64 = 3000.0;
const LOADS: [&str; 4] = ["web", "web-writes", "reads", "writes"];

/// Runs a shipped scenario to its end and looks at what holds of each.
fn ran(name: &str, code: i32) -> Ran {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let scenario = folder.join(format!("{name}.toml"));
    for attempt in 1.. {
        let place = Place::new();
        let ran = place.run(&scenario, &[]);
        assert_nothing_left(&place);
        if ran.code == Some(4) && attempt < 3 && is_starved(&ran) {
            println!(
                "attempt {attempt} is repeated: the machine was starved: {} {}",
                ran.json()["verdict_reasons"],
                ran.json()["generator"]
            );
            continue;
        }
        assert_eq!(ran.code, Some(code), "{}", ran.json()["verdict_reasons"]);
        assert_eq!(ran.json()["end"]["reason"], "completed");
        ran.assert_accounted();
        faults_took_place(&ran);
        return ran;
    }
    unreachable!("the third attempt is the last")
}

fn is_starved(ran: &Ran) -> bool {
    let health = &ran.json()["generator"];
    ms(&health["late_p99_ms"]) > MAX_LATE_P99_MS
        || health["cpu_ratio"]
            .as_f64()
            .is_some_and(|r| r > MAX_CPU_RATIO)
        || health["host_idle_ratio"]
            .as_f64()
            .is_some_and(|r| r < MIN_HOST_IDLE_RATIO)
}

/// Every fault is confirmed, and its edges are moments that were observed and not merely planned.
fn faults_took_place(ran: &Ran) {
    let faults = ran.json()["faults"].as_array().unwrap();
    assert!(!faults.is_empty());
    for fault in faults {
        assert_eq!(fault["confirmed"], true, "{fault}");
        let late = ms(&fault["injected_at_ms"]) - ms(&fault["inject_at_ms"]);
        assert!(late > 0.0 && late < SIGNAL_MS, "{late} ms late: {fault}");
        // A process's death and a frozen cgroup are seen as such: the engine's kernel is this one. Packet rules are in
        // force between two readings of the clock.
        let exact = if fault["mechanism"].is_string() {
            late
        } else {
            0.0
        };
        assert!(ms(&fault["inject_uncertainty_ms"]) <= exact, "{fault}");
        if fault["kind"] == "restart" {
            assert!(fault["healed_at_ms"].is_null(), "it heals itself: {fault}");
            continue;
        }
        assert_eq!(fault["heal_confirmed"], true, "{fault}");
        let late = ms(&fault["healed_at_ms"]) - ms(&fault["heal_at_ms"]);
        assert!(late > 0.0 && late < START_MS, "{late} ms late: {fault}");
        assert!(ms(&fault["heal_uncertainty_ms"]) <= late, "{fault}");
    }
}

fn count(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("no count: {value}"))
}

fn bad(load: &Value) -> u64 {
    count(&load["failed"]) + count(&load["unknown"]) + count(&load["dropped"])
}

fn assert_untouched(ran: &Ran, loads: &[&str]) {
    for load in loads {
        let load = ran.load(load);
        assert_eq!(bad(load), 0, "{}: {}", load["name"], load["errors"]);
    }
}

/// The names of those who answered.
fn instances(ran: &Ran, load: &str) -> BTreeSet<String> {
    let instances = ran.load(load)["instances"].as_array().unwrap();
    let names = instances
        .iter()
        .map(|i| i["name"].as_str().unwrap().to_owned());
    names.collect()
}

#[test]
fn a_stopped_replica_costs_at_most_the_connections_that_were_open() {
    let ran = ran("kill-slave", 0);
    // The application reads a second time elsewhere, and no write ever goes near a replica.
    assert_untouched(&ran, &["web", "web-writes", "writes"]);
    // Nothing else is lost: who connects anew is sent to the other replica.
    let reads = ran.load("reads");
    assert!(bad(reads) <= READ_POOL, "{}", reads["errors"]);
    // The balancer sends nobody to a replica that is still starting.
    assert_eq!(ran.impact("replica stops", "heal", "reads")["bad"], 0);
    let both = ["postgres-slave1", "postgres-slave2"].map(str::to_owned);
    assert_eq!(instances(&ran, "reads"), both.into());
}

#[test]
fn without_any_replica_reading_and_writing_go_on() {
    let ran = ran("kill-both-slaves", 0);
    assert_untouched(&ran, &["web-writes", "writes"]);
    // The first one costs what kill-slave costs.
    let first = ran.impact("first replica stops", "inject", "reads");
    assert!(count(&first["bad"]) <= READ_POOL, "{first}");
    // From the second stop on the master serves, as soon as the balancer knows: within two seconds by name.
    let second = ran.impact("second replica stops", "inject", "reads");
    assert!(ms(&second["time_to_recover_ms"]) <= 3000.0, "{second}");
    assert!(instances(&ran, "reads").contains("postgres-master"));
    for heal in ["first replica stops", "second replica stops"] {
        assert_eq!(ran.impact(heal, "heal", "reads")["bad"], 0);
    }
}

#[test]
fn a_killed_instance_costs_no_client_a_failed_get() {
    let ran = ran("kill-app", 0);
    // nginx asks another instance; SQL does not pass the instances at all.
    assert_untouched(&ran, &["web", "reads", "writes"]);
    // A write that the instance had is not repeated: at 40/s and some 3 ms each, one, two in bad luck.
    let writes = ran.load("web-writes");
    assert!(bad(writes) <= 2, "{}", writes["errors"]);
    // A second of connect time-out, then the next instance, for the few that tried the dead one.
    let latency = &ran.load("web")["latency_ms"];
    assert!(ms(&latency["max"]) < 2500.0, "{latency}");
    let names = ["app1", "app2", "app3"].map(str::to_owned);
    assert_eq!(instances(&ran, "web"), names.into());
}

#[test]
fn a_frozen_replica_costs_time_outs_until_it_is_taken_out() {
    let ran = ran("pause-slave", 0);
    assert_untouched(&ran, &["web-writes", "writes"]);
    // The application's own limits (0.5 s per statement, 1.2 s in all) leave room for a second replica.
    let web = ran.load("web");
    assert!(ms(&web["error_rate"]) <= 0.01, "{}", web["errors"]);
    // Open connections hang, and those that were opened to it before the checks noticed: each costs a
    // time-out, not a refusal. One at a time, for at most ten seconds.
    let reads = ran.load("reads");
    assert!(bad(reads) <= 40, "{}", reads["errors"]);
    let after = ran.impact("replica hangs", "heal", "reads");
    assert_eq!(after["bad"], 0, "no burst when it thaws: {after}");
}

#[test]
fn a_rolling_restart_costs_nothing() {
    let ran = ran("rolling-restart-apps", 0);
    assert_untouched(&ran, &LOADS);
    let names = ["app1", "app2", "app3"].map(str::to_owned);
    assert_eq!(instances(&ran, "web-writes"), names.into());
}

#[test]
fn a_dead_master_fails_every_write_and_no_read() {
    let ran = ran("kill-master", 1);
    assert_untouched(&ran, &["web", "reads"]);
    let fault = &ran.json()["faults"][0];
    let dead_ms = ms(&fault["healed_at_ms"]) - ms(&fault["injected_at_ms"]);
    for load in ["web-writes", "writes"] {
        let impact = ran.impact("master dies", "inject", load);
        // Killed at once, with all its processes: one answer may just have got out. Who asked shortly before the
        // restart may have waited for it: the application for 1.2 s, a connection for 1 s.
        let rate = ms(&ran.load(load)["intended_rate"]);
        let good = ms(&impact["requests"]) - ms(&impact["bad"]);
        assert!(good <= 1.0 + 1.2 * rate, "{impact}");
        let until = ms(&impact["last_bad_ms"]);
        assert!(until >= ms(&impact["window_ms"]) - 1200.0, "{impact}");
        assert_eq!(impact["recovered"], false);
        // From the kill until it serves again: recovery from WAL takes a second or two, and the balancer two
        // checks, a second apart, or one look at the name.
        let outages = ran.outages(load);
        let [outage] = &outages[..] else {
            panic!("one outage of {load}: {outages:?}")
        };
        let (lasted, resolution) = (ms(&outage["duration_ms"]), ms(&outage["resolution_ms"]));
        assert!(
            lasted >= dead_ms - resolution - 50.0,
            "{outage}, dead for {dead_ms} ms"
        );
        assert!(
            lasted <= dead_ms + 8000.0,
            "{outage}, dead for {dead_ms} ms"
        );
    }
    verdict_names(&ran, &["web-writes", "writes"]);
}

/// The failed gates are those of these workloads, no other, and the verdict says so.
fn verdict_names(ran: &Ran, loads: &[&str]) {
    let reasons = ran.json()["verdict_reasons"].to_string();
    for gate in ran.json()["gates"].as_array().unwrap() {
        let load = gate["worst"].as_str().unwrap();
        assert_eq!(gate["passed"] == false, loads.contains(&load), "{gate}");
    }
    for load in loads {
        assert!(reasons.contains(&format!("{load}: ")), "{reasons}");
        assert!(
            ran.stdout.contains(&format!("{load}: error_rate")),
            "{}",
            ran.stdout
        );
    }
}

#[test]
fn the_mixed_listener_fails_two_of_three_writes_and_black_holes_a_stopped_replica() {
    let ran = ran("mixed-listener", 1);
    // Seconds 4 to 6: nothing is broken yet, and what was sent then has ended before the fault at 9 s, for a client
    // gives up after two seconds. Two servers of three are read-only.
    let series = &ran.load("writes")["series"];
    let steady = |list: &Value| {
        list.as_array().unwrap()[4..7]
            .iter()
            .map(count)
            .sum::<u64>()
    };
    #[expect(clippy::cast_precision_loss, reason = "hundreds")]
    let share =
        steady(&series["errors"]["sqlstate_25006"]) as f64 / steady(&series["requests"]) as f64;
    assert!((0.55..=0.75).contains(&share), "{share}");
    let steady_reads = steady(&ran.load("reads")["series"]["bad"]);
    assert_eq!(steady_reads, 0, "every server can read");
    // Only the replicas refuse to write.
    for instance in ran.load("writes")["instances"].as_array().unwrap() {
        let refused = instance["name"] != "postgres-master";
        assert_eq!(
            instance["bad"] == instance["requests"],
            refused,
            "{instance}"
        );
    }
    // Three checks, each 3 s apart and 3 s until it gives up, after up to one interval: 12 to 18 s, and a client's
    // two seconds more.
    let reads = ran.impact("replica stops", "inject", "reads");
    let hole = ms(&reads["last_bad_ms"]);
    assert!((10_000.0..=20_500.0).contains(&hole), "{reads}");
    let timed_out = count(&reads["errors"]["connect_timeout"]);
    assert!(timed_out * 10 >= count(&reads["bad"]) * 9, "{reads}");
}

#[test]
fn a_slow_link_costs_time_and_next_to_no_request() {
    // That hardly a request fails, for TCP sends again and the application reads a second time, is its gates' to say.
    let ran = ran("slow-network", 0);
    for fault in ["late packets", "lost packets"] {
        assert!(find(&ran, fault)["mechanism"].is_string(), "{fault}");
    }
    for edge in ["inject", "heal"] {
        let web = ran.impact("late packets", edge, "web");
        assert_eq!(count(&web["bad"]), 0, "late is not lost: {web}");
    }
    // The link is in the path of every third request, which waits at least twice: 20 ms, give or take 5, each way.
    assert!(ms(&ran.load("web")["latency_ms"]["p99"]) > 30.0);
    assert_untouched(&ran, &["reads"]);
}

#[test]
fn a_master_out_of_reach_hangs_writes_and_no_read() {
    let ran = ran("partition-master", 0);
    let record = find(&ran, "master out of reach");
    let dead_ms = ms(&record["healed_at_ms"]) - ms(&record["injected_at_ms"]);
    // It is there with the first of its four targets, and whole with the last. A write that is intended in its last two
    // seconds, the writes' time-out, may find its way once it is over, if HAProxy has not taken the server out by then.
    let edges_ms = ms(&record["inject_latency_ms"]) + 2_000.0;
    let cut = ran.impact("master out of reach", "inject", "writes");
    let passed = ms(&cut["requests"]) - ms(&cut["bad"]);
    assert!(passed <= edges_ms / 20.0 + 1.0, "{passed} passed: {cut:#}");
    let gap = ms(&ran.load("writes")["longest_gap_ms"]);
    assert!(gap >= dead_ms - edges_ms, "{gap} of {dead_ms}");
    // It lasts as long as the partition, and then until HAProxy has taken the server in again: two good checks, three
    // seconds apart, and what a client still waits for.
    let outages = ran.outages("writes");
    let lasted = ms(&outages[0]["duration_ms"]);
    let resolution = ms(&outages[0]["resolution_ms"]);
    assert!(
        lasted >= dead_ms - edges_ms - resolution,
        "{lasted} of {dead_ms}"
    );
    assert!(lasted <= dead_ms + 12_000.0, "{lasted} of {dead_ms}");
    // That reads are none the worse is their gate's to say.
}

fn find<'a>(ran: &'a Ran, fault: &str) -> &'a Value {
    let faults = ran.json()["faults"].as_array().unwrap();
    let found = faults.iter().find(|f| f["name"] == fault);
    found.unwrap_or_else(|| panic!("{fault} is in {faults:?}"))
}
