//! What closed-loop users wait for: moments, woken by the worker's one timer.

use crate::clock::{Clock, Offset};
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use tokio::sync::Notify;

/// The moments that users of one worker wait for.
#[derive(Debug)]
pub struct Agenda {
    clock: Clock,
    waiting: RefCell<BinaryHeap<Reverse<Entry>>>,
    /// The timer is set to this.
    armed: Cell<Offset>,
    closed: Cell<bool>,
    /// Wakes the dispatcher: an earlier moment, or something it waits for at the end.
    pub kick: Notify,
}

#[derive(Debug)]
struct Entry {
    due: Offset,
    waker: Waker,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

impl Agenda {
    /// An empty one.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let (waiting, armed, closed) = (
            RefCell::default(),
            Cell::new(Offset::ZERO),
            Cell::new(false),
        );
        Self {
            clock,
            waiting,
            armed,
            closed,
            kick: Notify::new(),
        }
    }

    /// Waits until a moment; `false` where no further operation is wanted.
    pub async fn reached(&self, due: Offset) -> bool {
        let mut entered = false;
        poll_fn(|cx| {
            if self.closed.get() {
                return Poll::Ready(false);
            }
            if self.clock.now() >= due {
                return Poll::Ready(true);
            }
            if !entered {
                entered = true;
                self.waiting.borrow_mut().push(Reverse(Entry {
                    due,
                    waker: cx.waker().clone(),
                }));
                self.wants(due);
            }
            Poll::Pending
        })
        .await
    }

    /// Wakes all whose moment has come and tells the next one.
    pub fn fire(&self, now: Offset) -> Option<Offset> {
        let mut waiting = self.waiting.borrow_mut();
        while waiting.peek().is_some_and(|Reverse(e)| e.due <= now) {
            if let Some(Reverse(entry)) = waiting.pop() {
                entry.waker.wake();
            }
        }
        waiting.peek().map(|Reverse(e)| e.due)
    }

    /// The dispatcher is wanted at this moment: it is woken where its timer is set to a later one.
    pub fn wants(&self, due: Offset) {
        if due < self.armed.get() {
            self.kick.notify_one();
        }
    }

    /// Whether no further operation is wanted.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// The timer is set to this moment.
    pub fn arm(&self, at: Offset) {
        self.armed.set(at);
    }

    /// No further operations: all who wait are sent home.
    pub fn close(&self) {
        self.closed.set(true);
        self.waiting
            .borrow_mut()
            .drain()
            .for_each(|Reverse(entry)| entry.waker.wake());
    }
}
