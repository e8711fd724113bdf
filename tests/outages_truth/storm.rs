//! What a target that comes back sees of those who waited for it.

use crate::breaker::{Breaker, Way, breaks, mends};
use crate::engine::{Seen, closed, http, start};
use crate::namespace::{Network, THERE, counter, inside};
use crate::upstreams;
use std::time::{Duration, Instant};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const USERS: usize = 500;

#[test]
fn five_hundred_users_come_back_spread_over_some_milliseconds() {
    inside(
        "storm::five_hundred_users_come_back_spread_over_some_milliseconds",
        |network| {
            for workers in [1, 4] {
                let storm = (0..5)
                    .map(|_| storm(network, workers))
                    .find(|s| !s.target_slept());
                let storm = storm
                    .expect("a machine on which the target is not held up, in one of five times");
                assert_eq!(storm.overflows, 0, "attempts that found the backlog full");
                let Storm {
                    seen, moment, all, ..
                } = storm;
                let last = seen.iter().max().unwrap();
                // One each, and those by which the return was noticed; where a busy machine is slower than an answer, some
                // take the connection that another gave back.
                let n = seen.len();
                assert!((USERS * 9 / 10..=USERS + 10).contains(&n), "{n}");
                // The shape to the millisecond is the gate's test, on a clock of its own: here a busy machine may accept
                // late, so that this is the time to the last.
                assert!(*last < ms(500), "{last:?}");
                // Who came after the return is not failed for the sake of those who came before.
                let last_bad = all[0].bad_span().unwrap().1;
                assert!(last_bad <= moment, "{last_bad:?} after {moment:?}");
                assert!(all[0].good_after(moment).is_some(), "{}", all[0]);
            }
        },
    );
}

struct Storm {
    /// When the target accepted each, from its return on.
    seen: Vec<Duration>,
    /// When it was back.
    moment: Duration,
    all: Vec<Seen>,
    overflows: u64,
}

impl Storm {
    /// Whether the target, a thread of this process, found many at once for want of a processor: at some 30 a millisecond
    /// they fill its backlog of 128 in four. A client that comes back all at once fills it while the target accepts one
    /// after the other.
    fn target_slept(&self) -> bool {
        let mut seen = self.seen.clone();
        seen.sort();
        let from_return = std::iter::once(&Duration::ZERO).chain(&seen);
        let longest = from_return.zip(&seen).map(|(a, b)| *b - *a).max();
        println!("  the target's longest time without a connection: {longest:?}");
        self.overflows > 0 && longest.is_some_and(|gap| gap >= ms(4))
    }
}

fn storm(network: &Network, workers: usize) -> Storm {
    // Slow answers: nobody finds a connection that another has given back.
    let (upstream, book) = upstreams::http1(ms(700));
    let target = Breaker::start(upstream);
    let load = http(
        "users",
        closed(USERS, 0),
        (THERE, target.port),
        Duration::from_secs(2),
    );
    let run = start(vec![load], ms(2000), workers);
    run.until(ms(500));
    breaks(network, &[&target], Way::Refused);
    run.until(ms(1000));
    let before = book.accepted.lock().unwrap().len();
    let overflows = || counter("netstat", "TcpExt:", "ListenOverflows");
    let lost = overflows();
    mends(network, &[&target], Way::Refused);
    let back = Instant::now();
    let moment = run.now();
    run.until(ms(1900));
    let seen: Vec<Duration> = book.accepted.lock().unwrap()[before..]
        .iter()
        .map(|at| at.saturating_duration_since(back))
        .collect();
    let (all, _) = run.finish();
    let mut bins = std::collections::BTreeMap::<u128, usize>::new();
    for at in &seen {
        *bins.entry(at.as_millis()).or_default() += 1;
    }
    println!(
        "{workers} workers: {} connections by millisecond: {bins:?}",
        seen.len()
    );
    println!(
        "  {}, good again {:?}, back {moment:?}",
        all[0],
        all[0].good_after(moment)
    );
    Storm {
        seen,
        moment,
        all,
        overflows: overflows() - lost,
    }
}
