//! The whole history of a run, and what stands at its head and at its end.

use super::{Event, Exemplar, FaultRecord, Sample, Second, Slot};
use crate::clock::Offset;
use crate::plan::Plan;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the form of the history file and of `run.json`. Changes are additive only.
pub const SCHEMA_VERSION: u32 = 1;

/// What is known when the load begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Version of lbtest that ran.
    pub lbtest_version: String,
    /// The run's id, as on the labels of what it made.
    pub run: String,
    /// Wall time of the clock's zero.
    pub started_at: jiff::Timestamp,
    /// What was meant to happen; holds no secret.
    pub plan: Plan,
    /// Where it ran.
    pub environment: Environment,
}

/// Where a run took place. Whatever could not be found out is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// Version of the container engine.
    pub engine_version: Option<String>,
    /// Version of its API that was spoken.
    pub api_version: Option<String>,
    /// Version of the kernel.
    pub kernel: Option<String>,
    /// Operating system of the machine.
    pub host_os: Option<String>,
    /// Processor cores.
    pub cpus: Option<u32>,
    /// Memory, bytes.
    pub memory_bytes: Option<u64>,
}

/// How well lbtest itself kept to its schedule: what it measured is only as good as this.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GeneratorHealth {
    /// Median lateness of a send (dispatch − intended), milliseconds.
    pub late_p50_ms: f64,
    /// 99th percentile of the lateness, milliseconds.
    pub late_p99_ms: f64,
    /// Greatest lateness, milliseconds.
    pub late_max_ms: f64,
    /// Arrivals that found no free slot, all workloads.
    pub dropped: u64,
    /// Processor time of the load workers / (their number × the load's length); none: not measured.
    pub cpu_ratio: Option<f64>,
    /// Processor time of the load workers over the whole load, warm-up and connecting included; none: not measured.
    pub cpu_ms: Option<f64>,
    /// Operations that it was spent on: all that were made, of every workload, warm-up included; none: not counted.
    pub operations: Option<u64>,
    /// Idle share of the machine's processors over the load, 0 to 1; none: not measured.
    pub host_idle_ratio: Option<f64>,
    /// Load workers (threads).
    pub workers: usize,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// When everything was over: the last operation awaited, the last fault healed.
    pub at: Offset,
    /// Why.
    pub reason: EndReason,
    /// When arrivals ended (the wait for operations still under way is not part of it).
    pub load_ended_at: Offset,
    /// Arrivals that each workload's schedule held until then.
    pub scheduled: Vec<u64>,
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// As planned.
    Completed,
    /// Somebody ended it.
    Interrupted,
    /// Something broke; in words.
    Failed(String),
}

/// Everything that was recorded of one workload.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadHistory {
    /// Slots of 100 ms by index.
    pub slots: BTreeMap<u32, Slot>,
    /// Seconds by index.
    pub seconds: BTreeMap<u32, Second>,
    /// Names of the instances, by `InstanceId`.
    pub instances: Vec<String>,
}

/// What happened, whole. The analysis is a pure function of it.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// What was known before.
    pub head: Head,
    /// The workloads, in the order of the plan.
    pub loads: Vec<LoadHistory>,
    /// Events, in the order in which they were written.
    pub events: Vec<Event>,
    /// What observers measured, in the order in which it was written.
    pub samples: Vec<Sample>,
    /// Operations worth a look for themselves.
    pub exemplars: Vec<Exemplar>,
    /// Faults that took place (or were tried), by index in the plan.
    pub faults: Vec<FaultRecord>,
    /// lbtest's own health; none where the run did not come that far.
    pub generator: Option<GeneratorHealth>,
    /// The end; none: lbtest died.
    pub end: Option<End>,
}

impl History {
    /// A history in which nothing has happened yet.
    #[must_use]
    pub fn new(head: Head) -> Self {
        let loads = vec![LoadHistory::default(); head.plan.loads.len()];
        Self {
            head,
            loads,
            events: Vec::new(),
            samples: Vec::new(),
            exemplars: Vec::new(),
            faults: Vec::new(),
            generator: None,
            end: None,
        }
    }
}
