//! Merges what the workers record into one history per workload, and knows what is final.
//!
//! A slot is *closed* once every worker has said that it will never again record an operation intended before
//! the slot's end. A closed slot gives up its bins where neither it nor the one before has bad operations, so that memory grows with the length
//! of the run and with the length of its outages, never with the rate.

use super::slot::new_histogram;
use super::{Delta, Flush, InstanceId, LoadHistory, Second, Slot};
use crate::clock::Offset;
use crate::notice::LoadTick;
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Slots in a second.
const SLOTS_PER_SECOND: u32 = 10;

/// Merges flushes; one per run.
#[derive(Debug)]
pub struct Collector {
    loads: Vec<Collected>,
    lateness: Histogram<u32>,
}

#[derive(Debug)]
struct Collected {
    name: String,
    history: LoadHistory,
    ids: BTreeMap<String, InstanceId>,
    /// Per worker: everything intended before is known.
    complete: Vec<Offset>,
    in_flight: Vec<usize>,
    /// Slots below this index are closed.
    closed: u32,
    changed: Changed,
    total: u64,
    bad: u64,
}

#[derive(Debug, Default)]
struct Changed {
    slots: BTreeSet<u32>,
    seconds: BTreeSet<u32>,
    instances: bool,
}

/// What has changed of one workload since it was last asked for: to be written to the history file.
#[derive(Debug)]
pub struct Changes<'a> {
    /// Index of the workload.
    pub load: usize,
    /// Instance names, where there are new ones.
    pub instances: Option<&'a [String]>,
    /// Changed slots, by index.
    pub slots: Vec<(u32, &'a Slot)>,
    /// Changed seconds, by index.
    pub seconds: Vec<(u32, &'a Second)>,
}

impl Collector {
    /// A collector for workloads of these names, recorded by so many workers.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>, workers: usize) -> Self {
        let loads = names
            .into_iter()
            .map(|name| Collected::new(name.into(), workers))
            .collect();
        Self {
            loads,
            lateness: new_histogram(),
        }
    }

    /// Takes in one worker's flush. A flush of a workload or worker that does not exist is ignored.
    pub fn add(&mut self, flush: &Flush) {
        // Both sides have microseconds within the same bounds; a foreign bound loses that lateness only.
        let _ = self.lateness.add(&flush.lateness);
        let Some(load) = self.loads.get_mut(flush.load) else {
            return;
        };
        load.merge(&flush.delta);
        if let Some(complete) = load.complete.get_mut(flush.worker) {
            *complete = flush.complete_before.max(*complete);
        }
        if let Some(in_flight) = load.in_flight.get_mut(flush.worker) {
            *in_flight = flush.in_flight;
        }
        let complete = load.complete.iter().min().copied().unwrap_or(Offset::ZERO);
        load.close_before(Slot::index_of(complete));
    }

    /// Nothing more will come: every slot is closed.
    pub fn close(&mut self) {
        self.loads
            .iter_mut()
            .for_each(|load| load.close_before(u32::MAX));
    }

    /// Calls `write` with what has changed of each workload since the last call that succeeded.
    ///
    /// # Errors
    /// Those of `write`; what it was to write is then offered again.
    pub fn write_changes<E>(
        &mut self,
        mut write: impl FnMut(&Changes<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for (index, load) in self.loads.iter_mut().enumerate() {
            write(&load.changes(index))?;
            load.changed = Changed::default();
        }
        Ok(())
    }

    /// How each workload goes: its last full second before `now`, and totals.
    #[must_use]
    pub fn ticks(&self, now: Offset) -> Vec<LoadTick> {
        self.loads.iter().map(|load| load.tick(now)).collect()
    }

    /// Lateness of all sends so far, in microseconds.
    #[must_use]
    pub fn lateness(&self) -> &Histogram<u32> {
        &self.lateness
    }

    /// Operations under way, as of the workers' last flushes.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.loads.iter().flat_map(|load| &load.in_flight).sum()
    }

    /// Arrivals that found no free slot so far, all workloads.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let slots = self
            .loads
            .iter()
            .flat_map(|load| load.history.slots.values());
        slots
            .filter_map(|slot| slot.failed.get(&super::Class::Dropped))
            .sum()
    }

    /// The workloads' histories, in the order of the plan.
    #[must_use]
    pub fn into_loads(self) -> Vec<LoadHistory> {
        self.loads.into_iter().map(|load| load.history).collect()
    }
}

