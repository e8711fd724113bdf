//! Merges what the workers record into one history per workload, and knows what is final.
//!
//! A slot is *closed* once every worker has said that it will never again record an operation intended before
//! the slot's end. A closed slot gives up its bins where neither it nor the one before has bad operations, so that memory grows with the length
//! of the run and with the length of its outages, never with the rate.

use super::bins::Bins;
use super::exemplars::{Exemplars, Noticed};
use super::slot::new_histogram;
use super::totals::{SLOTS_PER_SECOND, Totals, last_second};
use super::{Delta, Exemplar, Flush, InstanceId, LoadHistory, Second, Slot};
use crate::clock::Offset;
use crate::notice::LoadTick;
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// After so long, what the workers recorded is here: they flush every 200 ms.
const HANDED_OVER: Duration = Duration::from_millis(300);

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
    totals: Totals,
    /// Operations worth a look, of the seconds that are not closed.
    exemplars: Exemplars,
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

    /// Operations worth a look for themselves, of the seconds that were closed since the last call.
    pub fn exemplars(&mut self) -> Vec<Exemplar> {
        let loads = self.loads.iter_mut().enumerate();
        loads
            .flat_map(|(index, load)| load.settled(index))
            .collect()
    }

    /// How each workload goes: its last full second that was handed over by `now`, and totals.
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
            totals: Totals::default(),
            exemplars: Exemplars::default(),
        }
    }

    /// Exemplars of closed seconds.
    fn settled(&mut self, load: usize) -> Vec<Exemplar> {
        let settled = self.exemplars.take_before(self.closed / SLOTS_PER_SECOND);
        let name = |id: InstanceId| self.history.instances.get(usize::from(id.0)).cloned();
        let exemplar = |noticed: Noticed| Exemplar {
            load,
            intended: noticed.intended,
            latency: noticed.latency,
            outcome: noticed.outcome,
            instance: noticed.instance.and_then(name),
            trace_id: noticed.trace.map(|id| id.to_string()),
        };
        settled.into_iter().map(exemplar).collect()
    }

    fn merge(&mut self, delta: &Delta) {
        let ids = self.global_ids(&delta.instances);
        for (index, slot) in &delta.slots {
            self.changed.slots.insert(*index);
            let mut slot = slot.clone();
            slot.instances = renumbered(&slot.instances, &ids);
            self.totals.count(&slot);
            self.history.slots.entry(*index).or_default().merge(&slot);
        }
        for (index, second) in &delta.seconds {
            self.changed.seconds.insert(*index);
            self.totals.time(second);
            self.history
                .seconds
                .entry(*index)
                .or_default()
                .merge(second);
        }
        for noticed in &delta.exemplars {
            let global = |id: InstanceId| ids.get(usize::from(id.0)).copied();
            self.exemplars.add(Noticed {
                instance: noticed.instance.and_then(global),
                ..*noticed
            });
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
            if bad || after_bad {
                slot.bins.iter_mut().for_each(Bins::close);
            } else if slot.bins.take().is_some() {
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
        let mut tick = self.totals.tick(&self.name, &self.history.instances);
        tick.in_flight = self.in_flight.iter().sum();
        let handed_over = now.since_zero().saturating_sub(HANDED_OVER);
        let second = handed_over.as_secs().checked_sub(1);
        if let Some(second) = second.and_then(|s| u32::try_from(s).ok()) {
            last_second(&mut tick, &self.history, second);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Class, Operation, Outcome, Recorder};
    use crate::notice::{InstanceTick, LATENCY_BOUNDS};

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
    fn exemplars_of_all_workers_are_told_once_their_second_is_closed() {
        let (mut left, mut right) = (Recorder::default(), Recorder::default());
        let (a, b) = (left.instance("app1"), right.instance("app2"));
        left.record(&operation(100, Outcome::Ok, Some(a)));
        let mut slow = operation(200, Outcome::Ok, Some(b));
        slow.done = slow.intended + Duration::from_millis(50);
        right.record(&slow);
        for ms in [300, 310, 320, 330] {
            left.record(&operation(ms, Outcome::Fail(Class::Reset), None));
            right.record(&operation(ms + 5, Outcome::Fail(Class::Reset), None));
        }
        let mut collector = Collector::new(["web"], 2);
        collector.add(&flush(0, &mut left, 1000));
        collector.add(&flush(1, &mut right, 999));
        assert!(
            collector.exemplars().is_empty(),
            "a worker may still record in it"
        );
        collector.add(&flush(1, &mut right, 1000));
        let told = collector.exemplars();
        let of = |e: &Exemplar| (e.intended.as_millis_f64(), e.instance.clone());
        assert_eq!(
            told.iter().map(of).collect::<Vec<_>>(),
            [
                (200.0, Some("app2".to_owned())),
                (300.0, None),
                (310.0, None),
                (320.0, None)
            ]
        );
        collector.close();
        assert!(collector.exemplars().is_empty());
    }

    #[test]
    fn a_tick_tells_who_answered_what_was_bad_and_how_long_it_all_took() {
        let mut recorder = Recorder::default();
        let (a, b) = (recorder.instance("app1"), recorder.instance("app2"));
        for ms in (0..2000).step_by(10) {
            let to_b = ms % 40 == 0;
            let outcome = if to_b {
                Outcome::Fail(Class::Reset)
            } else {
                Outcome::Ok
            };
            recorder.record(&operation(ms, outcome, Some(if to_b { b } else { a })));
        }
        let mut collector = Collector::new(["web"], 1);
        collector.add(&flush(0, &mut recorder, 2000));
        let tick = &collector.ticks(Offset::from_millis(2400))[0];
        let of = |i: &InstanceTick| (i.name.clone(), i.total, i.bad, i.rate.round());
        let instances: Vec<_> = tick.instances.iter().map(of).collect();
        assert_eq!(
            instances,
            [
                ("app1".to_owned(), 150, 0, 75.0),
                ("app2".to_owned(), 50, 50, 25.0)
            ]
        );
        assert_eq!(tick.errors, BTreeMap::from([("reset".to_owned(), 50)]));
        assert_eq!(tick.in_flight, 2);
        let third = LATENCY_BOUNDS.iter().position(|b| *b == 5_000).unwrap();
        assert_eq!(tick.latencies.iter().sum::<u64>(), 150);
        assert_eq!(
            tick.latencies[third] + tick.latencies[third - 1],
            150,
            "all took 3 ms, within two digits"
        );
        let sum = tick.latency_sum.as_secs_f64();
        assert!((0.45..0.46).contains(&sum), "{sum}");
        assert!(tick.p50.is_some_and(|p50| Some(p50) <= tick.p99));
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
