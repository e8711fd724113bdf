//! The load engine as the tests use it: workloads, a run, and what all workers recorded of it.

use hdrhistogram::Histogram;
use lbtest::clock::{Clock, Offset};
use lbtest::history::bins::{Bin, Bins};
use lbtest::history::slot::new_histogram;
use lbtest::history::{Class, InstanceId, Slot};
use lbtest::load::{self, Flush, LoadHandle, LoadSpec, LoadSummary};
use lbtest::plan::Recovery;
use lbtest::scenario::{
    Arrivals, ClientSpec, HttpRequest, HttpSpec, PostgresSpec, Stage, Statement, StatusSet,
    Workload,
};
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

/// Time between the start of the workers and zero: connections are made ahead in it.
const LEAD: Duration = Duration::from_millis(300);

pub fn open(rate: f64) -> Arrivals {
    let stage = Stage {
        from: rate,
        to: rate,
        length: None,
    };
    Arrivals::Open {
        stages: vec![stage],
        poisson: false,
    }
}

pub fn closed(users: usize, think_ms: u64) -> Arrivals {
    let think = Duration::from_millis(think_ms);
    Arrivals::Closed { users, think }
}

fn workload(name: &str, arrivals: Arrivals, client: ClientSpec) -> Workload {
    let recovery = Recovery {
        max_error_ratio: 0.01,
        stable_for: Duration::from_secs(1),
        p99_limit: None,
    };
    Workload {
        name: name.into(),
        arrivals,
        max_in_flight: 1000,
        client,
        recovery,
        span: 0..0,
    }
}

/// An HTTP workload against `host:port`.
pub fn http(
    name: &str,
    arrivals: Arrivals,
    (host, port): (impl Display, u16),
    timeout: Duration,
) -> Workload {
    let request = HttpRequest {
        method: "GET".into(),
        url: format!("http://{host}:{port}/"),
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
    workload(name, arrivals, ClientSpec::Http(spec))
}

/// The same over HTTP/2, with prior knowledge.
pub fn over_http2(mut load: Workload) -> Workload {
    if let ClientSpec::Http(spec) = &mut load.client {
        spec.http2 = true;
    }
    load
}

/// A PostgreSQL workload.
pub fn sql(
    name: &str,
    arrivals: Arrivals,
    (host, port): (impl Display, u16),
    timeout: Duration,
) -> Workload {
    let statement = Statement {
        query: "SELECT 1".into(),
        parameters: vec![],
        weight: 1,
        write: false,
        expect_rows: Some(1),
    };
    let spec = PostgresSpec {
        dsn: format!("postgres://postgres@{host}:{port}/postgres?sslmode=disable"),
        statements: vec![statement],
        timeout,
        connect_timeout: timeout,
        connection_lifetime: None,
        reconnect: false,
        instance_query: None,
        variables: vec![],
    };
    workload(name, arrivals, ClientSpec::Postgres(spec))
}

/// What all workers recorded of one workload.
#[derive(Debug)]
pub struct Seen {
    pub name: String,
    slots: BTreeMap<u32, Slot>,
    lateness: Histogram<u32>,
    /// Operations by the instance that answered.
    pub instances: BTreeMap<String, u64>,
}

impl Seen {
    fn add(&mut self, flush: &Flush, names: &[String]) {
        self.lateness.add(&flush.lateness).unwrap();
        for (index, slot) in &flush.delta.slots {
            self.slots.entry(*index).or_default().merge(slot);
            for (InstanceId(id), (all, _)) in &slot.instances {
                let name = names[usize::from(*id)].clone();
                *self.instances.entry(name).or_default() += all;
            }
        }
    }

    pub fn total(&self) -> u64 {
        self.slots.values().map(Slot::total).sum()
    }

    pub fn ok(&self) -> u64 {
        self.slots.values().map(|s| s.ok).sum()
    }

    pub fn bad(&self) -> u64 {
        self.slots.values().map(Slot::bad).sum()
    }

    /// Bad operations by class.
    pub fn classes(&self) -> BTreeMap<Class, u64> {
        let mut all = BTreeMap::new();
        for slot in self.slots.values() {
            for (class, n) in slot.failed.iter().chain(&slot.unknown) {
                *all.entry(*class).or_default() += n;
            }
        }
        all
    }

    pub fn lateness(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.lateness.value_at_quantile(quantile))
    }

    /// Intended time of the first and the last bad operation.
    pub fn bad_span(&self) -> Option<(Duration, Duration)> {
        let bad = self.bins().filter(|(_, b)| b.bad > 0);
        let spans: Vec<_> = bad
            .map(|(start, b)| (at(start, b.first_bad), at(start, b.last_bad)))
            .collect();
        let first = spans.iter().map(|s| s.0).min()?;
        Some((first, spans.iter().map(|s| s.1).max()?))
    }

    /// Intended time of the first good operation that was intended after a moment (to within a millisecond).
    pub fn good_after(&self, moment: Duration) -> Option<Duration> {
        let good = self.bins().filter(|(_, b)| b.ok > 0);
        good.map(|(start, b)| at(start, b.last_ok))
            .filter(|t| *t >= moment)
            .min()
    }

    fn bins(&self) -> impl Iterator<Item = (Offset, Bin)> {
        self.slots.iter().flat_map(move |(i, slot)| {
            let start = Slot::start_of(*i);
            let bins = slot.bins.iter().flat_map(Bins::filled);
            bins.map(move |(_, bin)| (start, bin))
        })
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} ok, {:?}, bad {:?}, late p50 {:?}, p99 {:?}",
            self.name,
            self.ok(),
            self.classes(),
            self.bad_span(),
            self.lateness(0.5),
            self.lateness(0.99)
        )
    }
}

