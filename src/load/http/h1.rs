//! HTTP/1.1 on kept connections: one write, one read, no allocation per request but its task.
//!
//! A kept connection that the server has closed meanwhile is no error of the system: before a request is
//! written, the connection is looked at, and one that is at its end (or says something unasked) is left for
//! another. Once bytes were written nothing is retried: a silent retry would hide the errors that this tool
//! exists to count. The window that remains is a close that is under way while the request is written; it is
//! counted, as it would be for any client that does not retry.

use super::parser::{Parser, Progress, Sink};
use super::plan::{HttpPlan, PreparedRequest};
use super::search::Search;
use crate::history::{Class, InstanceId, Outcome};
use crate::load::gate::Gate;
use crate::load::ledger::{Ledger, Ticket};
use crate::load::net::{Peer, Stream};
use crate::load::values::Draw;
use bytes::BytesMut;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

const READ_SIZE: usize = 16 * 1024;

/// The clients of one workload on one worker.
pub struct Http1 {
    plan: Arc<HttpPlan>,
    peer: Peer,
    gate: Gate,
    /// First in, first out: every connection is used in turn, so that each instance behind a balancer of
    /// connections has its share.
    idle: RefCell<VecDeque<Connection>>,
}

struct Connection {
    stream: Stream,
    buf: BytesMut,
    out: Vec<u8>,
    scratch: Vec<u8>,
}

/// A complete answer.
struct Answer {
    status: u16,
    expected_body: bool,
    instance: Option<InstanceId>,
}

/// What is of interest in an answer.
struct Reading<'a> {
    instance_header: &'a str,
    ledger: &'a Ledger,
    instance: Option<InstanceId>,
    search: Option<Search<'a>>,
}

impl Sink for Reading<'_> {
    fn header(&mut self, name: &str, value: &[u8]) {
        if name.eq_ignore_ascii_case(self.instance_header)
            && let Ok(name) = std::str::from_utf8(value)
        {
            self.instance = Some(self.ledger.instance(name));
        }
    }

    fn body(&mut self, piece: &[u8]) {
        if let Some(search) = &mut self.search {
            search.feed(piece);
        }
    }
}

impl Http1 {
    /// Clients without connections.
    #[must_use]
    pub fn new(plan: Arc<HttpPlan>, gate: Gate) -> Self {
        let peer = Peer::new(&plan.host, plan.port);
        Self {
            plan,
            peer,
            gate,
            idle: RefCell::default(),
        }
    }

    /// Makes connections ahead; those that fail are made again when they are needed.
    pub async fn warm(&self, connections: usize) {
        if self.plan.keep_alive {
            let made = futures_util::future::join_all((0..connections).map(|_| self.open())).await;
            self.idle.borrow_mut().extend(made.into_iter().flatten());
        }
    }

    /// Does one operation and records it.
    pub async fn operate(&self, draw: Draw, ticket: Ticket) {
        let request = self.plan.choose(draw);
        ticket.is_write(request.write);
        let (outcome, instance) =
            match tokio::time::timeout(self.plan.timeout, self.exchange(request, draw, &ticket))
                .await
            {
                Ok(Ok(answer)) => (judge(request, &answer), answer.instance),
                Ok(Err(class)) => (ticket.unanswered(class), None),
                Err(_) => (ticket.timed_out(), None),
            };
        ticket.finish(outcome, instance);
    }

    async fn exchange(
        &self,
        request: &PreparedRequest,
        draw: Draw,
        ticket: &Ticket,
    ) -> Result<Answer, Class> {
        let mut connection = match self.take_idle() {
            Some(connection) => connection,
            None => {
                self.gate
                    .connect(|| self.take_idle(), || self.open())
                    .await?
            }
        };
        connection.out.clear();
        request.render(draw, &mut connection.out, &mut connection.scratch);
        let (answer, reusable) = connection
            .exchange(request, &self.plan.instance_header, ticket)
            .await?;
        if reusable && self.plan.keep_alive {
            self.idle.borrow_mut().push_back(connection);
        }
        Ok(answer)
    }

