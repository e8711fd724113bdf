//! One worker: a thread with a runtime of its own, sharing nothing with the others.

use super::agenda::Agenda;
use super::lane::{Lane, PreparedLoad};
use super::timer::Timer;
use super::{Flush, LoadError};
use crate::clock::{Clock, Offset};
use rustix::time::{ClockId, clock_gettime};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{LocalOptions, LocalRuntime};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Time between flushes.
const FLUSH_EVERY: Duration = Duration::from_millis(200);
/// Arrivals that are dispatched before answers are looked at again.
const BATCH: usize = 64;
/// Above this many arrivals per second on one worker the timer ticks coarsely: a wake-up for each would cost
/// more than the operations.
const FINE_RATE: f64 = 20_000.0;
/// The coarse tick, which is then the least lateness that can be told.
const COARSE_TICK: Duration = Duration::from_micros(100);

/// What a worker is given.
pub struct Assignment {
    /// Its number.
    pub worker: usize,
    /// How many there are.
    pub workers: usize,
    /// All workloads.
    pub loads: Arc<[PreparedLoad]>,
    /// The run's clock.
    pub clock: Clock,
    /// Length of the load.
    pub duration: Duration,
    /// Where flushes go.
    pub flushes: UnboundedSender<Flush>,
    /// No further arrivals.
    pub stop: CancellationToken,
    /// Cut off.
    pub abort: CancellationToken,
}

/// What a worker leaves.
#[derive(Debug)]
pub struct WorkerSummary {
    /// CPU time of its thread.
    pub cpu_time: Duration,
    /// Arrivals handed out, per load.
    pub scheduled: Vec<u64>,
}

/// The runtime and the timer: what can fail before the load begins. To be called on the worker's thread.
///
/// # Errors
/// Where the kernel gives no epoll, eventfd or timerfd.
pub fn prepare(clock: &Clock) -> Result<(LocalRuntime, Timer), LoadError> {
    let prepare = || -> io::Result<_> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())?;
        let timer = {
            let _context = runtime.enter();
            Timer::new(clock)?
        };
        Ok((runtime, timer))
    };
    prepare().map_err(LoadError::Worker)
}

/// Runs until every operation is over.
pub fn run(assignment: &Assignment, runtime: LocalRuntime, timer: Timer) -> WorkerSummary {
    let mut worker = Worker::new(assignment, timer);
    let abort = assignment.abort.clone();
    runtime.block_on(async {
        tokio::select! {
            biased;
            () = abort.cancelled() => {}
            // Operations are polled from within: tokio's budget for one task does not fit them all.
            () = tokio::task::unconstrained(worker.run()) => {}
        }
    });
    // What is still under way is cut off here: each ticket records itself as it is dropped. A name server that does
    // not answer must not hold up the end.
    runtime.shutdown_background();
    worker.flush();
    let scheduled = worker
        .lanes
        .iter()
        .map(|lane| lane.ledger.scheduled())
        .collect();
    WorkerSummary {
        cpu_time: thread_cpu_time(),
        scheduled,
    }
}

struct Worker<'a> {
    assignment: &'a Assignment,
    lanes: Vec<Lane>,
    agenda: Rc<Agenda>,
    timer: Timer,
    /// Set once only answers are awaited: then each of them wakes the dispatcher.
    draining: Rc<Cell<bool>>,
    /// Least time between two wake-ups.
    tick: Duration,
}

impl<'a> Worker<'a> {
    fn new(assignment: &'a Assignment, timer: Timer) -> Self {
        let Assignment {
            worker,
            workers,
            loads,
            clock,
            duration,
            ..
        } = assignment;
        let agenda = Rc::new(Agenda::new(*clock));
        let lanes = loads
            .iter()
            .map(|load| Lane::new(load, *clock, &agenda, *worker, *workers, *duration))
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "a number of threads")]
        let rate = loads.iter().map(PreparedLoad::peak_rate).sum::<f64>() / *workers as f64;
        let tick = if rate > FINE_RATE {
            COARSE_TICK
        } else {
            Duration::ZERO
        };
        Self {
            assignment,
            lanes,
            agenda,
            timer,
            draining: Rc::default(),
            tick,
        }
    }

    async fn run(&mut self) {
        let clock = self.assignment.clock;
        let warm = futures_util::future::join_all(self.lanes.iter().map(Lane::warm));
        // What is not connected by then is connected when it is needed.
        let _ = tokio::time::timeout_at(clock.zero(), warm).await;
        self.until_zero().await;
        self.lanes.iter().for_each(Lane::start_users);
        let mut flush_at = Offset::ZERO + FLUSH_EVERY;
        let mut stopped = false;
        loop {
            if !stopped && self.assignment.stop.is_cancelled() {
                stopped = true;
                self.lanes.iter_mut().for_each(Lane::stop);
                self.agenda.close();
            }
            let full = self.dispatch(clock.now());
            let now = clock.now();
            let alarm = self.agenda.fire(now);
            let deadline = self.lanes.iter().filter_map(|lane| lane.fire(now)).min();
            if now >= flush_at {
                self.flush();
                flush_at = now + FLUSH_EVERY;
            }
            self.draining.set(self.lanes.iter().all(Lane::is_exhausted));
            if self.draining.get() && self.lanes.iter().all(|lane| lane.ledger.in_flight() == 0) {
                return;
            }
            let next = self
                .lanes
                .iter()
                .filter_map(Lane::next)
                .chain(alarm)
                .chain(deadline)
                .min();
            let wake = next.map_or(flush_at, |at| at.max(now + self.tick).min(flush_at));
            self.agenda.arm(wake);
            if full || wake <= clock.now() || self.timer.set(wake).is_err() {
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                biased;
                _ = self.timer.fired() => {}
                () = self.agenda.kick.notified() => {}
                () = self.assignment.stop.cancelled(), if !stopped => {}
            }
        }
    }

    /// Waits for the clock's zero. An offset cannot tell what lies before it, so that a load that began early would
    /// record its operations as intended, sent and done at zero.
    async fn until_zero(&self) {
        let zero = self.assignment.clock.zero();
        while Instant::now() < zero {
            let set = self.timer.set(Offset::ZERO);
            if set.is_err() || self.timer.fired().await.is_err() {
                tokio::time::sleep_until(zero).await;
            }
        }
    }

    /// Dispatches what is due, a batch at most; tells whether more is due.
    fn dispatch(&mut self, now: Offset) -> bool {
        let mut left = BATCH;
        for lane in &mut self.lanes {
            while lane.next().is_some_and(|at| at <= now) {
                if left == 0 {
                    return true;
                }
                left -= 1;
                lane.dispatch_next(&self.draining);
            }
        }
        false
    }

    fn flush(&self) {
        let end = self
            .assignment
            .clock
            .now()
            .max(Offset::new(self.assignment.duration));
        for (load, lane) in self.lanes.iter().enumerate() {
            let page = lane.ledger.page();
            let complete_before = page
                .oldest_open
                .into_iter()
                .chain(lane.next())
                .min()
                .unwrap_or(end);
            // Nobody listens any more: the run is being torn down.
            let _ = self.assignment.flushes.send(Flush {
                worker: self.assignment.worker,
                load,
                delta: page.delta,
                lateness: page.lateness,
                in_flight: page.in_flight,
                complete_before,
            });
        }
    }
}

fn thread_cpu_time() -> Duration {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(t.tv_sec).unwrap_or(0),
        u32::try_from(t.tv_nsec).unwrap_or(0),
    )
}
