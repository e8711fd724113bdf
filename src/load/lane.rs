//! One workload on one worker.

use super::agenda::Agenda;
use super::arrivals::{Schedule, Slice};
use super::client::{Client, ClientPlan};
use super::deadline::Deadlines;
use super::gate::Gate;
use super::ledger::{Ledger, Ticket};
use super::values::{Draw, seed_of};
use crate::clock::{Clock, Offset};
use crate::scenario::{Arrivals, Workload};
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

/// A workload, checked and prepared for all workers.
#[derive(Clone)]
pub struct PreparedLoad {
    /// When operations are made.
    pub arrivals: Arrivals,
    /// Most operations at once, over all workers.
    pub max_in_flight: usize,
    /// What an operation is.
    pub client: ClientPlan,
    /// Seed of its values and of its Poisson arrivals.
    pub seed: u64,
}

impl PreparedLoad {
    /// Of workload `index` in a run with `seed`.
    #[must_use]
    pub fn new(load: &Workload, client: ClientPlan, seed: u64, index: usize) -> Self {
        let seed = seed_of(seed, index);
        Self {
            arrivals: load.arrivals.clone(),
            max_in_flight: load.max_in_flight.max(1),
            client,
            seed,
        }
    }

    /// Highest rate of arrivals per second; zero in a closed loop.
    #[must_use]
    pub fn peak_rate(&self) -> f64 {
        match &self.arrivals {
            Arrivals::Open { stages, .. } => {
                stages.iter().map(|s| s.from.max(s.to)).fold(0.0, f64::max)
            }
            Arrivals::Closed { .. } => 0.0,
        }
    }
}

/// This worker's share of `total` things, spread evenly.
fn share(total: usize, worker: usize, workers: usize) -> usize {
    total / workers + usize::from(worker < total % workers)
}

/// Where the lane's operations come from.
enum Source {
    /// Open loop.
    Open {
        slice: Box<Slice>,
        next: Option<(u64, Offset)>,
        limit: usize,
    },
    /// Closed loop: the numbers of this worker's users.
    Closed {
        users: Vec<usize>,
        all: usize,
        think: Duration,
        end: Offset,
    },
}

/// One workload on one worker.
pub struct Lane {
    /// Its books.
    pub ledger: Rc<Ledger>,
    client: Rc<Client>,
    deadlines: Rc<Deadlines>,
    agenda: Rc<Agenda>,
    source: Source,
    /// Users that are not done.
    users: Rc<Cell<usize>>,
    seed: u64,
    connections: usize,
}

impl Lane {
    /// This worker's share of a workload.
    #[must_use]
    pub fn new(
        load: &PreparedLoad,
        clock: Clock,
        agenda: &Rc<Agenda>,
        worker: usize,
        workers: usize,
        duration: Duration,
    ) -> Self {
        let ledger = Ledger::new(clock);
        let (source, connections) = match &load.arrivals {
            Arrivals::Open { stages, poisson } => {
                // Fewer slots than workers: only so many workers take part, so that none has arrivals and no slot.
                let workers = workers.min(load.max_in_flight);
                let takes_part = worker < workers;
                let schedule = Schedule::new(if takes_part { stages } else { &[] }, duration);
                let mut slice = Slice::new(schedule, poisson.then_some(load.seed), worker, workers);
                let (next, limit) = (slice.next(), share(load.max_in_flight, worker, workers));
                (
                    Source::Open {
                        slice: Box::new(slice),
                        next,
                        limit,
                    },
                    ahead(load.peak_rate(), workers).min(limit),
                )
            }
            Arrivals::Closed { users, think } => {
                let mine: Vec<usize> = (worker..*users).step_by(workers).collect();
                let connections = mine.len();
                (
                    Source::Closed {
                        users: mine,
                        all: *users,
                        think: *think,
                        end: Offset::new(duration),
                    },
                    connections,
                )
            }
        };
        let gate = Gate::new(
            clock,
            load.seed ^ u64::try_from(worker).unwrap_or(0).rotate_left(48),
        );
        let plan = load.client.clone();
        let deadlines = Rc::new(Deadlines::new(plan.timeout(), Rc::clone(agenda)));
        let client = Client::new(plan, gate, Rc::clone(&ledger), Rc::clone(&deadlines));
        Self {
            ledger,
            client: Rc::new(client),
            deadlines,
            agenda: Rc::clone(agenda),
            source,
            users: Rc::default(),
            seed: load.seed,
            connections,
        }
    }

    /// Makes the connections that the beginning will need.
    pub async fn warm(&self) {
        self.client.warm(self.connections).await;
    }

