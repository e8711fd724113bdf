//! Nothing is left of a sidecar, however it ends.

use super::orders::{Sidecar, executable, nft, tables};
use super::peer::{ECHO, PEER, beside};
use super::traffic::udp_echo;
use lbtest::sidecar::protocol::{Answer, Treatment};
use rustix::process::Signal;
use std::time::{Duration, Instant};

const DELAY: Treatment = Treatment::Delay {
    time_us: 100_000,
    jitter_us: 0,
    seed: 1,
};

fn is_fast() {
    let time = udp_echo(PEER, ECHO).unwrap();
    assert!(time < Duration::from_millis(50), "{time:?}");
}

/// The kernel removes a dead owner's table soon, not at once.
fn until_no_table_is_left() {
    let begun = Instant::now();
    while !tables().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(2), "{}", tables());
    }
}

#[test]
fn a_sidecar_that_is_killed_leaves_nothing() {
    beside("ends::a_sidecar_that_is_killed_leaves_nothing", |_| {
        for treatment in [Treatment::Drop, Treatment::Reject, Treatment::Reset, DELAY] {
            let mut sidecar = Sidecar::start();
            sidecar.treat(treatment);
            assert!(tables().contains("lbtest"));
            assert!(udp_echo(PEER, ECHO).map_or(true, |t| t > Duration::from_millis(90)));
            sidecar.signal(Signal::KILL);
            sidecar.ended();
            until_no_table_is_left();
            is_fast();
        }
    });
}

#[test]
fn a_sidecar_that_is_told_to_end_undoes_everything_and_ends_well() {
    beside(
        "ends::a_sidecar_that_is_told_to_end_undoes_everything_and_ends_well",
        |_| {
            for treatment in [Treatment::Drop, DELAY] {
                for signal in [Some(Signal::TERM), Some(Signal::INT), None] {
                    let mut sidecar = Sidecar::start();
                    sidecar.treat(treatment);
                    match signal {
                        Some(signal) => sidecar.signal(signal),
                        None => sidecar.leave(),
                    }
                    assert_eq!(sidecar.ended().code(), Some(0), "{signal:?}");
                    assert_eq!(tables(), "");
                    is_fast();
                }
            }
        },
    );
}

#[test]
fn a_dead_sidecar_s_plain_table_is_mended_and_a_living_one_s_is_not_taken() {
    beside(
        "ends::a_dead_sidecar_s_plain_table_is_mended_and_a_living_one_s_is_not_taken",
        |_| {
            let mend = || {
                let output = executable().args(["--mend", "\"rules\""]).output().unwrap();
                let answer: Answer = serde_json::from_slice(&output.stdout).unwrap();
                assert_eq!(output.status.success(), answer.result.is_ok());
                answer.result
            };
            assert_eq!(mend().unwrap().count, 0, "nothing was left");
            // What a sidecar leaves where the kernel knows no owners.
            nft(&["add", "table", "inet", "lbtest"]);
            nft(&[
                "add",
                "chain",
                "inet",
                "lbtest",
                "c",
                "{ type filter hook input priority raw; policy drop; }",
            ]);
            nft(&["add", "table", "inet", "lbtestament"]);
            assert!(udp_echo(PEER, ECHO).is_err());
            assert_eq!(mend().unwrap().count, 1);
            assert_eq!(
                tables(),
                "table inet lbtestament\n",
                "it is somebody else's"
            );
            nft(&["delete", "table", "inet", "lbtestament"]);
            is_fast();
            // A new sidecar replaces what a dead one left.
            nft(&["add", "table", "inet", "lbtest"]);
            let mut sidecar = Sidecar::start();
            sidecar.treat(Treatment::Drop);
            let error = mend().unwrap_err();
            assert!(error.contains("alive"), "{error}");
            assert!(udp_echo(PEER, ECHO).is_err());
            sidecar.mend();
        },
    );
}

#[test]
fn a_probe_says_what_works_here_and_leaves_nothing() {
    beside(
        "ends::a_probe_says_what_works_here_and_leaves_nothing",
        |_| {
            let output = executable().arg("--probe").output().unwrap();
            assert!(output.status.success());
            let answer: Answer = serde_json::from_slice(&output.stdout).unwrap();
            let able = answer.result.unwrap().abilities.unwrap();
            println!("{able:?}");
            // What the other tests show to work.
            assert!(able.filter && able.owned_tables && able.loss && able.reset);
            assert!(able.queue.is_some());
            assert!(!able.kernel.is_empty());
            assert_eq!(tables(), "");
            is_fast();
        },
    );
}
