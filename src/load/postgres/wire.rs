//! The extended query protocol on a connection that is authenticated: one write and, mostly, one read per operation.
//!
//! tokio-postgres hands every statement to a task that drives the connection and its rows back through a channel; that
//! costs more than all the rest of an operation. Messages are written and parsed by its own `postgres-protocol`;
//! rows, which are only counted, are passed over by their length, however long they are.
//! Source: <https://www.postgresql.org/docs/current/protocol-message-formats.html>.

use crate::history::Class;
use crate::load::ledger::Ticket;
use crate::load::net::Stream;
use crate::load::send::send;
use bytes::{Buf, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{self, ErrorResponseBody, Header, Message};
use postgres_protocol::message::frontend;
use std::io::ErrorKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const READ_SIZE: usize = 8 * 1024;
/// The longest message that is looked into: errors and what describes a statement.
const MAX_MESSAGE: usize = 1 << 20;

/// A connection between two operations, or in one.
pub struct Wire {
    stream: Stream,
    inbox: BytesMut,
    /// Bytes still to come of a message that is passed over.
    passing: usize,
    outbox: BytesMut,
}

/// What came in answer to one statement.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Rows that came back.
    pub rows: u64,
    /// Rows that the statement says it affected.
    pub affected: u64,
    /// The first error.
    pub error: Option<ServerError>,
}

/// An error that the server sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerError {
    /// Its SQLSTATE.
    pub class: Class,
    /// The server ends the connection with it.
    pub fatal: bool,
}

/// What a statement was prepared as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Described {
    /// Parameters that it takes.
    pub parameters: usize,
    /// Whether rows come back.
    pub rows: bool,
}

