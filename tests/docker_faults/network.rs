//! Faults of the network: what clients see of packets that are late, lost, slow or stopped.

use crate::edges::{
    MARGIN_MS, base, came_and_went, count, fails, latency, notes, unharmed, well_again,
};
use crate::ground::GROUND;
use crate::support::{Ran, ms};
use std::sync::LazyLock;

/// Linux waits so long at least before it sends a segment again (TCP_RTO_MIN).
const RETRANSMISSION_MS: f64 = 200.0;
/// What the scenario asks for.
const DELAY_MS: f64 = 60.0;
const BYTES_PER_MS: f64 = 1000.0;
/// Each fault is on for so long.
const ON_S: f64 = 1.6;
/// `data1` and the `status` workloads, per second.
const RATE: f64 = 40.0;

static RAN: LazyLock<&'static Ran> = LazyLock::new(|| &GROUND.network);

/// Operations of a workload in so many seconds, and the one at each end.
fn within(seconds: f64, rate: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small number above zero"
    )]
    let whole = (seconds * rate).ceil() as u64;
    whole + 2
}

/// The application goes on trying for 1.2 s: what came later than that before the heal may have been answered well.
/// A request fails only for want of the database, and says so.
fn starves(fault: &str) {
    fails(&RAN, fault, "data1", &["http_503"], within(1.2, RATE));
    assert!(
        count(&RAN.impact(fault, "inject", "data1")["bad"]) >= within(ON_S - 1.2, RATE) - 4,
        "{fault}"
    );
}

#[test]
fn a_delay_is_in_every_answer_of_the_target_and_of_those_who_ask_it() {
    came_and_went(&RAN, "delay", Some(""));
    // One round trip, so once the delay.
    let answers = DELAY_MS..=DELAY_MS + base(&RAN, "sql", "p50") + MARGIN_MS;
    let p50 = latency(&RAN, "delay", "sql", "p50");
    assert!(answers.contains(&p50), "{p50} ms, expected {answers:?}");
    let through = latency(&RAN, "delay", "data1", "p50");
    assert!(through >= DELAY_MS, "{through} ms");
    unharmed(&RAN, "delay", &["status1", "status3", "web"]);
    well_again(&RAN, "delay", &["sql", "data1", "search2"]);
}

#[test]
fn lost_packets_cost_retransmissions_and_no_request() {
    came_and_went(&RAN, "loss", Some("numgen"));
    // A fifth of the packets, so more than one answer in a hundred and less than every other one.
    let p99 = latency(&RAN, "loss", "sql", "p99");
    let p50 = latency(&RAN, "loss", "sql", "p50");
    assert!(
        p99 >= RETRANSMISSION_MS * 0.95 && p50 < RETRANSMISSION_MS,
        "{p50}, {p99}"
    );
    assert_eq!(RAN.impact("loss", "inject", "sql")["bad"], 0);
    unharmed(&RAN, "loss", &["status1", "status3", "web"]);
    well_again(&RAN, "loss", &["sql", "data1"]);
}

#[test]
fn a_slow_link_takes_its_time_for_every_byte() {
    came_and_went(&RAN, "bandwidth", Some(""));
    // The answer's body alone; headers are less than a percent of it.
    let least = GROUND.answer_bytes / BYTES_PER_MS;
    let p50 = latency(&RAN, "bandwidth", "search2", "p50");
    let most = least * 1.05 + base(&RAN, "search2", "p50") + MARGIN_MS;
    assert!(
        p50 >= least * 0.95 && p50 <= most,
        "{p50} ms for {least} ms"
    );
    unharmed(
        &RAN,
        "bandwidth",
        &["sql", "data1", "status1", "status3", "web"],
    );
    well_again(&RAN, "bandwidth", &["search2"]);
}

#[test]
fn a_partition_concerns_its_two_sides_and_only_what_they_have_to_tell_each_other() {
    let fault = came_and_went(&RAN, "cut", Some("nftables drop"));
    assert_eq!(notes(fault).len(), 4, "both sides, broken and healed");
    starves("cut");
    unharmed(
        &RAN,
        "cut",
        &["sql", "status1", "search2", "status3", "web"],
    );
    well_again(&RAN, "cut", &["data1"]);
}

