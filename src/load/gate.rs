//! Reconnecting without spinning and without lying.
//!
//! While connections work the gate is open and costs nothing. When an attempt fails, the gate closes for a
//! jittered moment that doubles from 1 ms up to [`LONGEST`]. An operation that needs a connection meanwhile is
//! not failed: it waits for the next attempt, which one of the waiting operations makes. If that attempt is
//! refused, every operation that was waiting **before it began** has its answer — it would have been refused
//! too — and those that came later wait on. So ten thousand refused arrivals a second cost some hundred
//! attempts, and none is reported failed because of our own pause while the system was already back.
//!
//! Nobody waits for another's attempt longer than [`PATIENCE`]: where attempts hang (a black hole, lost SYNs)
//! every operation soon makes its own.

use crate::clock::{Clock, Offset};
use crate::history::Class;
use crate::load::values::Draw;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::time::Duration;
use tokio::sync::Notify;

/// The longest pause between attempts: also the most that a good operation can be held up by it.
pub const LONGEST: Duration = Duration::from_millis(16);
/// The longest wait for the result of another's attempt.
pub const PATIENCE: Duration = Duration::from_millis(20);
const SHORTEST: Duration = Duration::from_millis(1);

/// The gate of one pool of connections.
#[derive(Debug)]
pub struct Gate {
    clock: Clock,
    seed: u64,
    drawn: Cell<u64>,
    changed: Notify,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Closed until then; none: open.
    until: Option<Offset>,
    pause: Duration,
    /// An attempt by one of the waiting is under way.
    probing: bool,
    /// Start and class of the last failed probe.
    failed: Option<(Offset, Class)>,
    /// When the gate last opened after a failure.
    opened: Option<Offset>,
}

enum Turn {
    /// Make an attempt; `true`: on behalf of all who wait.
    Attempt { probe: bool },
    /// Another's attempt failed, which began after the wait.
    Failed(Class),
    /// Wait until then or for a change.
    Wait(Offset),
}

/// Gives the probe's place back where the attempt is cut off.
struct Probe<'a>(&'a Gate);

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.0.state.borrow_mut().probing = false;
        self.0.changed.notify_waiters();
    }
}

impl Gate {
    /// An open gate. The seed is that of its jitter.
    #[must_use]
    pub fn new(clock: Clock, seed: u64) -> Self {
        Self {
            clock,
            seed,
            drawn: Cell::new(0),
            changed: Notify::new(),
            state: RefCell::default(),
        }
    }

    /// Makes a connection with `attempt`, or takes what `idle` finds, once the gate lets it.
    ///
    /// # Errors
    /// The class of the failed attempt, one's own or one that stood for it.
    pub async fn connect<T, F>(
        &self,
        mut idle: impl FnMut() -> Option<T>,
        attempt: impl Fn() -> F,
    ) -> Result<T, Class>
    where
        F: Future<Output = Result<T, Class>>,
    {
        let since = self.clock.now();
        let mut waited = false;
        loop {
            let changed = self.changed.notified();
            match self.turn(since) {
                Turn::Failed(class) => return Err(class),
                Turn::Attempt { probe } => {
                    if waited && !probe {
                        // All who waited start at once: spread them, and let them use what came free.
                        tokio::time::sleep(self.jitter(Duration::from_millis(4))).await;
                    }
                    if let Some(found) = waited.then(&mut idle).flatten() {
                        if probe {
                            drop(Probe(self));
                        }
                        return Ok(found);
                    }
                    return self.attempt(probe, attempt()).await;
                }
                Turn::Wait(until) => {
                    waited = true;
                    let _ = tokio::time::timeout_at(self.clock.instant(until), changed).await;
                }
            }
        }
    }

    fn turn(&self, since: Offset) -> Turn {
        let mut state = self.state.borrow_mut();
        if let Some((began, class)) = state.failed
            && began > since
        {
            return Turn::Failed(class);
        }
        let now = self.clock.now();
        match state.until {
            None => Turn::Attempt { probe: false },
            Some(until) if now < until => Turn::Wait(until),
            Some(_) if !state.probing => {
                state.probing = true;
                Turn::Attempt { probe: true }
            }
            Some(_) if now - since >= PATIENCE => Turn::Attempt { probe: false },
            Some(_) => Turn::Wait(since + PATIENCE),
        }
    }

    async fn attempt<T>(
        &self,
        probe: bool,
        attempt: impl Future<Output = Result<T, Class>>,
    ) -> Result<T, Class> {
        let place = probe.then(|| Probe(self));
        let began = self.clock.now();
        let result = attempt.await;
        {
            let mut state = self.state.borrow_mut();
            match &result {
                Ok(_) => {
                    if state.until.take().is_some() {
                        state.opened = Some(self.clock.now());
                    }
                    state.pause = Duration::ZERO;
                }
                Err(class) => self.close(&mut state, began, probe.then_some(*class)),
            }
        }
        drop(place);
        result
    }

    fn close(&self, state: &mut State, began: Offset, stands_for: Option<Class>) {
        if let Some(class) = stands_for {
            state.failed = Some((began, class));
        } else if state.until.is_some() || state.opened.is_some_and(|at| at > began) {
            // One of many attempts that were under way together: the first of them closed the gate already, or
            // a later one has found the system back.
            return;
        }
        state.pause = (state.pause * 2).clamp(SHORTEST, LONGEST);
        let pause = state.pause;
        state.until = Some(self.clock.now() + pause / 2 + self.jitter(pause / 2));
    }

