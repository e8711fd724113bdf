//! Known truth: targets whose behaviour is arithmetic, and what the load engine must record of them.
//!
//! Every server runs on threads of its own. Expected figures are computed, never taken from a run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test: clippy exempts only its #[test] functions by itself"
)]

#[path = "load_truth/servers.rs"]
mod servers;

use hdrhistogram::Histogram;
use lbtest::clock::{Clock, Offset};
use lbtest::history::bins::Bins;
use lbtest::history::{Class, Delta, Second, Slot};
use lbtest::load::{self, Flush, LoadHandle, LoadSpec, LoadSummary};
use lbtest::plan::Recovery;
use lbtest::scenario::{
    Arrivals, ClientSpec, HttpRequest, HttpSpec, PostgresSpec, Stage, Statement, StatusSet,
    Workload,
};
use servers::{Failure, Postgres, Proxy, Server};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

/// Time between the start of the workers and zero: connections are made ahead in it.
const LEAD: Duration = Duration::from_millis(300);
/// How late a thread may be woken on a busy machine of two cores that runs other tests beside this one.
const BUSY: Duration = Duration::from_millis(150);

fn open(rate: f64) -> Arrivals {
    Arrivals::Open {
        stages: vec![Stage {
            from: rate,
            to: rate,
            length: None,
        }],
        poisson: false,
    }
}

fn closed(users: usize, think: Duration) -> Arrivals {
    Arrivals::Closed { users, think }
}

fn workload(arrivals: Arrivals, client: ClientSpec) -> Workload {
    let recovery = Recovery {
        max_error_ratio: 0.01,
        stable_for: Duration::from_secs(1),
        p99_limit: None,
    };
    Workload {
        name: "w".into(),
        arrivals,
        max_in_flight: 4000,
        client,
        recovery,
        span: 0..0,
    }
}

fn http(arrivals: Arrivals, port: u16, timeout: Duration) -> Workload {
    let request = HttpRequest {
        method: "GET".into(),
        url: format!("http://127.0.0.1:{port}/"),
        headers: vec![],
        body: None,
        weight: 1,
        write: false,
        expect_status: StatusSet(vec![(200, 299)]),
        expect_body: None,
    };
    let spec = HttpSpec {
        requests: vec![request],
        timeout,
        connect_timeout: timeout,
        keep_alive: true,
        http2: false,
        ca_file: None,
        instance_header: "x-instance".into(),
        traceparent: false,
        variables: vec![],
    };
    workload(arrivals, ClientSpec::Http(spec))
}

fn sql(arrivals: Arrivals, dsn: String, query: &str, write: bool, timeout: Duration) -> Workload {
    let statement = Statement {
        query: query.into(),
        parameters: vec!["7".into(), "text".into()],
        weight: 1,
        write,
        expect_rows: Some(1),
    };
    let spec = PostgresSpec {
        dsn,
        statements: vec![statement],
        timeout,
        connect_timeout: timeout,
        connection_lifetime: None,
        reconnect: false,
        instance_query: Some("SELECT current_database()".into()),
        variables: vec![],
    };
    let mut load = workload(arrivals, ClientSpec::Postgres(spec));
    load.max_in_flight = 60;
    load
}

/// What all workers recorded of one workload.
#[derive(Default)]
struct Folded {
    slots: BTreeMap<u32, Slot>,
    seconds: BTreeMap<u32, Second>,
    lateness: Option<Histogram<u32>>,
    instances: Vec<String>,
}

impl Folded {
    fn add(&mut self, delta: Delta) {
        delta
            .slots
            .into_iter()
            .for_each(|(i, s)| self.slots.entry(i).or_default().merge(&s));
        delta
            .seconds
            .into_iter()
            .for_each(|(i, s)| self.seconds.entry(i).or_default().merge(&s));
        self.instances.extend(delta.instances);
    }

    fn sum(&self, of: impl Fn(&Slot) -> u64) -> u64 {
        self.slots.values().map(of).sum()
    }

    fn total(&self) -> u64 {
        self.sum(Slot::total)
    }

    fn bad(&self) -> u64 {
        self.sum(Slot::bad)
    }

    fn failed(&self, class: Class) -> u64 {
        self.sum(|s| s.failed.get(&class).copied().unwrap_or(0))
    }