    fn take_idle(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle.borrow_mut().pop_front()?;
            if connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    async fn open(&self) -> Result<Connection, Class> {
        let opening = async {
            let tcp = self.peer.connect(self.plan.connect_timeout).await?;
            match &self.plan.tls {
                None => Ok(Stream::Plain(tcp)),
                Some(tls) => tls.handshake(tcp).await,
            }
        };
        let stream = tokio::time::timeout(self.plan.connect_timeout, opening)
            .await
            .map_err(|_| Class::ConnectTimeout)??;
        Ok(Connection {
            stream,
            buf: BytesMut::with_capacity(READ_SIZE),
            out: Vec::new(),
            scratch: Vec::new(),
        })
    }
}

fn judge(request: &PreparedRequest, answer: &Answer) -> Outcome {
    if !request.expect_status.contains(answer.status) {
        Outcome::Fail(Class::HttpStatus(answer.status))
    } else if !answer.expected_body {
        Outcome::Fail(Class::UnexpectedBody)
    } else {
        Outcome::Ok
    }
}

impl Connection {
    /// Nothing has come since the last answer: no end, no error, no bytes. The runtime knows of what arrived up
    /// to its last look at the kernel; nothing is asked of the kernel where it has seen nothing.
    fn is_quiet(&mut self) -> bool {
        let mut byte = [0; 1];
        let mut cx = Context::from_waker(Waker::noop());
        matches!(
            Pin::new(&mut self.stream).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)),
            Poll::Pending
        )
    }

    async fn exchange(
        &mut self,
        request: &PreparedRequest,
        instance_header: &str,
        ticket: &Ticket,
    ) -> Result<(Answer, bool), Class> {
        let unwritten = self.write(ticket).await;
        let search = request.expect_body.as_deref().map(Search::new);
        let mut reading = Reading {
            instance_header,
            ledger: ticket.ledger(),
            instance: None,
            search,
        };
        let mut parser = Parser::new(request.is_head());
        // A server may answer and close before it has read everything: its answer counts.
        let read = self.read(&mut parser, &mut reading).await;
        let reusable = match (read, unwritten) {
            (Ok(()), unwritten) => parser.keep_alive() && unwritten.is_none(),
            (Err(_), Some(class)) | (Err(class), None) => return Err(class),
        };
        if !self.buf.is_empty() {
            return Err(Class::Protocol);
        }
        let expected_body = reading.search.is_none_or(|s| s.found());
        Ok((
            Answer {
                status: parser.status(),
                expected_body,
                instance: reading.instance,
            },
            reusable,
        ))
    }

    /// Writes the whole request; gives the class of an error.
    async fn write(&mut self, ticket: &Ticket) -> Option<Class> {
        ticket.sent_now();
        let mut written = 0;
        while written < self.out.len() {
            match self.stream.write(&self.out[written..]).await {
                Ok(0) => return Some(Class::EndOfStream),
                Ok(n) => written += n,
                Err(e) => {
                    // Not one byte reached the kernel. (What TLS has buffered cannot be told.)
                    if written == 0 && matches!(self.stream, Stream::Plain(_)) {
                        ticket.not_sent();
                    }
                    return Some(Class::of_io(e.kind()));
                }
            }
        }
        if let Stream::Tls(tls) = &mut self.stream
            && let Err(e) = tls.flush().await
        {
            return Some(Class::of_io(e.kind()));
        }
        None
    }

    async fn read(&mut self, parser: &mut Parser, reading: &mut Reading<'_>) -> Result<(), Class> {
        self.buf.clear();
        loop {
            self.buf.reserve(READ_SIZE);
            match self.stream.read_buf(&mut self.buf).await {
                Ok(0) => {
                    return parser.end().map_err(|_| Class::EndOfStream);
                }
                Ok(_) => match parser.advance(&mut self.buf, reading) {
                    Ok(Progress::More) => {}
                    Ok(Progress::Done) => return Ok(()),
                    Err(_) => return Err(Class::Protocol),
                },
                Err(e) => return Err(Class::of_io(e.kind())),
            }
        }
    }
}
