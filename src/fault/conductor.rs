//! The conductor: injects and heals every planned fault at its time, and lets nothing stay broken.
//!
//! Each occurrence is a task of its own, so that a slow stop delays nobody else. Whatever happens — the end of the
//! run, Ctrl-C, an engine that fails — every injection that may have happened is healed and looked at.

use super::edge::{Watch, measure};
use super::journal::Journal;
use super::{Kind, Undo, external};
use crate::clock::{Clock, Offset};
use crate::engine::{Container, ContainerState, Engine, EngineError};
use crate::history::FaultRecord;
use crate::history::event::{EdgeTimes, TargetRecord};
use crate::notice::{Notice, Notices};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

/// An independent look is repeated until it shows the effect, at most so long.
const CONFIRM_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// A heal that fails is tried again, at most so long.
const HEAL_WITHIN: Duration = Duration::from_secs(30);
/// Between two tries to heal.
const HEAL_AGAIN: Duration = Duration::from_millis(500);

/// One occurrence of a fault, ready to be carried out.
pub struct Assignment {
    /// Index in `plan.faults`.
    pub index: usize,
    /// Its name, for notices.
    pub name: String,
    /// What it does; none for `external`.
    pub kind: Option<Box<dyn Kind>>,
    /// Whom it hits.
    pub targets: Vec<Container>,
    /// When to inject.
    pub inject_at: Offset,
    /// When to heal; none: at the end.
    pub heal_at: Option<Offset>,
}

/// What can be broken, and where its undo is written first.
#[derive(Clone)]
pub struct Reach {
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// The journal.
    pub journal: Arc<Journal>,
}

/// What all assignments share.
#[derive(Clone)]
pub struct Stage {
    /// None where there is no topology: then all faults are external.
    pub reach: Option<Reach>,
    /// The run's clock.
    pub clock: Clock,
    /// Who is told.
    pub notices: Notices,
    /// Where records go, after each edge: a later one of the same index replaces the earlier.
    pub records: UnboundedSender<FaultRecord>,
    /// Ends the schedule: what is not injected yet is not, what is broken is healed now.
    pub end: CancellationToken,
}

/// Carries out all assignments. Returns when each is over and healed.
pub async fn conduct(stage: &Stage, assignments: Vec<Assignment>) {
    join_all(assignments.into_iter().map(|a| carry_out(stage.clone(), a))).await;
}

async fn carry_out(stage: Stage, fault: Assignment) {
    if !stage.wait_until(fault.inject_at).await {
        return;
    }
    let (Some(kind), Some(reach)) = (fault.kind.as_deref(), &stage.reach) else {
        return mark(&stage, &fault).await;
    };
    let broken = join_all(
        fault
            .targets
            .iter()
            .map(|t| break_one(&stage, reach, kind, t)),
    )
    .await;
    let mut record = FaultRecord {
        index: fault.index,
        targets: broken.iter().map(|b| b.record.clone()).collect(),
    };
    stage.publish(&fault.name, kind.name(), &record, false);
    match fault.heal_at {
        Some(at) => _ = stage.wait_until(at).await,
        None => stage.end.cancelled().await,
    }
    // Even a failed injection is healed: it may have had its effect all the same.
    record.targets = join_all(broken.into_iter().map(|b| mend_one(&stage, reach, b))).await;
    stage.publish(&fault.name, kind.name(), &record, true);
}

/// A target that was broken, and what mends it.
struct Broken {
    record: TargetRecord,
    container: Container,
    undo: Option<(u64, Undo)>,
}

