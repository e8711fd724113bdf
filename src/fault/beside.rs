//! The sidecars of one fault, one beside each target: started before the load, asked at the moment of the fault.

use super::{Effect, Site, Undo, early};
use crate::engine::{ContainerState, EngineError, Join, Sidecar};
use crate::sidecar::protocol::{Done, Leftover, Order};
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Sidecars by the target's id.
pub struct Beside {
    join: Join,
    held: Mutex<BTreeMap<String, Arc<dyn Sidecar>>>,
}

impl Beside {
    /// None yet.
    #[must_use]
    pub fn new(join: Join) -> Self {
        Self {
            join,
            held: Mutex::default(),
        }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Arc<dyn Sidecar>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the one beside a target. A target that does not run has no namespace to join: that is made up for at the
    /// moment of the fault.
    ///
    /// # Errors
    /// What the engine answers.
    pub async fn arm(&self, site: Site<'_>) -> Result<(), EngineError> {
        if site.engine.state(&site.target.id).await?.running {
            self.start(site).await?;
        }
        Ok(())
    }

    async fn start(&self, site: Site<'_>) -> Result<Arc<dyn Sidecar>, EngineError> {
        let sidecar = site.engine.sidecar(&site.sidecar(self.join)).await?;
        let id = site.target.id.clone();
        self.held().insert(id, Arc::clone(&sidecar));
        Ok(sidecar)
    }

    /// Tells the one beside a target to do something; one that stands beside what the target was before a restart, or
    /// that an engine which was away let go of, is replaced.
    ///
    /// # Errors
    /// What it answers.
    pub async fn ask(&self, site: Site<'_>, order: Order) -> Result<Done, EngineError> {
        let held = self.held().get(&site.target.id).cloned();
        let now = site.engine.state(&site.target.id).await?;
        if !now.running {
            return Err(EngineError::Refused {
                what: format!("a fault in container {}", site.target.name),
                answer: "it does not run".to_owned(),
            });
        }
        let sidecar = match held {
            Some(sidecar) if sidecar.lives() && sidecar.joined() == now.pid => sidecar,
            Some(_) | None => self.start(site).await?,
        };
        sidecar.ask(order).await
    }

    /// Tells it to look.
    ///
    /// # Errors
    /// What it answers.
    pub async fn look(&self, site: Site<'_>) -> Result<Done, EngineError> {
        let held = self.held().get(&site.target.id).cloned();
        match held {
            Some(sidecar) => sidecar.ask(Order::Look).await,
            None => Err(EngineError::NotFound(format!(
                "the sidecar of container {}",
                site.target.name
            ))),
        }
    }

    /// What ended before the heal what it holds: see [`Kind::over_early`](super::Kind::over_early). `counts`: it is over
    /// as soon as a look counts nothing.
    pub async fn over_early(
        &self,
        site: Site<'_>,
        during: &ContainerState,
        now: Option<&ContainerState>,
        counts: bool,
    ) -> Option<String> {
        if let Some(restarted) = now.and_then(|now| early::restarted(during, now)) {
            return Some(restarted);
        }
        let gone =
            || Some("its sidecar was gone before the heal, and the effect with it".to_owned());
        let held = self.held().get(&site.target.id).cloned();
        let Some(sidecar) = held.filter(|sidecar| sidecar.lives()) else {
            return gone();
        };
        if !counts {
            return None;
        }
        match sidecar.ask(Order::Look).await {
            Ok(done) if done.count == 0 => Some(format!("over before its heal: {}", done.seen)),
            Ok(_) => None,
            Err(_) => gone(),
        }
    }

    /// Tells it to undo everything, and lets it go. Where it is gone, the undo does the same from outside.
    ///
    /// # Errors
    /// What the engine answers.
    pub async fn heal(&self, site: Site<'_>, undo: &Undo) -> Result<Effect, EngineError> {
        let held = self.held().remove(&site.target.id);
        let Some(sidecar) = held else {
            return undo.apply(site.engine, &site.target.id).await;
        };
        let last = sidecar.ask(Order::Look).await.ok();
        match sidecar.ask(Order::Mend(None)).await {
            Ok(done) => {
                let mut effect = effect(site, &done);
                let before = last.map(|l| format!(" after {}", l.seen));
                effect.seen = Some(format!("{}{}", done.seen, before.unwrap_or_default()));
                Ok(effect)
            }
            Err(_) => {
                drop(sidecar);
                undo.apply(site.engine, &site.target.id).await
            }
        }
    }

    /// What removes it, and what it may have left, when nobody can ask it any more.
    #[must_use]
    pub fn undo(&self, site: Site<'_>, leftover: Option<Leftover>) -> Undo {
        Undo::Sidecar {
            spec: Box::new(site.sidecar(self.join)),
            leftover,
        }
    }

    /// Lets all of them go.
    pub fn let_go(&self) {
        self.held().clear();
    }
}

/// What a sidecar's answer tells of the moment, where it reads the clock that we read.
#[must_use]
pub fn effect(site: Site<'_>, done: &Done) -> Effect {
    let known = done.until_ns > 0 && site.engine.shares_our_kernel();
    Effect {
        at: known.then(|| (instant(done.from_ns), instant(done.until_ns))),
        mechanism: (!done.mechanism.is_empty()).then(|| done.mechanism.clone()),
        seen: None,
    }
}

/// A reading of CLOCK_MONOTONIC as an instant, which is one of the same clock.
fn instant(ns: u64) -> Instant {
    let now = clock_gettime(ClockId::Monotonic);
    let instant = Instant::now();
    let now = Duration::new(
        u64::try_from(now.tv_sec).unwrap_or_default(),
        u32::try_from(now.tv_nsec).unwrap_or_default(),
    );
    let then = Duration::from_nanos(ns);
    let earlier = instant.checked_sub(now.saturating_sub(then));
    earlier.unwrap_or(instant) + then.saturating_sub(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_of_the_monotonic_clock_is_the_instant_at_which_it_was_taken() {
        let before = Instant::now();
        let read = clock_gettime(ClockId::Monotonic);
        let after = Instant::now();
        let ns = u64::try_from(read.tv_sec).unwrap() * 1_000_000_000
            + u64::try_from(read.tv_nsec).unwrap();
        let instant = instant(ns);
        // The conversion reads two clocks one after the other: a preemption between them shifts it.
        let slack = Duration::from_millis(20);
        assert!(instant + slack >= before && instant <= after + slack);
    }
}
