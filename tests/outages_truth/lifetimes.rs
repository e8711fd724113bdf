//! Connections that are made anew: after their lifetime, and where a name has moved.

use crate::engine::{http, open, sql, start};
use crate::namespace::{ELSEWHERE, HERE, THERE, inside};
use crate::servers::Postgres;
use crate::upstreams;
use lbtest::history::Class;
use lbtest::scenario::{ClientSpec, Workload};
use std::time::Duration;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn with_lifetime(mut load: Workload, lifetime: Duration) -> Workload {
    if let ClientSpec::Postgres(spec) = &mut load.client {
        spec.connection_lifetime = Some(lifetime);
    }
    load
}

#[test]
fn a_connections_lifetime_ends_it_and_another_is_made() {
    inside(
        "lifetimes::a_connections_lifetime_ends_it_and_another_is_made",
        |_| {
            let database = Postgres::start();
            let made = || {
                database.count("SELECT sessions FROM pg_stat_database WHERE datname = 'postgres'")
            };
            let load =
                |name: &str| sql(name, open(200.0), ("127.0.0.1", database.port()), ms(1000));
            let before = made();
            let run = start(vec![with_lifetime(load("renewed"), ms(400))], ms(2400), 1);
            run.until(ms(2300));
            let (all, _) = run.finish();
            std::thread::sleep(ms(1200));
            let renewed = made() - before;
            println!("{}: {renewed} sessions", all[0]);
            assert_eq!((all[0].bad(), all[0].total()), (0, 480), "nobody notices");
            let open = database
                .count("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lbtest'");
            assert_eq!(open, 0, "sessions that were left");
            // Lifetimes of 200 to 400 ms: in 2.4 s a connection is made anew 6 to 12 times. Two are made ahead, one is
            // enough later on; those that a busy machine makes late come at once, and need one each. Not all 480 do.
            assert!((7..=240).contains(&renewed), "{renewed} sessions");
        },
    );
}

#[test]
fn a_name_that_vanishes_and_moves_is_followed() {
    inside(
        "lifetimes::a_name_that_vanishes_and_moves_is_followed",
        |network| {
            let names = network.names();
            names.say("target.test", THERE);
            let (port, _) = upstreams::http1(Duration::ZERO);
            let target = ("target.test", port);
            let kept = http("kept", open(100.0), target, ms(300));
            let mut fresh = http("fresh", open(100.0), target, ms(300));
            if let ClientSpec::Http(spec) = &mut fresh.client {
                spec.keep_alive = false;
            }
            let neighbour = http("neighbour", open(200.0), (HERE, port), ms(300));
            let run = start(vec![kept, fresh, neighbour], ms(5000), 1);
            run.until(ms(500));
            // The name server does not answer: its packets vanish.
            names.forget();
            network.vanish(THERE);
            run.until(ms(2500));
            names.say("target.test", ELSEWHERE);
            let back = run.now();
            let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
            let (all, _) = run.finish();
            for seen in &all {
                println!(
                    "{seen}: {:?}, good again {:?}",
                    seen.instances,
                    seen.good_after(back)
                );
            }
            println!("{threads} threads");
            assert_eq!(all[2].bad(), 0);
            // A busy machine, and half of the time-out that nobody waits for.
            assert!(all[2].lateness(0.99) < ms(150), "{}", all[2]);
            for seen in &all[..2] {
                for address in [THERE, ELSEWHERE] {
                    assert!(
                        seen.instances[&address.to_string()] > 30,
                        "{:?}",
                        seen.instances
                    );
                }
                let known = [Class::Dns, Class::ConnectTimeout, Class::Timeout];
                let classes = seen.classes();
                assert!(classes.keys().all(|c| known.contains(c)), "{classes:?}");
                // A question that is under way ends by its own time-out, 2 s; then the next one is answered.
                let good = seen.good_after(back).unwrap();
                assert!(good < back + ms(2000) + ms(300), "{good:?}");
            }
            // One question at a time and workload, however many operations wait for an answer.
            assert!(threads < 20, "{threads} threads");
        },
    );
}