impl Wire {
    /// On a stream on which the server is ready for a query.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            inbox: BytesMut::with_capacity(READ_SIZE),
            passing: 0,
            outbox: BytesMut::new(),
        }
    }

    /// Prepares statements under the names that [`name`] gives them, in one round trip.
    ///
    /// # Errors
    /// The class of the first error.
    pub async fn prepare(
        &mut self,
        queries: impl Iterator<Item = &str>,
    ) -> Result<Vec<Described>, Class> {
        self.outbox.clear();
        for (index, query) in queries.enumerate() {
            let name = name(index);
            frontend::parse(&name, query, [], &mut self.outbox).map_err(unsendable)?;
            frontend::describe(b'S', &name, &mut self.outbox).map_err(unsendable)?;
        }
        frontend::sync(&mut self.outbox);
        let mut described = Vec::new();
        let mut error = None;
        self.write().await?;
        loop {
            match self.message().await? {
                Message::ParameterDescription(body) => described.push(Described {
                    parameters: body.parameters().count().map_err(unreadable)?,
                    rows: false,
                }),
                Message::RowDescription(_) => {
                    described.last_mut().ok_or(Class::Protocol)?.rows = true;
                }
                Message::ErrorResponse(body) => {
                    error = error.or(Some(server_error(&body)?));
                    if let Some(fatal) = error.filter(|e| e.fatal) {
                        return Err(fatal.class);
                    }
                }
                Message::ReadyForQuery(_) => break,
                _ => {}
            }
        }
        error.map_or(Ok(described), |e| Err(e.class))
    }

    /// Runs a query of the simple protocol and takes the first column of its first row, where it has one.
    ///
    /// # Errors
    /// The class of the first error.
    pub async fn first_value(&mut self, query: &str) -> Result<Option<String>, Class> {
        self.outbox.clear();
        frontend::query(query, &mut self.outbox).map_err(unsendable)?;
        self.write().await?;
        let (mut value, mut error) = (None, None);
        loop {
            match self.message().await? {
                Message::DataRow(row) if value.is_none() => {
                    let first = row.ranges().next().map_err(unreadable)?;
                    let bytes = first.flatten().map(|range| &row.buffer()[range]);
                    value = bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
                }
                Message::ErrorResponse(body) => {
                    error = error.or(Some(server_error(&body)?));
                    if let Some(fatal) = error.filter(|e| e.fatal) {
                        return Err(fatal.class);
                    }
                }
                Message::ReadyForQuery(_) => break,
                _ => {}
            }
        }
        error.map_or(Ok(value), |e| Err(e.class))
    }

    /// Executes the statement of this name with parameters in text form, and reads the answer to its end.
    ///
    /// # Errors
    /// The class of what broke the connection. An error of the server is an answer.
    pub async fn execute<P>(
        &mut self,
        statement: &str,
        parameters: impl IntoIterator<Item = P>,
        mut render: impl FnMut(P, &mut BytesMut),
        ticket: &Ticket,
    ) -> Result<Answer, Class> {
        self.outbox.clear();
        let text = |parameter: P, into: &mut BytesMut| {
            render(parameter, into);
            Ok(postgres_protocol::IsNull::No)
        };
        // No format codes: all parameters and columns in text form.
        frontend::bind("", statement, [], parameters, text, [], &mut self.outbox)
            .map_err(|_| Class::Protocol)?;
        frontend::execute("", 0, &mut self.outbox).map_err(unsendable)?;
        frontend::sync(&mut self.outbox);
        let unwritten = send(&mut self.stream, &self.outbox, ticket).await;
        // A server that ends the connection may have said why before it did.
        match (self.answer().await, unwritten) {
            (Err(_), Err(class)) => Err(class),
            (answer, _) => answer,
        }
    }

    async fn answer(&mut self) -> Result<Answer, Class> {
        let mut answer = Answer::default();
        loop {
            while let Some((tag, length)) = self.header()? {
                match tag {
                    backend::DATA_ROW_TAG => answer.rows += 1,
                    backend::COMMAND_COMPLETE_TAG | backend::ERROR_RESPONSE_TAG => {
                        let Some(message) = self.whole(length)? else {
                            break;
                        };
                        match message {
                            Message::CommandComplete(body) => {
                                answer.affected = affected(body.tag().map_err(unreadable)?);
                            }
                            Message::ErrorResponse(body) => {
                                let error = server_error(&body)?;
                                answer.error.get_or_insert(error);
                                if error.fatal {
                                    return Ok(answer);
                                }
                            }
                            _ => {}
                        }
                        continue;
                    }
                    backend::READY_FOR_QUERY_TAG if self.inbox.len() < length => break,
                    backend::READY_FOR_QUERY_TAG => {
                        self.pass(length);
                        return Ok(answer);
                    }
                    // COPY wants data from the client, or sends it without end: not a workload's.
                    backend::COPY_IN_RESPONSE_TAG
                    | backend::COPY_OUT_RESPONSE_TAG
                    | backend::AUTHENTICATION_TAG => return Err(Class::Protocol),
                    _ => {}
                }
                self.pass(length);
            }
            if let Err(class) = self.fill().await {
                // What it said before it ended is why.
                return if answer.error.is_some() {
                    Ok(answer)
                } else {
                    Err(class)
                };
            }
        }
    }

    /// Whether it can be used for another operation: nothing has come but what a server may say at any time (notices,
    /// changed settings, notifications).
    pub fn is_quiet(&mut self) -> bool {
        loop {
            let mut unasked = [0; 1024];
            match self.stream.try_read(&mut unasked) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => return self.is_between(),
                Ok(0) | Err(_) => return false,
                Ok(n) => self.inbox.extend_from_slice(&unasked[..n]),
            }
            while let Ok(Some((tag, length))) = self.header() {
                if !is_asynchronous(tag) {
                    return false;
                }
                self.pass(length);
            }
        }
    }

    /// Nothing of an answer is left over.
    fn is_between(&self) -> bool {
        self.passing == 0 && self.inbox.first().is_none_or(|tag| is_asynchronous(*tag))
    }

    /// Says goodbye, as far as that goes without waiting.
    pub fn close(mut self) {
        self.outbox.clear();
        frontend::terminate(&mut self.outbox);
        if let Stream::Plain(tcp) = &self.stream {
            let _ = tcp.try_write(&self.outbox);
        }
    }

    async fn write(&mut self) -> Result<(), Class> {
        let written = self.stream.write_all(&self.outbox).await;
        written.map_err(|e| Class::of_io(e.kind()))?;
        let flushed = self.stream.flush().await;
        flushed.map_err(|e| Class::of_io(e.kind()))
    }

    /// The next message, whole.
    async fn message(&mut self) -> Result<Message, Class> {
        loop {
            if let Some((_, length)) = self.header()?
                && let Some(message) = self.whole(length)?
            {
                return Ok(message);
            }
            self.fill().await?;
        }
    }

    /// Tag and length of the message that begins the inbox, once they are there.
    fn header(&mut self) -> Result<Option<(u8, usize)>, Class> {
        if self.passing > 0 {
            return Ok(None);
        }
        let header = Header::parse(&self.inbox).map_err(unreadable)?;
        // The length does not count the tag.
        let whole = |header: Header| Some((header.tag(), usize::try_from(header.len()).ok()? + 1));
        header.map(|h| whole(h).ok_or(Class::Protocol)).transpose()
    }

    /// The message that begins the inbox, once all of it is there.
    fn whole(&mut self, length: usize) -> Result<Option<Message>, Class> {
        if length > MAX_MESSAGE {
            return Err(Class::Protocol);
        }
        if self.inbox.len() < length {
            return Ok(None);
        }
        Message::parse(&mut self.inbox).map_err(unreadable)
    }

    /// Passes over a message of this length, whether or not all of it is there.
    fn pass(&mut self, length: usize) {
        let here = length.min(self.inbox.len());
        self.inbox.advance(here);
        self.passing = length - here;
    }

    async fn fill(&mut self) -> Result<(), Class> {
        self.inbox.reserve(READ_SIZE);
        match self.stream.read_buf(&mut self.inbox).await {
            Ok(0) => Err(Class::EndOfStream),
            Ok(_) => {
                self.pass(self.passing);
                Ok(())
            }
            Err(e) => Err(Class::of_io(e.kind())),
        }
    }
}

