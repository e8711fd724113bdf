//! What a workload did since zero, and in its last full second: what is told of it while it runs.

use super::{InstanceId, LoadHistory, Second, Slot};
use crate::notice::{InstanceTick, LATENCY_BOUNDS, LoadTick};
use std::collections::BTreeMap;
use std::time::Duration;

/// Slots in a second.
pub const SLOTS_PER_SECOND: u32 = 10;

/// Sums since zero; they only grow.
#[derive(Debug)]
pub struct Totals {
    all: u64,
    bad: u64,
    unknown: u64,
    /// Bad ones by class.
    errors: BTreeMap<String, u64>,
    /// By instance: all, bad.
    answered: BTreeMap<InstanceId, (u64, u64)>,
    /// Latencies by [`LATENCY_BOUNDS`].
    latencies: Vec<u64>,
    /// Their sum, microseconds.
    latency_sum: u64,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            all: 0,
            bad: 0,
            unknown: 0,
            errors: BTreeMap::new(),
            answered: BTreeMap::new(),
            latencies: vec![0; LATENCY_BOUNDS.len() + 1],
            latency_sum: 0,
        }
    }
}

impl Totals {
    /// Adds what became of operations.
    pub fn count(&mut self, slot: &Slot) {
        self.all += slot.total();
        self.bad += slot.bad();
        self.unknown += slot.unknown.values().sum::<u64>();
        for (class, n) in slot.failed.iter().chain(&slot.unknown) {
            *self.errors.entry(class.to_string()).or_default() += n;
        }
        for (id, (all, bad)) in &slot.instances {
            let sum = self.answered.entry(*id).or_default();
            *sum = (sum.0 + all, sum.1 + bad);
        }
    }

    /// Adds how long operations took.
    pub fn time(&mut self, second: &Second) {
        for (micros, n) in second.latency.buckets() {
            let bucket = LATENCY_BOUNDS.partition_point(|bound| *bound < micros);
            self.latencies[bucket] += u64::from(n);
            let took = micros.saturating_mul(n.into());
            self.latency_sum = self.latency_sum.saturating_add(took);
        }
    }

    /// A workload's tick without its last second. The instances are those of its history, by id.
    #[must_use]
    pub fn tick(&self, name: &str, instances: &[String]) -> LoadTick {
        LoadTick {
            name: name.to_owned(),
            total: self.all,
            bad: self.bad,
            unknown: self.unknown,
            errors: self.errors.clone(),
            instances: self.instances(instances),
            latencies: self.latencies.clone(),
            latency_sum: Duration::from_micros(self.latency_sum),
            ..LoadTick::default()
        }
    }

    /// By id, so that an id is an index.
    fn instances(&self, names: &[String]) -> Vec<InstanceTick> {
        let tick = |(id, name): (u16, &String)| {
            let sums = self.answered.get(&InstanceId(id)).copied();
            let (total, bad) = sums.unwrap_or_default();
            InstanceTick {
                name: name.clone(),
                total,
                bad,
                rate: 0.0,
            }
        };
        (0u16..).zip(names).map(tick).collect()
    }
}

/// Fills in how one second went.
pub fn last_second(tick: &mut LoadTick, history: &LoadHistory, second: u32) {
    let from = second.saturating_mul(SLOTS_PER_SECOND);
    let slots = history
        .slots
        .range(from..from.saturating_add(SLOTS_PER_SECOND));
    for (id, (all, _)) in slots.clone().flat_map(|(_, slot)| &slot.instances) {
        if let Some(instance) = tick.instances.get_mut(usize::from(id.0)) {
            instance.rate += as_f64(*all);
        }
    }
    let (all, bad) = slots.fold((0, 0), |(all, bad), (_, s)| {
        (all + s.total(), bad + s.bad())
    });
    tick.rate = as_f64(all);
    tick.error_ratio = if all == 0 {
        0.0
    } else {
        as_f64(bad) / as_f64(all)
    };
    let recorded = history.seconds.get(&second);
    if let Some(second) = recorded.filter(|s| !s.latency.is_empty()) {
        let histogram = second.latency.histogram();
        let at = |q| Some(Duration::from_micros(histogram.value_at_quantile(q)));
        (tick.p50, tick.p99) = (at(0.5), at(0.99));
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn as_f64(n: u64) -> f64 {
    n as f64
}