    fn unknown(&self, class: Class) -> u64 {
        self.sum(|s| s.unknown.get(&class).copied().unwrap_or(0))
    }

    /// Intended times of the first bad operation, the last bad one, and the first good one after that.
    fn outage(&self) -> (Offset, Offset, Offset) {
        let bins = || {
            self.slots.iter().flat_map(|(i, slot)| {
                let start = Slot::start_of(*i).as_nanos();
                let bins = slot.bins.iter().flat_map(Bins::filled);
                bins.map(move |(_, bin)| (start, bin))
            })
        };
        let at = |start: u64, within: u32| Offset::from_nanos(start + u64::from(within));
        let bad = || bins().filter(|(_, b)| b.bad > 0);
        let first = bad()
            .map(|(s, b)| at(s, b.first_bad))
            .min()
            .expect("no bad operation");
        let last = bad()
            .map(|(s, b)| at(s, b.last_bad))
            .max()
            .expect("no bad operation");
        let good = bins()
            .filter(|(_, b)| b.ok > 0)
            .map(|(s, b)| at(s, b.last_ok))
            .filter(|t| *t > last)
            .min();
        (
            first,
            last,
            good.expect("no good operation after the outage"),
        )
    }

    fn latencies(&self) -> Histogram<u32> {
        let mut all = lbtest::history::slot::new_histogram();
        self.seconds
            .values()
            .for_each(|s| s.latency.add_to(&mut all));
        all
    }
}

fn start(
    loads: Vec<Workload>,
    duration: Duration,
    workers: usize,
) -> (LoadHandle, UnboundedReceiver<Flush>, Clock) {
    let clock = Clock::starting_at(Instant::now() + LEAD);
    let (tx, rx) = unbounded_channel();
    let handle = load::start(
        LoadSpec {
            loads,
            duration,
            seed: 11,
            workers,
        },
        clock,
        tx,
    )
    .unwrap();
    (handle, rx, clock)
}

async fn finish(
    handle: LoadHandle,
    mut rx: UnboundedReceiver<Flush>,
) -> (Vec<Folded>, LoadSummary) {
    let summary = handle.join().await;
    let mut all: Vec<Folded> = summary
        .scheduled
        .iter()
        .map(|_| Folded::default())
        .collect();
    let mut watermarks = BTreeMap::new();
    while let Some(flush) = rx.recv().await {
        let mark = watermarks
            .entry((flush.worker, flush.load))
            .or_insert(Offset::ZERO);
        for slot in flush.delta.slots.values() {
            let first = slot.span.expect("a slot without operations").0;
            assert!(
                first >= *mark,
                "an operation at {first:?} came after everything before {mark:?} was said complete"
            );
        }
        assert!(flush.complete_before >= *mark, "the watermark went back");
        *mark = flush.complete_before;
        let folded = &mut all[flush.load];
        match &mut folded.lateness {
            Some(lateness) => lateness.add(&flush.lateness).unwrap(),
            none => *none = Some(flush.lateness),
        }
        folded.add(flush.delta);
    }
    for (folded, scheduled) in all.iter().zip(&summary.scheduled) {
        assert_eq!(
            folded.total(),
            *scheduled,
            "scheduled = ok + failed + unknown + dropped"
        );
    }
    (all, summary)
}

/// Breaks `server` from `from` to `to`, on the run's clock.
fn outage(
    clock: Clock,
    from: Duration,
    to: Duration,
    set: impl Fn(Option<Failure>) + Send + 'static,
    failure: Failure,
) {
    std::thread::spawn(move || {
        let until = |at: Duration| {
            std::thread::sleep(
                clock
                    .instant(Offset::new(at))
                    .saturating_duration_since(Instant::now()),
            );
        };
        until(from);
        set(Some(failure));
        until(to);
        set(None);
    });
}

const FROM: Duration = Duration::from_millis(500);
const TO: Duration = Duration::from_millis(2000);
const LENGTH: Duration = Duration::from_millis(3000);