/// The name of a connection's statement.
#[must_use]
pub fn name(statement: usize) -> String {
    format!("lbtest_{statement}")
}

fn is_asynchronous(tag: u8) -> bool {
    matches!(
        tag,
        backend::NOTICE_RESPONSE_TAG
            | backend::PARAMETER_STATUS_TAG
            | backend::NOTIFICATION_RESPONSE_TAG
    )
}

/// What is too long for a message, or holds a zero byte.
fn unsendable(_: std::io::Error) -> Class {
    Class::Protocol
}

fn unreadable(_: std::io::Error) -> Class {
    Class::Protocol
}

/// The rows of a command tag: `UPDATE 3`, `INSERT 0 1`; none in `CREATE TABLE`.
fn affected(tag: &str) -> u64 {
    let last = tag.rsplit(' ').next();
    last.and_then(|rows| rows.parse().ok()).unwrap_or(0)
}

fn server_error(body: &ErrorResponseBody) -> Result<ServerError, Class> {
    let mut error = ServerError {
        class: Class::Protocol,
        fatal: false,
    };
    let mut fields = body.fields();
    while let Some(field) = fields.next().map_err(unreadable)? {
        match field.type_() {
            b'C' => {
                let code = std::str::from_utf8(field.value_bytes()).unwrap_or_default();
                error.class = Class::sqlstate(code);
            }
            // The severity that is not translated; there since PostgreSQL 9.6.
            b'V' => error.fatal = matches!(field.value_bytes(), b"FATAL" | b"PANIC"),
            _ => {}
        }
    }
    Ok(error)
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
