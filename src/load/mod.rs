//! The load: workers that make operations on a schedule and record what becomes of each.
//!
//! A worker is an operating-system thread with a current-thread runtime of its own. It owns its share of every
//! workload — the arrivals `i ≡ w (mod n)`, connections, books — and shares nothing but the flushes it sends, a
//! few times a second. Every arrival is recorded exactly once: ok, failed, unknown or dropped.
//!
//! Three figures are kept of an operation: latency from its intended time, service time from its send, and the
//! lateness of its dispatch, which tells whether the generator itself kept up.

mod agenda;
pub mod arrivals;
mod client;
mod deadline;
pub mod gate;
pub mod http;
mod lane;
pub mod ledger;
pub mod net;
mod order;
pub mod postgres;
mod probe;
mod send;
pub mod timer;
pub mod values;
mod worker;

pub use crate::history::Flush;
pub use probe::{ProbeError, probe};

use crate::clock::Clock;
use crate::history::trace::RunTraces;
use crate::scenario::{Arrivals, Workload};
use client::ClientPlan;
use lane::PreparedLoad;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use worker::{Assignment, WorkerSummary};

/// What is to be made.
#[derive(Debug, Clone)]
pub struct LoadSpec {
    /// The workloads, in the order of the scenario.
    pub loads: Vec<Workload>,
    /// Length of the load from the clock's zero.
    pub duration: Duration,
    /// Seed of arrivals, values and choices.
    pub seed: u64,
    /// Threads; at least one is made.
    pub workers: usize,
}

/// What is left when the load is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadSummary {
    /// CPU time of all workers together.
    pub cpu_time: Duration,
    /// Workers that came to their end in good order: as many as were started, or there is a defect in lbtest.
    pub workers: usize,
    /// Arrivals handed out, per load: ok + failed + unknown + dropped.
    pub scheduled: Vec<u64>,
}

/// Why a client cannot be made of its specification. No secret is in it.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// No request or statement.
    #[error("there is nothing to send")]
    Empty,
    /// An URL that is none, or not of HTTP.
    #[error("`{0}` is not a usable http or https URL")]
    Url(String),
    /// Requests of one workload go to several origins.
    #[error("all requests of a workload must go to the same scheme, host and port")]
    Origins,
    /// Not a method.
    #[error("`{0}` is not an HTTP method")]
    Method(String),
    /// A header that cannot be sent, or that is lbtest's own.
    #[error("header `{0}` cannot be set: its name or value is invalid, or lbtest sets it itself")]
    Header(String),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] net::TlsError),
    /// A statement with more or fewer parameters than were given.
    #[error("the statement takes {wanted} parameters, {given} are given")]
    Parameters {
        /// Given.
        given: usize,
        /// Taken by the statement.
        wanted: usize,
    },
    /// The DSN.
    #[error("the DSN cannot be used: {0}")]
    Dsn(&'static str),
}

/// Why the load cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A workload cannot be made.
    #[error("workload `{load}`: {source}")]
    Spec {
        /// Its name.
        load: String,
        /// Why.
        source: SpecError,
    },
    /// A worker's thread, runtime or timer.
    #[error("a load worker cannot be started")]
    Worker(#[source] std::io::Error),
}

/// A load that is running.
#[derive(Debug)]
pub struct LoadHandle {
    stop: CancellationToken,
    abort: CancellationToken,
    workers: Vec<oneshot::Receiver<WorkerSummary>>,
    loads: usize,
}

/// Raises the soft limit of open files to the hard one. The usual soft limit of 1024 is there for the sake of
/// `select`, which nothing here uses; with it, a thousand hanging connections would make lbtest fail, and the failures
/// would be put on the system's account.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = maximum;
    // Where it cannot be raised, the load runs within what there is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
}

/// Whether a load could be made of these workloads.
///
/// # Errors
/// Why not: an URL, a DSN, a header or a CA file that cannot be used.
pub fn check(loads: &[Workload]) -> Result<(), LoadError> {
    loads.iter().try_for_each(|load| client_of(load).map(drop))
}

/// Has the kernel make room for so many open files now. It doubles its table when the next one does not fit, and with
/// several threads each time waits for a grace period of RCU, some 16 ms on an idle machine: of a worker, in the middle of
/// an outage, at the cost of every workload.
fn make_room(files: usize) {
    let room = i32::try_from(files.min(1 << 20)).unwrap_or(0);
    if let Ok(any) = std::fs::File::open("/dev/null") {
        // Where it cannot be made (the limit is lower), the table grows as it is needed.
        let _ = rustix::io::fcntl_dupfd_cloexec(any, room);
    }
}

