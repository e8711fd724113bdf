//! The conductor: injects and heals every planned fault at its time, and lets nothing stay broken.
//!
//! Each occurrence is a task of its own, so that a slow stop delays nobody else. Whatever happens — the end of the
//! run, Ctrl-C, an engine that fails — every injection that may have happened is healed and looked at.

use super::journal::Journal;
use super::late::{Finder, LastServed};
use super::operate::{Broken, break_one, mend_one};
use super::steering::{Healing, Steering};
use super::{Kind, Site, Undo, external, failpoint};
use crate::clock::{Clock, Offset};
use crate::engine::{Container, Engine, EngineError};
use crate::history::FaultRecord;
use crate::history::event::{EdgeTimes, TargetRecord};
use crate::notice::{Notice, Notices};
use crate::plan::After;
use futures_util::StreamExt;
use futures_util::future::{join_all, try_join_all};
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

/// The next of a sequence waits so long for the targets of the one before to be healthy again.
const HEALTHY_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks at their health.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// In words, of a fault of the plan that somebody healed by hand.
const HEALED_EARLY: &str = "healed by hand before its time";

/// One occurrence of a fault, ready to be carried out.
pub struct Assignment {
    /// Index in `plan.faults`.
    pub index: usize,
    /// Its name, for notices.
    pub name: String,
    /// What tells it from the run's others, in names of files and sidecars.
    pub tag: String,
    /// What it does; none for `external`.
    pub kind: Option<Box<dyn Kind>>,
    /// Whom it hits; where `finder` is set, whom it may hit.
    pub targets: Vec<Container>,
    /// How targets are found at the moment of injection.
    pub finder: Option<Finder>,
    /// When to inject.
    pub inject_at: Offset,
    /// When to heal; none: at the end.
    pub heal_at: Option<Offset>,
    /// It begins when another one is over; the times then only say how long it lasts.
    pub after: Option<After>,
    /// It was not planned: it takes place at once, until it is healed by hand or the schedule ends.
    pub by_hand: bool,
}

/// What can be broken, and where its undo is written first.
#[derive(Clone)]
pub struct Reach {
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// The journal.
    pub journal: Arc<Journal>,
    /// The run.
    pub run: String,
    /// The project.
    pub project: String,
}

impl Reach {
    /// One target of one fault.
    #[must_use]
    pub fn site<'a>(&'a self, target: &'a Container, tag: &'a str) -> Site<'a> {
        Site {
            engine: &*self.engine,
            target,
            run: &self.run,
            project: &self.project,
            tag,
        }
    }
}

/// What all assignments share.
#[derive(Clone)]
pub struct Stage {
    /// None where nothing can be broken: then all faults are external.
    pub reach: Option<Reach>,
    /// The run's clock.
    pub clock: Clock,
    /// Who is told.
    pub notices: Notices,
    /// Where records go, after each edge: a later one of the same index replaces the earlier.
    pub records: UnboundedSender<FaultRecord>,
    /// Who served last.
    pub served: LastServed,
    /// The schedule, as it is steered.
    pub steering: Steering,
    /// Ends the schedule: what is not injected yet is not, what is broken is healed now.
    pub end: CancellationToken,
}

/// Makes ready what would take its time at the moment of a fault. Nothing is broken yet.
///
/// # Errors
/// What the engine answers: a fault could not take place, and the run is not worth beginning.
pub async fn arm(reach: &Reach, assignments: &[Assignment]) -> Result<(), EngineError> {
    let all = assignments
        .iter()
        .flat_map(|fault| fault.targets.iter().map(move |target| (fault, target)));
    try_join_all(all.map(|(fault, target)| arm_one(reach, fault, target))).await?;
    Ok(())
}

