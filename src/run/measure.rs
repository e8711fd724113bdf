//! The measured part of a run: load, faults and observers write to one history, on one clock.

use super::ground::{self, Ground};
use super::output::Output;
use super::{RunError, Spec};
use crate::clock::{Clock, Offset};
use crate::engine::{Container, Engine};
use crate::fault::conductor::{Assignment, Stage, conduct};
use crate::fault::kind_of;
use crate::history::collect::Collector;
use crate::history::file::Writer;
use crate::history::{
    End, EndReason, Environment, Event, FaultRecord, Flush, GeneratorHealth, Head, History,
};
use crate::load::{self, LoadHandle, LoadSpec, LoadSummary};
use crate::notice::{Notice, Notices, Phase, Tick};
use crate::observe::containers;
use crate::observe::host::CpuTimes;
use crate::plan::PlannedFault;
use crate::scenario::FaultKind;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
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
) -> Result<History, RunError> {
    let containers = match (ground.docker(), &spec.topology) {
        (Some(docker), Some(topology)) => docker.containers(&topology.project).await?,
        _ => Vec::new(),
    };
    let assignments = assign(spec, &containers)?;
    let workers = spec.scenario.run.workers.unwrap_or_else(default_workers);
    let environment = environment(ground).await;
    // Nothing that may take its time comes between this and the start of the load.
    let clock = Clock::starting_at(Instant::now() + LEAD);
    let head = super::head(spec, run, clock.wall_zero(), environment);
    let mut recording = Recording::begin(spec, head, output, workers)?;
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
    let stage = Stage {
        reach: ground.reach(),
        clock,
        notices: notices.clone(),
        records,
        end: end.clone(),
    };
    let conductor = tokio::spawn(async move { conduct(&stage, assignments).await });
    let observer = ground.docker().map(|docker| {
        let ids = containers.iter().map(|c| c.id.clone()).collect();
        tokio::spawn(containers::follow(docker.events(), clock, ids, seen))
    });
    let sources = Sources {
        flushed,
        faults,
        events,
    };
    let live = Live {
        clock,
        spec,
        notices,
        stop,
        end,
    };
    let followed = live.follow(&mut recording, sources, load, conductor).await;
    if let Some(observer) = observer {
        observer.abort();
    }
    followed?;
    Ok(recording.finish())
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
fn assign(spec: &Spec, containers: &[Container]) -> Result<Vec<Assignment>, RunError> {
    spec.plan
        .faults
        .iter()
        .enumerate()
        .map(|(index, planned)| assign_one(spec, index, planned, containers))
        .collect()
}

fn assign_one(
    spec: &Spec,
    index: usize,
    planned: &PlannedFault,
    containers: &[Container],
) -> Result<Assignment, RunError> {
    let kind = spec
        .scenario
        .faults
        .iter()
        .find(|f| f.name == planned.entry)
        .map_or(&FaultKind::External, |f| &f.kind);
    let mut targets = Vec::new();
    for name in &planned.targets {
        let hit: Vec<_> = containers
            .iter()
            .filter(|c| is_called(c, name))
            .cloned()
            .collect();
        if hit.is_empty() {
            let project = spec.plan.project.clone().unwrap_or_default();
            return Err(RunError::NoContainer {
                fault: planned.name.clone(),
                target: name.clone(),
                project,
            });
        }
        targets.extend(hit);
    }
    Ok(Assignment {
        index,
        name: planned.name.clone(),
        kind: kind_of(kind, planned.heal_at.is_some()),
        targets,
        inject_at: planned.inject_at,
        heal_at: planned.heal_at,
    })
}

/// A target is a service, or `service.number`.
fn is_called(container: &Container, name: &str) -> bool {
    container.service == name || format!("{}.{}", container.service, container.number) == name
}

/// Where records come from while the load runs.
struct Sources {
    flushed: UnboundedReceiver<Flush>,
    faults: UnboundedReceiver<FaultRecord>,
    events: UnboundedReceiver<Event>,
}

/// The loop of a running load.
struct Live<'a> {
    clock: Clock,
    spec: &'a Spec,
    notices: &'a Notices,
    stop: &'a CancellationToken,
    end: CancellationToken,
}