impl Collected {
    fn new(name: String, workers: usize) -> Self {
        Self {
            name,
            history: LoadHistory::default(),
            ids: BTreeMap::new(),
            complete: vec![Offset::ZERO; workers],
            in_flight: vec![0; workers],
            closed: 0,
            changed: Changed::default(),
            total: 0,
            bad: 0,
        }
    }

    fn merge(&mut self, delta: &Delta) {
        let ids = self.global_ids(&delta.instances);
        for (index, slot) in &delta.slots {
            self.total += slot.total();
            self.bad += slot.bad();
            self.changed.slots.insert(*index);
            let mut slot = slot.clone();
            slot.instances = renumbered(&slot.instances, &ids);
            self.history.slots.entry(*index).or_default().merge(&slot);
        }
        for (index, second) in &delta.seconds {
            self.changed.seconds.insert(*index);
            self.history
                .seconds
                .entry(*index)
                .or_default()
                .merge(second);
        }
    }

    /// Worker's instance numbers → ours, by name.
    fn global_ids(&mut self, names: &[String]) -> Vec<InstanceId> {
        let mut ids = Vec::with_capacity(names.len());
        for name in names {
            let id = self.ids.get(name).copied().unwrap_or_else(|| {
                let known = self.history.instances.len();
                let id = InstanceId(u16::try_from(known).unwrap_or(u16::MAX));
                self.history.instances.push(name.clone());
                self.ids.insert(name.clone(), id);
                self.changed.instances = true;
                id
            });
            ids.push(id);
        }
        ids
    }

    fn close_before(&mut self, index: u32) {
        if index <= self.closed {
            return;
        }
        // Where operations become good again the first one's bin is needed: it may lie in the next slot.
        let before = self.history.slots.range(..self.closed).next_back();
        let mut after_bad = before.is_some_and(|(_, slot)| slot.bad() > 0);
        for (i, slot) in self.history.slots.range_mut(self.closed..index) {
            let bad = slot.bad() > 0;
            if !bad && !after_bad && slot.bins.take().is_some() {
                self.changed.slots.insert(*i);
            }
            after_bad = bad;
        }
        self.closed = index;
    }

    fn changes(&self, load: usize) -> Changes<'_> {
        let slots = self.changed.slots.iter();
        let seconds = self.changed.seconds.iter();
        Changes {
            load,
            instances: self.changed.instances.then_some(&*self.history.instances),
            slots: slots
                .filter_map(|i| self.history.slots.get(i).map(|slot| (*i, slot)))
                .collect(),
            seconds: seconds
                .filter_map(|i| self.history.seconds.get(i).map(|second| (*i, second)))
                .collect(),
        }
    }

    fn tick(&self, now: Offset) -> LoadTick {
        let mut tick = LoadTick {
            name: self.name.clone(),
            total: self.total,
            bad: self.bad,
            ..LoadTick::default()
        };
        let Some(second) = now.since_zero().as_secs().checked_sub(1) else {
            return tick;
        };
        let second = u32::try_from(second).unwrap_or(u32::MAX / SLOTS_PER_SECOND - 1);
        let from = second.saturating_mul(SLOTS_PER_SECOND);
        let slots = self
            .history
            .slots
            .range(from..from.saturating_add(SLOTS_PER_SECOND));
        let (all, bad) = slots.fold((0, 0), |(all, bad), (_, s)| {
            (all + s.total(), bad + s.bad())
        });
        tick.rate = as_f64(all);
        tick.error_ratio = if all == 0 {
            0.0
        } else {
            as_f64(bad) / as_f64(all)
        };
        tick.p99 = self
            .history
            .seconds
            .get(&second)
            .filter(|s| !s.latency.is_empty())
            .map(|s| Duration::from_micros(s.latency.value_at_quantile(0.99)));
        tick
    }
}

