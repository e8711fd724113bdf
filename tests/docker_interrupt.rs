//! Whatever ends lbtest, in whatever phase: nothing is left behind, nothing stays broken, what was measured is
//! there. On a tiny topology, because it is the moments that count; one interruption is of a full-size one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what a test cannot do fails the test"
)]
#![allow(missing_docs, reason = "its names say it")]

mod support;

use rustix::process::Signal;
use std::time::{Duration, Instant};
use support::running::Running;
use support::tiny::{Shape, Tiny};
use support::{
    Place, Ran, assert_nothing_left, builds_with, containers_of, lbtest_processes, left_in_docker,
    until,
};

/// From an interruption to the end: at most 2 s for what is under way, then heal, report, and a teardown that
/// kills instead of stopping.
const ORDERLY: Duration = Duration::from_secs(15);
/// From lbtest's death until its guardian has cleaned up: noticed at once, removed within 2 s, and looked at twice
/// more, a second apart, for what the engine was still making.
const GUARDED: Duration = Duration::from_secs(15);

/// `run` of a tiny scenario.
fn run(place: &Place, tiny: &Tiny, more: &[&str]) -> Running {
    let out = place.out();
    let mut args = vec!["run", tiny.scenario(), "--out", out.to_str().unwrap()];
    args.extend(more);
    Running::start(place, &args)
}

/// Interrupted, it says so everywhere, and nothing is left.
fn assert_interrupted(place: &Place, ran: &Ran) {
    assert_eq!(ran.code, Some(130));
    assert_eq!(ran.json()["verdict"], "inconclusive");
    assert_eq!(ran.json()["end"]["reason"], "interrupted");
    assert!(place.out().join("report.md").exists());
    assert_nothing_left(place);
}

fn requests(ran: &Ran) -> u64 {
    ran.json()["loads"][0]["requests"].as_u64().unwrap()
}

/// Interrupted when it says `words`, with a signal.
fn interrupted_at(test: &str, shape: &Shape<'_>, words: &str, signal: Signal) -> Ran {
    let place = Place::new();
    let tiny = Tiny::new(&place, test, shape);
    let running = run(&place, &tiny, &[]);
    running.until_it_says(words);
    running.signal(signal);
    let ran = running.ends_within(&place, ORDERLY);
    assert_interrupted(&place, &ran);
    ran
}

/// A service whose image takes a while to build, and the mark by which its build can be found.
fn slow_build(place: &Place, test: &str) -> (String, String) {
    let mark = format!("lbtest-t-mark-{}", std::process::id());
    std::fs::create_dir(place.path("slow")).unwrap();
    let file = format!("FROM debian:bookworm-slim\nRUN sleep 8 && echo {mark}-{test}\n");
    place.file("slow/Dockerfile", &file);
    let service = "  slow:\n    build: ./slow\n    command: [\"sleep\", \"1000\"]\n";
    (service.to_owned(), format!("{mark}-{test}"))
}

/// A build has begun where its container runs.
fn until_it_builds(mark: &str) {
    until(
        "the build's container runs",
        Duration::from_secs(60),
        || !builds_with(mark).is_empty(),
    );
}

#[test]
fn ctrl_c_while_an_image_is_built() {
    let place = Place::new();
    let (services, mark) = slow_build(&place, "build");
    let shape = Shape {
        services: &services,
        ..Shape::default()
    };
    let tiny = Tiny::new(&place, "build", &shape);
    let running = run(&place, &tiny, &[]);
    until_it_builds(&mark);
    running.signal(Signal::INT);
    let ran = running.ends_within(&place, ORDERLY);
    assert_interrupted(&place, &ran);
    assert_eq!(requests(&ran), 0);
    // The engine ends the build, not lbtest: it may take a moment to.
    until("the build is over", ORDERLY, || {
        builds_with(&mark).is_empty()
    });
}

#[test]
fn ctrl_c_while_containers_start() {
    let ran = interrupted_at("start", &Shape::default(), ": created", Signal::INT);
    assert_eq!(requests(&ran), 0);
}

