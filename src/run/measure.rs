//! The measured part of a run: load, faults and observers write to one history, on one clock.

use super::ground::{self, Ground};
use super::output::Output;
use super::recording::Recording;
use super::steer::Hand;
use super::{RunError, Spec, roles};
use crate::clock::{Clock, Offset};
use crate::control::Commands;
use crate::engine::{Container, Engine};
use crate::fault::conductor::{Assignment, Stage, arm, conduct_with};
use crate::fault::late::{Finder, LastServed};
use crate::fault::steering::Steering;
use crate::fault::{Cast, external, kind_of};
use crate::history::{Environment, Event, FaultRecord, Flush, History, Sample};
use crate::load::{self, LoadHandle, LoadSpec};
use crate::notice::{Notice, Notices, Phase, ServiceTick, Tick};
use crate::observe::host::CpuTimes;
use crate::observe::{containers, states, usage};
use crate::plan::PlannedFault;
use crate::scenario::FaultKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Between the start of the workers and the clock's zero: connections are opened and warmed.
const LEAD: Duration = Duration::from_millis(500);
/// The live view is told so often.
const TICK: Duration = Duration::from_millis(250);
/// The history file is written so often: at most so much is lost in a crash.
const WRITE: Duration = Duration::from_secs(1);
/// After an interruption, operations under way are awaited so long and then cut off.
const DRAIN: Duration = Duration::from_secs(2);

/// Generates the load, carries out the faults, and returns all that happened.
///
/// # Errors
/// Where the load cannot be made, a target has no container, or the history cannot be written.
pub async fn measure(
    spec: &Spec,
    run: &str,
    ground: &Ground,
    output: &Output,
    notices: &Notices,
    stop: &CancellationToken,
    commands: &Commands,
) -> Result<History, RunError> {
    let containers = match (ground.docker(), &spec.topology) {
        (Some(docker), Some(topology)) => docker.containers(&topology.project).await?,
        _ => Vec::new(),
    };
    let assignments = assign(spec, run, &containers)?;
    if let Some(reach) = ground.reach() {
        tokio::select! {
            armed = arm(&reach, &assignments) => armed?,
            // The load is ended as soon as it begins, and what there is is reported.
            () = stop.cancelled() => {}
        }
    }
    let workers = spec.scenario.run.workers.unwrap_or_else(default_workers);
    let environment = environment(ground).await;
    // Nothing that may take its time comes between this and the start of the load.
    let clock = Clock::starting_at(Instant::now() + LEAD);
    let head = super::head(spec, run, clock.wall_zero(), environment);
    let mut recording = Recording::begin(head, output, workers)?;
    let (flushes, flushed) = unbounded_channel();
    let load_spec = LoadSpec {
        loads: spec.scenario.loads.clone(),
        duration: spec.plan.duration,
        seed: spec.plan.seed,
        workers,
    };
    let load = load::start(load_spec, clock, flushes)?;
    notices.tell(Notice::LoadStarted {
        duration: spec.plan.duration,
    });
    let (records, faults) = unbounded_channel();
    let (seen, events) = unbounded_channel();
    let end = CancellationToken::new();
    let served = LastServed::default();
    let steering = Steering::of_load(spec.plan.duration);
    let stage = Stage {
        reach: ground.reach(),
        clock,
        notices: notices.clone(),
        records,
        served: served.clone(),
        steering: steering.clone(),
        end: end.clone(),
    };
    assignments.iter().for_each(|a| steering.enter(a));
    let (added, by_hand) = unbounded_channel();
    let conductor = tokio::spawn(async move { conduct_with(&stage, assignments, by_hand).await });
    let (measured, samples) = unbounded_channel();
    let over = CancellationToken::new();
    let meter = usage::follow(clock, metered(ground, &containers), measured, over.clone());
    tokio::spawn(meter);
    let (services, observers) = observe(ground, &containers, clock, seen);
    let sources = Sources {
        flushed,
        faults,
        events,
        samples,
    };
    let hand = Hand {
        spec,
        run,
        containers: &containers,
        clock,
        steering,
        added,
        notices,
        end,
        may_break: commands.may_break(),
    };
    let live = Live {
        stop,
        served,
        services,
        commands,
        hand,
        over,
    };
    live.follow(&mut recording, sources, load, conductor).await;
    observers.iter().for_each(JoinHandle::abort);
    if let Some(why) = recording.unwritten() {
        notices.tell(Notice::Warning(format!("the load was ended early: {why}")));
    }
    Ok(recording.finish())
}

