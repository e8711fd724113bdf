//! Time-outs of operations: a queue instead of a timer each.
//!
//! All operations of a workload have the same time-out, so their deadlines come in the order in which they begin.
//! A queue in that order, served by the worker's one timer, costs a push and a pop per operation, where an entry in a
//! timer wheel costs about as much as the rest of lbtest's work on it.

use super::agenda::Agenda;
use super::order::{Key, Order};
use crate::clock::Offset;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The deadlines of one workload on one worker.
#[derive(Debug)]
pub struct Deadlines {
    limit: Duration,
    agenda: Rc<Agenda>,
    waiting: RefCell<Order<Operation>>,
}

#[derive(Debug)]
struct Operation {
    due: Offset,
    waker: Waker,
}

/// An operation's place; leaves with it.
struct Place<'a> {
    deadlines: &'a Deadlines,
    key: Key,
}

impl Deadlines {
    /// For operations that may take so long.
    #[must_use]
    pub fn new(limit: Duration, agenda: Rc<Agenda>) -> Self {
        let waiting = RefCell::default();
        Self {
            limit,
            agenda,
            waiting,
        }
    }

    /// The outcome of an operation that began at `start`; none where its time is up first.
    pub async fn within<F: Future>(
        &self,
        start: Offset,
        mut operation: Pin<&mut F>,
    ) -> Option<F::Output> {
        let mut place = None;
        poll_fn(|cx| {
            if let Poll::Ready(output) = operation.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            match &place {
                None => place = Some(self.enter(start + self.limit, cx)),
                Some(place) if place.is_expired(cx) => return Poll::Ready(None),
                Some(_) => {}
            }
            Poll::Pending
        })
        .await
    }

    /// Wakes those whose time is up, and tells the next deadline.
    pub fn fire(&self, now: Offset) -> Option<Offset> {
        let mut waiting = self.waiting.borrow_mut();
        loop {
            let (key, first) = waiting.first()?;
            if first.due > now {
                return Some(first.due);
            }
            waiting.remove(key)?.waker.wake();
        }
    }

    fn enter(&self, due: Offset, cx: &Context<'_>) -> Place<'_> {
        let key = self.waiting.borrow_mut().push(Operation {
            due,
            waker: cx.waker().clone(),
        });
        self.agenda.wants(due);
        Place {
            deadlines: self,
            key,
        }
    }
}

impl Place<'_> {
    /// Whether its time is up, which is when it was taken out; if not, it will be woken through this context.
    fn is_expired(&self, cx: &Context<'_>) -> bool {
        let mut waiting = self.deadlines.waiting.borrow_mut();
        let Some(operation) = waiting.get_mut(self.key) else {
            return true;
        };
        if !operation.waker.will_wake(cx.waker()) {
            operation.waker.clone_from(cx.waker());
        }
        false
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.deadlines.waiting.borrow_mut().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use std::pin::pin;
    use tokio::task::{JoinSet, LocalSet};
    use tokio::time::{Instant, sleep};

    fn deadlines(clock: Clock) -> Rc<Deadlines> {
        let agenda = Rc::new(Agenda::new(clock));
        Rc::new(Deadlines::new(Duration::from_millis(100), agenda))
    }

    /// Operations that begin every millisecond and take `length(i)`; the timer fires to the millisecond. What came of
    /// each, and when.
    async fn outcomes(length: impl Fn(u64) -> u64) -> Vec<(bool, Offset)> {
        let clock = Clock::starting_at(Instant::now());
        let deadlines = deadlines(clock);
        let mut all = JoinSet::new();
        for i in 0..300u64 {
            let (length, deadlines) = (length(i), Rc::clone(&deadlines));
            all.spawn_local(async move {
                sleep(Duration::from_millis(i)).await;
                let operation = pin!(sleep(Duration::from_millis(length)));
                let done = deadlines.within(clock.now(), operation).await;
                (i, done.is_some(), clock.now())
            });
        }
        let fired = Rc::clone(&deadlines);
        let timer = tokio::task::spawn_local(async move {
            loop {
                sleep(Duration::from_millis(1)).await;
                fired.fire(clock.now());
            }
        });
        let mut all = all.join_all().await;
        timer.abort();
        all.sort_unstable();
        assert_eq!(deadlines.waiting.borrow().len(), 0);
        all.into_iter().map(|(_, ok, at)| (ok, at)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_operation_is_cut_off_at_its_own_deadline_and_no_other_is() {
        let all = LocalSet::new()
            .run_until(outcomes(|i| if i % 3 == 0 { 10_000 } else { 20 }))
            .await;
        for (i, (ok, at)) in (0u64..).zip(all) {
            assert_eq!(ok, i % 3 != 0, "operation {i}");
            let ended = i + if ok { 20 } else { 100 };
            let late = (at - Offset::from_millis(ended)).as_millis();
            assert!(at >= Offset::from_millis(ended) && late <= 2, "{i}: {at:?}");
        }
    }
}
