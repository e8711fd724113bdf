//! CPU over time against a thread that uses up a known amount of it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test: clippy exempts only its #[test] functions by itself"
)]

use lbtest::clock::Clock;
use lbtest::history::Sample;
use lbtest::observe::usage;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// CPU seconds that are used up.
const BURNT: f64 = 2.0;

/// Uses up a core until this thread has had so much of it.
fn burn() {
    let used = || {
        let t = clock_gettime(ClockId::ThreadCPUTime);
        t.tv_sec as f64 + t.tv_nsec as f64 / 1e9
    };
    while used() < BURNT {
        std::hint::black_box(0);
    }
}

/// Core-seconds: the figures times what they stand for.
fn core_seconds(samples: &[Sample], subject: &str) -> f64 {
    let of = samples
        .iter()
        .filter(|s| s.metric == "cpu" && s.subject == subject);
    let mut before = 0.0;
    of.map(|s| {
        let at = s.at.as_millis_f64() / 1e3;
        let seconds = at - std::mem::replace(&mut before, at);
        s.value.unwrap() * seconds
    })
    .sum()
}

#[tokio::test(flavor = "current_thread")]
async fn two_seconds_of_one_core_are_two_core_seconds_of_lbtest_and_of_its_host() {
    let clock = Clock::starting_at(Instant::now() + Duration::from_millis(100));
    let (sink, mut measured) = unbounded_channel();
    let follower = tokio::spawn(usage::follow(
        clock,
        Vec::new(),
        sink,
        CancellationToken::new(),
    ));
    sleep_until(clock.zero() + Duration::from_millis(50)).await;
    let burnt = tokio::task::spawn_blocking(burn);
    timeout(Duration::from_secs(60), burnt)
        .await
        .unwrap()
        .unwrap();
    let over = clock.now();
    let mut samples = Vec::new();
    // The second in which it ended is over with the next figure.
    while let Ok(Some(sample)) = timeout(Duration::from_secs(5), measured.recv()).await {
        let last = sample.at > over && sample.subject == "lbtest" && sample.metric == "memory";
        samples.push(sample);
        if last {
            break;
        }
    }
    follower.abort();
    let (own, host) = (
        core_seconds(&samples, "lbtest"),
        core_seconds(&samples, "host"),
    );
    println!("lbtest {own:.3}, host {host:.3} core-seconds");
    // What the test itself needs beside it is little.
    assert!((BURNT..BURNT + 0.15).contains(&own), "{own}");
    // The machine's counters tick every 10 ms, on each core; others may use it too.
    assert!(host > BURNT - 0.1, "{host}");
    let memory = samples.iter().filter(|s| s.metric == "memory");
    assert!(memory.clone().count() >= 4 && memory.into_iter().all(|s| s.value.unwrap() > 1e5));
}
