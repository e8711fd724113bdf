//! `http`: a request that breaks (an admin endpoint, `/api/switch`), and one that heals. From here, or from within the
//! target's network, where nothing else can reach it.

use super::beside::{Beside, effect};
use super::{Effect, Kind, Site, Undo};
use crate::engine::{ContainerState, Engine, EngineError, Join, Sidecar, SidecarSpec};
use crate::scenario::{Call, HttpFault, StatusSet};
use crate::sidecar;
use crate::sidecar::protocol::{HttpCall, Order};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Sends requests.
pub struct Http {
    of: HttpFault,
    /// From within the target's network; none: from here.
    beside: Option<Beside>,
    /// What was answered, by the target's id.
    answered: Mutex<BTreeMap<String, String>>,
}

impl Http {
    /// `within`: from within the target's network.
    #[must_use]
    pub fn new(of: HttpFault, within: bool) -> Self {
        Self {
            of,
            beside: within.then(|| Beside::new(Join::Network)),
            answered: Mutex::default(),
        }
    }

    async fn send(&self, site: Site<'_>, call: &Call) -> Result<Effect, EngineError> {
        let call = order(call);
        let Some(beside) = &self.beside else {
            return send(&call).await;
        };
        let done = beside.ask(site, Order::Http(call)).await?;
        Ok(Effect {
            // The server took it at some time between the request and the answer.
            seen: Some(done.seen.clone()),
            ..effect(site, &done)
        })
    }
}

/// Sends a request from here.
///
/// # Errors
/// There was no answer, or another than the expected one.
pub async fn send(call: &HttpCall) -> Result<Effect, EngineError> {
    match sidecar::http::call(call.clone()).await {
        Ok(done) => Ok(Effect {
            seen: Some(done.seen),
            ..Effect::default()
        }),
        Err(answer) => Err(EngineError::Refused {
            what: format!(
                "{} {}",
                call.method,
                crate::scenario::url_without_secrets(&call.url)
            ),
            answer,
        }),
    }
}

/// Sends a request from here, or from within a container's network, by a sidecar that is started for it.
///
/// # Errors
/// As of [`send`], and what the engine answers.
pub async fn send_by(
    engine: &dyn Engine,
    from: Option<&SidecarSpec>,
    call: &HttpCall,
) -> Result<Effect, EngineError> {
    let Some(spec) = from else {
        return send(call).await;
    };
    let sidecar = anew(engine, spec).await?;
    let done = sidecar.ask(Order::Http(call.clone())).await?;
    Ok(Effect {
        seen: Some(done.seen),
        ..Effect::default()
    })
}

async fn anew(engine: &dyn Engine, spec: &SidecarSpec) -> Result<Arc<dyn Sidecar>, EngineError> {
    // Not the one that the fault itself has armed: that one is still needed.
    let mut own = spec.clone();
    own.tag = format!("{}-ask", spec.tag);
    // One that was left from before is of no use to anybody.
    engine.mend(&own, None).await?;
    engine.sidecar(&own).await
}

/// Whether a request is answered otherwise than while the fault shows: in words, or none.
///
/// # Errors
/// There is no answer at all, which shows nothing.
pub async fn no_longer(
    engine: &dyn Engine,
    from: Option<&SidecarSpec>,
    shows: &HttpCall,
) -> Result<Option<String>, EngineError> {
    let any = HttpCall {
        expect_status: vec![(100, 599)],
        expect_body: None,
        ..shows.clone()
    };
    let Some(spec) = from else {
        if send(shows).await.is_ok() {
            return Ok(None);
        }
        return Ok(send(&any).await?.seen);
    };
    // One for both questions: its start is what takes time.
    let sidecar = anew(engine, spec).await?;
    if sidecar.ask(Order::Http(shows.clone())).await.is_ok() {
        return Ok(None);
    }
    Ok(Some(sidecar.ask(Order::Http(any)).await?.seen))
}

/// The same request, with any answer.
fn whatever(call: &Call) -> Call {
    Call {
        expect_status: StatusSet(vec![(100, 599)]),
        expect_body: None,
        ..call.clone()
    }
}

fn order(call: &Call) -> HttpCall {
    HttpCall {
        method: call.method.clone(),
        url: call.url.clone(),
        headers: call.headers.clone(),
        body: call.body.clone(),
        expect_status: call.expect_status.0.clone(),
        expect_body: call.expect_body.clone(),
        timeout_ms: u64::try_from(call.timeout.as_millis()).unwrap_or(u64::MAX),
    }
}

#[async_trait]
impl Kind for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn hits_a_container(&self) -> bool {
        self.beside.is_some()
    }

    async fn arm(&self, site: Site<'_>) -> Result<(), EngineError> {
        match &self.beside {
            Some(beside) => beside.arm(site).await,
            None => Ok(()),
        }
    }

    async fn undo(&self, site: Site<'_>, _: &ContainerState) -> Result<Option<Undo>, EngineError> {
        Ok(self.of.heal.as_ref().map(|call| Undo::Http {
            call: Box::new(order(call)),
            shows: self.of.confirm.as_ref().map(order).map(Box::new),
            from: self.beside.as_ref().map(|_| {
                Box::new(SidecarSpec {
                    // Not the one that is armed: whoever heals from outside removes what is left of the former.
                    tag: format!("{}-heal", site.tag),
                    ..site.sidecar(Join::Network)
                })
            }),
        }))
    }

    async fn inject(&self, site: Site<'_>) -> Result<Effect, EngineError> {
        let effect = self.send(site, &self.of.inject).await?;
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.insert(
            site.target.id.clone(),
            effect.seen.clone().unwrap_or_default(),
        );
        Ok(effect)
    }

    fn lingers(&self) -> Duration {
        self.of.inject.timeout + super::AT_ONCE
    }

    async fn confirm(
        &self,
        site: Site<'_>,
        _: &ContainerState,
    ) -> Result<Option<String>, EngineError> {
        if let Some(look) = &self.of.confirm {
            return Ok(self.send(site, look).await?.seen);
        }
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(answered.get(&site.target.id).cloned())
    }

    async fn heal(&self, site: Site<'_>, undo: &Undo) -> Result<Effect, EngineError> {
        match (&self.beside, &self.of.heal) {
            (Some(_), Some(call)) => {
                let Ok(effect) = self.send(site, call).await else {
                    // Its sidecar may be gone: another one does it.
                    return undo.apply(site.engine, &site.target.id).await;
                };
                Ok(effect.unless(self.of.confirm.is_some()))
            }
            (None, _) | (_, None) => undo.carry_out(site.engine, &site.target.id).await,
        }
    }

    async fn is_healed(&self, site: Site<'_>, undo: &Undo) -> Result<Option<String>, EngineError> {
        let (Some(_), Some(shows)) = (&self.beside, &self.of.confirm) else {
            return undo.look(site.engine, &site.target.id).await;
        };
        if self.send(site, shows).await.is_ok() {
            return Ok(None);
        }
        Ok(self.send(site, &whatever(shows)).await?.seen)
    }

    async fn disarm(&self) {
        if let Some(beside) = &self.beside {
            beside.let_go();
        }
    }
}
