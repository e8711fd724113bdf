//! One fault on one target: look, write down, break, confirm; later mend and look again.

use super::conductor::{Reach, Stage};
use super::early::{self, Early};
use super::edge::{Watch, measure};
use super::{Kind, Site, Undo, external, failpoint, journal};
use crate::engine::{Container, ContainerState, EngineError};
use crate::history::event::{EdgeTimes, TargetRecord};
use crate::notice::Notice;
use crate::sidecar::protocol::Leftover;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// An independent look is repeated until it shows the effect, at most so long.
const CONFIRM_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// A heal that fails is tried again, at most so long.
const HEAL_WITHIN: Duration = Duration::from_secs(30);
/// Between two tries to heal.
const HEAL_AGAIN: Duration = Duration::from_millis(500);

/// A target that was broken, and what mends it.
pub struct Broken {
    /// What is known of it.
    pub record: TargetRecord,
    container: Container,
    undo: Option<(u64, Undo)>,
    /// The target when the effect was seen.
    during: Option<ContainerState>,
}

/// Breaks one target. Whatever goes wrong is in the record.
pub async fn break_one(
    stage: &Stage,
    reach: &Reach,
    kind: &dyn Kind,
    tag: &str,
    target: &Container,
) -> Broken {
    let mut broken = Broken {
        record: blank(stage, target),
        container: target.clone(),
        undo: None,
        during: None,
    };
    let site = reach.site(target, tag);
    let before = match state(site, kind).await {
        Ok(state) => state,
        Err(EngineError::NotFound(_)) => return broken.failed(&Removed),
        Err(error) => return broken.failed(&error),
    };
    let undo = match kind.undo(site, &before).await {
        Ok(undo) => undo.map(|undo| own_limits(reach, target, undo)),
        Err(error) => return broken.failed(&error),
    };
    if let Some(undo) = undo {
        match reach
            .journal
            .record(&target.id, &target.name, undo.clone(), kind.lingers())
        {
            Ok(id) => broken.undo = Some((id, undo)),
            // What cannot be written down is not broken.
            Err(error) => return broken.failed(&error),
        }
    }
    let watch = Watch {
        engine: site.engine,
        container: &target.id,
        before: &before,
        truth: kind.truth(),
        event: kind.event(),
    };
    let (times, result) = measure(&stage.clock, watch, failpoint::during(kind.inject(site))).await;
    failpoint::pass();
    broken.record.inject = times;
    match result {
        Ok(effect) => broken.record.mechanism = effect.mechanism,
        Err(error) => return broken.failed(&error),
    }
    let seen = look(|| kind.confirm(site, &before)).await;
    if !matches!(seen, Ok(Some(_))) {
        stage.doubt(reach, broken.undo.as_ref());
    }
    match seen {
        Ok(seen) => broken.record.confirmed = seen,
        Err(error) => return broken.failed(&error),
    }
    if broken.record.confirmed.is_some() {
        stage.shown(reach, broken.undo.as_ref());
        broken.during = state(site, kind).await.ok();
    }
    forget_what_mended_itself(stage, reach, kind, site, &mut broken).await;
    broken
}

/// What a container is limited to while another fault is on is not what it is to have afterwards: that was written down
/// when the first of them came.
fn own_limits(reach: &Reach, target: &Container, undo: Undo) -> Undo {
    if !matches!(undo, Undo::Limits(_)) {
        return undo;
    }
    let pending = journal::read(reach.journal.path()).map(|p| p.entries);
    let earlier = pending.unwrap_or_default().into_iter().find_map(|entry| {
        let of_it = entry.container == target.id && matches!(entry.undo, Undo::Limits(_));
        of_it.then_some(entry.undo)
    });
    earlier.unwrap_or(undo)
}

async fn state(site: Site<'_>, kind: &dyn Kind) -> Result<ContainerState, EngineError> {
    if kind.hits_a_container() {
        site.engine.state(&site.target.id).await
    } else {
        Ok(ContainerState::default())
    }
}

/// A restart, or a restart policy, leaves nothing to heal: then there is no heal edge either.
async fn forget_what_mended_itself(
    stage: &Stage,
    reach: &Reach,
    kind: &dyn Kind,
    site: Site<'_>,
    broken: &mut Broken,
) {
    let (Some((id, undo)), Some(_)) = (&broken.undo, &broken.record.confirmed) else {
        return;
    };
    let seen = kind.is_healed(site, undo).await;
    if seen.is_ok_and(|seen| seen.is_some()) {
        stage.strike(reach, *id);
        broken.undo = None;
        broken.record.mended_itself = true;
    }
}

impl Broken {
    /// True where there is something to undo.
    #[must_use]
    pub fn needs_mending(&self) -> bool {
        self.undo.is_some()
    }

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
        mechanism: None,
        mended_itself: false,
        heal_confirmed: None,
        ended_early: None,
        error: None,
    }
}

