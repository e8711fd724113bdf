//! `lbtest run --repeat N` against a target that is away for a known time in every measurement: what is said of all of them
//! is held against what happened in each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test: clippy exempts only its #[test] functions by itself"
)]

#[allow(dead_code, reason = "the other tests use the rest of it")]
#[path = "truth_end_to_end/script.rs"]
mod script;
#[path = "load_truth/servers.rs"]
mod servers;
mod support;

use script::{at, length, zero_in};
use serde_json::Value;
use servers::{Failure, Server};
use std::time::Duration;
use support::{Place, ms};

/// When the target goes away in each measurement, and for how long.
const DOWN: Duration = Duration::from_millis(1500);
/// No two alike, and the shortest not first.
const AWAY: [u64; 6] = [500, 300, 700, 400, 900, 600];

fn read(place: &Place, name: &str) -> Value {
    let text = std::fs::read_to_string(place.out().join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn found(list: &Value, is: impl Fn(&Value) -> bool) -> &Value {
    let found = list.as_array().unwrap().iter().find(|v| is(v));
    found.unwrap_or_else(|| panic!("not in {list:#}"))
}

#[test]
fn the_median_of_six_recoveries_is_theirs_and_the_verdict_goes_by_its_interval() {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let text = format!(
        "name = \"again\"\n[run]\nduration = \"4s\"\nwarmup = \"500ms\"\n[recovery]\nstable_for = \"500ms\"\n\
         [[load]]\nname = \"web\"\nrate = 100\n\
         http = {{ url = \"http://127.0.0.1:{}/\", timeout = \"200ms\" }}\n\
         [[fault]]\nname = \"the plug\"\nat = \"1500ms\"\nexternal = {{}}\n\
         gate = {{ time_to_recover = \"<= 100ms\", bad = \"<= 10000\" }}\n\
         [gate]\ntime_to_recover = \"<= 650ms\"\nerror_rate = \"<= 90%\"\n",
        server.port()
    );
    let scenario = place.file("s.toml", &text);
    let times = AWAY.len().to_string();
    let mut run = place.spawn_run(&scenario, &["--quiet", "--repeat", &times]);
    let mut truths = Vec::new();
    for (number, away) in (1..).zip(AWAY) {
        let zero = zero_in(&place.out().join(number.to_string()), &mut run);
        let (down, up) = (server.switch(), server.switch());
        let down = at(zero, DOWN, move || down(Some(Failure::Answer500)));
        let up = at(zero, DOWN + Duration::from_millis(away), move || up(None));
        truths.push(length(&down.join().unwrap(), &up.join().unwrap()));
    }
    let ran = place.ended(run);
    // The medians lie around 550 ms: beyond 100 ms for certain, and on either side of 650 ms.
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("again"), "{}", ran.stdout);

    let repeated = read(&place, "repeat.json");
    assert_eq!(repeated["verdict"], "fail");
    let runs = repeated["runs"].as_array().unwrap();
    assert_eq!(runs.len(), AWAY.len());
    assert!(runs.iter().all(|r| r["counted"] == true), "{repeated:#}");
    let gate = |name: &str| found(&repeated["gates"], |g| g["name"] == name);
    assert_eq!(gate("the plug: time_to_recover")["outcome"], "failed");
    assert_eq!(gate("time_to_recover")["outcome"], "straddles");
    assert_eq!(gate("error_rate")["outcome"], "passed");

    // Each is that of its own run.json, and that of the truth.
    let spread = &gate("time_to_recover")["spread"];
    let values: Vec<f64> = spread["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(ms)
        .collect();
    for ((number, value), (least, most)) in (1..).zip(&values).zip(&truths) {
        let one = read(&place, &format!("{number}/run.json"));
        let impact = found(&one["impacts"], |i| i["load"] == "web");
        let measured = ms(&impact["time_to_recover_ms"]);
        assert!((measured - value).abs() < 1e-6, "{measured} and {value}");
        // The plug is pulled by a clock of ours, up to a few milliseconds from the marked edge.
        let within = ms(&impact["resolution_ms"]) + 15.0;
        assert!(
            (least - within..=most + within).contains(value),
            "{value} for {least}..{most} ±{within}"
        );
        let [json, report] = ["report.md", "history.ndjson"].map(|name| {
            let path = place.out().join(number.to_string()).join(name);
            path.exists()
        });
        assert!(json && report, "measurement {number} has its own results");
    }
    let mut sorted = values.clone();
    sorted.sort_by(f64::total_cmp);
    let median = f64::midpoint(sorted[2], sorted[3]);
    assert!((ms(&spread["median"]) - median).abs() < 1e-6, "{spread}");
    // Of six the interval that covers at least 95 % is all of them: 1 − 2^−5 = 96.9 %.
    assert_eq!(
        (ms(&spread["low"]), ms(&spread["high"])),
        (sorted[0], sorted[5])
    );
    assert!((ms(&spread["coverage"]) - 0.96875).abs() < 1e-9);
}

#[test]
fn an_interruption_ends_all_measurements_and_keeps_what_there_is() {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let text = format!(
        "name = \"again\"\n[run]\nduration = \"2s\"\nwarmup = \"500ms\"\nobserve = true\n\
         [[load]]\nname = \"web\"\nrate = 50\nhttp = {{ url = \"http://127.0.0.1:{}/\" }}\n",
        server.port()
    );
    let scenario = place.file("s.toml", &text);
    let mut run = place.spawn_run(&scenario, &["--quiet", "--repeat", "50"]);
    // The second one has begun.
    zero_in(&place.out().join("2"), &mut run);
    let pid = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ran = place.ended(run);
    assert_eq!(ran.code, Some(130));
    assert!(!place.out().join("3").exists());
    let repeated = read(&place, "repeat.json");
    assert_eq!(repeated["verdict"], "inconclusive");
    let runs = repeated["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!(
        (&runs[0]["counted"], &runs[1]["counted"]),
        (&true.into(), &false.into()),
        "the second one was cut short"
    );
    assert!(place.journals().is_empty());
}

#[test]
fn once_is_no_repetition() {
    let place = Place::new();
    let ran = place.does(&["run", "s.toml", "--repeat", "1"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("--repeat"), "{}", ran.stderr);
}
