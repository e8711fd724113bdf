//! PostgreSQL workloads: kept connections with prepared statements.

mod connection;
mod lent;
pub mod parameter;
pub mod plan;
mod wire;

use crate::clock::Offset;
use crate::history::{Class, InstanceId, Outcome};
use crate::load::deadline::Deadlines;
use crate::load::gate::Gate;
use crate::load::ledger::{Ledger, Ticket};
use crate::load::net::Peer;
use crate::load::values::Draw;
use crate::load::{ProbeError, SpecError};
use connection::Connection;
use futures_util::TryStreamExt;
use parameter::Text;
use plan::{PostgresPlan, PreparedStatement};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use tokio_postgres::{Client, Error, Statement};

/// Runs a read of a workload, or prepares its first write where it has no read, and checks the rows.
///
/// # Errors
/// What the server answered, or another number of rows than expected.
pub async fn probe(plan: &PostgresPlan, client: &Client) -> Result<(), ProbeError> {
    let read = plan.statements.iter().find(|s| !s.write);
    let Some(statement) = read.or(plan.statements.first()) else {
        return Err(SpecError::Empty.into());
    };
    let prepared = client
        .prepare(&statement.query)
        .await
        .map_err(ProbeError::Postgres)?;
    if prepared.params().len() != statement.parameters.len() {
        return Err(SpecError::Parameters {
            given: statement.parameters.len(),
            wanted: prepared.params().len(),
        }
        .into());
    }
    if statement.write {
        return Ok(());
    }
    let parameters = statement.render(Draw { seed: 0, index: 0 });
    let got = run(client, &prepared, &parameters)
        .await
        .map_err(ProbeError::Postgres)?;
    match statement.expect_rows {
        Some(expected) if expected != got => Err(ProbeError::Rows { expected, got }),
        Some(_) | None => Ok(()),
    }
}

/// Executes a statement: rows that came back, or that one without rows affected.
async fn run(client: &Client, statement: &Statement, parameters: &[Text]) -> Result<u64, Error> {
    let rows = client.query_raw(statement, parameters).await?;
    let mut rows = std::pin::pin!(rows);
    let mut seen = 0;
    while rows.try_next().await?.is_some() {
        seen += 1;
    }
    if statement.columns().is_empty() {
        Ok(rows.rows_affected().unwrap_or(0))
    } else {
        Ok(seen)
    }
}

/// The clients of one workload on one worker.
pub struct Postgres {
    plan: Arc<PostgresPlan>,
    peers: Vec<Peer>,
    gate: Gate,
    ledger: Rc<Ledger>,
    deadlines: Rc<Deadlines>,
    /// First in, first out, so that every connection is used in turn.
    idle: RefCell<VecDeque<Box<Connection>>>,
    /// Connections made so far: spreads their lifetimes.
    made: Cell<u64>,
}

impl Postgres {
    /// Clients without connections.
    #[must_use]
    pub fn new(
        plan: Arc<PostgresPlan>,
        gate: Gate,
        ledger: Rc<Ledger>,
        deadlines: Rc<Deadlines>,
    ) -> Self {
        let peers = plan
            .peers
            .iter()
            .map(|(host, port)| Peer::new(host, *port))
            .collect();
        Self {
            plan,
            peers,
            gate,
            ledger,
            deadlines,
            idle: RefCell::default(),
            made: Cell::new(0),
        }
    }

    /// Makes connections ahead; those that fail are made again when they are needed.
    pub async fn warm(&self, connections: usize) {
        if !self.plan.reconnect {
            let made = futures_util::future::join_all((0..connections).map(|_| self.open())).await;
            self.idle.borrow_mut().extend(made.into_iter().flatten());
        }
    }

    /// Does one operation and records it; tells when it was over.
    pub async fn operate(&self, draw: Draw, ticket: Ticket) -> Offset {
        let (index, statement) = self.plan.choose(draw);
        ticket.is_write(statement.write);
        let answer = {
            let exchange = pin!(self.exchange(index, statement, draw, &ticket));
            self.deadlines.within(ticket.began(), exchange).await
        };
        let (outcome, instance) = match answer {
            Some(Ok(instance)) => (Outcome::Ok, instance),
            Some(Err((outcome, instance))) => (outcome, instance),
            None => (ticket.timed_out(), None),
        };
        ticket.finish(outcome, instance)
    }

    async fn exchange(
        &self,
        index: usize,
        statement: &PreparedStatement,
        draw: Draw,
        ticket: &Ticket,
    ) -> Result<Option<InstanceId>, (Outcome, Option<InstanceId>)> {
        let connection = match self.take_idle() {
            Some(connection) => Ok(connection),
            None => self.gate.connect(|| self.take_idle(), || self.open()).await,
        };
        let mut connection = connection.map_err(|class| (Outcome::Fail(class), None))?;
        let instance = connection.instance;
        let rows = connection
            .query(index, statement, draw, ticket)
            .await
            .map_err(|outcome| (outcome, instance));
        if connection.is_reusable() {
            self.give_back(connection);
        }
        if statement
            .expect_rows
            .is_some_and(|expected| rows.as_ref().is_ok_and(|rows| *rows != expected))
        {
            return Err((Outcome::Fail(Class::RowCount), instance));
        }
        rows.map(|_| instance)
    }

    fn take_idle(&self) -> Option<Box<Connection>> {
        loop {
            let mut connection = self.idle.borrow_mut().pop_front()?;
            if connection.is_open() {
                if !self.is_old(&connection) {
                    return Some(connection);
                }
                connection.close();
            }
        }
    }

    fn give_back(&self, connection: Box<Connection>) {
        if self.plan.reconnect || self.is_old(&connection) {
            connection.close();
        } else {
            self.idle.borrow_mut().push_back(connection);
        }
    }

    fn is_old(&self, connection: &Connection) -> bool {
        connection
            .expires
            .is_some_and(|at| self.ledger.clock().now() >= at)
    }

    async fn open(&self) -> Result<Box<Connection>, Class> {
        let number = self.made.get();
        self.made.set(number + 1);
        let opened = Connection::open(&self.plan, &self.peers, &self.ledger, number);
        opened.await.map(Box::new)
    }
}
