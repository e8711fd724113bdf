//! The result of a run: what `run.json` holds.
//!
//! This is a public interface. Fields are added, never renamed or removed, while `schema_version` stays the
//! same. Times are numbers of milliseconds with the suffix `_ms`: of an impact they count from its edge,
//! everywhere else from the clock's zero. A figure that could not be measured is `null`.

use crate::history::{Environment, GeneratorHealth};
use crate::plan::{Comparison, GateScope, Metric};
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that is known of a run once it is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Version of this form.
    pub schema_version: u32,
    /// Version of lbtest that ran.
    pub lbtest_version: String,
    /// The run's id.
    pub run: String,
    /// What was run.
    pub scenario: ScenarioResult,
    /// Wall time of the clock's zero.
    pub started_at: jiff::Timestamp,
    /// Where it ran.
    pub environment: Environment,
    /// How it ended.
    pub end: EndResult,
    /// Pass, fail or inconclusive.
    pub verdict: Verdict,
    /// Why, in plain sentences; empty for a pass.
    pub verdict_reasons: Vec<String>,
    /// The workloads, in the order of the scenario.
    pub loads: Vec<LoadResult>,
    /// The planned faults, by time.
    pub faults: Vec<FaultResult>,
    /// Every edge on every workload, by time.
    pub impacts: Vec<Impact>,
    /// Outages of every workload, whether or not a fault explains them.
    pub outages: Vec<Outage>,
    /// The gates, judged.
    pub gates: Vec<GateResult>,
    /// What was seen besides.
    pub events: Vec<EventResult>,
    /// lbtest's own health; null where the run did not come that far.
    pub generator: Option<GeneratorHealth>,
    /// What to do about what was seen; plain sentences.
    #[serde(default)]
    pub hints: Vec<String>,
    /// What observers measured over time: CPU, replication lag, ….
    #[serde(default)]
    pub metrics: Vec<MetricSeries>,
    /// Single operations worth a look: failed ones, and the slowest.
    #[serde(default)]
    pub samples: Vec<OperationSample>,
    /// The plan as it was carried out, for people: its form may change with every version. It holds no secret.
    #[serde(default)]
    pub configuration: Option<serde_json::Value>,
}

/// What an observer measured over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSeries {
    /// What was measured: `cpu`, `replication_lag`, …. Series of one name belong into one plot.
    pub metric: String,
    /// Its unit: `ratio`, `cores`, `bytes`, `ms`, `count`, `per_second`.
    pub unit: String,
    /// Who measured: `host`, `cgroup`, `docker`, `postgres`, `haproxy`, ….
    pub source: String,
    /// Of what: a service, the host, lbtest itself.
    pub subject: String,
    /// When; ascending.
    pub at_ms: Vec<f64>,
    /// The values at these moments; null where there was nothing to measure.
    pub values: Vec<Option<f64>>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperationSample {
    /// Its workload.
    pub load: String,
    /// Its intended time.
    pub at_ms: f64,
    /// From its intended time to its end.
    pub latency_ms: f64,
    /// `ok`, or its class: `reset`, `timeout`, ….
    pub outcome: String,
    /// Who answered, where that is known.
    pub instance: Option<String>,
    /// The trace that its `traceparent` header named, 32 hexadecimal digits; null where none was sent.
    pub trace_id: Option<String>,
}

/// What was run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioResult {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Seed of every random choice.
    pub seed: u64,
    /// Compose project, where there is a topology.
    pub project: Option<String>,
    /// Operations intended before this are not judged.
    pub warmup_ms: f64,
    /// Length of the load as planned, warm-up included.
    pub duration_ms: f64,
    /// The scenario only observes: an empty gate passes.
    pub observe: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndResult {
    /// `completed`, `interrupted`, `failed`, or `died` where no end was recorded.
    pub reason: String,
    /// In words, where it failed.
    pub detail: Option<String>,
    /// When everything was over.
    pub at_ms: Option<f64>,
    /// Where the measured window begins: the end of the warm-up.
    pub measured_from_ms: f64,
    /// Where it ends: the end of the load.
    pub measured_to_ms: f64,
}

impl EndResult {
    /// Whether a second of the clock begins within the measured window: only then there are percentiles.
    #[must_use]
    pub fn measured_a_second(&self) -> bool {
        (self.measured_from_ms / 1e3).ceil() * 1e3 < self.measured_to_ms
    }
}

