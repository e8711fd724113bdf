//! The books of one workload on one worker: every arrival enters once and leaves once.
//!
//! An arrival that is dispatched gets a [`Ticket`]. Whatever then becomes of the operation's future — it ends,
//! runs out of time, is cut off with everything else — the ticket records exactly one operation, at the latest
//! when it is dropped. So `scheduled = ok + failed + unknown + dropped` holds by construction.

use super::order::{Key, Order};
use crate::clock::{Clock, Offset};
use crate::history::slot::new_histogram;
use crate::history::trace::TraceId;
use crate::history::{Class, Delta, InstanceId, Operation, Outcome, Recorder};
use hdrhistogram::Histogram;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The books. Shared by the operations of one thread.
#[derive(Debug)]
pub struct Ledger {
    clock: Clock,
    books: RefCell<Books>,
}

#[derive(Debug)]
struct Books {
    recorder: Recorder,
    lateness: Histogram<u32>,
    scheduled: u64,
    in_flight: usize,
    /// Expected and running operations, by intended time: entries are made in that order. Arrivals come in order, and a
    /// user's next operation is entered when the one before it is over, at that time plus the same think time.
    open: Order<Offset>,
}

/// What is sent at a flush.
#[derive(Debug)]
pub struct Page {
    /// Everything recorded since the last one.
    pub delta: Delta,
    /// Lateness of the dispatches since the last one, in microseconds.
    pub lateness: Histogram<u32>,
    /// Operations under way.
    pub in_flight: usize,
    /// The earliest open entry; none where nothing is open.
    pub oldest_open: Option<Offset>,
}

/// An entry that is expected, not yet dispatched. Withdrawn when dropped.
#[derive(Debug)]
pub struct Expected {
    ledger: Rc<Ledger>,
    key: Key,
    intended: Offset,
    dispatched: bool,
}

/// One operation under way.
#[derive(Debug)]
pub struct Ticket {
    /// When it was dispatched.
    began: Offset,
    entry: Expected,
    sent: Cell<Option<Offset>>,
    write: Cell<bool>,
    trace: Cell<Option<TraceId>>,
    finished: Cell<bool>,
}

impl Ledger {
    /// Empty books.
    #[must_use]
    pub fn new(clock: Clock) -> Rc<Self> {
        let books = Books {
            recorder: Recorder::default(),
            lateness: new_histogram(),
            scheduled: 0,
            in_flight: 0,
            open: Order::default(),
        };
        Rc::new(Self {
            clock,
            books: RefCell::new(books),
        })
    }

    /// The run's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// An operation is going to be intended at this moment: nothing before it is complete until it is over.
    #[must_use]
    pub fn expect(self: &Rc<Self>, intended: Offset) -> Expected {
        Expected {
            ledger: Rc::clone(self),
            key: self.books.borrow_mut().open.push(intended),
            intended,
            dispatched: false,
        }
    }

    /// An arrival without a free slot.
    pub fn dropped(&self, intended: Offset) {
        let mut books = self.books.borrow_mut();
        books.scheduled += 1;
        books.recorder.dropped(intended);
    }

    /// The id of an instance name.
    #[must_use]
    pub fn instance(&self, name: &str) -> InstanceId {
        self.books.borrow_mut().recorder.instance(name)
    }

    /// Operations under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.books.borrow().in_flight
    }

    /// Arrivals handed out so far, dropped ones among them.
    #[must_use]
    pub fn scheduled(&self) -> u64 {
        self.books.borrow().scheduled
    }

    /// Takes what was recorded since the last call.
    #[must_use]
    pub fn page(&self) -> Page {
        let mut books = self.books.borrow_mut();
        Page {
            delta: books.recorder.take().unwrap_or_default(),
            lateness: std::mem::replace(&mut books.lateness, new_histogram()),
            in_flight: books.in_flight,
            oldest_open: books.open.first().map(|(_, at)| *at),
        }
    }
}

impl Expected {
    /// When it is intended.
    #[must_use]
    pub fn intended(&self) -> Offset {
        self.intended
    }

    /// It is handed to a client now, at `now`.
    #[must_use]
    pub fn dispatch(mut self, now: Offset) -> Ticket {
        let late = now - self.intended;
        let mut books = self.ledger.books.borrow_mut();
        books.scheduled += 1;
        books.in_flight += 1;
        // Zero is a value of this histogram: a dispatch may be on time.
        books
            .lateness
            .saturating_record(u64::try_from(late.as_micros()).unwrap_or(u64::MAX));
        drop(books);
        self.dispatched = true;
        Ticket {
            began: now,
            entry: self,
            sent: Cell::new(None),
            write: Cell::new(false),
            trace: Cell::new(None),
            finished: Cell::new(false),
        }
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        let mut books = self.ledger.books.borrow_mut();
        books.open.remove(self.key);
        if self.dispatched {
            books.in_flight -= 1;
        }
    }
}