async fn break_one(stage: &Stage, reach: &Reach, kind: &dyn Kind, target: &Container) -> Broken {
    let mut broken = Broken {
        record: blank(stage, target),
        container: target.clone(),
        undo: None,
    };
    let engine = &*reach.engine;
    let before = match engine.state(&target.id).await {
        Ok(state) => state,
        Err(error) => return broken.failed(&error),
    };
    if let Some(undo) = kind.undo(&before) {
        match reach.journal.record(&target.id, &target.name, undo) {
            Ok(id) => broken.undo = Some((id, undo)),
            // What cannot be written down is not broken.
            Err(error) => return broken.failed(&error),
        }
    }
    let watch = Watch {
        engine,
        container: &target.id,
        before: &before,
        truth: kind.truth(),
        event: kind.event(),
    };
    let (times, result) = measure(&stage.clock, watch, kind.inject(engine, target)).await;
    broken.record.inject = times;
    if let Err(error) = result {
        return broken.failed(&error);
    }
    broken.record.confirmed = look(engine, &target.id, |after| kind.confirm(&before, after)).await;
    forget_what_mended_itself(stage, reach, &mut broken).await;
    broken
}

/// A restart, or a restart policy, leaves nothing to heal: then there is no heal edge either.
async fn forget_what_mended_itself(stage: &Stage, reach: &Reach, broken: &mut Broken) {
    let (Some((id, undo)), Some(_)) = (broken.undo, &broken.record.confirmed) else {
        return;
    };
    let state = reach.engine.state(&broken.container.id).await;
    if state.is_ok_and(|after| undo.is_done(&after)) {
        stage.strike(reach, id);
        broken.undo = None;
        broken.record.mended_itself = true;
    }
}

impl Broken {
    fn failed(mut self, error: &dyn std::error::Error) -> Self {
        self.record.error = Some(format!("injection: {error}"));
        self
    }
}

fn blank(stage: &Stage, target: &Container) -> TargetRecord {
    TargetRecord {
        service: target.service.clone(),
        container: target.name.clone(),
        inject: EdgeTimes {
            called: stage.clock.now(),
            ..EdgeTimes::default()
        },
        heal: None,
        confirmed: None,
        mended_itself: false,
        heal_confirmed: None,
        error: None,
    }
}

async fn mend_one(stage: &Stage, reach: &Reach, broken: Broken) -> TargetRecord {
    let Broken {
        mut record,
        container,
        undo,
    } = broken;
    let Some((id, undo)) = undo else {
        return record;
    };
    let (times, confirmed) = mend(&stage.clock, &*reach.engine, &container, undo).await;
    record.heal = times;
    match confirmed {
        Ok(seen) => {
            record.heal_confirmed = Some(seen);
            stage.strike(reach, id);
        }
        Err(why) => {
            let by_hand = undo.by_hand(&container.name);
            let said = format!(
                "{} could not be healed: {why}; do it by hand: {by_hand}",
                container.name
            );
            stage.notices.tell(Notice::Warning(said.clone()));
            record.error = Some(said);
        }
    }
    record
}

/// Undoes until a look shows it done, or the time is up. Returns the moments of the call that did it.
async fn mend(
    clock: &Clock,
    engine: &dyn Engine,
    container: &Container,
    undo: Undo,
) -> (Option<EdgeTimes>, Result<String, String>) {
    let deadline = tokio::time::Instant::now() + HEAL_WITHIN;
    let mut times = None;
    loop {
        let problem = match engine.state(&container.id).await {
            Ok(before) if undo.is_done(&before) => {
                // Somebody else did it (a restart policy, a person): the moment is when it was seen.
                let seen = undo.confirm(&before).unwrap_or_default();
                return (
                    times.or_else(|| Some(external::on_schedule(clock.now()))),
                    Ok(seen),
                );
            }
            Ok(before) => {
                let watch = Watch {
                    engine,
                    container: &container.id,
                    before: &before,
                    truth: undo.truth(),
                    event: undo.event(),
                };
                let (edge, result) = measure(clock, watch, undo.apply(engine, &container.id)).await;
                times = Some(edge);
                result.err()
            }
            Err(error @ EngineError::NotFound(_)) => return (times, Err(error.to_string())),
            Err(error) => Some(error),
        };
        if problem.is_none()
            && let Some(seen) = look(engine, &container.id, |after| undo.confirm(after)).await
        {
            return (times, Ok(seen));
        }
        if tokio::time::Instant::now() >= deadline {
            return (
                times,
                Err(problem.map_or_else(|| "no look shows it healed".to_owned(), |e| e.to_string())),
            );
        }
        tokio::time::sleep(HEAL_AGAIN).await;
    }
}

