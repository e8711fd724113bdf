//! The lines of the history file: how each record looks in JSON. See [`super::file`] for the format.

use super::bins::{Bin, Bins};
use super::slot::new_histogram;
use super::{
    Class, End, Event, Exemplar, FaultRecord, GeneratorHealth, Head, InstanceId, Latencies, Sample,
    Second, Slot,
};
use crate::clock::Offset;
use crate::plan::PlannedFault;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// No slot holds more operations than this: ten million a microsecond.
const MAX_COUNT: u64 = 1_000_000_000_000;

/// One line that is written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Written<'a> {
    Head(&'a Head),
    Instances(Instances),
    Slot(SlotLine),
    Second(SecondLine),
    Event(&'a Event),
    Sample(&'a Sample),
    Exemplar(&'a Exemplar),
    AddedFault(&'a PlannedFault),
    Fault(&'a FaultRecord),
    Generator(&'a GeneratorHealth),
    End(&'a End),
}

/// One line that was read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    Head(Box<Head>),
    Instances(Instances),
    Slot(SlotLine),
    Second(SecondLine),
    Event(Event),
    Sample(Sample),
    Exemplar(Exemplar),
    AddedFault(Box<PlannedFault>),
    Fault(FaultRecord),
    Generator(GeneratorHealth),
    End(End),
}

/// The names of a workload's instances, by number.
#[derive(Debug, Serialize, Deserialize)]
pub struct Instances {
    pub load: usize,
    pub names: Vec<String>,
}

/// A slot; bins are sparse: index, ok, bad, first and last ok, first and last bad.
#[derive(Debug, Serialize, Deserialize)]
pub struct SlotLine {
    pub load: usize,
    pub index: u32,
    pub ok: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<Class, u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<Class, u64>,
    /// Instance, all, bad.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<(u16, u64, u64)>,
    pub span: Option<(Offset, Offset)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bins: Option<Vec<[u32; 7]>>,
    /// Index of a bin, nanoseconds that its first good operation waited until it was sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waited: Vec<[u32; 2]>,
}

/// A second; histograms are sparse: microseconds (the upper end of the bucket) and count.
#[derive(Debug, Serialize, Deserialize)]
pub struct SecondLine {
    pub load: usize,
    pub index: u32,
    pub latency: Vec<(u64, u32)>,
    pub service_time: Vec<(u64, u32)>,
}

impl SlotLine {
    pub fn of(load: usize, index: u32, slot: &Slot) -> Self {
        let sparse = |bins: &Bins| {
            bins.filled()
                .map(|(i, b)| {
                    [
                        i,
                        b.ok,
                        b.bad,
                        b.first_ok,
                        b.last_ok,
                        b.first_bad,
                        b.last_bad,
                    ]
                })
                .collect()
        };
        let filled = slot.bins.iter().flat_map(Bins::filled);
        let waited = filled.filter(|(_, b)| b.waited > 0);
        Self {
            load,
            index,
            ok: slot.ok,
            failed: slot.failed.clone(),
            unknown: slot.unknown.clone(),
            instances: slot
                .instances
                .iter()
                .map(|(id, (all, bad))| (id.0, *all, *bad))
                .collect(),
            span: slot.span,
            bins: slot.bins.as_ref().map(sparse),
            waited: waited.map(|(i, b)| [i, b.waited]).collect(),
        }
    }

    /// The slot; none where a bin has an impossible index, or a count is beyond all reason (sums of what is
    /// read must not overflow).
    pub fn into_slot(self) -> Option<Slot> {
        let counts = self
            .failed
            .values()
            .chain(self.unknown.values())
            .chain([&self.ok]);
        let of_instances = self.instances.iter().map(|(_, all, bad)| all.max(bad));
        if counts.chain(of_instances).any(|n| *n > MAX_COUNT) {
            return None;
        }
        let bins = match self.bins {
            None => None,
            Some(sparse) => {
                let waited: BTreeMap<u32, u32> = self.waited.into_iter().map(From::from).collect();
                let bin = |[i, ok, bad, first_ok, last_ok, first_bad, last_bad]: [u32; 7]| {
                    let bin = Bin {
                        ok,
                        bad,
                        first_ok,
                        last_ok,
                        first_bad,
                        last_bad,
                        waited: waited.get(&i).copied().unwrap_or(0),
                    };
                    (i, bin)
                };
                Some(Bins::of(sparse.into_iter().map(bin))?)
            }
        };
        let instances = self.instances.into_iter();
        Some(Slot {
            ok: self.ok,
            failed: self.failed,
            unknown: self.unknown,
            instances: instances
                .map(|(id, all, bad)| (InstanceId(id), (all, bad)))
                .collect(),
            span: self.span,
            bins,
        })
    }
}

impl SecondLine {
    pub fn of(load: usize, index: u32, second: &Second) -> Self {
        Self {
            load,
            index,
            latency: second.latency.buckets().collect(),
            service_time: second.service_time.buckets().collect(),
        }
    }

    pub fn into_second(self) -> Second {
        Second {
            latency: compact(&self.latency),
            service_time: compact(&self.service_time),
        }
    }
}

fn compact(buckets: &[(u64, u32)]) -> Latencies {
    // Through a histogram: who knows who wrote the file, and in which order.
    let mut histogram = new_histogram();
    for (value, count) in buckets {
        histogram.saturating_record_n(*value, *count);
    }
    Latencies::from(&histogram)
}