impl Live<'_> {
    async fn follow(
        &self,
        recording: &mut Recording,
        mut sources: Sources,
        load: LoadHandle,
        conductor: JoinHandle<()>,
    ) -> Result<(), RunError> {
        let cpu_before = CpuTimes::now();
        let mut tick = tokio::time::interval(TICK);
        let mut write = tokio::time::interval(WRITE);
        let mut phases = Phases::default();
        let mut cut_off = None;
        let mut broken = Ok(());
        loop {
            let step = tokio::select! {
                flush = sources.flushed.recv() => match flush {
                    Some(flush) => { recording.collector.add(&flush); Ok(()) }
                    // Every worker is gone: all operations are accounted for.
                    None => break,
                },
                Some(record) = sources.faults.recv() => recording.fault(record),
                Some(event) = sources.events.recv() => recording.event(event),
                _ = tick.tick() => { self.tick(recording, &mut phases); Ok(()) }
                _ = write.tick() => recording.write(),
                () = self.stop.cancelled(), if recording.interrupted_at.is_none() => {
                    load.stop();
                    self.end.cancel();
                    recording.interrupted_at = Some(self.clock.now());
                    cut_off = Some(Instant::now() + DRAIN);
                    Ok(())
                }
                () = until(cut_off) => { load.abort(); cut_off = None; Ok(()) }
            };
            // A history that cannot be written ends the load, never the healing.
            if let (Err(error), true) = (step, broken.is_ok()) {
                load.abort();
                self.end.cancel();
                broken = Err(error);
            }
        }
        self.notices.tell(Notice::Phase(Phase::Draining));
        let host_idle = CpuTimes::now()
            .zip(cpu_before)
            .and_then(|(now, before)| now.idle_ratio_since(&before));
        let summary = load.join().await;
        self.end.cancel();
        // A conductor that panicked has said so in its records; teardown follows whatever it left.
        let _ = conductor.await;
        broken?;
        while let Ok(record) = sources.faults.try_recv() {
            recording.fault(record)?;
        }
        while let Ok(event) = sources.events.try_recv() {
            recording.event(event)?;
        }
        recording.close(
            &summary,
            host_idle,
            self.spec.plan.duration,
            self.clock.now(),
        )
    }

    fn tick(&self, recording: &Recording, phases: &mut Phases) {
        let at = self.clock.now();
        if let Some(phase) = phases.entered(at, self.spec.plan.warmup) {
            self.notices.tell(Notice::Phase(phase));
        }
        let loads = recording.collector.ticks(at);
        let next = next_edge(&self.spec.plan.faults, at);
        self.notices
            .tell(Notice::Tick(Box::new(Tick { at, loads, next })));
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

fn next_edge(faults: &[PlannedFault], now: Offset) -> Option<(Offset, String)> {
    let edges = faults.iter().flat_map(|f| {
        let heal = f.heal_at.map(|at| (at, format!("{} heals", f.name)));
        std::iter::once((f.inject_at, f.name.clone())).chain(heal)
    });
    edges.filter(|(at, _)| *at > now).min_by_key(|(at, _)| *at)
}

/// The history as it is recorded: in memory and on disk.
struct Recording {
    history: History,
    collector: Collector,
    writer: Writer,
    /// Load workers that were started.
    workers: usize,
    interrupted_at: Option<Offset>,
}

impl Recording {
    fn begin(spec: &Spec, head: Head, output: &Output, workers: usize) -> Result<Self, RunError> {
        let writer = Writer::create(&output.history(), &head)?;
        let collector = Collector::new(spec.plan.loads.iter().map(|l| l.name.clone()), workers);
        Ok(Self {
            history: History::new(head),
            collector,
            writer,
            workers,
            interrupted_at: None,
        })
    }

    /// A later record of the same fault replaces the earlier one.
    fn fault(&mut self, record: FaultRecord) -> Result<(), RunError> {
        self.writer.fault(&record)?;
        self.history.faults.retain(|f| f.index != record.index);
        self.history.faults.push(record);
        Ok(())
    }

    fn event(&mut self, event: Event) -> Result<(), RunError> {
        self.writer.event(&event)?;
        self.history.events.push(event);
        Ok(())
    }

    fn write(&mut self) -> Result<(), RunError> {
        self.writer.progress(&mut self.collector)?;
        Ok(self.writer.flush()?)
    }

    fn close(
        &mut self,
        summary: &LoadSummary,
        host_idle: Option<f64>,
        duration: Duration,
        now: Offset,
    ) -> Result<(), RunError> {
        self.collector.close();
        let load_ended_at = self.interrupted_at.unwrap_or_else(|| Offset::new(duration));
        let generator = generator(&self.collector, summary, host_idle, load_ended_at);
        let reason = reason(self.interrupted_at.is_some(), self.workers, summary.workers);
        let end = End {
            at: now,
            reason,
            load_ended_at,
            scheduled: summary.scheduled.clone(),
        };
        self.write()?;
        self.writer.generator(&generator)?;
        self.writer.end(&end)?;
        self.writer.flush()?;
        self.history.generator = Some(generator);
        self.history.end = Some(end);
        Ok(())
    }

    fn finish(self) -> History {
        let Self {
            mut history,
            collector,
            ..
        } = self;
        history.loads = collector.into_loads();
        history.faults.sort_by_key(|f| f.index);
        history
    }
}

/// Why the load ended. What a worker that broke down had to do was not done, and nobody but it knows how much that was.
fn reason(interrupted: bool, started: usize, ended_well: usize) -> EndReason {
    if ended_well < started {
        EndReason::Failed(format!(
            "{} of {started} load workers broke down: that is a defect in lbtest",
            started - ended_well
        ))
    } else if interrupted {
        EndReason::Interrupted
    } else {
        EndReason::Completed
    }
}

fn generator(
    collector: &Collector,
    summary: &LoadSummary,
    host_idle_ratio: Option<f64>,
    ran: Offset,
) -> GeneratorHealth {
    let lateness = collector.lateness();
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of one run are far below 2^53"
    )]
    let ms = |micros: u64| micros as f64 / 1e3;
    #[expect(clippy::cast_precision_loss, reason = "a few threads")]
    let available = ran.since_zero().as_secs_f64() * summary.workers as f64;
    GeneratorHealth {
        late_p50_ms: ms(lateness.value_at_quantile(0.5)),
        late_p99_ms: ms(lateness.value_at_quantile(0.99)),
        late_max_ms: ms(lateness.max()),
        dropped: collector.dropped(),
        cpu_ratio: (available > 0.0).then(|| summary.cpu_time.as_secs_f64() / available),
        host_idle_ratio,
        workers: summary.workers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_lost_a_worker_did_not_complete() {
        assert_eq!(reason(false, 2, 2), EndReason::Completed);
        assert_eq!(reason(true, 2, 2), EndReason::Interrupted);
        for interrupted in [false, true] {
            let EndReason::Failed(why) = reason(interrupted, 2, 1) else {
                panic!("it has not failed")
            };
            assert!(why.contains("1 of 2"), "{why}");
        }
    }
}
