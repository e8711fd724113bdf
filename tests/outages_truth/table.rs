//! Every way to be away × every kind of load: accounting, class, recovery, cost, and the neighbour.

use crate::breaker::{Breaker, Way, breaks, mends};
use crate::engine::{Seen, closed, http, open, over_http2, sql, start};
use crate::namespace::{ELSEWHERE, Network, THERE, attempts, inside};
use crate::servers::Postgres;
use crate::upstreams::{self, Http2};
use lbtest::history::Class;
use std::time::Duration;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Every operation's and connection's time-out.
const TIMEOUT: Duration = ms(300);
const FROM: Duration = ms(400);
const TO: Duration = ms(1200);
const END: Duration = ms(2200);
const WORKERS: usize = 2;
/// How late a thread may be woken on a busy machine of two cores.
const BUSY: Duration = ms(150);

/// A way to be away, and the classes of the operations that it may and must end: over HTTP/1.1 and PostgreSQL.
const WAYS: [(Way, &[Class], &[Class]); 9] = [
    // Besides: what was under way when it came is cut.
    (
        Way::Refused,
        &[Class::Refused],
        &[Class::Reset, Class::EndOfStream],
    ),
    (Way::Reset, &[Class::Reset], &[Class::EndOfStream]),
    (Way::ResetMidAnswer, &[Class::Reset], &[]),
    (Way::Hanging, &[Class::Timeout, Class::ConnectTimeout], &[]),
    (Way::BlackHoled, &[Class::ConnectTimeout], &[Class::Timeout]),
    (
        Way::HalfOpen,
        &[Class::ConnectTimeout],
        &[Class::Timeout, Class::Reset],
    ),
    // One or two connections are in the backlog: they are made, and wait.
    (
        Way::BacklogFull,
        &[Class::ConnectTimeout],
        &[Class::Timeout, Class::Reset, Class::EndOfStream],
    ),
    // A request to a closed socket is answered by a reset.
    (Way::ClosedAtOnce, &[Class::EndOfStream, Class::Reset], &[]),
    (Way::HalfAnswer, &[Class::EndOfStream], &[]),
];

struct Bench {
    web: Breaker,
    web2: Breaker,
    database: Breaker,
    neighbour: u16,
    _server: Postgres,
}

impl Bench {
    fn new() -> Self {
        let server = Postgres::start();
        let http2 = Http2 {
            streams: 200,
            delay: Duration::ZERO,
            lifetime: None,
        };
        Self {
            web: Breaker::start(upstreams::http1(Duration::ZERO).0),
            web2: Breaker::start(upstreams::http2(http2).0),
            database: Breaker::start(server.port()),
            neighbour: upstreams::http1(Duration::ZERO).0,
            _server: server,
        }
    }