/// Looks until the effect shows, at most [`CONFIRM_WITHIN`].
async fn look(
    engine: &dyn Engine,
    container: &str,
    shows: impl Fn(&ContainerState) -> Option<String>,
) -> Option<String> {
    let deadline = tokio::time::Instant::now() + CONFIRM_WITHIN;
    loop {
        if let Some(seen) = engine.state(container).await.ok().as_ref().and_then(&shows) {
            return Some(seen);
        }
        if tokio::time::Instant::now() >= deadline {
            return None;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// An external fault: both edges are what the schedule says.
async fn mark(stage: &Stage, fault: &Assignment) {
    let mut record = FaultRecord {
        index: fault.index,
        targets: vec![external::marked(fault.inject_at)],
    };
    stage.publish(&fault.name, "external", &record, false);
    let Some(heal_at) = fault.heal_at else { return };
    if stage.wait_until(heal_at).await {
        for target in &mut record.targets {
            target.heal = Some(external::on_schedule(heal_at));
            target.heal_confirmed = Some(external::MARKED.to_owned());
        }
        stage.publish(&fault.name, "external", &record, true);
    }
}

impl Stage {
    /// Waits; false where the schedule ended first.
    async fn wait_until(&self, at: Offset) -> bool {
        tokio::select! {
            biased;
            () = self.end.cancelled() => false,
            () = tokio::time::sleep_until(self.clock.instant(at)) => true,
        }
    }

    fn strike(&self, reach: &Reach, id: u64) {
        if let Err(error) = reach.journal.strike(id) {
            self.notices.tell(Notice::Warning(error.to_string()));
        }
    }

    fn publish(&self, name: &str, kind: &str, record: &FaultRecord, healed: bool) {
        let at = if healed {
            record.healed_at()
        } else {
            record.injected_at()
        };
        let said = |t: &TargetRecord| {
            let shown = if healed {
                &t.heal_confirmed
            } else {
                &t.confirmed
            };
            match (&t.error, shown) {
                (None, Some(seen)) if t.service == external::SERVICE => seen.clone(),
                (Some(error), _) => format!("{}: {error}", t.service),
                (None, Some(seen)) => format!("{}: {seen}", t.service),
                (None, None) => format!("{}: no effect seen", t.service),
            }
        };
        let nothing_to_mend = healed
            && record
                .targets
                .iter()
                .all(|t| t.heal.is_none() && t.error.is_none());
        if !nothing_to_mend {
            let seen: Vec<_> = record.targets.iter().map(said).collect();
            let healed = if healed { ", healed" } else { "" };
            let what = format!("{name} ({kind}{healed}): {}", seen.join(", "));
            self.notices.tell(Notice::Fault {
                at: at.unwrap_or_else(|| self.clock.now()),
                name: name.to_owned(),
                what,
            });
        }
        let _ = self.records.send(record.clone());
    }
}

/// Heals everything that a journal says is broken. Returns what could not be healed, in words with the command
/// that does it.
pub async fn heal_pending(engine: &dyn Engine, entries: &[super::journal::Entry]) -> Vec<String> {
    let mut left = Vec::new();
    for entry in entries {
        match entry.undo.apply(engine, &entry.container).await {
            // A container that is gone cannot be broken.
            Ok(()) | Err(EngineError::NotFound(_)) => {}
            Err(error) => left.push(format!(
                "{}: {error}; by hand: {}",
                entry.name,
                entry.undo.by_hand(&entry.name)
            )),
        }
    }
    left
}