/// Latency percentiles, milliseconds; within 1 % (two significant digits).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Percentiles {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// One workload over the measured window (after the warm-up).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadResult {
    /// Its name.
    pub name: String,
    /// `http`, `postgres`.
    pub kind: String,
    /// Where it went, without credentials.
    pub target: String,
    /// Its arrivals in words.
    pub arrivals: String,
    /// Operations: ok + failed + unknown + dropped.
    pub requests: u64,
    /// Done well.
    pub ok: u64,
    /// Failed, dropped ones not among them.
    pub failed: u64,
    /// Writes that may have happened.
    pub unknown: u64,
    /// Arrivals that found no free slot.
    pub dropped: u64,
    /// (failed + unknown + dropped) / requests; 0 without requests.
    pub error_rate: f64,
    /// Everything bad, by class.
    pub errors: BTreeMap<String, u64>,
    /// From the intended time, good operations.
    pub latency_ms: Option<Percentiles>,
    /// From the send, good operations.
    pub service_time_ms: Option<Percentiles>,
    /// Operations made (all but the dropped ones) per second.
    pub achieved_rate: f64,
    /// Arrivals that the schedule held, per second; null in a closed loop.
    pub intended_rate: Option<f64>,
    /// Operations done well per second.
    pub throughput: f64,
    /// Arrivals of the schedule that left no trace, over the whole run: never made, nor counted as dropped.
    pub lost: u64,
    /// The longest time without a success, by intended times; null without a success.
    pub longest_gap_ms: Option<f64>,
    /// The steady state.
    pub baseline: Baseline,
    /// Who answered.
    pub instances: Vec<InstanceShare>,
    /// Outages left out of `outages` because there were too many (the shortest are left out).
    pub outages_omitted: u64,
    /// The run over time.
    pub series: Series,
    /// Latencies of the measured window, as recorded.
    #[serde(default)]
    pub histogram: Histogram,
}

/// Latencies of good operations: the filled buckets of an HDR histogram of two significant digits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Highest value of each bucket; ascending.
    pub upper_ms: Vec<f64>,
    /// Operations in each.
    pub counts: Vec<u64>,
}

/// A workload's steady state: from the end of the warm-up to the first fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Its begin.
    pub from_ms: f64,
    /// Its end: the first fault, less the time for which an operation may have been under way.
    pub to_ms: f64,
    /// Operations in it.
    pub requests: u64,
    /// Bad ones.
    pub bad: u64,
    /// bad / requests.
    pub error_rate: f64,
    /// The error ratio that it must hold.
    pub max_error_rate: f64,
    /// Latencies of its whole seconds.
    pub latency_ms: Option<Percentiles>,
    /// p99 of a second within this counts as recovered; null where there is no baseline to derive it from.
    pub p99_limit_ms: Option<f64>,
    /// It has operations, and its error rate is within the limit.
    pub holds: bool,
}

/// One instance's share of a workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceShare {
    /// Its name.
    pub name: String,
    /// Operations that it answered.
    pub requests: u64,
    /// Bad ones among them.
    pub bad: u64,
    /// Its share of all operations whose instance is known.
    pub share: f64,
}

/// A workload over time, warm-up included: one entry per interval from zero on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Length of an interval: a second, longer where the run is long.
    pub interval_ms: f64,
    /// Operations.
    pub requests: Vec<u64>,
    /// Bad ones.
    pub bad: Vec<u64>,
    /// Bad ones by class; only the classes that occurred.
    pub errors: BTreeMap<String, Vec<u64>>,
    /// Median latency; null without a good operation.
    pub p50_ms: Vec<Option<f64>>,
    /// 90th percentile.
    #[serde(default)]
    pub p90_ms: Vec<Option<f64>>,
    /// 99th percentile.
    pub p99_ms: Vec<Option<f64>>,
    /// 99.9th percentile.
    #[serde(default)]
    pub p999_ms: Vec<Option<f64>>,
    /// Highest latency.
    #[serde(default)]
    pub max_ms: Vec<Option<f64>>,
    /// Latencies by size, for a heat map.
    #[serde(default)]
    pub heat: Heat,
    /// Operations by the instance that answered.
    pub instances: BTreeMap<String, Vec<u64>>,
}

/// Good operations by interval and latency. Buckets are two per octave; those outside of what occurred are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Heat {
    /// Upper end of each bucket (its values are at most this, and above the one before); ascending.
    pub bounds_ms: Vec<f64>,
    /// One entry per interval: operations in each bucket.
    pub counts: Vec<Vec<u64>>,
}

