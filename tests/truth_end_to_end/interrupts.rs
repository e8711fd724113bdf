//! Ctrl-C and the end of a run while a thousand operations hang: each is accounted for once, and the end is bounded.

use crate::script::{alone, zero_of};
use crate::servers::{Failure, Server};
use crate::support::{Place, Ran};
use rustix::process::{Pid, Signal, kill_process};
use std::process::Child;
use std::time::{Duration, Instant};

const RATE: u64 = 1000;
/// Operations under way are awaited so long after a Ctrl-C, and then cut off.
const DRAIN: Duration = Duration::from_secs(2);
/// For the reports and a busy machine.
const BUSY: Duration = Duration::from_secs(3);

struct Cut {
    place: Place,
    _server: Server,
    run: Child,
    hangs: Instant,
}

/// A run whose target hangs from the start of its load, with a time-out that is longer than all that is left.
fn hanging(duration: &str) -> Cut {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let port = server.port();
    let text = format!(
        "name = \"cut\"\n[run]\nduration = \"{duration}\"\nwarmup = \"0s\"\nobserve = true\n\
         [[load]]\nname = \"web\"\nrate = {RATE}\nmax_in_flight = 1000\n\
         http = {{ url = \"http://127.0.0.1:{port}/\", timeout = \"4s\" }}\n\
         [[load]]\nname = \"users\"\nusers = 20\nthink = \"10ms\"\n\
         http = {{ url = \"http://127.0.0.1:{port}/\", timeout = \"4s\" }}\n"
    );
    let mut run = place.spawn_run(&place.file("s.toml", &text), &["--quiet"]);
    zero_of(&place, &mut run);
    // The zero lies half a second ahead of that.
    (server.switch())(Some(Failure::Hang));
    Cut {
        place,
        _server: server,
        run,
        hangs: Instant::now() + Duration::from_millis(500),
    }
}

fn interrupt(run: &Child) {
    kill_process(Pid::from_child(run), Signal::INT).unwrap();
}

fn errors(ran: &Ran, load: &str, class: &str) -> u64 {
    ran.load(load)["errors"][class].as_u64().unwrap_or(0)
}

#[test]
fn an_interruption_cuts_off_what_hangs_and_counts_it_once() {
    let _alone = alone();
    let cut = hanging("60s");
    // 1000 are under way after a second; those that come then are dropped.
    std::thread::sleep(
        (cut.hangs + Duration::from_millis(1500)).saturating_duration_since(Instant::now()),
    );
    interrupt(&cut.run);
    let began = Instant::now();
    let ran = cut.place.ended(cut.run);
    println!("ended {:?} after the interruption", began.elapsed());
    assert_eq!(ran.code, Some(130));
    ran.assert_accounted();
    assert!(began.elapsed() < DRAIN + BUSY, "{:?}", began.elapsed());
    // A thousand slots, less those that a connection's own time-out has freed in the meantime.
    let [aborted, unconnected] =
        ["aborted", "connect_timeout"].map(|class| errors(&ran, "web", class));
    assert!(
        aborted <= 1000 && aborted + unconnected >= 1000 && aborted > unconnected,
        "{}",
        ran.load("web")
    );
    assert_eq!(
        errors(&ran, "users", "aborted"),
        20,
        "{}",
        ran.load("users")
    );
    let web = ran.load("web");
    // All that is not under way found no slot; a moment passes until the signal arrives.
    assert_eq!(web["ok"], 0);
    let dropped = web["dropped"].as_u64().unwrap();
    assert!((300..=RATE * 2).contains(&dropped), "{dropped} dropped");
}

#[test]
fn a_second_interruption_ends_it_at_once() {
    let _alone = alone();
    let mut cut = hanging("60s");
    std::thread::sleep(
        (cut.hangs + Duration::from_millis(1200)).saturating_duration_since(Instant::now()),
    );
    interrupt(&cut.run);
    // Two signals that are pending together are one.
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        cut.run.try_wait().unwrap().is_none(),
        "the first one drains"
    );
    interrupt(&cut.run);
    let began = Instant::now();
    let ran = cut.place.ended(cut.run);
    println!("ended {:?} after the second interruption", began.elapsed());
    assert_eq!(ran.code, Some(130));
    assert!(
        began.elapsed() < Duration::from_millis(1500),
        "{:?}",
        began.elapsed()
    );
    // What was measured up to then can be told.
    let out = cut.place.out();
    let report = cut
        .place
        .does(&["report", out.to_str().unwrap(), "--format", "json"]);
    let result: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    for load in result["loads"].as_array().unwrap() {
        let n = |key: &str| load[key].as_u64().unwrap();
        assert_eq!(
            n("requests"),
            n("ok") + n("failed") + n("unknown") + n("dropped")
        );
    }
}

#[test]
fn the_end_of_a_run_waits_for_what_hangs_as_long_as_its_time_out() {
    let _alone = alone();
    let cut = hanging("2s");
    let ran = cut.place.ended(cut.run);
    let took = cut.hangs.elapsed();
    println!("ended {took:?} after the start of the load");
    ran.assert_accounted();
    let web = ran.load("web");
    assert_eq!(web["requests"], RATE * 2, "the whole schedule");
    // 1000 are under way after a second, and those that come then are dropped. Where the server's queue of new connections
    // was full, a connection's own time-out comes within the two seconds: its slot is free again, for one more.
    let [given_up, unconnected, dropped] =
        ["timeout", "connect_timeout", "dropped"].map(|class| errors(&ran, "web", class));
    assert_eq!(given_up + unconnected + dropped, RATE * 2, "{web}");
    let under_way = given_up + unconnected;
    assert!((1000..=1000 + unconnected).contains(&under_way), "{web}");
    assert!(given_up > unconnected, "most of them hang: {web}");
    assert_eq!(
        errors(&ran, "users", "timeout"),
        20,
        "{}",
        ran.load("users")
    );
    // The last that found a slot came within a second or two; its time-out is 4 s.
    assert!(
        (Duration::from_secs(4)..Duration::from_secs(6) + BUSY).contains(&took),
        "{took:?}"
    );
}