/// The measured outage must be that of the target. `early`: how long before the failure an operation may have
/// been intended that is caught by it (its service time); `held`: how long before the end of the failure an
/// operation may have been intended that is still answered (it waited for the next attempt, or hung).
fn check_outage(folded: &Folded, early: Duration, held: Duration, what: &str) {
    let (first, last, good) = folded.outage();
    let late: Vec<_> = folded
        .slots
        .iter()
        .filter(|(i, s)| **i >= 20 && s.bad() > 0)
        .collect();
    let late: Vec<_> = late
        .iter()
        .map(|(i, s)| (i, &s.failed, &s.unknown))
        .collect();
    let what = format!("{what}, bad after its end by slot: {late:?}");
    let (first, last, good) = (first.since_zero(), last.since_zero(), good.since_zero());
    assert!(
        first + early >= FROM && first <= FROM + BUSY,
        "{what}: first bad at {first:?}"
    );
    assert!(
        last + held >= TO.saturating_sub(BUSY) && last <= TO + BUSY,
        "{what}: last bad at {last:?}"
    );
    assert!(
        good + held >= TO && good <= TO + BUSY,
        "{what}: good again at {good:?}"
    );
}

async fn http_outage(failure: Failure, arrivals: Arrivals, held: Duration) -> Folded {
    let server = Server::start(Duration::ZERO);
    let load = http(arrivals, server.port(), Duration::from_millis(400));
    let (handle, rx, clock) = start(vec![load], LENGTH, 2);
    outage(clock, FROM, TO, server.switch(), failure);
    let (mut all, summary) = finish(handle, rx).await;
    assert_eq!(summary.workers, 2);
    let folded = all.remove(0);
    check_outage(
        &folded,
        Duration::from_millis(420),
        held,
        &format!("{failure:?}"),
    );
    folded
}

/// The longest pause of the gate, another's attempt, and tokio's tick.
const HELD: Duration = Duration::from_millis(60);

#[tokio::test]
async fn an_http_outage_has_its_true_length_whatever_the_way_it_fails() {
    let per_second = |folded: &Folded| folded.bad() as f64 / 1.5;
    let (refused, reset, hung, error) = tokio::join!(
        http_outage(Failure::Refuse, open(400.0), HELD),
        http_outage(Failure::Reset, open(400.0), HELD),
        // What hangs at the end of the failure is never answered: it ends by its own time-out.
        http_outage(Failure::Hang, open(400.0), HELD),
        http_outage(Failure::Answer500, open(400.0), HELD),
    );
    assert!(refused.failed(Class::Refused) > 0 && reset.failed(Class::Reset) > 0);
    assert!(hung.failed(Class::Timeout) > 0);
    assert_eq!(error.failed(Class::HttpStatus(500)), error.bad());
    for folded in [refused, reset, hung, error] {
        assert_eq!(folded.total(), 1200);
        // 1.5 s at 400/s, give or take what waited or hung at the edges.
        assert!(
            (330.0..470.0).contains(&per_second(&folded)),
            "{} bad",
            folded.bad()
        );
    }
}

#[tokio::test]
async fn a_closed_loop_sees_the_same_outage() {
    let arrivals = || closed(8, Duration::from_millis(5));
    // A user that hangs is away for its time-out: its next operation may come so much later.
    let (refused, reset, error) = tokio::join!(
        http_outage(Failure::Refuse, arrivals(), HELD),
        http_outage(Failure::Reset, arrivals(), HELD),
        http_outage(Failure::Answer500, arrivals(), HELD),
    );
    assert!(refused.bad() > 50 && reset.bad() > 50 && error.bad() > 50);
    let hung = http_outage(Failure::Hang, arrivals(), Duration::from_millis(420)).await;
    assert!(hung.failed(Class::Timeout) >= 16);
}

