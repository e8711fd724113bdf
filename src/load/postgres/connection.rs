//! One connection: authenticated, with every statement prepared, and the name of its instance.

use super::parameter::Text;
use super::plan::{PostgresPlan, PreparedStatement};
use crate::clock::Offset;
use crate::history::{Class, InstanceId, Outcome};
use crate::load::ledger::{Ledger, Ticket};
use crate::load::net::Peer;
use crate::load::values::Draw;
use futures_util::TryStreamExt;
use std::cell::Cell;
use std::error::Error as _;
use std::rc::Rc;
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, NoTls, SimpleQueryMessage, Statement};

/// A connection and the task that drives it.
pub struct Connection {
    client: Client,
    statements: Vec<Statement>,
    /// Who answers here.
    pub instance: Option<InstanceId>,
    /// When it is to be closed and made anew.
    pub expires: Option<Offset>,
    driver: Driver,
}

/// The task that drives a connection; cut off with it, because a driver whose peer is silent would wait for ever.
struct Driver {
    task: Option<JoinHandle<()>>,
    /// Why it ended.
    ended: Rc<Cell<Option<Class>>>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Connection {
    /// Connects to the first peer that answers, prepares all statements and asks for the instance.
    ///
    /// # Errors
    /// The class of the last peer's error.
    pub async fn open(
        plan: &PostgresPlan,
        peers: &[Peer],
        ledger: &Ledger,
        number: u64,
    ) -> Result<Self, Class> {
        let mut last = Class::Connect;
        for peer in peers {
            // Each has the whole time-out, as with libpq: the first of two may be a black hole.
            let opening = Self::open_one(plan, peer, ledger, number);
            match tokio::time::timeout(plan.connect_timeout, opening).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(class)) => last = class,
                Err(_) => last = Class::ConnectTimeout,
            }
        }
        Err(last)
    }

    async fn open_one(
        plan: &PostgresPlan,
        peer: &Peer,
        ledger: &Ledger,
        number: u64,
    ) -> Result<Self, Class> {
        let stream = peer.connect(plan.connect_timeout).await?;
        let ended = Rc::new(Cell::new(None));
        let (client, mut connection) = plan
            .config
            .connect_raw(stream, NoTls)
            .await
            .map_err(|e| class_of(&e, &Cell::new(None)))?;
        let told = Rc::clone(&ended);
        let task = tokio::task::spawn_local(async move {
            let result = (&mut connection).await;
            // Told before the connection is dropped: that is what wakes the operations that wait for it.
            told.set(Some(
                result
                    .err()
                    .map_or(Class::EndOfStream, |e| class_of(&e, &Cell::new(None))),
            ));
            drop(connection);
        });
        let driver = Driver {
            task: Some(task),
            ended,
        };
        let class = |e: Error| class_of(&e, &driver.ended);
        let mut statements = Vec::with_capacity(plan.statements.len());
        for statement in &plan.statements {
            let prepared = client.prepare(&statement.query).await.map_err(class)?;
            // The server would say so at every execution; tokio-postgres panics before it can.
            if prepared.params().len() != statement.parameters.len() {
                return Err(Class::sqlstate("08P01"));
            }
            statements.push(prepared);
        }
        let instance = match &plan.instance_query {
            Some(query) => first_column(&client.simple_query(query).await.map_err(class)?)
                .map(|n| ledger.instance(&n)),
            None => None,
        };
        // Lifetimes from half to the whole, so that connections made together do not end together.
        let expires = plan.lifetime.map(|life| {
            let share = u32::try_from(number.wrapping_mul(0x9e37_79b9) % 1024).unwrap_or(0);
            ledger.clock().now() + life / 2 + life / 2048 * share
        });
        Ok(Self {
            client,
            statements,
            instance,
            expires,
            driver,
        })
    }

    /// Whether it can be used.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.client.is_closed() && self.driver.ended.get().is_none()
    }

    /// Ends it in good order: the driver says goodbye to the server and ends by itself.
    pub fn close(mut self) {
        self.driver.task.take();
    }

    /// Runs one statement: the number of rows that came back, or that a statement without rows affected.
    ///
    /// # Errors
    /// The outcome of the operation.
    pub async fn query(
        &mut self,
        index: usize,
        statement: &PreparedStatement,
        draw: Draw,
        ticket: &Ticket,
    ) -> Result<u64, Outcome> {
        let Some(prepared) = self.statements.get(index) else {
            return Err(Outcome::Fail(Class::Protocol));
        };
        let parameters = statement.render(draw);
        ticket.sent_now();
        match run(&self.client, prepared, &parameters).await {
            Ok(rows) => Ok(rows),
            Err(error) => Err(outcome_of(&error, &self.driver.ended, ticket)),
        }
    }
}

/// Executes a statement: rows that came back, or that one without rows affected.
pub async fn run(
    client: &Client,
    statement: &Statement,
    parameters: &[Text],
) -> Result<u64, Error> {
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

fn first_column(answer: &[SimpleQueryMessage]) -> Option<String> {
    answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten().map(str::to_owned),
        _ => None,
    })
}

fn outcome_of(error: &Error, ended: &Cell<Option<Class>>, ticket: &Ticket) -> Outcome {
    let class = class_of(error, ended);
    match error.code() {
        // The server itself says that it does not know what became of it.
        Some(
            &SqlState::TRANSACTION_RESOLUTION_UNKNOWN | &SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN,
        ) => ticket.unanswered(class),
        Some(_) => Outcome::Fail(class),
        None => ticket.unanswered(class),
    }
}

/// The class of an error: the server's SQLSTATE, the I/O error beneath it, or why the connection ended.
fn class_of(error: &Error, ended: &Cell<Option<Class>>) -> Class {
    if let Some(code) = error.code() {
        return Class::sqlstate(code.code());
    }
    if let Some(io) = error
        .source()
        .and_then(|e| e.downcast_ref::<std::io::Error>())
    {
        return Class::of_io(io.kind());
    }
    match ended.get() {
        Some(class) => class,
        None if error.is_closed() => Class::EndOfStream,
        None => Class::Protocol,
    }
}
