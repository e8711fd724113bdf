//! The plan: a scenario, a topology and a seed, with every time and every target resolved.
//!
//! It is written at the head of the history, so it holds no secret: DSNs appear without password, headers not
//! at all.

mod arrivals;
mod resolve;
mod targets;

pub use resolve::{Resolved, kind_name, resolve};

use crate::clock::Offset;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Everything that the analysis needs to know of what was meant to happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The scenario's name.
    pub scenario: String,
    /// Its description.
    pub description: String,
    /// The compose project, where there is a topology.
    pub project: Option<String>,
    /// Seed of every random choice.
    pub seed: u64,
    /// End of the warm-up; operations intended before it are recorded and not judged.
    pub warmup: Duration,
    /// Length of the load from the clock's zero, warm-up included.
    pub duration: Duration,
    /// When a workload counts as recovered.
    pub recovery: Recovery,
    /// `observe = true`: an empty gate passes.
    pub observe: bool,
    /// The workloads, in the order of the scenario.
    pub loads: Vec<PlannedLoad>,
    /// Every occurrence of every fault, by injection time.
    pub faults: Vec<PlannedFault>,
    /// The gates, resolved.
    pub gates: Vec<Gate>,
}

/// When a workload counts as steady, and as recovered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// The running error ratio must stay within this (0.01 is 1 %) …
    pub max_error_ratio: f64,
    /// … for this long.
    pub stable_for: Duration,
    /// p99 of one-second windows must be back within this; none: derived from the baseline.
    pub p99_limit: Option<Duration>,
}

/// One workload, described without secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedLoad {
    /// Its name.
    pub name: String,
    /// `http` or `postgres`.
    pub kind: String,
    /// Where it goes, without credentials.
    pub target: String,
    /// `open` or `closed`.
    pub loop_kind: LoopKind,
    /// In words: `200/s`, `50 users, think 100ms`.
    pub arrivals: String,
    /// Arrivals the schedule holds over the whole run; none in a closed loop.
    pub scheduled: Option<u64>,
    /// Its time-out for one operation.
    pub timeout: Duration,
    /// Its own recovery limits.
    pub recovery: Recovery,
}

/// How arrivals are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoopKind {
    /// At a rate, whatever the system does.
    Open,
    /// N users, each waits for its answer.
    Closed,
}

/// One occurrence of one fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// Its name; occurrences of a repeated fault are `name #1`, `name #2`, ….
    pub name: String,
    /// Name of the `[[fault]]` entry it comes from (gates refer to that).
    pub entry: String,
    /// `stop`, `kill`, `pause`, `restart`, `start`, `external`.
    pub kind: String,
    /// Services (or `service.number` where a service has several containers), resolved.
    pub targets: Vec<String>,
    /// When to inject.
    pub inject_at: Offset,
    /// When to heal; none: at the end of the run (or never needed).
    pub heal_at: Option<Offset>,
}

/// A limit on a figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// What is limited.
    pub metric: Metric,
    /// How it is compared.
    pub comparison: Comparison,
    /// The limit in the metric's own unit (ratio, milliseconds, count, per second).
    pub limit: f64,
    /// The limit as it was written: `<= 0.5%`.
    pub written: String,
    /// What it looks at.
    pub scope: GateScope,
}

/// What a gate looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateScope {
    /// Each workload (and each fault) for itself: the worst one counts.
    Run,
    /// One workload, by name.
    Load(String),
    /// One `[[fault]]` entry, by name: the worst of its edges and workloads counts.
    Fault(String),
}

/// The figures that can be gated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Bad operations / operations after the warm-up (in a fault's scope: over its impact windows).
    ErrorRate,
    /// Number of bad operations.
    Bad,
    /// Number of operations of unknown outcome.
    Unknown,
    /// Number of dropped arrivals.
    Dropped,
    /// Latency percentile, milliseconds.
    P50,
    /// Latency percentile, milliseconds.
    P90,
    /// Latency percentile, milliseconds.
    P99,
    /// Latency percentile, milliseconds.
    P999,
    /// Highest latency, milliseconds.
    MaxLatency,
    /// Operations per second that were done well.
    Throughput,
    /// Time to recover, milliseconds.
    TimeToRecover,
    /// Time to recover performance, milliseconds.
    TimeToRecoverPerformance,
    /// Longest outage, milliseconds.
    Outage,
}

impl Metric {
    /// Every metric with its key in a scenario file.
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::ErrorRate, "error_rate"),
        (Self::Bad, "bad"),
        (Self::Unknown, "unknown"),
        (Self::Dropped, "dropped"),
        (Self::P50, "p50"),
        (Self::P90, "p90"),
        (Self::P99, "p99"),
        (Self::P999, "p999"),
        (Self::MaxLatency, "max"),
        (Self::Throughput, "throughput"),
        (Self::TimeToRecover, "time_to_recover"),
        (
            Self::TimeToRecoverPerformance,
            "time_to_recover_performance",
        ),
        (Self::Outage, "outage"),
    ];

    /// Its key in a scenario file.
    #[must_use]
    pub fn key(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(m, _)| *m == self)
            .map_or("?", |(_, key)| key)
    }
}

/// How a measured value is compared with its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `<=`
    AtMost,
    /// `<`
    Below,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
    /// `==`
    Equal,
}

impl Comparison {
    /// Whether `measured` holds the limit.
    #[must_use]
    pub fn holds(self, measured: f64, limit: f64) -> bool {
        match self {
            Self::AtMost => measured <= limit,
            Self::Below => measured < limit,
            Self::AtLeast => measured >= limit,
            Self::Above => measured > limit,
            Self::Equal => (measured - limit).abs() < f64::EPSILON,
        }
    }
}