async fn arm_one(reach: &Reach, fault: &Assignment, target: &Container) -> Result<(), EngineError> {
    failpoint::pass();
    if let Some(finder) = &fault.finder {
        let tag = finding(&fault.tag);
        finder.arm(reach.site(target, &tag)).await?;
    }
    match &fault.kind {
        Some(kind) if kind.hits_a_container() => {
            failpoint::during(kind.arm(reach.site(target, &fault.tag))).await
        }
        Some(_) | None => Ok(()),
    }
}

/// The sidecars that only ask are not those that break.
fn finding(tag: &str) -> String {
    format!("{tag}-find")
}

/// Carries out all assignments. Returns when each is over and healed.
pub async fn conduct(stage: &Stage, assignments: Vec<Assignment>) {
    let (_, nothing) = unbounded_channel();
    conduct_with(stage, assignments, nothing).await;
}

/// Carries out all assignments, and those that are added until the schedule ends. Returns when each is over and healed,
/// and nobody can add any more.
pub async fn conduct_with(
    stage: &Stage,
    assignments: Vec<Assignment>,
    mut added: UnboundedReceiver<Assignment>,
) {
    assignments.iter().for_each(|a| stage.steering.enter(a));
    let mut under_way: FuturesUnordered<_> = assignments
        .into_iter()
        .map(|a| carry_out(stage, a))
        .collect();
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            () = stage.end.cancelled(), if open => open = false,
            more = added.recv(), if open => match more {
                Some(assignment) => {
                    stage.steering.enter(&assignment);
                    under_way.push(carry_out(stage, assignment));
                }
                None => open = false,
            },
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
            else => break,
        }
    }
}

async fn carry_out(stage: &Stage, fault: Assignment) {
    if let Some(at) = stage.begins(&fault).await {
        match (fault.kind.as_deref(), &stage.reach) {
            (Some(kind), Some(reach)) => break_and_mend(stage, reach, kind, &fault).await,
            (None, _) | (_, None) => mark(stage, &fault, at).await,
        }
    } else if fault.kind.is_none() {
        // Without a record the analysis takes the plan's word for it.
        let never = FaultRecord {
            index: fault.index,
            targets: Vec::new(),
        };
        let _ = stage.records.send(never);
    }
    if let Some(finder) = &fault.finder {
        finder.let_go();
    }
    if let Some(kind) = &fault.kind {
        kind.disarm().await;
    }
    stage.steering.leaves(fault.index);
}

async fn break_and_mend(stage: &Stage, reach: &Reach, kind: &dyn Kind, fault: &Assignment) {
    let targets = match find(stage, reach, fault).await {
        Ok(targets) => targets,
        Err(error) => return stage.publish_unfound(fault, kind.name(), &error),
    };
    if fault.by_hand
        && let Err(error) = try_join_all(targets.iter().map(|t| arm_one(reach, fault, t))).await
    {
        return stage.publish_unfound(fault, kind.name(), &error);
    }
    if fault.by_hand && stage.end.is_cancelled() {
        // Whoever asked for it has ended the run since.
        return;
    }
    let breaking = targets
        .iter()
        .map(|t| break_one(stage, reach, kind, &fault.tag, t));
    let broken = join_all(breaking).await;
    let mut record = FaultRecord {
        index: fault.index,
        targets: broken.iter().map(|b| b.record.clone()).collect(),
    };
    stage.publish(&fault.name, kind.name(), &record, false);
    if !broken.iter().any(Broken::needs_mending) {
        // It is over: what comes next in a sequence need not wait for more than the targets' health.
        stage.steering.over(fault.index);
        return healthy(stage, reach, &targets).await;
    }
    let why = stage
        .steering
        .heals(fault.index, &stage.clock, &stage.end)
        .await;
    // Even a failed injection is healed: it may have had its effect all the same.
    let mending = broken
        .into_iter()
        .map(|b| mend_one(stage, reach, kind, &fault.tag, b));
    record.targets = join_all(mending).await;
    if why == Healing::ByHand && stage.steering.heals_early(fault.index) {
        // As with whatever else ends a fault early: what was measured is not what the scenario asked for.
        let lasted = record.targets.iter_mut().filter(|t| t.heal.is_some());
        lasted.for_each(|t| _ = t.ended_early.get_or_insert_with(|| HEALED_EARLY.to_owned()));
    }
    stage.publish(&fault.name, kind.name(), &record, true);
    if why != Healing::Ended {
        healthy(stage, reach, &targets).await;
    }
}

