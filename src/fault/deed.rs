//! Kinds that a sidecar carries out with one order: they differ in the order, and in what it may leave behind.

use super::beside::{Beside, effect};
use super::{Effect, Kind, Site, Undo};
use crate::engine::{ContainerState, EngineError, Join};
use crate::sidecar::protocol::{Leftover, Order};
use async_trait::async_trait;

/// What a sidecar is told to do.
pub trait Deed: Send + Sync {
    /// Its key in a scenario.
    fn name(&self) -> &'static str;

    /// What of the target the sidecar shares.
    fn join(&self) -> Join;

    /// The order.
    fn order(&self, site: Site<'_>) -> Order;

    /// What it may have left when nobody can ask the sidecar any more; none where it all ends with it.
    fn leftover(&self, site: Site<'_>) -> Option<Leftover>;
}

/// A kind that is one deed.
pub struct ByDeed<D> {
    deed: D,
    beside: Beside,
}

impl<D: Deed> ByDeed<D> {
    /// Nothing is done yet.
    #[must_use]
    pub fn new(deed: D) -> Self {
        let beside = Beside::new(deed.join());
        Self { deed, beside }
    }
}

#[async_trait]
impl<D: Deed> Kind for ByDeed<D> {
    fn name(&self) -> &'static str {
        self.deed.name()
    }

    async fn arm(&self, site: Site<'_>) -> Result<(), EngineError> {
        self.beside.arm(site).await
    }

    async fn undo(&self, site: Site<'_>, _: &ContainerState) -> Result<Option<Undo>, EngineError> {
        Ok(Some(self.beside.undo(site, self.deed.leftover(site))))
    }

    async fn inject(&self, site: Site<'_>) -> Result<Effect, EngineError> {
        let done = self.beside.ask(site, self.deed.order(site)).await?;
        Ok(effect(site, &done))
    }

    async fn confirm(
        &self,
        site: Site<'_>,
        _: &ContainerState,
    ) -> Result<Option<String>, EngineError> {
        let done = self.beside.look(site).await?;
        Ok((done.count > 0).then_some(done.seen))
    }

    async fn over_early(
        &self,
        site: Site<'_>,
        during: &ContainerState,
        now: Option<&ContainerState>,
    ) -> Option<String> {
        self.beside.over_early(site, during, now, true).await
    }

    async fn heal(&self, site: Site<'_>, undo: &Undo) -> Result<Effect, EngineError> {
        self.beside.heal(site, undo).await
    }

    async fn disarm(&self) {
        self.beside.let_go();
    }
}
