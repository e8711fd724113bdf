//! What a run tells whoever is watching: one enum, matched without a wildcard by every watcher, so that a new
//! notice cannot be forgotten.

use crate::clock::Offset;
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
    /// p99 latency of the good ones.
    pub p99: Option<Duration>,
    /// Operations since zero.
    pub total: u64,
    /// Bad ones since zero.
    pub bad: u64,
}

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