fn at(start: Offset, within: u32) -> Duration {
    start.since_zero() + Duration::from_nanos(within.into())
}

/// A load that runs.
pub struct Run {
    runtime: Runtime,
    pub handle: LoadHandle,
    flushes: UnboundedReceiver<Flush>,
    names: Vec<String>,
    pub clock: Clock,
}

pub fn start(loads: Vec<Workload>, duration: Duration, workers: usize) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let clock = Clock::starting_at(Instant::now() + LEAD);
    let (tx, flushes) = unbounded_channel();
    let names = loads.iter().map(|l| l.name.clone()).collect();
    let spec = LoadSpec {
        loads,
        duration,
        seed: 11,
        workers,
    };
    let handle = load::start(spec, clock, tx).unwrap();
    Run {
        runtime,
        handle,
        flushes,
        names,
        clock,
    }
}

impl Run {
    /// Sleeps until a moment of the run.
    pub fn until(&self, moment: Duration) {
        let due = self.clock.instant(Offset::new(moment));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }

    /// The moment that it is.
    pub fn now(&self) -> Duration {
        self.clock.now().since_zero()
    }

    /// Waits for the end: every scheduled arrival was recorded, once.
    pub fn finish(mut self) -> (Vec<Seen>, LoadSummary) {
        let summary = self.runtime.block_on(self.handle.join());
        let empty = |name: String| Seen {
            name,
            slots: BTreeMap::new(),
            lateness: new_histogram(),
            instances: BTreeMap::new(),
        };
        let mut all: Vec<Seen> = self.names.into_iter().map(empty).collect();
        let mut instances: BTreeMap<(usize, usize), Vec<String>> = BTreeMap::new();
        while let Ok(flush) = self.flushes.try_recv() {
            let names = instances.entry((flush.worker, flush.load)).or_default();
            if flush.delta.instances.len() > names.len() {
                names.clone_from(&flush.delta.instances);
            }
            all[flush.load].add(&flush, names);
        }
        for (seen, scheduled) in all.iter().zip(&summary.scheduled) {
            assert_eq!(
                seen.total(),
                *scheduled,
                "{}: scheduled = ok + failed + unknown + dropped",
                seen.name
            );
        }
        (all, summary)
    }
}
