//! Operations folded, by intended time, into slots of 100 ms and histograms of one second.
//!
//! Memory grows with the length of the run and never with the rate: a slot holds counts, and — while it may
//! still change, or where it holds bad operations — one [`Bin`](super::bins::Bin) per millisecond, so that first and last
//! bad and good operations are exact to the operation below 1000/s and to less than a millisecond above.
//!
//! A second is recorded into dense histograms and handed over as its filled buckets ([`Latencies`]).

use super::bins::Bins;
use super::exemplars::{BadOnes, Noticed, second_of};
use super::trace::TraceId;
use super::{Class, InstanceId, Latencies, Operation, Outcome};
use crate::clock::Offset;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// Width of a slot.
pub const SLOT: Duration = Duration::from_millis(100);
const SLOT_NANOS: u64 = 100_000_000;

/// Latencies: 1 µs to 1 hour, two significant digits (about 10 KB).
///
/// # Panics
/// Never: the bounds are constants that hdrhistogram accepts (a test makes one).
#[must_use]
pub fn new_histogram() -> Histogram<u32> {
    #[expect(
        clippy::expect_used,
        reason = "constant arguments, covered by every test of this file"
    )]
    Histogram::new_with_bounds(1, 3_600_000_000, 2).expect("constant bounds are valid")
}

/// Records a latency, in whole microseconds, at least one; what lies above the range counts as its end.
pub fn record_latency(histogram: &mut Histogram<u32>, latency: Duration) {
    histogram.saturating_record(
        u64::try_from(latency.as_micros())
            .unwrap_or(u64::MAX)
            .max(1),
    );
}

/// All operations of one workload that were intended within one 100 ms slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slot {
    /// Good operations.
    pub ok: u64,
    /// Failed operations by class, dropped ones among them (`Class::Dropped`).
    pub failed: BTreeMap<Class, u64>,
    /// Operations of unknown outcome by class.
    pub unknown: BTreeMap<Class, u64>,
    /// Operations by the instance that answered: (all, bad).
    pub instances: BTreeMap<InstanceId, (u64, u64)>,
    /// Intended time of the first and the last operation.
    pub span: Option<(Offset, Offset)>,
    /// One bin per millisecond; none once the slot is closed and nothing was bad in it and in the one before.
    pub bins: Option<Bins>,
}

impl Slot {
    /// The index of the slot that holds a moment.
    #[must_use]
    pub fn index_of(at: Offset) -> u32 {
        u32::try_from(at.as_nanos() / SLOT_NANOS).unwrap_or(u32::MAX)
    }

    /// Where the slot with this index begins.
    #[must_use]
    pub fn start_of(index: u32) -> Offset {
        Offset::from_nanos(u64::from(index) * SLOT_NANOS)
    }

    /// All bad operations.
    #[must_use]
    pub fn bad(&self) -> u64 {
        self.failed.values().sum::<u64>() + self.unknown.values().sum::<u64>()
    }

    /// All operations.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.ok + self.bad()
    }

    /// Folds one operation in. It must belong to this slot.
    pub fn add(&mut self, op: &Operation) {
        match op.outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Fail(class) => *self.failed.entry(class).or_default() += 1,
            Outcome::Unknown(class) => *self.unknown.entry(class).or_default() += 1,
        }
        let bad = op.outcome.is_bad();
        if let Some(instance) = op.instance {
            let (all, bads) = self.instances.entry(instance).or_default();
            *all += 1;
            *bads += u64::from(bad);
        }
        let at = op.intended;
        self.span = Some(self.span.map_or((at, at), |(a, b)| (a.min(at), b.max(at))));
        let within = u32::try_from(at.as_nanos() % SLOT_NANOS).unwrap_or(0);
        let bins = self.bins.get_or_insert_default();
        bins.add(within, bad, op.waited());
    }

    /// Adds all that `other` holds; both must be of the same index.
    pub fn merge(&mut self, other: &Self) {
        self.ok += other.ok;
        for (class, n) in &other.failed {
            *self.failed.entry(*class).or_default() += n;
        }
        for (class, n) in &other.unknown {
            *self.unknown.entry(*class).or_default() += n;
        }
        for (instance, (all, bad)) in &other.instances {
            let mine = self.instances.entry(*instance).or_default();
            mine.0 += all;
            mine.1 += bad;
        }
        self.span = match (self.span, other.span) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (mine, theirs) => mine.or(theirs),
        };
        if let Some(theirs) = &other.bins {
            self.bins.get_or_insert_default().merge(theirs);
        }
    }
}

/// Latencies of one second of one workload, by intended time; good operations only (a failure's latency is
/// that of the failure, not of the service).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Second {
    /// `done − intended`.
    pub latency: Latencies,
    /// `done − sent`.
    pub service_time: Latencies,
}

impl Second {
    /// Adds all that `other` holds.
    pub fn merge(&mut self, other: &Self) {
        self.latency.add(&other.latency);
        self.service_time.add(&other.service_time);
    }
}

