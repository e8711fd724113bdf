//! One connection: authenticated, with every statement prepared, and the name of its instance.
//!
//! tokio-postgres makes it (start-up, authentication); then the stream is taken back, and the operations go over
//! [`Wire`].

use super::lent::lend;
use super::plan::{PostgresPlan, PreparedStatement};
use super::wire::{self, Described, ServerError, Wire};
use crate::clock::Offset;
use crate::history::{Class, InstanceId, Outcome};
use crate::load::ledger::{Ledger, Ticket};
use crate::load::net::{Peer, Stream, class_beneath};
use crate::load::values::{Draw, Template};
use bytes::BytesMut;
use std::error::Error as _;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, NoTls};

/// A connection.
pub struct Connection {
    wire: Wire,
    statements: Vec<(String, Described)>,
    /// Who answers here.
    pub instance: Option<InstanceId>,
    /// When it is to be closed and made anew.
    pub expires: Option<Offset>,
    /// An operation ended with its answer read to the end: another may follow.
    reusable: bool,
    /// Room for the text of one parameter.
    text: Vec<u8>,
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
        let stream = Stream::Plain(peer.connect(plan.connect_timeout).await?);
        let (owner, lent) = lend(stream);
        let authenticated = plan.config.connect_raw(lent, NoTls).await;
        // Both halves hold the stream; at this point the server has said that it is ready, and nothing after that.
        drop(authenticated.map_err(|e| class_of(&e))?);
        let mut wire = Wire::new(owner.take_back().ok_or(Class::Protocol)?);
        let queries = plan.statements.iter().map(|s| s.query.as_str());
        let described = wire.prepare(queries).await?;
        let wanted = plan.statements.iter().map(|s| s.parameters.len());
        // The server would say so at every execution.
        if !wanted.eq(described.iter().map(|d| d.parameters)) {
            return Err(Class::sqlstate("08P01"));
        }
        let statements = (0..).map(wire::name).zip(described).collect();
        let instance = match &plan.instance_query {
            Some(query) => wire.first_value(query).await?.map(|n| ledger.instance(&n)),
            None => None,
        };
        // Lifetimes from half to the whole, so that connections made together do not end together.
        let expires = plan.lifetime.map(|life| {
            let share = u32::try_from(number.wrapping_mul(0x9e37_79b9) % 1024).unwrap_or(0);
            ledger.clock().now() + life / 2 + life / 2048 * share
        });
        Ok(Self {
            wire,
            statements,
            instance,
            expires,
            reusable: true,
            text: Vec::new(),
        })
    }

    /// Whether the last answer left it fit for another operation.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        self.reusable
    }

    /// Whether nothing has come since that ends it.
    #[must_use]
    pub fn is_open(&mut self) -> bool {
        self.wire.is_quiet()
    }

    /// Ends it in good order.
    pub fn close(self) {
        self.wire.close();
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
        let Some((name, described)) = self.statements.get(index) else {
            return Err(Outcome::Fail(Class::Protocol));
        };
        let text = &mut self.text;
        let render = |template: &Template, into: &mut BytesMut| {
            text.clear();
            template.render(draw, text);
            into.extend_from_slice(text);
        };
        self.reusable = false;
        let executed = self
            .wire
            .execute(name, &statement.parameters, render, ticket);
        let answer = executed.await.map_err(|class| ticket.unanswered(class))?;
        self.reusable = answer.error.is_none_or(|e| !e.fatal);
        match answer.error {
            Some(error) => Err(outcome_of(error, ticket)),
            None if described.rows => Ok(answer.rows),
            None => Ok(answer.affected),
        }
    }
}

fn outcome_of(error: ServerError, ticket: &Ticket) -> Outcome {
    // The server says that it does not know what became of it, or that it cut the session off: a commit may have been
    // on its way.
    let unknown = [
        SqlState::TRANSACTION_RESOLUTION_UNKNOWN,
        SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
    ];
    if unknown
        .iter()
        .any(|state| Class::sqlstate(state.code()) == error.class)
    {
        ticket.unanswered(error.class)
    } else {
        Outcome::Fail(error.class)
    }
}

/// The class of an error while connecting: the server's SQLSTATE, or the I/O error beneath it.
fn class_of(error: &Error) -> Class {
    if let Some(code) = error.code() {
        return Class::sqlstate(code.code());
    }
    if let Some(io) = error
        .source()
        .and_then(|e| e.downcast_ref::<std::io::Error>())
    {
        return class_beneath(io);
    }
    if error.is_closed() {
        Class::EndOfStream
    } else {
        Class::Protocol
    }
}