#[test]
fn ctrl_c_while_the_first_answers_are_waited_for() {
    let never = Shape {
        path: "/nowhere",
        ..Shape::default()
    };
    let ran = interrupted_at(
        "probe",
        &never,
        "waiting for the first answers",
        Signal::INT,
    );
    assert_eq!(requests(&ran), 0);
}

#[test]
fn ctrl_c_while_the_load_warms_up() {
    // No fault was injected: no impact is claimed.
    let ran = interrupted_at("warm", &Shape::default(), "load starts", Signal::INT);
    assert_eq!(ran.json()["impacts"].as_array().unwrap().len(), 0);
}

#[test]
fn sigterm_while_a_fault_is_on_heals_it_and_reports_what_was_measured() {
    let ran = interrupted_at("fault", &Shape::default(), "fault at", Signal::TERM);
    let fault = &ran.json()["faults"][0];
    assert_eq!(fault["confirmed"], true);
    assert_eq!(fault["heal_confirmed"], true, "{fault}");
    assert!(requests(&ran) >= 50, "a second's worth before the fault");
    assert!(ran.stdout.contains("INCONCLUSIVE"), "a report is shown");
}

#[test]
fn ctrl_c_after_the_heal() {
    let soon = Shape {
        heal_after: 1,
        ..Shape::default()
    };
    let ran = interrupted_at("heal", &soon, "(pause, healed)", Signal::INT);
    assert_eq!(ran.json()["faults"][0]["heal_confirmed"], true);
}

#[test]
fn ctrl_c_while_it_takes_down_lets_it_finish() {
    let short = Shape {
        heal_after: 1,
        duration: 4,
        ..Shape::default()
    };
    let place = Place::new();
    let tiny = Tiny::new(&place, "down", &short);
    let running = run(&place, &tiny, &[]);
    running.until_it_says("taking down");
    running.signal(Signal::INT);
    let ran = running.ends_within(&place, ORDERLY);
    // All was measured before: the result stands, the exit code says that somebody was in a hurry.
    assert_eq!(ran.code, Some(130));
    assert_eq!(ran.json()["end"]["reason"], "completed");
    assert_nothing_left(&place);
}

#[test]
fn a_second_ctrl_c_leaves_at_once_and_the_guardian_cleans_up() {
    let place = Place::new();
    let tiny = Tiny::new(&place, "twice", &Shape::default());
    let running = run(&place, &tiny, &[]);
    running.until_it_says("fault at");
    running.signal(Signal::INT);
    running.until_it_says("once more to leave at once");
    running.signal(Signal::INT);
    let ran = running.ends_within(&place, Duration::from_secs(2));
    assert_eq!(ran.code, Some(130));
    assert!(ran.stderr.contains("lbtest clean"), "{}", ran.stderr);
    assert_all_gone(&place);
}

/// The guardian is given its time, then nothing may be left.
fn assert_all_gone(place: &Place) {
    let died = Instant::now();
    until("the guardian is done", GUARDED, || {
        lbtest_processes().is_empty()
    });
    println!("the guardian was done after {:?}", died.elapsed());
    assert_nothing_left(place);
}

fn killed_at(test: &str, shape: &Shape<'_>, words: &str) -> Place {
    let place = Place::new();
    let tiny = Tiny::new(&place, test, shape);
    let running = run(&place, &tiny, &[]);
    running.until_it_says(words);
    running.signal(Signal::KILL);
    running.ends_within(&place, Duration::from_secs(2));
    assert_all_gone(&place);
    place
}

#[test]
fn sigkill_while_an_image_is_built() {
    let place = Place::new();
    let (services, mark) = slow_build(&place, "killed");
    let shape = Shape {
        services: &services,
        ..Shape::default()
    };
    let tiny = Tiny::new(&place, "killed", &shape);
    let running = run(&place, &tiny, &[]);
    until_it_builds(&mark);
    running.signal(Signal::KILL);
    running.ends_within(&place, Duration::from_secs(2));
    assert_all_gone(&place);
    until("the build is over", GUARDED, || {
        builds_with(&mark).is_empty()
    });
}

#[test]
fn sigkill_while_containers_start() {
    killed_at("killed-start", &Shape::default(), ": created");
}