/// A [`Second`] that is recorded into: some 26 KB, so that only a [`Recorder`] holds any, and of the seconds only that
/// it has recorded into since it was last asked.
#[derive(Debug)]
struct OpenSecond {
    latency: Histogram<u32>,
    service_time: Histogram<u32>,
    slowest: Option<Noticed>,
}

impl Default for OpenSecond {
    fn default() -> Self {
        Self {
            latency: new_histogram(),
            service_time: new_histogram(),
            slowest: None,
        }
    }
}

impl OpenSecond {
    fn record(&mut self, op: &Operation, trace: Option<TraceId>) {
        let latency = op.latency();
        // Compared first, and built only where it is the slowest so far: seldom.
        if self.slowest.is_none_or(|slowest| latency > slowest.latency) {
            self.slowest = Some(Noticed::new(op, trace));
        }
        record_latency(&mut self.latency, latency);
        if let Some(service) = op.service_time() {
            record_latency(&mut self.service_time, service);
        }
    }

    /// What was recorded; nothing is left.
    fn take(&mut self) -> Second {
        let second = Second {
            latency: Latencies::from(&self.latency),
            service_time: Latencies::from(&self.service_time),
        };
        self.latency.reset();
        self.service_time.reset();
        second
    }
}

/// What one worker recorded of one workload since it was last asked; merges by addition.
#[derive(Debug, Clone, Default)]
pub struct Delta {
    /// Slots by index.
    pub slots: BTreeMap<u32, Slot>,
    /// Seconds by index.
    pub seconds: BTreeMap<u32, Second>,
    /// Names of the instances, by `InstanceId`: the worker's own numbering.
    pub instances: Vec<String>,
    /// The instance that gave the last good answer.
    pub served_last: Option<InstanceId>,
    /// Operations worth a look for themselves: see [`super::exemplars`].
    pub exemplars: Vec<Noticed>,
}

impl Delta {
    /// Name of the instance that gave the last good answer.
    #[must_use]
    pub fn served_last(&self) -> Option<&str> {
        let id = self.served_last?;
        self.instances.get(usize::from(id.0)).map(String::as_str)
    }
}

/// Folds the operations of one workload on one worker. Owned by that worker alone: no lock, no channel per
/// operation.
#[derive(Debug, Default)]
pub struct Recorder {
    delta: Delta,
    open: BTreeMap<u32, OpenSecond>,
    /// Bad operations worth a look, by second.
    bad: BTreeMap<u32, BadOnes>,
    /// Empty ones, to be used again.
    spare: Vec<OpenSecond>,
    instances: BTreeMap<String, InstanceId>,
}

/// Of the seconds of a flush so many are kept for the next one: it seldom reaches over more than two. After a stall it
/// does, and the rest is given back.
const SPARE: usize = 2;
/// No more than this many instances are told apart; the rest share the last name.
const MAX_INSTANCES: usize = 256;
/// A longer name is cut: it comes from the system under test, and is sent with every flush.
const MAX_NAME: usize = 128;

fn shortened(name: &str) -> &str {
    if name.len() <= MAX_NAME {
        return name;
    }
    let ends = name.char_indices().map(|(at, _)| at);
    let end = ends.take_while(|at| *at <= MAX_NAME).last();
    name.get(..end.unwrap_or(0)).unwrap_or_default()
}

impl Recorder {
    /// The id of an instance name, made on first sight.
    pub fn instance(&mut self, name: &str) -> InstanceId {
        let name = shortened(name);
        if let Some(id) = self.instances.get(name) {
            return *id;
        }
        let known = self.instances.len();
        if known >= MAX_INSTANCES {
            return InstanceId(u16::try_from(MAX_INSTANCES - 1).unwrap_or(0));
        }
        let id = InstanceId(u16::try_from(known).unwrap_or(0));
        self.instances.insert(name.to_owned(), id);
        self.delta.instances.push(name.to_owned());
        id
    }

    /// Folds one operation in.
    pub fn record(&mut self, op: &Operation) {
        self.record_traced(op, None);
    }

    /// Folds one operation in whose request named this trace.
    pub fn record_traced(&mut self, op: &Operation, trace: Option<TraceId>) {
        self.delta
            .slots
            .entry(Slot::index_of(op.intended))
            .or_default()
            .add(op);
        let index = second_of(op.intended);
        if op.outcome.is_bad() {
            let bad = self.bad.entry(index).or_default();
            if bad.wants(op.outcome) {
                bad.keep(Noticed::new(op, trace));
            }
            return;
        }
        if op.instance.is_some() {
            self.delta.served_last = op.instance;
        }
        let spare = &mut self.spare;
        let open = self.open.entry(index);
        open.or_insert_with(|| spare.pop().unwrap_or_default())
            .record(op, trace);
    }

