//! What targets that are away cost the generator, at the rate at which it would hurt.

use crate::breaker::{Breaker, Way, breaks};
use crate::engine::{http, open, start};
use crate::namespace::{ELSEWHERE, THERE, attempts, inside};
use crate::upstreams;
use lbtest::history::Class;
use std::time::Duration;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Arrivals per second: unoptimised code does not do more on a busy machine.
const RATE: f64 = if cfg!(debug_assertions) {
    2000.0
} else {
    10_000.0
};

/// The most that a worker may use of a core, debug and release.
fn most(way: Way) -> f64 {
    match (way, cfg!(debug_assertions)) {
        (_, true) => 0.7,
        // A real connection for each arrival.
        (Way::Reset | Way::ClosedAtOnce, false) => 0.9,
        (_, false) => 0.5,
    }
}

fn status(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix(key)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn resident() -> u64 {
    // Without the pages of the executable.
    status("RssAnon:")
}

#[test]
fn the_table_of_open_files_does_not_grow_in_the_middle_of_an_outage() {
    inside(
        "cost::the_table_of_open_files_does_not_grow_in_the_middle_of_an_outage",
        |network| {
            network.vanish(THERE);
            let run = start(
                vec![http("away", open(2000.0), (THERE, 9), ms(1000))],
                ms(1000),
                1,
            );
            // Before zero.
            let at_first = status("FDSize:");
            run.until(ms(900));
            println!("{at_first} slots, {} open", descriptors());
            assert!(descriptors() > 1000, "{} open", descriptors());
            assert_eq!(status("FDSize:"), at_first);
            run.finish();
        },
    );
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn many_arrivals_at_a_target_that_is_away_cost_little_and_hurt_nobody() {
    inside(
        "cost::many_arrivals_at_a_target_that_is_away_cost_little_and_hurt_nobody",
        |network| {
            let mut wrong = Vec::new();
            // Both ends of every connection are in this process: more than the load makes room for.
            let room = std::fs::File::open("/dev/null").unwrap();
            rustix::io::fcntl_dupfd_cloexec(&room, 8000).expect("8000 open files");
            let (neighbour, _) = upstreams::http1(Duration::ZERO);
            for way in [
                Way::Refused,
                Way::BlackHoled,
                Way::Hanging,
                Way::BacklogFull,
                Way::Reset,
                Way::ClosedAtOnce,
            ] {
                let target = Breaker::start(upstreams::http1(Duration::ZERO).0);
                breaks(network, &[&target], way);
                let loads = vec![
                    http("away", open(RATE), (THERE, target.port), ms(5000)),
                    http("beside", open(200.0), (ELSEWHERE, neighbour), ms(1000)),
                ];
                let run = start(loads, ms(2500), 1);
                run.until(ms(1000));
                let (made, early) = (attempts(), resident());
                run.until(ms(2300));
                #[expect(clippy::cast_precision_loss, reason = "a count")]
                let made = (attempts() - made) as f64 / 1.3;
                let (grown, open) = (resident().saturating_sub(early), descriptors());
                run.handle.abort();
                let (all, summary) = run.finish();
                let cpu = summary.cpu_time.as_secs_f64() / 2.4;
                println!(
                    "{way:?}: {:.1} % of a core, {made:.0} attempts/s, {open} descriptors, + {grown} KiB in 1.3 s\n  {}\n  {}",
                    cpu * 100.0,
                    all[0],
                    all[1]
                );
                let mut check = |holds: bool, what: &str| {
                    if !holds {
                        wrong.push(format!("{way:?}: {what}"));
                    }
                };
                check(cpu < most(way), "processor");
                // A refused target is asked once in 8 to 16 ms, and more where a busy machine holds the worker up for longer
                // than the gate's patience, 20 ms; one that hangs has as many connections as there may be
                // operations, 1000, in 5 s; where each connection is answered at once, there is one for each arrival.
                let attempts = match way {
                    Way::Refused => 600.0,
                    Way::Reset | Way::ClosedAtOnce => RATE * 1.3,
                    _ => 400.0,
                };
                check(made < attempts, "attempts");
                // Both ends of a hanging connection, and of that to the server behind it, are this process's.
                check(open < 4 * 1000 + 200, "descriptors");
                // Bins of open slots; nothing by the operation.
                check(grown < 8 << 10, "memory");
                // What was under way when the load was cut off is aborted.
                let cut = |class: &Class| *class == Class::Aborted;
                check(all[1].classes().keys().all(cut), "errors beside");
                // Nobody waits for the time-out of 5 s. One stall of a busy machine by 200 ms is within a tenth of 2.3 s.
                check(all[1].lateness(0.9) < ms(50), "lateness beside");
                if matches!(way, Way::BlackHoled) {
                    network.appear(THERE);
                }
            }
            assert!(wrong.is_empty(), "{wrong:#?}");
        },
    );
}