    /// One outage. Returns what is wrong.
    fn one(&self, network: &Network, way: Way, main: &[Class], edge: &[Class]) -> Vec<String> {
        let (web, web2, database) = (
            (THERE, self.web.port),
            (THERE, self.web2.port),
            (THERE, self.database.port),
        );
        let loads = vec![
            http("http-open", open(100.0), web, TIMEOUT),
            http("http-closed", closed(4, 10), web, TIMEOUT),
            over_http2(http("h2-open", open(50.0), web2, TIMEOUT)),
            over_http2(http("h2-closed", closed(2, 20), web2, TIMEOUT)),
            sql("sql-open", open(50.0), database, TIMEOUT),
            sql("sql-closed", closed(2, 20), database, TIMEOUT),
            http(
                "neighbour",
                open(200.0),
                (ELSEWHERE, self.neighbour),
                TIMEOUT,
            ),
        ];
        let targets = [&self.web, &self.web2, &self.database];
        // What the relays connect to is counted too.
        let made = || attempts() - targets.iter().map(|t| t.relayed()).sum::<u64>();
        let run = start(loads, END, WORKERS);
        run.until(FROM);
        let before = made();
        let down = run.now();
        breaks(network, &targets, way);
        run.until(TO);
        let back_from = run.now();
        mends(network, &targets, way);
        let made = made() - before;
        let back = run.now();
        let (mut all, summary) = run.finish();
        #[expect(clippy::cast_precision_loss, reason = "two workers")]
        let cpu = summary.cpu_time.as_secs_f64() / (END.as_secs_f64() * WORKERS as f64);
        println!(
            "{way:?}: away {down:?} to {back_from:?}..{back:?}, {made} attempts, {:.1} % of a core per worker",
            cpu * 100.0
        );
        let neighbour = all.pop().unwrap();
        let mut wrong = unhurt(&neighbour);
        for seen in &all {
            println!("  {seen}");
            wrong.extend(outage(seen, main, edge, (down, back_from, back), way));
        }
        let bad: u64 = all.iter().map(Seen::bad).sum();
        // One attempt an operation at most; in the beginning, and by the switch itself, some more.
        if made > bad + 40 {
            wrong.push(format!("{made} attempts for {bad} operations"));
        }
        // 4 to 7 % on an idle machine, unoptimised; whatever spins uses all.
        if cpu > 0.3 {
            wrong.push(format!("{cpu} of a core per worker"));
        }
        wrong.into_iter().map(|w| format!("{way:?}: {w}")).collect()
    }
}

/// A healthy workload beside: no error, and its dispatch waits for nobody.
fn unhurt(seen: &Seen) -> Vec<String> {
    println!("  {seen}");
    // A dispatcher that waited for a target would be late by its whole time-out, 300 ms, all through the outage, a third
    // of the run; one stall of a busy machine is within a tenth.
    let late = seen.lateness(0.9) > ms(50);
    let hurt = seen.bad() > 0 || seen.total() != 440 || late;
    hurt.then(|| seen.to_string()).into_iter().collect()
}

/// What one workload recorded of an outage is true.
fn outage(
    seen: &Seen,
    main: &[Class],
    edge: &[Class],
    (down, back_from, back): (Duration, Duration, Duration),
    way: Way,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let h2 = seen.name.starts_with("h2");
    // A client of HTTP/2 says more by itself; what comes to a closed socket is answered by a reset.
    let main = if h2 && way == Way::HalfAnswer {
        &[Class::EndOfStream, Class::Reset]
    } else {
        main
    };
    let classes = seen.classes();
    let of = |set: &[Class]| -> u64 { set.iter().filter_map(|c| classes.get(c)).sum() };
    // PostgreSQL starts a process for each connection: a busy machine may take longer than the time-out for one.
    let slow = if seen.name.starts_with("sql") {
        of(&[Class::ConnectTimeout]).min(2)
    } else {
        0
    };
    let told = of(main) + of(edge);
    if told > seen.bad() || told + slow < seen.bad() || of(main) <= of(edge) {
        wrong.push("classes");
    }
    let (first, last) = seen.bad_span().unwrap_or_default();
    // One that was under way may have been intended a little before.
    if first + BUSY < down || first > down + BUSY {
        wrong.push("its begin");
    }
    // Requests of HTTP/2 share a connection: one that hangs is known to after a time-out, and shared until then.
    let stuck = if way == Way::Hanging && h2 {
        TIMEOUT
    } else {
        Duration::ZERO
    };
    if last > back + stuck + BUSY {
        wrong.push("its end");
    }
    // A user of a closed loop comes again when its time is up.
    if seen
        .good_after(back_from)
        .is_none_or(|t| t > back + TIMEOUT + stuck + BUSY)
    {
        wrong.push("good again");
    }
    wrong.iter().map(|w| format!("{w}: {seen}")).collect()
}

#[test]
fn every_way_to_be_away() {
    inside("table::every_way_to_be_away", |network| {
        let bench = Bench::new();
        let mut wrong = Vec::new();
        for (way, main, edge) in WAYS {
            wrong.extend(bench.one(network, way, main, edge));
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}