/// Connections that workloads may have at once, and what else is open.
fn most_files(loads: &[Workload]) -> usize {
    let most = |load: &Workload| match &load.arrivals {
        Arrivals::Open { .. } => load.max_in_flight,
        Arrivals::Closed { users, .. } => *users,
    };
    loads.iter().map(most).fold(128, usize::saturating_add)
}

fn client_of(load: &Workload) -> Result<ClientPlan, LoadError> {
    ClientPlan::new(&load.client).map_err(|source| LoadError::Spec {
        load: load.name.clone(),
        source,
    })
}

/// Starts the load. The clock's zero should lie some 300 ms ahead: until then the workers resolve names and make
/// the connections that the beginning needs; what is not there at zero is made when it is needed.
///
/// # Errors
/// Where a workload cannot be made or a worker cannot start.
pub fn start(
    spec: LoadSpec,
    clock: Clock,
    flushes: UnboundedSender<Flush>,
) -> Result<LoadHandle, LoadError> {
    raise_descriptor_limit();
    make_room(most_files(&spec.loads));
    let traces = RunTraces::of(clock.wall_zero(), spec.seed);
    let prepare = |(index, load): (usize, &Workload)| {
        let client = client_of(load)?.traced(traces.load(index));
        Ok(PreparedLoad::new(load, client, spec.seed, index))
    };
    let loads: Arc<[PreparedLoad]> = spec
        .loads
        .iter()
        .enumerate()
        .map(prepare)
        .collect::<Result<_, _>>()?;
    let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
    let mut handle = LoadHandle {
        stop: stop.clone(),
        abort: abort.clone(),
        workers: Vec::new(),
        loads: loads.len(),
    };
    let workers = spec.workers.max(1);
    for worker in 0..workers {
        let assignment = Assignment {
            worker,
            workers,
            loads: Arc::clone(&loads),
            clock,
            duration: spec.duration,
            flushes: flushes.clone(),
            stop: stop.clone(),
            abort: abort.clone(),
        };
        match spawn(assignment) {
            Ok(summary) => handle.workers.push(summary),
            Err(error) => {
                abort.cancel();
                return Err(error);
            }
        }
    }
    Ok(handle)
}

/// Starts one worker's thread and waits until it has what it needs.
fn spawn(assignment: Assignment) -> Result<oneshot::Receiver<WorkerSummary>, LoadError> {
    let (ready, is_ready) = sync_channel(1);
    let (done, summary) = oneshot::channel();
    let thread = std::thread::Builder::new().name(format!("load-{}", assignment.worker));
    let body = move || match worker::prepare(&assignment.clock) {
        Ok((runtime, timer)) => {
            let _ = ready.send(Ok(()));
            let _ = done.send(worker::run(&assignment, runtime, timer));
        }
        Err(error) => {
            let _ = ready.send(Err(error));
        }
    };
    thread.spawn(body).map_err(LoadError::Worker)?;
    match is_ready.recv() {
        Ok(result) => result.map(|()| summary),
        Err(_) => Err(LoadError::Worker(std::io::Error::other("its thread ended"))),
    }
}

impl LoadHandle {
    /// No further arrivals; what is under way is awaited, at most until its time-outs.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Cuts off now: what is under way is recorded as aborted.
    pub fn abort(&self) {
        self.abort.cancel();
    }

    /// Waits for the end: of the schedule and the last operation, or what `stop` and `abort` brought.
    pub async fn join(mut self) -> LoadSummary {
        let mut all = LoadSummary {
            cpu_time: Duration::ZERO,
            workers: 0,
            scheduled: vec![0; self.loads],
        };
        for worker in std::mem::take(&mut self.workers) {
            // A worker that panicked left nothing, and is missing in the count.
            let Ok(summary) = worker.await else { continue };
            all.workers += 1;
            all.cpu_time += summary.cpu_time;
            all.scheduled
                .iter_mut()
                .zip(summary.scheduled)
                .for_each(|(sum, n)| *sum += n);
        }
        all
    }
}

/// A load that nobody holds any more is cut off: its threads would go on to the end of the schedule.
impl Drop for LoadHandle {
    fn drop(&mut self) {
        self.abort.cancel();
    }
}