#[tokio::test]
async fn a_postgres_outage_has_its_true_length_and_writes_that_hang_are_unknown() {
    let database = Postgres::start();
    let query = "INSERT INTO t (a, b) VALUES ($1, $2)";
    for failure in [Failure::Refuse, Failure::Reset, Failure::Hang] {
        let (reads, writes) = (Proxy::start(database.port()), Proxy::start(database.port()));
        let timeout = Duration::from_millis(400);
        let read = sql(
            open(100.0),
            database.dsn(reads.port()),
            "SELECT $1::int8, $2::text",
            false,
            timeout,
        );
        let write = sql(
            open(100.0),
            database.dsn(writes.port()),
            query,
            true,
            timeout,
        );
        let (handle, rx, clock) = start(vec![read, write], LENGTH, 1);
        outage(clock, FROM, TO, reads.switch(), failure);
        outage(clock, FROM, TO, writes.switch(), failure);
        let (all, summary) = finish(handle, rx).await;
        assert_eq!(summary.scheduled, [300, 300]);
        for folded in &all {
            check_outage(
                folded,
                Duration::from_millis(420),
                HELD + Duration::from_millis(40),
                &format!("{failure:?}"),
            );
            assert_eq!(
                folded.instances.first().map(String::as_str),
                Some("postgres")
            );
        }
        assert_eq!(
            all[0].sum(|s| s.unknown.values().sum()),
            0,
            "a read is never unknown"
        );
        if failure == Failure::Hang {
            assert!(
                all[1].unknown(Class::Timeout) > 0,
                "a write that was sent and never answered is unknown"
            );
        }
    }
    let acknowledged_rows = database.count("SELECT count(*) FROM t");
    assert!(acknowledged_rows > 0);
}

#[tokio::test]
async fn sql_errors_and_row_counts_are_told_by_class() {
    let database = Postgres::start();
    let mut rows = sql(
        open(50.0),
        database.dsn(database.port()),
        "SELECT $1::int, $2::text",
        false,
        Duration::from_secs(2),
    );
    if let ClientSpec::Postgres(spec) = &mut rows.client {
        spec.statements[0].expect_rows = Some(2);
    }
    let bad = sql(
        open(50.0),
        database.dsn(database.port()),
        "SELECT 1 / ($1::int - 7), $2::text",
        false,
        Duration::from_secs(2),
    );
    let absent = sql(
        open(50.0),
        database.dsn(database.port()),
        "SELECT $1, $2 FROM absent",
        false,
        Duration::from_secs(2),
    );
    let (handle, rx, _) = start(vec![rows, bad, absent], Duration::from_millis(500), 1);
    let (all, _) = finish(handle, rx).await;
    assert_eq!(all[0].failed(Class::RowCount), 25);
    assert_eq!(all[1].failed(Class::sqlstate("22012")), 25);
    assert_eq!(all[2].failed(Class::sqlstate("42P01")), 25);
    let good = sql(
        open(1.0),
        database.dsn(database.port()),
        "SELECT $1::int, $2::text",
        false,
        Duration::from_secs(2),
    );
    load::probe(&good).await.unwrap();
}

#[tokio::test]
async fn a_stall_shows_in_full_in_the_percentiles() {
    // 500 ms in every 5 s: of 5 s of arrivals a tenth is caught, evenly from 500 ms down to 0.
    // p99: the slowest 1 % wait longer than 450 ms; p99.9: longer than 495 ms; at most 500 ms.
    let server = Server::start(Duration::from_millis(500));
    let (handle, rx, clock) = start(
        vec![http(open(1000.0), server.port(), Duration::from_secs(5))],
        Duration::from_secs(5),
        1,
    );
    server.stall_at(clock.instant(Offset::from_millis(2000)).into_std());
    let (all, _) = finish(handle, rx).await;
    assert_eq!((all[0].total(), all[0].bad()), (5000, 0));
    let latency = all[0].latencies();
    let ms = |q: f64| latency.value_at_quantile(q) as f64 / 1000.0;
    let (p50, p99, p999, max) = (ms(0.5), ms(0.99), ms(0.999), latency.max() as f64 / 1000.0);
    // Two significant digits (1 %) and what a busy machine adds to a wake-up.
    let slack = BUSY.as_secs_f64() * 1e3;
    assert!(p50 < 50.0, "p50 {p50}");
    assert!((443.0..450.0 + slack).contains(&p99), "p99 {p99}");
    assert!((488.0..496.0 + slack).contains(&p999), "p99.9 {p999}");
    assert!((494.0..500.0 + slack).contains(&max), "max {max}");
}