/// The containers whose use of resources can be seen from here.
fn metered(ground: &Ground, containers: &[Container]) -> Vec<Container> {
    let near = ground.docker().is_some_and(Engine::shares_our_kernel);
    if near {
        containers.to_vec()
    } else {
        Vec::new()
    }
}

/// Follows the containers: what happens to them into `seen`, and how they are.
fn observe(
    ground: &Ground,
    containers: &[Container],
    clock: Clock,
    seen: UnboundedSender<Event>,
) -> (watch::Receiver<Vec<ServiceTick>>, Vec<JoinHandle<()>>) {
    let (told, services) = watch::channel(Vec::new());
    let Some(docker) = ground.docker() else {
        return (services, Vec::new());
    };
    let ids = containers.iter().map(|c| c.id.clone()).collect();
    let events = containers::follow(docker.events(), clock, ids, seen);
    let engine = Arc::new(docker.clone());
    let states = states::follow(engine, docker.events(), containers.to_vec(), told);
    (services, vec![tokio::spawn(events), tokio::spawn(states)])
}

fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, |n| (n.get() / 2).max(1))
}

async fn environment(ground: &Ground) -> Environment {
    let mut environment = ground::environment();
    if let Some(docker) = ground.docker() {
        // An engine that does not say who it is may still do its work.
        if let Ok(engine) = docker.examine(&[], &[]).await {
            environment.engine_version = Some(engine.version);
            environment.api_version = Some(engine.api_version);
        }
    }
    environment
}

/// Planned faults with their kinds and containers.
pub(super) fn assign(
    spec: &Spec,
    run: &str,
    containers: &[Container],
) -> Result<Vec<Assignment>, RunError> {
    spec.plan
        .faults
        .iter()
        .enumerate()
        .map(|(index, planned)| assign_one(spec, run, index, planned, containers))
        .collect()
}

pub(super) fn assign_one(
    spec: &Spec,
    run: &str,
    index: usize,
    planned: &PlannedFault,
    containers: &[Container],
) -> Result<Assignment, RunError> {
    let entry = spec
        .scenario
        .faults
        .iter()
        .find(|f| f.name == planned.entry);
    let tag = format!("{run}-{index}");
    let cast = Cast {
        planned,
        containers,
        seed: spec.plan.seed,
        tag: &tag,
    };
    let kind = kind_of(entry.map_or(&FaultKind::External, |f| &f.kind), cast);
    let named = planned.targets.iter().chain(&planned.towards);
    for name in named {
        if !containers.iter().any(|c| c.is_called(name)) {
            let project = spec.plan.project.clone().unwrap_or_default();
            return Err(RunError::NoContainer {
                fault: planned.name.clone(),
                target: name.clone(),
                project,
            });
        }
    }
    let mut targets = cast.named(&planned.targets);
    if let Some(kind) = &kind {
        targets.retain(|t| kind.hits(t));
        if !kind.hits_a_container() {
            targets = vec![external::outside(kind.name())];
        }
    }
    let dsn = roles::dsn(&spec.scenario, entry);
    Ok(Assignment {
        index,
        name: planned.name.clone(),
        tag: tag.clone(),
        kind,
        targets,
        finder: planned.late.clone().map(|late| Finder::new(late, dsn)),
        inject_at: planned.inject_at,
        heal_at: planned.heal_at,
        after: planned.after,
        by_hand: false,
    })
}

/// Where records come from while the load runs.
struct Sources {
    flushed: UnboundedReceiver<Flush>,
    faults: UnboundedReceiver<FaultRecord>,
    events: UnboundedReceiver<Event>,
    samples: UnboundedReceiver<Sample>,
}

