//! What an operation is: one of the clients, prepared for all workers or running on one.

use super::SpecError;
use super::deadline::Deadlines;
use super::gate::Gate;
use super::http::{Http1, Http2, HttpPlan};
use super::ledger::{Ledger, Ticket};
use super::postgres::Postgres;
use super::postgres::plan::PostgresPlan;
use super::values::Draw;
use crate::clock::Offset;
use crate::history::trace::LoadTraces;
use crate::scenario::ClientSpec;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A checked client specification, shared by the workers.
#[derive(Clone)]
pub enum ClientPlan {
    /// HTTP.
    Http(Arc<HttpPlan>),
    /// PostgreSQL.
    Postgres(Arc<PostgresPlan>),
}

impl ClientPlan {
    /// Checks a specification.
    ///
    /// # Errors
    /// Where it cannot be used.
    pub fn new(spec: &ClientSpec) -> Result<Self, SpecError> {
        Ok(match spec {
            ClientSpec::Http(http) => Self::Http(Arc::new(HttpPlan::new(http)?)),
            ClientSpec::Postgres(postgres) => {
                Self::Postgres(Arc::new(PostgresPlan::new(postgres)?))
            }
        })
    }

    /// Where its requests are to name a trace, they name these. To be called before it is shared.
    #[must_use]
    pub fn traced(mut self, traces: LoadTraces) -> Self {
        if let Self::Http(plan) = &mut self
            && let Some(plan) = Arc::get_mut(plan)
        {
            plan.name_traces(traces);
        }
        self
    }

    /// The longest that an operation may take from its dispatch.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        match self {
            Self::Http(plan) => plan.timeout,
            Self::Postgres(plan) => plan.timeout,
        }
    }
}

/// A client on one worker.
pub enum Client {
    /// HTTP/1.1.
    Http1(Http1),
    /// HTTP/2.
    Http2(Http2),
    /// PostgreSQL.
    Postgres(Postgres),
}

impl Client {
    /// A client without connections.
    #[must_use]
    pub fn new(plan: ClientPlan, gate: Gate, ledger: Rc<Ledger>, deadlines: Rc<Deadlines>) -> Self {
        match plan {
            ClientPlan::Http(plan) if plan.http2 => {
                Self::Http2(Http2::new(plan, gate, ledger, deadlines))
            }
            ClientPlan::Http(plan) => Self::Http1(Http1::new(plan, gate, deadlines)),
            ClientPlan::Postgres(plan) => {
                Self::Postgres(Postgres::new(plan, gate, ledger, deadlines))
            }
        }
    }

    /// Makes connections before the load begins, so that the baseline has no connection storm.
    pub async fn warm(&self, connections: usize) {
        match self {
            Self::Http1(client) => client.warm(connections).await,
            Self::Http2(client) => client.warm().await,
            Self::Postgres(client) => client.warm(connections).await,
        }
    }

    /// Does one operation and records it, within the workload's time-out; tells when it was over.
    pub async fn operate(&self, draw: Draw, ticket: Ticket) -> Offset {
        match self {
            Self::Http1(client) => client.operate(draw, ticket).await,
            Self::Http2(client) => client.operate(draw, ticket).await,
            Self::Postgres(client) => client.operate(draw, ticket).await,
        }
    }
}
