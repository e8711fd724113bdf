//! Several measurements on one topology: it is brought up once, each measurement begins with everything back, and
//! nothing is left.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what a test cannot do fails the test"
)]
#![allow(missing_docs, reason = "its names say it")]

mod support;

use serde_json::Value;
use std::time::Duration;
use support::running::Running;
use support::tiny::{Shape, Tiny};
use support::{Place, assert_nothing_left, ms};

fn read(place: &Place, name: &str) -> Value {
    let text = std::fs::read_to_string(place.out().join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The last one is healed as late as can be, so that the next one has to wait for it.
#[test]
fn every_measurement_has_its_fault_on_a_topology_that_came_up_once() {
    let place = Place::new();
    let shape = Shape {
        fault: "stop",
        inject_at: 2,
        heal_after: 2,
        duration: 4,
        ..Shape::default()
    };
    let tiny = Tiny::new(&place, "repeat", &shape);
    let out = place.out();
    let args = [
        "run",
        tiny.scenario(),
        "--repeat",
        "3",
        "--out",
        out.to_str().unwrap(),
    ];
    let running = Running::start(&place, &args);
    let ran = running.ends_within(&place, Duration::from_secs(90));
    let repeated = read(&place, "repeat.json");
    assert_eq!(
        repeated["runs"].as_array().unwrap().len(),
        3,
        "{repeated:#}"
    );
    // The gate holds in any case; where the machine was starved the verdict says so.
    let of_all = (ran.code, repeated["verdict"].as_str().unwrap());
    assert!(
        [(Some(0), "pass"), (Some(4), "inconclusive")].contains(&of_all),
        "{of_all:?}"
    );
    assert_eq!(ran.stderr.matches("api: created").count(), 1, "once");
    for number in 1..=3 {
        let one = read(&place, &format!("{number}/run.json"));
        let fault = &one["faults"][0];
        assert_eq!(fault["confirmed"], true, "{fault}");
        assert_eq!(fault["heal_confirmed"], true, "{fault}");
        let load = &one["loads"][0];
        assert_eq!(load["baseline"]["bad"], 0, "it began with everything back");
        // Away from 2 s to the end.
        let refused = load["errors"].as_object().unwrap();
        assert!(!refused.is_empty(), "{load}");
        let away = ms(&fault["healed_at_ms"]) - ms(&fault["injected_at_ms"]);
        assert!((1500.0..4000.0).contains(&away), "{away} ms");
    }
    assert_nothing_left(&place);
}