fn renumbered(
    instances: &BTreeMap<InstanceId, (u64, u64)>,
    ids: &[InstanceId],
) -> BTreeMap<InstanceId, (u64, u64)> {
    let mut mine: BTreeMap<InstanceId, (u64, u64)> = BTreeMap::new();
    for (id, (all, bad)) in instances {
        let Some(id) = ids.get(usize::from(id.0)) else {
            continue;
        };
        let entry = mine.entry(*id).or_default();
        entry.0 += all;
        entry.1 += bad;
    }
    mine
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn as_f64(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Class, Operation, Outcome, Recorder};

    fn operation(ms: u64, outcome: Outcome, instance: Option<InstanceId>) -> Operation {
        let intended = Offset::from_millis(ms);
        Operation {
            intended,
            sent: Some(intended),
            done: intended + Duration::from_millis(3),
            outcome,
            instance,
        }
    }

    fn flush(worker: usize, recorder: &mut Recorder, complete_ms: u64) -> Flush {
        Flush {
            worker,
            load: 0,
            delta: recorder.take().unwrap_or_default(),
            lateness: new_histogram(),
            in_flight: 2,
            complete_before: Offset::from_millis(complete_ms),
        }
    }

    #[test]
    fn workers_that_number_instances_differently_are_merged_by_name() {
        let (mut left, mut right) = (Recorder::default(), Recorder::default());
        let (a, b) = (left.instance("app1"), left.instance("app2"));
        let other = right.instance("app2");
        left.record(&operation(1, Outcome::Ok, Some(a)));
        left.record(&operation(2, Outcome::Ok, Some(b)));
        right.record(&operation(3, Outcome::Fail(Class::Reset), Some(other)));
        let mut collector = Collector::new(["web"], 2);
        collector.add(&flush(0, &mut left, 0));
        collector.add(&flush(1, &mut right, 0));
        assert_eq!(collector.in_flight(), 4);
        let load = &collector.into_loads()[0];
        assert_eq!(load.instances, ["app1", "app2"]);
        assert_eq!(load.slots[&0].instances[&InstanceId(1)], (2, 1));
    }

    #[test]
    fn a_slot_keeps_its_bins_until_every_worker_is_past_it_and_longer_where_something_was_bad() {
        let (mut left, mut right) = (Recorder::default(), Recorder::default());
        left.record(&operation(50, Outcome::Ok, None));
        left.record(&operation(150, Outcome::Fail(Class::Reset), None));
        left.record(&operation(250, Outcome::Ok, None));
        let mut collector = Collector::new(["web"], 2);
        collector.add(&flush(0, &mut left, 300));
        let bins = |c: &Collector| {
            let slots = c.loads[0].history.slots.values();
            slots.map(|s| s.bins.is_some()).collect::<Vec<_>>()
        };
        assert_eq!(bins(&collector), [true, true, true]);
        collector.add(&flush(1, &mut right, 299));
        assert_eq!(
            bins(&collector),
            [false, true, true],
            "the third slot ends at 300 ms"
        );
        let mut later = Recorder::default();
        later.record(&operation(450, Outcome::Ok, None));
        collector.add(&flush(0, &mut later, 500));
        collector.close();
        assert_eq!(
            bins(&collector),
            [false, true, true, false],
            "the first good operation after a bad one is in the third slot"
        );
    }

    #[test]
    fn only_what_changed_is_offered_for_writing_and_again_where_writing_failed() {
        let mut recorder = Recorder::default();
        recorder.record(&operation(50, Outcome::Ok, None));
        let mut collector = Collector::new(["web"], 1);
        collector.add(&flush(0, &mut recorder, 0));
        assert!(collector.write_changes(|_| Err(())).is_err());
        let seen = |c: &mut Collector| {
            let mut seen = Vec::new();
            let _ = c.write_changes(|changes| {
                seen.extend(changes.slots.iter().map(|(i, _)| *i));
                Ok::<_, ()>(())
            });
            seen
        };
        assert_eq!(seen(&mut collector), [0]);
        assert!(seen(&mut collector).is_empty());
        collector.close();
        assert_eq!(seen(&mut collector), [0], "it gave up its bins");
    }

    #[test]
    fn a_tick_tells_the_last_full_second_and_the_totals() {
        let mut recorder = Recorder::default();
        for ms in (0..2500).step_by(10) {
            let bad = (1000..1500).contains(&ms);
            let outcome = if bad {
                Outcome::Fail(Class::Timeout)
            } else {
                Outcome::Ok
            };
            recorder.record(&operation(ms, outcome, None));
        }
        let mut collector = Collector::new(["web"], 1);
        assert_eq!(collector.ticks(Offset::ZERO)[0].total, 0);
        collector.add(&flush(0, &mut recorder, 2500));
        let tick = &collector.ticks(Offset::from_millis(2400))[0];
        assert_eq!((tick.total, tick.bad), (250, 50));
        assert!((tick.rate - 100.0).abs() < 1e-9 && (tick.error_ratio - 0.5).abs() < 1e-9);
        assert_eq!(tick.p99.map(|d| d.as_millis()), Some(3));
    }
}