    /// Starts the users of a closed loop. Their first operations are spread over the think time, as later ones
    /// are.
    pub fn start_users(&self) {
        let Source::Closed {
            users,
            all,
            think,
            end,
        } = &self.source
        else {
            return;
        };
        self.users.set(users.len());
        for &number in users {
            let place = u32::try_from(number).unwrap_or(u32::MAX);
            let first =
                Offset::ZERO + *think / u32::try_from(*all).unwrap_or(u32::MAX).max(1) * place;
            let user = User {
                ledger: Rc::clone(&self.ledger),
                client: Rc::clone(&self.client),
                agenda: Rc::clone(&self.agenda),
                number,
                all: *all,
                think: *think,
                end: *end,
                seed: self.seed,
            };
            // Entered now, in order, and not when the task first runs.
            let expected = self.ledger.expect(first);
            let left = Rc::clone(&self.users);
            tokio::task::spawn_local(async move {
                user.run(expected).await;
                left.set(left.get() - 1);
                user.agenda.kick.notify_one();
            });
        }
    }

    /// The next arrival's intended time.
    #[must_use]
    pub fn next(&self) -> Option<Offset> {
        match &self.source {
            Source::Open { next, .. } => next.map(|(_, at)| at),
            Source::Closed { .. } => None,
        }
    }

    /// Wakes the operations whose time is up, and tells the next deadline.
    pub fn fire(&self, now: Offset) -> Option<Offset> {
        self.deadlines.fire(now)
    }

    /// Dispatches the next arrival.
    pub fn dispatch_next(&mut self, draining: &Rc<Cell<bool>>) {
        let Source::Open { slice, next, limit } = &mut self.source else {
            return;
        };
        let Some((index, intended)) = std::mem::replace(next, slice.next()) else {
            return;
        };
        if self.ledger.in_flight() >= *limit {
            self.ledger.dropped(intended);
            return;
        }
        let now = self.ledger.clock().now();
        let ticket = self.ledger.expect(intended).dispatch(now);
        self.start(
            Draw {
                seed: self.seed,
                index,
            },
            ticket,
            draining,
        );
    }

    /// Starts an operation at once: it runs up to its first wait before anything else does, so that on an idle
    /// connection its request is written here and now. Only then it becomes a task, which polls it again and so
    /// registers for what it waits for.
    fn start(&self, draw: Draw, ticket: Ticket, draining: &Rc<Cell<bool>>) {
        let (client, agenda, draining) = (
            Rc::clone(&self.client),
            Rc::clone(&self.agenda),
            Rc::clone(draining),
        );
        let mut operation = Box::pin(async move {
            client.operate(draw, ticket).await;
            if draining.get() {
                agenda.kick.notify_one();
            }
        });
        let first: Pin<&mut dyn Future<Output = ()>> = operation.as_mut();
        if first
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
        {
            tokio::task::spawn_local(operation);
        }
    }

    /// No further arrivals.
    pub fn stop(&mut self) {
        if let Source::Open { next, .. } = &mut self.source {
            *next = None;
        }
    }

    /// Whether nothing more will be dispatched.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.next().is_none() && self.users.get() == 0
    }
}

/// Connections that a rate needs at 10 ms per operation, within bounds, over all workers.
fn ahead(rate: f64, workers: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped"
    )]
    let all = (rate * 0.01).ceil().clamp(2.0, 16.0) as usize;
    all.div_ceil(workers)
}

/// An operation that took no longer than this waited for nothing: its user lets others run before the next.
const AT_ONCE: Duration = Duration::from_micros(20);

/// One user of a closed loop.
struct User {
    ledger: Rc<Ledger>,
    client: Rc<Client>,
    agenda: Rc<Agenda>,
    number: usize,
    all: usize,
    think: Duration,
    end: Offset,
    seed: u64,
}

impl User {
    /// One operation after the other. User `u` of `n` has the global indices u, u + n, u + 2n, ….
    async fn run(&self, first: super::ledger::Expected) {
        let (clock, step) = (self.ledger.clock(), u64::try_from(self.all).unwrap_or(1));
        let mut draw = Draw {
            seed: self.seed,
            index: u64::try_from(self.number).unwrap_or(0),
        };
        let (mut expected, mut now) = (first, clock.now());
        loop {
            let intended = expected.intended();
            if intended >= self.end || self.agenda.is_closed() {
                return;
            }
            if intended > now {
                if !self.agenda.reached(intended).await {
                    return;
                }
                now = clock.now();
            }
            let done = self.client.operate(draw, expected.dispatch(now)).await;
            draw.index += step;
            expected = self.ledger.expect(done + self.think);
            // Without a pause to think, the next operation is intended at this very moment.
            let at_once = done - now < AT_ONCE;
            now = done;
            if at_once {
                tokio::task::yield_now().await;
                now = clock.now();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        for (total, workers) in [(1, 1), (7, 3), (2, 2), (100, 7)] {
            assert_eq!(
                (0..workers)
                    .map(|w| share(total, w, workers))
                    .sum::<usize>(),
                total
            );
        }
    }
}