#[test]
fn sigkill_while_a_fault_is_on_leaves_a_history_that_can_be_reported() {
    let place = killed_at("killed-fault", &Shape::default(), "fault at");
    let out = place.out();
    let ran = place.does(&["report", out.to_str().unwrap(), "--format", "json"]);
    assert_eq!(ran.code, Some(0));
    let result: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(result["verdict"], "inconclusive");
    assert_eq!(result["end"]["reason"], "died");
    // Written each second: at most the last one is lost of the two before the fault.
    assert!(result["loads"][0]["requests"].as_u64().unwrap() >= 25);
}

#[test]
fn clean_finds_what_a_killed_lbtest_and_a_killed_guardian_left() {
    let place = Place::new();
    let tiny = Tiny::new(&place, "orphan", &Shape::default());
    let running = run(&place, &tiny, &[]);
    running.until_it_says("fault at");
    let guardians: Vec<_> = lbtest_processes()
        .into_iter()
        .filter(|(pid, _)| *pid != running.pid())
        .collect();
    let [(guardian, line)] = &guardians[..] else {
        panic!("one guardian: {guardians:?}")
    };
    assert!(line.contains("guardian"), "{line}");
    let guardian = rustix::process::Pid::from_raw(i32::try_from(*guardian).unwrap()).unwrap();
    rustix::process::kill_process(guardian, Signal::KILL).unwrap();
    running.signal(Signal::KILL);
    running.ends_within(&place, Duration::from_secs(2));
    assert_eq!(
        left_in_docker().len(),
        4,
        "two containers, a network, a volume"
    );

    let ran = place.does(&["clean"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.contains("removed"), "{}", ran.stdout);
    assert_nothing_left(&place);
    assert!(place.does(&["clean"]).stdout.contains("nothing was there"));
}

#[test]
fn keep_leaves_it_up_and_healed() {
    let place = Place::new();
    let tiny = Tiny::new(&place, "keep", &Shape::default());
    let running = run(&place, &tiny, &["--keep"]);
    running.until_it_says("fault at");
    running.signal(Signal::INT);
    let ran = running.ends_within(&place, ORDERLY);
    assert_eq!(ran.code, Some(130));
    assert_eq!(
        containers_of(&tiny.project),
        [
            ("api".into(), "running".into()),
            ("idle".into(), "running".into())
        ]
    );
    let down = place.does(&["down", "--project", &tiny.project]);
    assert_eq!(down.code, Some(0));
    assert_nothing_left(&place);
}

/// A project that is up already, whose fault is cut off by a signal: it is as it was.
fn attached_and_ended_by(signal: Signal, test: &str) {
    let place = Place::new();
    let tiny = Tiny::new(&place, test, &Shape::default());
    assert_eq!(place.does(&["up", tiny.compose()]).code, Some(0));
    let before = containers_of(&tiny.project);
    let running = run(&place, &tiny, &["--attach", &tiny.project]);
    running.until_it_says("fault at");
    let paused = ("api".to_owned(), "paused".to_owned());
    assert!(containers_of(&tiny.project).contains(&paused));
    running.signal(signal);
    running.ends_within(&place, ORDERLY);
    until("the guardian is done", GUARDED, || {
        lbtest_processes().is_empty()
    });
    assert_eq!(containers_of(&tiny.project), before);
    let down = place.does(&["down", tiny.compose()]);
    assert_eq!(down.code, Some(0));
    assert_nothing_left(&place);
}

#[test]
fn ctrl_c_leaves_an_attached_project_as_it_was() {
    attached_and_ended_by(Signal::INT, "attach");
}

#[test]
fn sigkill_leaves_an_attached_project_as_it_was() {
    attached_and_ended_by(Signal::KILL, "attach-killed");
}

#[test]
fn ctrl_c_of_the_shipped_system_with_a_replica_down() {
    let place = Place::new();
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/kill-slave.toml");
    let out = place.out();
    let running = Running::start(&place, &["run", scenario, "--out", out.to_str().unwrap()]);
    running.until_it_says("fault at");
    running.signal(Signal::INT);
    let ran = running.ends_within(&place, ORDERLY);
    assert_interrupted(&place, &ran);
    assert_eq!(ran.json()["faults"][0]["confirmed"], true);
}