/// A planned fault and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultResult {
    /// Its name.
    pub name: String,
    /// The `[[fault]]` entry it comes from.
    pub entry: String,
    /// `stop`, `kill`, ….
    pub kind: String,
    /// Planned targets; those that were hit, where they were found at the moment of injection.
    pub targets: Vec<String>,
    /// Planned.
    pub inject_at_ms: f64,
    /// When it took effect; null: it did not take place.
    pub injected_at_ms: Option<f64>,
    /// How far the true moment may lie from it.
    pub inject_uncertainty_ms: Option<f64>,
    /// From the call that breaks to its effect: of the slowest target.
    #[serde(default)]
    pub inject_latency_ms: Option<f64>,
    /// What broke it, where there is a choice: `nftables drop`, `xt NFQUEUE`, ….
    #[serde(default)]
    pub mechanism: Option<String>,
    /// Planned.
    pub heal_at_ms: Option<f64>,
    /// When healing took effect.
    pub healed_at_ms: Option<f64>,
    /// How far the true moment may lie from it.
    pub heal_uncertainty_ms: Option<f64>,
    /// An independent look saw the effect on every target; null for an external fault, where there is nothing
    /// to look at.
    pub confirmed: Option<bool>,
    /// An independent look saw every target healed; null where nothing was healed.
    pub heal_confirmed: Option<bool>,
    /// It lasted until its heal on every target; false: it was over before, as `notes` tell. Null for an external fault,
    /// where nobody looked, and where there was nothing to heal.
    #[serde(default)]
    pub lasted: Option<bool>,
    /// What was seen or went wrong, per target, in words.
    pub notes: Vec<String>,
}

impl FaultResult {
    /// Whether an event may be about one of its targets: an event names the service, a target may be one of its containers.
    #[must_use]
    pub fn hits(&self, subject: &str) -> bool {
        let is = |target: &String| match target.strip_prefix(subject) {
            Some("") => true,
            Some(rest) => rest
                .strip_prefix('.')
                .is_some_and(|number| number.parse::<u32>().is_ok()),
            None => false,
        };
        self.targets.iter().any(is)
    }
}

/// Which of a fault's two edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// It breaks.
    Inject,
    /// It is mended.
    Heal,
}

/// What an edge did to a workload: operations intended from the edge to the next one or the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Impact {
    /// The fault.
    pub fault: String,
    /// Its `[[fault]]` entry.
    pub entry: String,
    /// Which edge.
    pub edge: EdgeKind,
    /// The edge's own time.
    pub edge_at_ms: f64,
    /// Length of the window.
    pub window_ms: f64,
    /// The workload.
    pub load: String,
    /// Operations.
    pub requests: u64,
    /// Bad ones.
    pub bad: u64,
    /// Unknown ones among them.
    pub unknown: u64,
    /// Dropped ones among them.
    pub dropped: u64,
    /// bad / requests.
    pub error_rate: f64,
    /// Bad ones by class.
    pub errors: BTreeMap<String, u64>,
    /// Bad operations intended before the edge that may have been under way when it came; among `bad`.
    pub bad_under_way: u64,
    /// First bad operation.
    pub first_bad_ms: Option<f64>,
    /// Last bad operation.
    pub last_bad_ms: Option<f64>,
    /// 0 where nothing was bad; null where it did not recover within the window.
    pub time_to_recover_ms: Option<f64>,
    /// How far the truth may lie from it: the gap to the operation before (or the wait of this one until it was
    /// sent, where that is longer), and the edge's uncertainty.
    pub resolution_ms: Option<f64>,
    /// It recovered, or was never hurt.
    pub recovered: bool,
    /// Until p99 was back; 0 where it never left; null where it did not come back, or there is no limit.
    pub time_to_recover_performance_ms: Option<f64>,
    /// Latencies of the window's whole seconds.
    pub latency_ms: Option<Percentiles>,
}

/// A time in which a workload was not stable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outage {
    /// The workload.
    pub load: String,
    /// Its first bad operation.
    pub start_ms: f64,
    /// The first operation from which it was stable again; null: not before the end of the load.
    pub end_ms: Option<f64>,
    /// end − start; null where there is no end.
    pub duration_ms: Option<f64>,
    /// Its last bad operation.
    pub last_bad_ms: f64,
    /// Bad operations.
    pub bad: u64,
    /// How far the truth may lie from the duration: the gap before its begin, and as for recovery of its end.
    pub resolution_ms: f64,
    /// The fault whose edge it follows, where there is one.
    pub fault: Option<String>,
}

/// A gate, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// Its scope and metric: `error_rate`, `web: p99`, `slave 1 stops: time_to_recover`.
    pub name: String,
    /// The limit as written; one that is derived from a baseline is followed by what it comes to.
    pub limit: String,
    /// The worst value; null where it was never reached (not recovered) or could not be measured.
    pub measured: Option<f64>,
    /// The limit holds.
    pub passed: bool,
    /// There was something to judge; where not, the verdict is inconclusive.
    pub judged: bool,
    /// What is limited.
    pub metric: Metric,
    /// How it is compared.
    pub comparison: Comparison,
    /// The limit in the unit of `measured`.
    pub limit_value: f64,
    /// What it looks at.
    pub scope: GateScope,
    /// The workload (and edge) of the worst value: `web`, `web after slave 1 stops (heal)`.
    pub worst: Option<String>,
    /// Why there is no measured value.
    pub note: Option<String>,
    /// What the baseline measured of this figure, where the limit is derived from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
}

/// Something that was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct EventResult {
    pub at_ms: f64,
    pub source: String,
    pub subject: String,
    pub what: String,
}