impl Ticket {
    /// The books it belongs to.
    #[must_use]
    pub fn ledger(&self) -> &Rc<Ledger> {
        &self.entry.ledger
    }

    /// When it was handed to its client.
    #[must_use]
    pub fn began(&self) -> Offset {
        self.began
    }

    /// Whether the operation is a write; to be told before anything is sent.
    pub fn is_write(&self, write: bool) {
        self.write.set(write);
    }

    /// Its request names this trace.
    pub fn traced(&self, trace: TraceId) {
        self.trace.set(Some(trace));
    }

    /// The trace that its request names.
    #[must_use]
    pub fn trace(&self) -> Option<TraceId> {
        self.trace.get()
    }

    /// The first byte is handed to the kernel now.
    pub fn sent_now(&self) {
        self.sent.set(Some(self.entry.ledger.clock.now()));
    }

    /// The kernel took nothing of it after all.
    pub fn not_sent(&self) {
        self.sent.set(None);
    }

    /// Whether anything was sent.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        self.sent.get().is_some()
    }

    /// When its first byte was handed to the kernel.
    #[must_use]
    pub fn sent_at(&self) -> Option<Offset> {
        self.sent.get()
    }

    /// The outcome of an operation whose time is up: without a connection it never came as far as the send.
    #[must_use]
    pub fn timed_out(&self) -> Outcome {
        if self.was_sent() {
            self.unanswered(Class::Timeout)
        } else {
            Outcome::Fail(Class::ConnectTimeout)
        }
    }

    /// The outcome of an operation that got no answer: unknown for a write that was sent.
    #[must_use]
    pub fn unanswered(&self, class: Class) -> Outcome {
        if self.write.get() && self.was_sent() {
            Outcome::Unknown(class)
        } else {
            Outcome::Fail(class)
        }
    }

    /// The operation is over now; tells when that is.
    pub fn finish(self, outcome: Outcome, instance: Option<InstanceId>) -> Offset {
        let done = self.entry.ledger.clock.now();
        self.finished.set(true);
        self.record(outcome, instance, done);
        done
    }

    fn record(&self, outcome: Outcome, instance: Option<InstanceId>, done: Offset) {
        let op = Operation {
            intended: self.entry.intended,
            sent: self.sent.get(),
            done,
            outcome,
            instance,
        };
        // What was never sent named no trace.
        let trace = self.trace.get().filter(|_| self.was_sent());
        let mut books = self.entry.ledger.books.borrow_mut();
        books.recorder.record_traced(&op, trace);
    }
}

/// A ticket that nobody finished was cut off.
impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.finished.get() {
            let now = self.entry.ledger.clock.now();
            self.record(self.unanswered(Class::Aborted), None, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    fn ledger() -> Rc<Ledger> {
        Ledger::new(Clock::starting_at(Instant::now()))
    }

    #[test]
    fn every_arrival_is_recorded_exactly_once_whatever_becomes_of_it() {
        let ledger = ledger();
        ledger
            .expect(Offset::from_millis(1))
            .dispatch(Offset::from_millis(1))
            .finish(Outcome::Ok, None);
        drop(
            ledger
                .expect(Offset::from_millis(2))
                .dispatch(Offset::from_millis(2)),
        );
        ledger.dropped(Offset::from_millis(3));
        drop(ledger.expect(Offset::from_millis(4)));
        let page = ledger.page();
        let slot = &page.delta.slots[&0];
        assert_eq!(
            (ledger.scheduled(), slot.total(), page.in_flight),
            (3, 3, 0)
        );
        assert_eq!(
            (
                slot.ok,
                slot.failed[&Class::Aborted],
                slot.failed[&Class::Dropped]
            ),
            (1, 1, 1)
        );
    }

    #[test]
    fn a_write_is_unknown_only_once_it_was_sent() {
        let ledger = ledger();
        let ticket = ledger.expect(Offset::ZERO).dispatch(Offset::ZERO);
        ticket.is_write(true);
        assert_eq!(ticket.unanswered(Class::Reset), Outcome::Fail(Class::Reset));
        ticket.sent_now();
        drop(ticket);
        assert_eq!(ledger.page().delta.slots[&0].unknown[&Class::Aborted], 1);
    }

    #[test]
    fn the_watermark_waits_for_the_oldest_open_operation() {
        let ledger = ledger();
        let tickets: Vec<_> = (1..=3)
            .map(Offset::from_millis)
            .map(|at| ledger.expect(at).dispatch(at))
            .collect();
        let mut tickets = tickets.into_iter();
        let (first, second) = (tickets.next().unwrap(), tickets.next().unwrap());
        second.finish(Outcome::Ok, None);
        assert_eq!(ledger.page().oldest_open, Some(Offset::from_millis(1)));
        first.finish(Outcome::Ok, None);
        assert_eq!(ledger.page().oldest_open, Some(Offset::from_millis(3)));
        drop(tickets);
        assert_eq!(ledger.page().oldest_open, None);
    }
}
