//! Slow is not failed: stalls show in full in the percentiles, and what is only slow has its own recovery.

use crate::script::{alone, at, zero_of};
use crate::servers::Server;
use crate::support::{Place, code_unless_starved, ms};
use std::time::{Duration, Instant};

/// How late a thread may be woken on a busy machine of two cores, milliseconds.
const BUSY: f64 = 100.0;

#[test]
fn stalls_show_in_full_and_a_slow_time_is_over_when_it_is_over() {
    let _alone = alone();
    let place = Place::new();
    let (stalling, slow) = (
        Server::start(Duration::from_millis(500)),
        Server::start(Duration::ZERO),
    );
    let scenario = place.file(
        "s.toml",
        &format!(
            "name = \"slow\"\n[run]\nduration = \"10s\"\nwarmup = \"0s\"\n[recovery]\nstable_for = \"2s\"\n\
             [[load]]\nname = \"stalls\"\nrate = 1000\nhttp = {{ url = \"http://127.0.0.1:{}/\", timeout = \"5s\" }}\n\
             [[load]]\nname = \"slow\"\nrate = 100\nhttp = {{ url = \"http://127.0.0.1:{}/\", timeout = \"5s\" }}\n\
             [[fault]]\nname = \"slowness\"\nat = \"3s\"\nexternal = {{}}\n\
             [gate]\nerror_rate = 0\ntime_to_recover = 0\n",
            stalling.port(),
            slow.port()
        ),
    );
    let mut run = place.spawn_run(&scenario, &["--quiet"]);
    let zero = zero_of(&place, &mut run);
    // 500 ms of every 5 s; the second stall after those seconds by which the other workload is judged: what is let go at its
    // end keeps the machine busy for a moment.
    let now = (Instant::now(), jiff::Timestamp::now());
    let instant = |ms: u64| {
        let due = zero.checked_add(Duration::from_millis(ms)).unwrap();
        now.0 + Duration::try_from(due.duration_since(now.1)).unwrap()
    };
    stalling.stall_at(instant(2000));
    // Set after the first is over, before the second begins.
    let (second, next) = (instant(8500), std::sync::Arc::new(stalling));
    let again = std::sync::Arc::clone(&next);
    let acts = [
        at(zero, Duration::from_millis(4000), move || {
            again.stall_at(second)
        }),
        {
            let slow = slow.slow();
            at(zero, Duration::from_millis(3000), move || {
                slow(Duration::from_millis(300))
            })
        },
        {
            let slow = slow.slow();
            at(zero, Duration::from_millis(5700), move || {
                slow(Duration::ZERO)
            })
        },
    ];
    let ran = place.ended(run);
    for act in acts {
        act.join().unwrap();
    }
    ran.assert_accounted();
    let result = ran.result.as_ref().unwrap();
    assert_eq!(ran.code, Some(code_unless_starved(result, 0)));
    // 10 000 arrivals, a tenth of them in a stall, evenly from 500 ms down to 0: the slowest 1 % wait longer than
    // 450 ms, the slowest 0.1 % longer than 495 ms. Two significant digits (1 %), and what a busy machine adds.
    let latency = &ran.load("stalls")["latency_ms"];
    println!("truth p99 450, p99.9 495, max 500; measured {latency}");
    assert_eq!(ran.load("stalls")["requests"], 10_000);
    for (figure, least, truth) in [
        ("p99", 445.0, 450.0),
        ("p999", 490.0, 495.0),
        ("max", 495.0, 500.0),
    ] {
        let measured = ms(&latency[figure]);
        assert!(
            (least..truth * 1.01 + BUSY).contains(&measured),
            "{figure}: {measured}, truth {truth}"
        );
    }
    assert!(ms(&latency["p50"]) < 50.0, "{latency}");
    // Nothing failed; slow from 3 s to 5.7 s, so that the second from 6 s on is the first that is quick.
    let impact = ran.impact("slowness", "inject", "slow");
    println!("truth 0 and 3000 (2700, in windows of a second); measured {impact}");
    assert_eq!(
        (&impact["time_to_recover_ms"], &impact["bad"]),
        (&0.0.into(), &0.into())
    );
    assert_eq!(impact["time_to_recover_performance_ms"], 3000.0);
    let slowed = ms(&ran.load("slow")["latency_ms"]["p90"]);
    assert!(
        (300.0..303.0 + BUSY).contains(&slowed),
        "27 % of the operations took 300 ms longer: {slowed}"
    );
}