#[tokio::test]
async fn arrivals_reach_the_server_one_by_one_and_not_in_bursts() {
    let server = Server::start(Duration::ZERO);
    let (handle, rx, _) = start(
        vec![http(open(1000.0), server.port(), Duration::from_secs(2))],
        Duration::from_secs(2),
        1,
    );
    let (all, _) = finish(handle, rx).await;
    assert_eq!((all[0].total(), all[0].bad()), (2000, 0));
    let mut seen = server.arrivals();
    seen.sort_unstable();
    assert_eq!(seen.len(), 2000);
    let mut gaps: Vec<Duration> = seen.windows(2).map(|w| w[1] - w[0]).collect();
    gaps.sort_unstable();
    let median = gaps[gaps.len() / 2];
    // A generator on a 1 ms timer makes this either 1.0 ms by luck or some µs in bursts; half the gap is the bound.
    assert!(
        (500..1500).contains(&median.as_micros()),
        "median gap {median:?}, ideal 1 ms"
    );
    assert_eq!(all[0].lateness.as_ref().map(Histogram::len), Some(2000));
}

#[tokio::test]
async fn every_arrival_is_accounted_for_when_the_load_is_stopped_or_cut_off() {
    for (failure, abort) in [
        (None, false),
        (None, true),
        (Some(Failure::Hang), false),
        (Some(Failure::Hang), true),
    ] {
        let server = Server::start(Duration::ZERO);
        (server.switch())(failure);
        let mut few = http(open(2000.0), server.port(), Duration::from_millis(500));
        few.max_in_flight = 5;
        let loads = vec![
            http(open(500.0), server.port(), Duration::from_millis(500)),
            few,
            http(
                closed(5, Duration::from_millis(3)),
                server.port(),
                Duration::from_millis(500),
            ),
        ];
        let (handle, rx, clock) = start(loads, Duration::from_secs(60), 3);
        tokio::time::sleep_until(clock.instant(Offset::from_millis(600))).await;
        let began = Instant::now();
        if abort {
            handle.abort()
        } else {
            handle.stop()
        }
        let (all, summary) = finish(handle, rx).await;
        assert_eq!(summary.workers, 3);
        // Up to the time-out, and a busy machine.
        assert!(
            began.elapsed() < Duration::from_millis(500) + 4 * BUSY,
            "{:?}",
            began.elapsed()
        );
        assert!(all[0].total() >= 250, "{}", all[0].total());
        let aborted: u64 = all.iter().map(|f| f.failed(Class::Aborted)).sum();
        if !abort {
            assert_eq!(aborted, 0, "a stopped load is drained");
        } else if failure.is_some() {
            assert!(aborted > 100, "what hung was cut off: {aborted}");
        }
        if failure.is_some() {
            assert!(
                all[1].failed(Class::Dropped) > 500,
                "hanging operations leave no slot free"
            );
        }
    }
}

#[tokio::test]
async fn a_full_run_hands_out_exactly_the_schedule() {
    let server = Server::start(Duration::ZERO);
    let ramp = vec![Stage {
        from: 0.0,
        to: 1000.0,
        length: Some(Duration::from_secs(1)),
    }];
    let loads = vec![
        http(open(333.0), server.port(), Duration::from_secs(2)),
        http(
            Arrivals::Open {
                stages: ramp,
                poisson: false,
            },
            server.port(),
            Duration::from_secs(2),
        ),
    ];
    let (handle, rx, _) = start(loads, Duration::from_secs(1), 3);
    let (all, summary) = finish(handle, rx).await;
    assert_eq!(summary.scheduled, [333, 500]);
    assert_eq!(all.iter().map(Folded::bad).sum::<u64>(), 0);
    assert_eq!(
        all[0].instances.first().map(String::as_str),
        Some("known-truth")
    );
}

#[tokio::test]
async fn refused_arrivals_at_ten_thousand_a_second_do_not_spin() {
    let server = Server::start(Duration::ZERO);
    (server.switch())(Some(Failure::Refuse));
    let (handle, rx, _) = start(
        vec![http(open(10_000.0), server.port(), Duration::from_secs(1))],
        Duration::from_secs(2),
        1,
    );
    let (all, summary) = finish(handle, rx).await;
    assert_eq!(all[0].total(), 20_000);
    assert_eq!(all[0].bad(), 20_000);
    // Unoptimised code too: a worker that spins uses the whole 2 s.
    assert!(
        summary.cpu_time < Duration::from_millis(1700),
        "{:?} of CPU in 2 s",
        summary.cpu_time
    );
}