#[test]
fn a_partition_of_one_way_touches_the_side_where_packets_arrive() {
    let fault = came_and_went(&RAN, "one way", Some("nftables reject"));
    let of_db = |note: &&str| note.starts_with("lbtest-t-faults-db-1: ");
    assert!(notes(fault).iter().all(of_db), "{fault:#}");
    starves("one way");
    unharmed(
        &RAN,
        "one way",
        &["sql", "status1", "search2", "status3", "web"],
    );
    well_again(&RAN, "one way", &["data1"]);
}

#[test]
fn an_isolated_instance_is_silent_to_everybody_and_the_balancer_asks_others() {
    came_and_went(&RAN, "alone", Some("nftables drop"));
    // Who had less than its time-out to wait until the heal may have been answered.
    fails(&RAN, "alone", "status3", &["timeout"], within(0.4, RATE));
    assert_eq!(RAN.impact("alone", "inject", "web")["bad"], 0);
    unharmed(&RAN, "alone", &["sql", "data1", "status1", "search2"]);
    well_again(&RAN, "alone", &["status3"]);
}

#[test]
fn a_reset_is_told_at_once() {
    came_and_went(&RAN, "reset", Some("nftables reject with tcp reset"));
    // The engine's proxy has the connection on this side: it closes it.
    fails(&RAN, "reset", "status3", &["end_of_stream", "reset"], 2);
    // Nor does the balancer wait for a time-out, as it does for an instance that is silent.
    unharmed(
        &RAN,
        "reset",
        &["sql", "data1", "status1", "search2", "web"],
    );
    well_again(&RAN, "reset", &["status3"]);
}

#[test]
fn an_instance_without_a_network_serves_nobody_and_has_its_share_again_afterwards() {
    let fault = came_and_went(&RAN, "off", None);
    fails(
        &RAN,
        "off",
        "search2",
        &["refused", "reset", "end_of_stream", "timeout"],
        2,
    );
    unharmed(&RAN, "off", &["sql", "data1", "status1", "status3"]);
    well_again(&RAN, "off", &["search2"]);
    let web = RAN.impact("off", "inject", "web");
    assert_eq!(web["bad"], 0, "the balancer asks another one: {web:#}");
    // The only whole second between the edges is the 31st; the balancer tries again three seconds after it gave up.
    let served = &RAN.load("web")["series"]["instances"]["app2"];
    // It counts by intended time: one that was on its way may have waited for the heal, and then shows it.
    assert!(count(&served[31]) <= 1, "{served}");
    if count(&served[31]) == 1 {
        let healed = ms(&fault["healed_at_ms"]) - ms(&fault["heal_uncertainty_ms"]);
        let slowest = ms(&RAN.load("web")["series"]["max_ms"][31]);
        assert!(
            slowest >= healed - 32_000.0,
            "{slowest} ms, healed {healed}"
        );
    }
    for whole in [29, 37] {
        assert!(count(&served[whole]) > 0, "{served}");
    }
}

#[test]
fn a_minority_is_cut_off_from_those_on_the_other_side_only() {
    came_and_went(&RAN, "minority", Some("nftables drop"));
    let planned = GROUND.network_plan["faults"].as_array().unwrap();
    let planned = planned.iter().find(|f| f["name"] == "minority").unwrap();
    let few = planned["groups"][0].as_array().unwrap();
    assert_eq!(few.len(), 1, "of three: {planned:#}");
    let apart =
        |app: &str| (few[0] == "db") != (few[0] == app) && (few[0] == "db" || few[0] == app);
    for (app, load) in [("app1", "data1"), ("app2", "search2")] {
        if apart(app) {
            let bad = &RAN.impact("minority", "inject", load)["bad"];
            assert!(count(bad) > 0, "{app} cannot reach the database");
            well_again(&RAN, "minority", &[load]);
        } else {
            unharmed(&RAN, "minority", &[load]);
        }
    }
    unharmed(&RAN, "minority", &["sql", "status1", "status3", "web"]);
}

#[test]
fn nothing_is_in_doubt() {
    assert_eq!(RAN.code, Some(0), "{}", RAN.json()["verdict_reasons"]);
}