/// The loop of a running load.
struct Live<'a> {
    stop: &'a CancellationToken,
    served: LastServed,
    services: watch::Receiver<Vec<ServiceTick>>,
    commands: &'a Commands,
    hand: Hand<'a>,
    /// Cancelled when the load is over: what was measured of it is complete.
    over: CancellationToken,
}

impl Live<'_> {
    async fn follow(
        &self,
        recording: &mut Recording,
        mut sources: Sources,
        load: LoadHandle,
        conductor: JoinHandle<()>,
    ) {
        let cpu_before = CpuTimes::now();
        self.commands.clear().await;
        self.commands.offer(self.hand.offer());
        let mut tick = tokio::time::interval(TICK);
        let mut write = tokio::time::interval(WRITE);
        let mut phases = Phases::default();
        let mut cut_off = None;
        loop {
            tokio::select! {
                flush = sources.flushed.recv() => match flush {
                    Some(flush) => {
                        if let Some(instance) = flush.delta.served_last() {
                            self.served.saw(&self.hand.spec.plan.loads[flush.load].name, instance);
                        }
                        recording.collector.add(&flush);
                    }
                    // Every worker is gone: all operations are accounted for.
                    None => break,
                },
                Some(record) = sources.faults.recv() => recording.fault(record),
                Some(event) = sources.events.recv() => recording.event(event),
                Some(sample) = sources.samples.recv() => recording.sample(sample),
                command = self.commands.next() => self.hand.does(&command, recording),
                _ = tick.tick() => self.tick(recording, &mut phases),
                _ = write.tick() => recording.write(),
                () = self.stop.cancelled(), if recording.interrupted_at.is_none() => {
                    load.stop();
                    self.hand.end.cancel();
                    recording.interrupted_at = Some(self.hand.clock.now());
                    cut_off = Some(Instant::now() + DRAIN);
                }
                () = until(cut_off) => { load.abort(); cut_off = None; }
            }
            // A history that cannot be written ends the load, never the healing.
            if recording.unwritten().is_some() && !self.hand.end.is_cancelled() {
                load.abort();
                self.hand.end.cancel();
            }
        }
        self.over.cancel();
        // What came after the last tick: whoever follows the run sees its totals.
        self.tick(recording, &mut phases);
        self.hand.notices.tell(Notice::Phase(Phase::Draining));
        let host_idle = CpuTimes::now()
            .zip(cpu_before)
            .and_then(|(now, before)| now.idle_ratio_since(&before));
        let summary = load.join().await;
        self.hand.end.cancel();
        // A conductor that panicked has said so in its records; teardown follows whatever it left.
        let _ = conductor.await;
        while let Ok(record) = sources.faults.try_recv() {
            recording.fault(record);
        }
        while let Ok(event) = sources.events.try_recv() {
            recording.event(event);
        }
        // It ends by itself.
        while let Some(sample) = sources.samples.recv().await {
            recording.sample(sample);
        }
        // How the faults ended; no phase begins any more.
        let mut phases = Phases {
            warming: true,
            measuring: true,
        };
        self.tick(recording, &mut phases);
        recording.close(
            &summary,
            host_idle,
            self.hand.spec.plan.duration,
            self.hand.clock.now(),
        )
    }

    fn tick(&self, recording: &Recording, phases: &mut Phases) {
        let at = self.hand.clock.now();
        if let Some(phase) = phases.entered(at, self.hand.spec.plan.warmup) {
            self.hand.notices.tell(Notice::Phase(phase));
        }
        let loads = recording.collector.ticks(at);
        self.hand.notices.tell(Notice::Tick(Box::new(Tick {
            at,
            loads,
            next: self.hand.steering.next_edge(at),
            faults: self.hand.steering.ticks(at),
            held: self.hand.steering.held(),
            services: self.services.borrow().clone(),
        })));
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Which phases of the load were announced.
#[derive(Default)]
struct Phases {
    warming: bool,
    measuring: bool,
}

impl Phases {
    fn entered(&mut self, at: Offset, warmup: Duration) -> Option<Phase> {
        if at.since_zero() >= warmup && !self.measuring {
            (self.warming, self.measuring) = (true, true);
            Some(Phase::Measuring)
        } else if !self.warming {
            self.warming = true;
            Some(Phase::WarmUp)
        } else {
            None
        }
    }
}
