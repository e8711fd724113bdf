//! Faults that are asked of an application, a program or a database.

use crate::edges::{came_and_went, count, fails, injected, notes, unharmed, well_again};
use crate::ground::GROUND;
use crate::support::{Ran, ms};
use serde_json::Value;
use std::sync::LazyLock;

static RAN: LazyLock<&'static Ran> = LazyLock::new(|| &GROUND.application);

#[test]
fn a_request_from_within_switches_an_instance_off_and_on() {
    let fault = came_and_went(&RAN, "switched off", Some("HTTP"));
    assert!(
        notes(fault)[0].ends_with("answered 500"),
        "the confirmation: {fault:#}"
    );
    fails(&RAN, "switched off", "status1", &["http_500"], 1);
    unharmed(
        &RAN,
        "switched off",
        &["inserts", "sleeps", "newcomers", "status2"],
    );
    well_again(&RAN, "switched off", &["status1"]);
}

#[test]
fn a_program_on_this_machine_breaks_and_heals() {
    let fault = came_and_went(&RAN, "switched by hand", None);
    let said = notes(fault);
    assert!(
        said[0].ends_with("ended with 0") && said[1].ends_with("ended with 1"),
        "{fault:#}"
    );
    fails(&RAN, "switched by hand", "status2", &["http_500"], 2);
    unharmed(
        &RAN,
        "switched by hand",
        &["inserts", "sleeps", "newcomers", "status1"],
    );
    well_again(&RAN, "switched by hand", &["status2"]);
}

#[test]
fn a_program_in_a_container_closes_the_database_to_new_sessions_only() {
    came_and_went(&RAN, "closed", None);
    fails(&RAN, "closed", "newcomers", &["sqlstate_55000"], 2);
    unharmed(&RAN, "closed", &["sleeps", "status1", "status2"]);
    well_again(&RAN, "closed", &["newcomers", "sleeps"]);
}

#[test]
fn a_lock_that_is_held_stops_the_writes_and_nothing_else() {
    let fault = came_and_went(&RAN, "locked", None);
    let said = notes(fault);
    assert!(
        said[0].contains("holds") && said[1].contains("ended"),
        "{fault:#}"
    );
    // Who had not waited 300 ms when the lock was let go went through; that was some time in the call that heals.
    let let_go = 300.0 + ms(&fault["heal_uncertainty_ms"]);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "some tens"
    )]
    let good = (let_go / 1000.0 * 40.0).ceil() as u64 + 2;
    fails(
        &RAN,
        "locked",
        "inserts",
        &["timeout", "connect_timeout"],
        good,
    );
    unharmed(
        &RAN,
        "locked",
        &["sleeps", "newcomers", "status1", "status2"],
    );
    well_again(&RAN, "locked", &["inserts"]);
}

/// Bad operations of four users, each of whom has one under way at any time, by class.
fn broken_sleeps() -> impl Fn(&[&str]) -> u64 {
    let errors: &'static Value = &RAN.load("sleeps")["errors"];
    |classes| classes.iter().filter_map(|c| errors[*c].as_u64()).sum()
}

#[test]
fn sessions_that_are_ended_and_connections_that_are_reset_cost_what_was_under_way() {
    let fault = injected(&RAN, "terminated", None);
    assert!(fault["healed_at_ms"].is_null() && fault["heal_confirmed"].is_null());
    assert!(
        notes(fault)[0].contains("rows"),
        "one for each session: {fault:#}"
    );
    let reset = injected(&RAN, "reset", Some("sock_diag"));
    assert!(notes(reset)[0].contains("destroyed and gone"), "{reset:#}");
    let broken = broken_sleeps();
    // A server that is told to leave says so; a connection that is reset says nothing more. Twice for a user whose
    // next try met the end of another connection.
    assert!((1..=8).contains(&broken(&["sqlstate_57P01"])));
    assert!((1..=8).contains(&broken(&["end_of_stream", "reset"])));
    assert_eq!(
        broken(&["sqlstate_57P01", "end_of_stream", "reset"]),
        count(&RAN.load("sleeps")["failed"])
    );
    for outage in RAN.outages("sleeps") {
        let lasted = outage["duration_ms"].as_f64();
        assert!(lasted.is_some_and(|ms| ms <= 1000.0), "{outage:#}");
    }
    unharmed(&RAN, "reset", &["status1", "status2"]);
}

#[test]
fn nothing_is_in_doubt() {
    assert_eq!(RAN.code, Some(0), "{}", RAN.json()["verdict_reasons"]);
}
