//! lbtest dies by SIGKILL at every step of every kind of fault, between two steps and in the midst of a call: nothing is
//! left behind, nothing stays broken. Every step, never a sample.
//!
//! Each of several projects takes series of deaths off a queue: most of a round is waiting. Needs `nft` and `tc`:
//! `.ci/prerequisites test`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what a test cannot do fails the test"
)]
#![allow(missing_docs, reason = "its names say it")]

#[path = "docker_sigkill/eyes.rs"]
mod eyes;
#[path = "docker_sigkill/orphans.rs"]
mod orphans;
#[path = "docker_sigkill/patient.rs"]
mod patient;
#[path = "docker_sigkill/series.rs"]
mod series;
#[path = "docker_sigkill/snapshot.rs"]
mod snapshot;
mod support;
#[path = "docker_sigkill/whole.rs"]
mod whole;

use patient::Patient;
use series::{Deaths, all_kinds};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use support::{Place, assert_nothing_left};
use whole::Whole;

/// Projects that are broken at the same time. More only wait for the engine, which starts containers one by one.
const AT_ONCE: usize = 4;

#[test]
fn whatever_step_of_a_fault_lbtest_dies_at_everything_is_as_before() {
    let place = Place::new();
    let mut queue = all_kinds();
    // The longest first.
    queue.reverse();
    let queue = Mutex::new(queue);
    let all = Mutex::new(Deaths::default());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for number in 0..AT_ONCE {
            let (place, queue, all) = (&place, &queue, &all);
            scope.spawn(move || {
                let patient = Patient::up(place, number);
                loop {
                    let next = queue.lock().unwrap().pop();
                    let Some(series) = next else { break };
                    let deaths = patient.dies_at_every_step_of(&series);
                    all.lock().unwrap().add(&deaths);
                }
                patient.down();
            });
        }
    });
    let all = all.into_inner().unwrap();
    println!("{all:?} in {:?}", began.elapsed());
    assert_eq!(all.leaks, Vec::<String>::new());
    assert_nothing_left(&place);
}

#[test]
fn whatever_step_of_a_whole_run_lbtest_dies_at_nothing_is_left() {
    let place = Place::new();
    let steps = Mutex::new((0, false));
    let worst = Mutex::new(Duration::ZERO);
    std::thread::scope(|scope| {
        for number in 0..AT_ONCE {
            let (place, steps, worst) = (&place, &steps, &worst);
            scope.spawn(move || {
                let whole = Whole::new(place, number);
                loop {
                    let step = {
                        let mut steps = steps.lock().unwrap();
                        if steps.1 {
                            break;
                        }
                        steps.0 += 1;
                        steps.0 - 1
                    };
                    match whole.dies_at(step) {
                        Some(took) => {
                            let mut worst = worst.lock().unwrap();
                            *worst = took.max(*worst);
                        }
                        None => steps.lock().unwrap().1 = true,
                    }
                }
            });
        }
    });
    let (steps, _) = steps.into_inner().unwrap();
    println!(
        "{steps} deaths at most, gone after {:?} at most",
        worst.into_inner().unwrap()
    );
    // Header, two faults with arming, call, proof and heal, and the end of the journal.
    assert!(steps > 25, "{steps}");
    assert_nothing_left(&place);
}

#[test]
fn clean_mends_what_nobody_looks_after_any_more() {
    let place = Place::new();
    place_with_image(&place);
    let foreign = orphans::Foreign::up(&place);
    foreign.is_left_broken();
    assert_eq!(place.does(&["clean"]).code, Some(0));
    foreign.is_as_before();
    drop(foreign);
    assert_nothing_left(&place);
}

#[test]
fn clean_mends_what_was_stopped_meanwhile() {
    let place = Place::new();
    place_with_image(&place);
    let foreign = orphans::Foreign::up(&place);
    foreign.is_left_broken();
    foreign.is_stopped();
    assert_eq!(place.does(&["clean"]).code, Some(0));
    foreign.starts_again();
    foreign.is_as_before();
    drop(foreign);
    assert_nothing_left(&place);
}

/// The application runs from lbtest's own image, which any `up` makes.
fn place_with_image(place: &Place) {
    let tiny = support::tiny::Tiny::new(place, "image", &support::tiny::Shape::default());
    assert_eq!(place.does(&["up", tiny.compose()]).code, Some(0));
    assert_eq!(place.does(&["down", tiny.compose()]).code, Some(0));
}