#[tokio::test]
async fn tls_is_spoken_with_a_given_ca_and_refused_without() {
    let (port, ca) = servers::start_tls();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, ca).unwrap();
    let with = |file: Option<std::path::PathBuf>| {
        let mut load = http(open(50.0), port, Duration::from_secs(2));
        if let ClientSpec::Http(spec) = &mut load.client {
            spec.requests[0].url = format!("https://localhost:{port}/");
            spec.requests[0].expect_body = Some("ok".into());
            spec.ca_file = file;
        }
        load
    };
    // Another authority's certificate, so that the test does not depend on the roots of the machine.
    let other = folder.path().join("other.pem");
    std::fs::write(&other, servers::certificate().0.pem()).unwrap();
    load::probe(&with(Some(ca_file.clone()))).await.unwrap();
    let loads = vec![with(Some(ca_file)), with(Some(other))];
    let (handle, rx, _) = start(loads, Duration::from_millis(600), 1);
    let (all, _) = finish(handle, rx).await;
    assert_eq!((all[0].total(), all[0].bad()), (30, 0));
    assert_eq!(all[1].failed(Class::Tls), 30);
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_is_no_error() {
    let server = Server::start(Duration::ZERO);
    server.close_after_each();
    let (handle, rx, _) = start(
        vec![http(open(50.0), server.port(), Duration::from_secs(1))],
        Duration::from_secs(1),
        1,
    );
    let (all, _) = finish(handle, rx).await;
    assert_eq!((all[0].total(), all[0].bad()), (50, 0));
}

#[tokio::test]
async fn nothing_is_sent_before_the_clocks_zero() {
    for arrivals in [open(20.0), closed(2, Duration::ZERO)] {
        let server = Server::start(Duration::ZERO);
        let load = http(arrivals, server.port(), Duration::from_secs(1));
        let (handle, rx, clock) = start(vec![load], Duration::from_millis(200), 1);
        finish(handle, rx).await;
        let first = server.arrivals().into_iter().min().expect("requests came");
        // One clock on both sides; the worker's timer is matched to it within microseconds.
        let early = clock.zero().saturating_duration_since(first.into());
        assert!(early < Duration::from_millis(1), "{early:?} early");
    }
}

/// Accepts connections, says `hello` on each and then nothing more; tells how many came.
fn mute(hello: &'static [u8]) -> (u16, Arc<AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            stream.write_all(hello).unwrap();
            open.push(stream);
        }
    });
    (port, seen)
}

#[tokio::test]
async fn an_http2_connection_that_fell_silent_is_not_used_for_ever() {
    // An empty SETTINGS frame (RFC 9113 §6.5).
    let (port, seen) = mute(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
    let mut load = http(open(10.0), port, Duration::from_millis(200));
    let ClientSpec::Http(spec) = &mut load.client else {
        unreachable!("made above")
    };
    spec.http2 = true;
    let (handle, rx, _) = start(vec![load], Duration::from_secs(1), 1);
    let (all, _) = finish(handle, rx).await;
    assert_eq!(all[0].failed(Class::Timeout), 10);
    // Every 200 ms a request runs out of time and takes its connection with it; two requests share one.
    let connections = seen.load(Ordering::Relaxed);
    assert!((3..=10).contains(&connections), "{connections} connections");
}

#[tokio::test]
async fn the_second_host_of_a_dsn_is_tried_when_the_first_is_silent() {
    let ((first, _), (second, seen)) = (mute(b""), mute(b""));
    let dsn = format!("host=127.0.0.1,127.0.0.1 port={first},{second} user=u dbname=d");
    let mut load = sql(
        open(5.0),
        dsn,
        "SELECT $1, $2",
        false,
        Duration::from_secs(1),
    );
    let ClientSpec::Postgres(spec) = &mut load.client else {
        unreachable!("made above")
    };
    spec.connect_timeout = Duration::from_millis(200);
    let (handle, rx, _) = start(vec![load], Duration::from_millis(200), 1);
    let (all, _) = finish(handle, rx).await;
    assert_eq!(
        (all[0].total(), all[0].failed(Class::ConnectTimeout)),
        (1, 1)
    );
    assert!(seen.load(Ordering::Relaxed) > 0);
}