    /// An arrival that found no free slot: counted as failed, at its intended time.
    pub fn dropped(&mut self, intended: Offset) {
        let outcome = Outcome::Fail(Class::Dropped);
        self.record(&Operation {
            intended,
            sent: None,
            done: intended,
            outcome,
            instance: None,
        });
    }

    /// Everything since the last call; `None` where there was nothing.
    pub fn take(&mut self) -> Option<Delta> {
        if self.delta.slots.is_empty() {
            return None;
        }
        for (_, bad) in std::mem::take(&mut self.bad) {
            self.delta.exemplars.extend(bad.into_inner());
        }
        while let Some((index, mut second)) = self.open.pop_first() {
            self.delta.exemplars.extend(second.slowest.take());
            self.delta.seconds.insert(index, second.take());
            if self.spare.len() < SPARE {
                self.spare.push(second);
            }
        }
        let instances = self.delta.instances.clone();
        Some(std::mem::replace(
            &mut self.delta,
            Delta {
                instances,
                ..Delta::default()
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::trace::RunTraces;

    fn op(ms: u64, outcome: Outcome) -> Operation {
        let intended = Offset::from_millis(ms);
        Operation {
            intended,
            sent: Some(intended),
            done: intended + Duration::from_millis(7),
            outcome,
            instance: None,
        }
    }

    #[test]
    fn an_operation_lands_in_the_slot_of_its_intended_time() {
        let mut recorder = Recorder::default();
        recorder.record(&op(99, Outcome::Ok));
        recorder.record(&op(100, Outcome::Fail(Class::Reset)));
        recorder.dropped(Offset::from_millis(199));
        let delta = recorder.take().unwrap();
        assert_eq!((delta.slots[&0].ok, delta.slots[&0].bad()), (1, 0));
        assert_eq!((delta.slots[&1].ok, delta.slots[&1].bad()), (0, 2));
        assert_eq!(
            delta.seconds[&0].latency.len(),
            1,
            "bad operations have no latency"
        );
        assert!(recorder.take().is_none());
    }

    #[test]
    fn a_long_instance_name_is_cut_between_characters() {
        let mut recorder = Recorder::default();
        let long = "я".repeat(1000);
        assert_eq!(
            recorder.instance(&format!("a{long}")),
            recorder.instance(&format!("a{long}b"))
        );
        recorder.record(&op(1, Outcome::Ok));
        assert_eq!(recorder.take().unwrap().instances[0].len(), 127);
    }

    #[test]
    fn the_slowest_and_the_first_bad_ones_are_handed_over_and_the_accounts_are_what_they_were() {
        let mut recorder = Recorder::default();
        let trace = |ms: u64| {
            RunTraces::of(jiff::Timestamp::UNIX_EPOCH, 1)
                .load(0)
                .operation(ms)
        };
        for ms in 0..900 {
            let outcome = if ms % 2 == 1 {
                Outcome::Fail(Class::Timeout)
            } else {
                Outcome::Ok
            };
            let mut op = op(ms, outcome);
            if ms == 444 {
                op.done = op.intended + Duration::from_millis(70);
            }
            recorder.record_traced(&op, Some(trace(ms)));
        }
        let delta = recorder.take().unwrap();
        let kept: Vec<_> = delta
            .exemplars
            .iter()
            .map(|n| (n.intended, n.outcome.is_bad(), n.trace))
            .collect();
        let of = |ms: u64, bad| (Offset::from_millis(ms), bad, Some(trace(ms)));
        assert_eq!(
            kept,
            [of(1, true), of(3, true), of(5, true), of(444, false)]
        );
        let (ok, bad) = delta
            .slots
            .values()
            .fold((0, 0), |(ok, bad), s| (ok + s.ok, bad + s.bad()));
        assert_eq!((ok, bad, delta.seconds[&0].latency.len()), (450, 450, 450));
        recorder.record(&op(950, Outcome::Ok));
        let next = recorder.take().unwrap().exemplars;
        assert_eq!(next.len(), 1, "what was handed over is forgotten: {next:?}");
    }

    #[test]
    fn merging_two_workers_equals_folding_all_in_one() {
        let ops: Vec<_> = (0..300)
            .map(|i| {
                op(
                    i * 7 % 1000,
                    if i % 5 == 0 {
                        Outcome::Fail(Class::Timeout)
                    } else {
                        Outcome::Ok
                    },
                )
            })
            .collect();
        let fold = |ops: &[Operation]| {
            let mut r = Recorder::default();
            ops.iter().for_each(|o| r.record(o));
            r.take().unwrap()
        };
        let whole = fold(&ops);
        let (mut left, right) = (fold(&ops[..97]), fold(&ops[97..]));
        for (i, slot) in right.slots {
            left.slots.entry(i).or_default().merge(&slot);
        }
        for (i, second) in right.seconds {
            left.seconds.entry(i).or_default().merge(&second);
        }
        assert_eq!(left.slots, whole.slots);
        assert_eq!(left.seconds, whole.seconds);
    }
}