/// Mends one target. What could not be mended is said, with the command that does it by hand.
pub async fn mend_one(
    stage: &Stage,
    reach: &Reach,
    kind: &dyn Kind,
    tag: &str,
    broken: Broken,
) -> TargetRecord {
    let Broken {
        mut record,
        container,
        undo,
        during,
    } = broken;
    let Some((id, undo)) = undo else {
        return record;
    };
    let site = reach.site(&container, tag);
    match early::look(site, kind, during.as_ref()).await {
        Some(Early::Removed) if undo.ends_with_the_container() => {
            removed(stage, reach, id, &undo, &mut record);
            return record;
        }
        Some(Early::Removed) | None => {}
        Some(Early::Over(why)) => record.ended_early = Some(why),
    }
    let mended = mend(stage, kind, site, &undo, record.confirmed.is_some()).await;
    record.heal = mended.times;
    match mended.result {
        Ok(seen) if mended.by_others && !kind.lasts() => {
            record.heal = None;
            record.mended_itself = true;
            record.heal_confirmed = Some(format!("{seen} before its heal"));
            stage.strike(reach, id);
        }
        Ok(seen) => {
            if mended.by_others && record.confirmed.is_some() {
                let over = || format!("over before its heal: {seen}");
                record.ended_early.get_or_insert_with(over);
            }
            record.heal_confirmed = Some(seen);
            stage.strike(reach, id);
        }
        Err(_) if undo.ends_with_the_container() && is_gone(site).await => {
            removed(stage, reach, id, &undo, &mut record);
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

/// A target that somebody removed cannot be broken any more.
fn removed(stage: &Stage, reach: &Reach, id: u64, undo: &Undo, record: &mut TargetRecord) {
    let left = match undo {
        Undo::Sidecar {
            leftover: Some(Leftover::Filled(fill)),
            ..
        } => {
            let (file, folder) = (&fill.file, &fill.folder);
            format!("nothing of it is left, unless {folder} is in a volume: then {file} is")
        }
        _ => "nothing of it is left to heal".to_owned(),
    };
    record.heal = None;
    record.ended_early = Some(format!("{Removed} while the fault was on: {left}"));
    stage.strike(reach, id);
}

async fn is_gone(site: Site<'_>) -> bool {
    let state = site.engine.state(&site.target.id).await;
    matches!(state, Err(EngineError::NotFound(_)))
}

/// A target that is not there.
#[derive(Debug, thiserror::Error)]
#[error("it was removed")]
struct Removed;

/// What came of mending.
struct Mended {
    /// Moments of the call that did it, or of the look that showed it done.
    times: Option<EdgeTimes>,
    /// It was done before anything was tried.
    by_others: bool,
    /// What the last look saw, or why it is not done.
    result: Result<String, String>,
}

/// Undoes until a look shows it done, or the time is up. What was never `seen` by a look is undone whatever a look says.
async fn mend(stage: &Stage, kind: &dyn Kind, site: Site<'_>, undo: &Undo, seen: bool) -> Mended {
    let deadline = Instant::now() + HEAL_WITHIN;
    let mut times = None;
    let tried = |times, result| Mended {
        times,
        by_others: false,
        result,
    };
    loop {
        let looked = if seen || undo.is_a_state() || times.is_some() {
            kind.is_healed(site, undo).await
        } else {
            Ok(None)
        };
        let problem = match looked {
            Ok(Some(seen)) => {
                // Somebody else did it (a restart policy, a person): the moment is when it was seen.
                let now = || Some(external::on_schedule(stage.clock.now()));
                return Mended {
                    by_others: times.is_none(),
                    times: times.or_else(now),
                    result: Ok(seen),
                };
            }
            Ok(None) => match heal_once(stage, kind, site, undo).await {
                (edge, Ok(seen)) => {
                    times = Some(edge);
                    if let Some(seen) = seen {
                        return tried(times, Ok(seen));
                    }
                    None
                }
                (edge, Err(error)) => {
                    times = Some(edge);
                    Some(error)
                }
            },
            Err(error) => Some(error),
        };
        if let Some(gone @ EngineError::NotFound(_)) = &problem {
            return tried(times, Err(gone.to_string()));
        }
        if problem.is_none()
            && let Ok(Some(seen)) = look(|| kind.is_healed(site, undo)).await
        {
            return tried(times, Ok(seen));
        }
        if Instant::now() >= deadline {
            let why =
                problem.map_or_else(|| "no look shows it healed".to_owned(), |e| e.to_string());
            return tried(times, Err(why));
        }
        tokio::time::sleep(HEAL_AGAIN).await;
    }
}

async fn heal_once(
    stage: &Stage,
    kind: &dyn Kind,
    site: Site<'_>,
    undo: &Undo,
) -> (EdgeTimes, Result<Option<String>, EngineError>) {
    let before = state(site, kind).await.unwrap_or_default();
    let watch = Watch {
        engine: site.engine,
        container: &site.target.id,
        before: &before,
        truth: undo.truth(),
        event: undo.event(),
    };
    let (edge, result) = measure(
        &stage.clock,
        watch,
        failpoint::during(kind.heal(site, undo)),
    )
    .await;
    (edge, result.map(|effect| effect.seen))
}

/// Looks until something shows, at most [`CONFIRM_WITHIN`]; the last look's error counts.
pub async fn look<F, L>(mut once: F) -> Result<Option<String>, EngineError>
where
    F: FnMut() -> L,
    L: Future<Output = Result<Option<String>, EngineError>>,
{
    let deadline = Instant::now() + CONFIRM_WITHIN;
    loop {
        let seen = once().await;
        if matches!(seen, Ok(Some(_))) || Instant::now() >= deadline {
            return seen;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