    fn jitter(&self, up_to: Duration) -> Duration {
        let index = self.drawn.get();
        self.drawn.set(index + 1);
        let nanos = u64::try_from(up_to.as_nanos()).unwrap_or(0);
        Duration::from_nanos(
            Draw {
                seed: self.seed,
                index,
            }
            .below(0, nanos + 1),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;
    use tokio::task::{JoinSet, LocalSet};
    use tokio::time::{Instant, sleep};

    fn gate() -> Rc<Gate> {
        Rc::new(Gate::new(Clock::starting_at(Instant::now()), 3))
    }

    /// Arrivals every 0.1 ms for a second; the system refuses until `back`. Returns (arrival, wait, good) of
    /// each and the number of attempts.
    async fn storm(back: Duration) -> (Vec<(Offset, Duration, bool)>, usize) {
        let gate = gate();
        let attempts = Rc::new(Cell::new(0));
        let mut all = JoinSet::new();
        for i in 0..10_000u64 {
            let (gate, attempts) = (Rc::clone(&gate), Rc::clone(&attempts));
            let at = Offset::from_nanos(i * 100_000);
            all.spawn_local(async move {
                tokio::time::sleep_until(gate.clock.instant(at)).await;
                let arrived = gate.clock.now();
                let attempt = || {
                    attempts.set(attempts.get() + 1);
                    let good = gate.clock.now().since_zero() >= back;
                    async move { if good { Ok(()) } else { Err(Class::Refused) } }
                };
                let good = gate.connect(|| None, attempt).await.is_ok();
                (arrived, gate.clock.now() - arrived, good)
            });
        }
        (all.join_all().await, attempts.get())
    }

    #[tokio::test(start_paused = true)]
    async fn ten_thousand_refused_arrivals_a_second_make_few_attempts() {
        let (all, attempts) = LocalSet::new()
            .run_until(storm(Duration::from_secs(9)))
            .await;
        assert!(all.iter().all(|(_, _, good)| !good));
        // A pause is 8 to 16 ms, so 60 to 130 probes; those that were under way together at the start add a few.
        assert!((50..300).contains(&attempts), "{attempts} attempts");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_who_arrived_after_the_system_was_back_is_failed() {
        let back = Duration::from_millis(500);
        let (all, _) = LocalSet::new().run_until(storm(back)).await;
        assert!(
            all.iter()
                .all(|(at, _, good)| *good || at.since_zero() < back)
        );
        let early = all
            .iter()
            .filter(|(at, _, good)| *good && at.since_zero() < back)
            .map(|a| a.0)
            .min();
        // Arrivals just before it waited for an attempt that came after it, and no longer than the longest pause.
        assert!(
            early.is_none_or(|at| at.since_zero() + LONGEST + Duration::from_millis(2) >= back),
            "{early:?}"
        );
        assert!(all.iter().all(|(_, wait, _)| *wait <= LONGEST + PATIENCE));
    }

    /// Five hundred that wait when the system comes back: when each makes its connection.
    async fn return_of_five_hundred() -> Vec<Duration> {
        let (gate, back) = (gate(), Duration::from_millis(100));
        let made = Rc::new(RefCell::new(Vec::new()));
        let mut all = JoinSet::new();
        for _ in 0..500 {
            let (gate, made) = (Rc::clone(&gate), Rc::clone(&made));
            all.spawn_local(async move {
                let attempt = || {
                    let now = gate.clock.now().since_zero();
                    made.borrow_mut().push(now);
                    async move {
                        if now >= back {
                            Ok(())
                        } else {
                            Err(Class::Refused)
                        }
                    }
                };
                // A user who is refused comes again.
                while gate.connect(|| None, attempt).await.is_err() {}
            });
        }
        all.join_all().await;
        let mut made = made.take();
        made.retain(|at| *at >= back);
        made
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_waited_come_back_one_first_and_the_others_spread() {
        let made = LocalSet::new().run_until(return_of_five_hundred()).await;
        assert_eq!(made.len(), 500, "one connection each");
        let ms = Duration::from_millis;
        let within = |from: Duration, to: Duration| {
            made.iter()
                .filter(|at| (from..to).contains(&(**at - made[0])))
                .count()
        };
        assert_eq!(within(Duration::ZERO, ms(1)), 1, "the one that tries");
        // 499 over 4 ms, and tokio's tick of 1 ms.
        assert_eq!(within(ms(1), ms(7)), 499);
        for from in 1..6 {
            let n = within(ms(from), ms(from + 1));
            assert!(n <= 165, "{n} in one millisecond");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_attempt_holds_up_nobody_for_long() {
        LocalSet::new()
            .run_until(async {
                let gate = gate();
                assert_eq!(
                    gate.connect(|| None::<()>, || async { Err(Class::Refused) })
                        .await,
                    Err(Class::Refused)
                );
                let hanging = Rc::clone(&gate);
                tokio::task::spawn_local(async move {
                    let _ = hanging
                        .connect(|| None::<()>, std::future::pending::<Result<(), Class>>)
                        .await;
                });
                sleep(Duration::from_millis(30)).await;
                let began = gate.clock.now();
                assert_eq!(gate.connect(|| None, || async { Ok(()) }).await, Ok(()));
                assert!(gate.clock.now() - began <= PATIENCE + Duration::from_millis(6));
            })
            .await;
    }
}
