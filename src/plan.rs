//! The plan: a scenario, a topology and a seed, with every time and every target resolved.
//!
//! It is written at the head of the history, so it holds no secret: DSNs appear without password, headers not
//! at all.

mod arrivals;
pub mod blast;
mod composite;
mod networks;
mod occurrence;
mod partition;
mod resolve;
mod roles;
mod targets;
#[cfg(test)]
mod tests;
mod warnings;

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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlannedFault {
    /// Its name; occurrences of a repeated fault are `name #1`, `name #2`, ….
    pub name: String,
    /// Name of the `[[fault]]` entry it comes from (gates refer to that).
    pub entry: String,
    /// Its kind's key in a scenario: `stop`, `delay`, ….
    pub kind: String,
    /// Services (or `service.number` where a service has several containers), resolved.
    pub targets: Vec<String>,
    /// When to inject.
    pub inject_at: Offset,
    /// When to heal; none: at the end of the run (or never needed).
    pub heal_at: Option<Offset>,
    /// The groups of a partition, each named as in `targets`; of an isolation only one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Vec<String>>,
    /// The peers that it is limited to, named as in `targets`; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub towards: Vec<String>,
    /// Which of `targets` it hits is found at the moment of injection; none: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Late>,
    /// It begins when another one is over; `inject_at` and `heal_at` are then what is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
}

/// How targets are found at the moment of injection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// The databases that say that they have this role now: `primary`, `replica`.
    Role(String),
    /// The container that served the last request of this workload.
    LastServed(String),
}

/// A fault's place in a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// Index in `plan.faults` of the one that must be healed (and whose targets must be healthy) first.
    pub index: usize,
    /// And so long after that.
    pub pause: Duration,
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
    /// The limit is derived from a baseline; `limit` is then 0 and means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative: Option<Relative>,
}

/// A limit that follows from what a baseline run measured: `baseline × factor + offset`, for each figure that the gate
/// looks at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Relative {
    /// 1 where none was written.
    pub factor: f64,
    /// In the metric's own unit; may be negative.
    pub offset: f64,
    /// What the baseline measured; none: no baseline was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineFigures>,
}

/// What a baseline run measured of the figures that a gate looks at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BaselineFigures {
    /// Its run id.
    pub run: String,
    /// By whose figure it is (`web`, `web after slave 1 stops (heal)`), in the metric's own unit.
    pub figures: std::collections::BTreeMap<String, f64>,
    /// Why it proves nothing, in words; none where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
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
