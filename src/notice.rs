//! What a run tells whoever is watching: one enum, matched without a wildcard by every watcher, so that a new
//! notice cannot be forgotten.

use crate::clock::Offset;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A phase of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Images are pulled and built.
    Images,
    /// Networks, volumes and containers are made and started.
    Starting,
    /// Workloads' first probes.
    Probing,
    /// Load, not judged yet.
    WarmUp,
    /// Load and faults, judged.
    Measuring,
    /// The last operations are awaited, faults are healed.
    Draining,
    /// Analysis and report.
    Reporting,
    /// Everything is taken down.
    TearingDown,
}

/// One thing worth telling.
#[derive(Debug, Clone)]
pub enum Notice {
    /// A phase began.
    Phase(Phase),
    /// An image is being built or pulled for a service; `line` is the last line of output.
    Image {
        /// The service it is for.
        service: String,
        /// Last line of the builder's or the registry's output.
        line: String,
    },
    /// An image is there.
    ImageReady {
        /// The service it is for.
        service: String,
        /// How long it took; zero where it was there already.
        took: Duration,
    },
    /// A container's state changed: `created`, `started`, `healthy`, `completed`, `removed`.
    Container {
        /// The service.
        service: String,
        /// The state.
        state: String,
    },
    /// The load began.
    LoadStarted {
        /// Its whole length.
        duration: Duration,
    },
    /// How the load goes, several times a second.
    Tick(Box<Tick>),
    /// A fault is injected, or healed, now; `what` is a sentence.
    Fault {
        /// When.
        at: Offset,
        /// The fault's name.
        name: String,
        /// `slave 1 stops: postgres-slave1 stopped, confirmed`.
        what: String,
    },
    /// Something the user should know, and that does not end the run.
    Warning(String),
    /// Plain information.
    Info(String),
    /// Everything told before this is to be shown, and the terminal left free, before it is answered.
    Settle(Settle),
}

/// The question behind [`Notice::Settle`].
#[derive(Debug, Clone)]
pub struct Settle(Arc<Notify>);

impl Settle {
    /// Everything is shown.
    pub fn done(&self) {
        self.0.notify_one();
    }
}

/// How the load goes.
#[derive(Debug, Clone, Default)]
pub struct Tick {
    /// Now.
    pub at: Offset,
    /// One entry per workload, in the order of the scenario.
    pub loads: Vec<LoadTick>,
    /// The next edge of the schedule: its time and a name for it.
    pub next: Option<(Offset, String)>,
    /// Every fault, planned or made by hand, in the order of the plan.
    pub faults: Vec<FaultTick>,
    /// The schedule is held.
    pub held: bool,
    /// The services' containers and their states, as the engine last told.
    pub services: Vec<ServiceTick>,
}

/// How far a fault has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FaultState {
    /// Its time has not come.
    #[default]
    Planned,
    /// It is in effect.
    Injected,
    /// It was healed, or is over.
    Healed,
    /// It did not take place, or was not seen.
    Failed,
}

/// How one fault goes.
#[derive(Debug, Clone, Default)]
pub struct FaultTick {
    /// Its name.
    pub name: String,
    /// Its kind's key: `stop`, ….
    pub kind: String,
    /// Whom it hits.
    pub targets: Vec<String>,
    /// When it was injected, or is going to be.
    pub inject_at: Offset,
    /// When it was healed, or is going to be; none: at the end, or never needed.
    pub heal_at: Option<Offset>,
    /// How far it has come.
    pub state: FaultState,
}

/// How one container goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceTick {
    /// The service (`service.2` where there are several).
    pub name: String,
    /// `running`, `healthy`, `unhealthy`, `stopped`, `paused`, ….
    pub state: String,
}

/// Who answered a workload.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InstanceTick {
    /// The instance.
    pub name: String,
    /// Operations that it answered since zero.
    pub total: u64,
    /// Bad ones among them.
    pub bad: u64,
    /// Operations of the last full second.
    pub rate: f64,
}

/// How one workload goes: the last full second, and totals.
#[derive(Debug, Clone, Default)]
pub struct LoadTick {
    /// The workload's name.
    pub name: String,
    /// Operations per second.
    pub rate: f64,
    /// Bad share of them, 0 to 1.
    pub error_ratio: f64,
    /// Median latency of the good ones.
    pub p50: Option<Duration>,
    /// p99 latency of the good ones.
    pub p99: Option<Duration>,
    /// Operations since zero.
    pub total: u64,
    /// Bad ones since zero.
    pub bad: u64,
    /// Of unknown outcome among them.
    pub unknown: u64,
    /// Bad ones since zero by class.
    pub errors: BTreeMap<String, u64>,
    /// Operations under way.
    pub in_flight: usize,
    /// Who answered.
    pub instances: Vec<InstanceTick>,
    /// Latencies of the good ones since zero: how many took at most [`LATENCY_BOUNDS`], one entry each, not cumulative;
    /// and one more for what took longer.
    pub latencies: Vec<u64>,
    /// Their sum.
    pub latency_sum: Duration,
}

/// Upper ends of the buckets of [`LoadTick::latencies`], microseconds.
pub const LATENCY_BOUNDS: [u64; 17] = [
    500, 1_000, 2_000, 3_000, 5_000, 7_500, 10_000, 20_000, 30_000, 50_000, 100_000, 200_000,
    500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000,
];

/// Sends notices; cheap to clone, never blocks, and does nothing once nobody listens.
#[derive(Debug, Clone)]
pub struct Notices(UnboundedSender<Notice>);

impl Notices {
    /// A sender and its receiver.
    #[must_use]
    pub fn channel() -> (Self, UnboundedReceiver<Notice>) {
        let (tx, rx) = unbounded_channel();
        (Self(tx), rx)
    }

    /// Returns when everything told so far is shown and nothing is drawn until the next notice, so that somebody
    /// else can write to the terminal.
    pub async fn settle(&self) {
        let shown = Arc::new(Notify::new());
        if self
            .0
            .send(Notice::Settle(Settle(Arc::clone(&shown))))
            .is_ok()
        {
            // A watcher that is gone shows nothing.
            tokio::select! {
                () = shown.notified() => {}
                () = self.0.closed() => {}
            }
        }
    }

    /// Tells one thing.
    pub fn tell(&self, notice: Notice) {
        let _ = self.0.send(notice);
    }
}