/// Whom it hits now.
async fn find(
    stage: &Stage,
    reach: &Reach,
    fault: &Assignment,
) -> Result<Vec<Container>, EngineError> {
    let Some(finder) = &fault.finder else {
        return Ok(fault.targets.clone());
    };
    let tag = finding(&fault.tag);
    let sites: Vec<_> = fault.targets.iter().map(|t| reach.site(t, &tag)).collect();
    let (found, how) = finder.find(&sites, &stage.served).await?;
    stage
        .notices
        .tell(Notice::Info(format!("{}: {how}", fault.name)));
    Ok(found)
}

/// Waits until every target that has a healthcheck is healthy again: what comes next in a sequence counts on it.
async fn healthy(stage: &Stage, reach: &Reach, targets: &[Container]) {
    let deadline = tokio::time::Instant::now() + HEALTHY_WITHIN;
    for target in targets.iter().filter(|t| !t.id.is_empty()) {
        while let Ok(state) = reach.engine.state(&target.id).await {
            let waits = state.health.is_some_and(|h| h != "healthy");
            let late = tokio::time::Instant::now() >= deadline;
            if !waits || late || stage.end.is_cancelled() {
                break;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// An external fault: both edges are what the schedule says, or whoever steers it.
async fn mark(stage: &Stage, fault: &Assignment, at: Offset) {
    let mut record = FaultRecord {
        index: fault.index,
        targets: vec![external::marked(at)],
    };
    if fault.by_hand {
        let marked = record.targets.iter_mut();
        marked.for_each(|t| t.confirmed = Some(external::MARKED_BY_HAND.to_owned()));
    }
    stage.publish(&fault.name, "external", &record, false);
    if fault.heal_at.is_none() && !fault.by_hand {
        return;
    }
    let heals = stage.steering.heals(fault.index, &stage.clock, &stage.end);
    let (at, on_time) = match heals.await {
        Healing::OnTime(at) => (at, true),
        Healing::ByHand => (stage.clock.now(), false),
        Healing::Ended => return,
    };
    let early = !on_time && stage.steering.heals_early(fault.index);
    for target in &mut record.targets {
        target.ended_early = early.then(|| HEALED_EARLY.to_owned());
        target.heal = Some(external::on_schedule(at));
        target.heal_confirmed = Some(external::MARKED.to_owned());
    }
    stage.publish(&fault.name, "external", &record, true);
}

impl Stage {
    /// Waits for the beginning of a fault, and tells its moment; none where the schedule ended first. What begins after
    /// another one lasts as long as was planned, from then on.
    async fn begins(&self, fault: &Assignment) -> Option<Offset> {
        let (steering, index) = (&self.steering, fault.index);
        if let Some(after) = fault.after {
            let before = (after.index, after.pause);
            let follows = steering.follow(index, before, &self.clock, &self.end);
            if !follows.await {
                return None;
            }
        }
        steering.turn(index, &self.clock, &self.end).await
    }

    /// A fault whose targets were not found did not take place.
    fn publish_unfound(&self, fault: &Assignment, kind: &str, error: &EngineError) {
        let target = TargetRecord {
            service: kind.to_owned(),
            container: String::new(),
            inject: EdgeTimes {
                called: self.clock.now(),
                ..EdgeTimes::default()
            },
            heal: None,
            confirmed: None,
            mechanism: None,
            mended_itself: false,
            heal_confirmed: None,
            ended_early: None,
            error: Some(format!("injection: {error}")),
        };
        let record = FaultRecord {
            index: fault.index,
            targets: vec![target],
        };
        self.publish(&fault.name, kind, &record, false);
    }

    /// Notes that a look has shown the effect: nothing of the injection is under way any more.
    pub(super) fn shown(&self, reach: &Reach, entry: Option<&(u64, Undo)>) {
        if let Some(Err(error)) = entry.map(|(id, _)| reach.journal.shown(*id)) {
            self.notices.tell(Notice::Warning(error.to_string()));
        }
    }

    /// Notes that no look has shown the effect.
    pub(super) fn doubt(&self, reach: &Reach, entry: Option<&(u64, Undo)>) {
        let doubted = entry.filter(|(_, undo)| !undo.is_a_state());
        if let Some(Err(error)) = doubted.map(|(id, _)| reach.journal.doubt(*id)) {
            self.notices.tell(Notice::Warning(error.to_string()));
        }
    }

    /// Strikes a journal's entry.
    pub(super) fn strike(&self, reach: &Reach, id: u64) {
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
            if let (true, Some(early)) = (healed, &t.ended_early) {
                let rest = t.error.as_ref().or(shown.as_ref());
                let rest = rest.map_or_else(String::new, |r| format!("; {r}"));
                return format!("{}: {early}{rest}", t.service);
            }
            match (&t.error, shown) {
                (None, Some(seen)) if t.service == external::SERVICE => seen.clone(),
                (Some(error), _) => format!("{}: {error}", t.service),
                (None, Some(seen)) => format!("{}: {seen}", t.service),
                (None, None) => format!("{}: no effect seen", t.service),
            }
        };
        let untold = |t: &TargetRecord| {
            [&t.heal_confirmed, &t.ended_early, &t.error] == [&None; 3] && t.heal.is_none()
        };
        let nothing_to_mend = healed && record.targets.iter().all(untold);
        if !nothing_to_mend {
            let seen: Vec<_> = record.targets.iter().map(said).collect();
            let healed = match (healed, record.healed_at()) {
                (true, Some(_)) => ", healed",
                (true, None) if record.targets.iter().any(|t| t.error.is_some()) => ", not healed",
                (true, None) => ", over",
                (false, _) => "",
            };
            let what = format!("{name} ({kind}{healed}): {}", seen.join(", "));
            self.notices.tell(Notice::Fault {
                at: at.unwrap_or_else(|| self.clock.now()),
                name: name.to_owned(),
                what,
            });
        }
        self.steering.told(record, healed);
        let _ = self.records.send(record.clone());
    }
}

/// Heals everything that a journal says is broken, and looks. Returns what could not be healed, in words with the
/// command that does it.
pub async fn heal_pending(engine: &dyn Engine, entries: &[super::journal::Entry]) -> Vec<String> {
    let mut left = Vec::new();
    for entry in entries {
        match heal_entry(engine, entry).await {
            Ok(()) => {}
            // A container that is gone cannot be broken.
            Err(EngineError::NotFound(_)) if entry.undo.ends_with_the_container() => {}
            Err(error) => left.push(format!(
                "{}: {error}; by hand: {}",
                entry.name,
                entry.undo.by_hand(&entry.name)
            )),
        }
    }
    left
}

async fn heal_entry(engine: &dyn Engine, entry: &super::journal::Entry) -> Result<(), EngineError> {
    let container = &entry.container;
    let done = if entry.doubted {
        entry.undo.carry_out(engine, container).await?
    } else {
        entry.undo.apply(engine, container).await?
    };
    if done.seen.is_some() {
        return Ok(());
    }
    let look = super::operate::look(|| entry.undo.look(engine, container));
    if look.await?.is_some() {
        return Ok(());
    }
    Err(EngineError::Refused {
        what: "healing".to_owned(),
        answer: "no look shows it healed".to_owned(),
    })
}
