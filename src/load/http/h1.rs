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
use crate::clock::Offset;
use crate::history::{Class, InstanceId, Outcome};
use crate::load::deadline::Deadlines;
use crate::load::gate::Gate;
use crate::load::ledger::{Ledger, Ticket};
use crate::load::net::{Peer, Stream};
use crate::load::send::send;
use crate::load::values::Draw;
use bytes::BytesMut;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use tokio::io::AsyncReadExt;

const READ_SIZE: usize = 16 * 1024;

/// The clients of one workload on one worker.
pub struct Http1 {
    plan: Arc<HttpPlan>,
    peer: Peer,
    gate: Gate,
    deadlines: Rc<Deadlines>,
    /// First in, first out: every connection is used in turn, so that each instance behind a balancer of
    /// connections has its share.
    idle: RefCell<VecDeque<Box<Connection>>>,
}

struct Connection {
    stream: Stream,
    parser: Parser,
    /// Who gave the last answer.
    instance: Option<InstanceId>,
    buf: BytesMut,
    /// Room for a request that differs from arrival to arrival.
    out: Vec<u8>,
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
    last_instance: Option<InstanceId>,
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

    fn repeated(&mut self) {
        self.instance = self.last_instance;
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
    pub fn new(plan: Arc<HttpPlan>, gate: Gate, deadlines: Rc<Deadlines>) -> Self {
        let peer = Peer::new(&plan.host, plan.port);
        Self {
            plan,
            peer,
            gate,
            deadlines,
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

    /// Does one operation and records it; tells when it was over.
    pub async fn operate(&self, draw: Draw, ticket: Ticket) -> Offset {
        let request = self.plan.choose(draw);
        ticket.is_write(request.write);
        if let Some(trace) = self.plan.trace(draw) {
            ticket.traced(trace);
        }
        let answer = {
            let exchange = pin!(self.exchange(request, draw, &ticket));
            self.deadlines.within(ticket.began(), exchange).await
        };
        let (outcome, instance) = match answer {
            Some(Ok(answer)) => (judge(request, &answer), answer.instance),
            Some(Err(class)) => (ticket.unanswered(class), None),
            None => (ticket.timed_out(), None),
        };
        ticket.finish(outcome, instance)
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
        let (answer, reusable) = connection
            .exchange(request, draw, &self.plan.instance_header, ticket)
            .await?;
        if reusable && self.plan.keep_alive {
            self.idle.borrow_mut().push_back(connection);
        }
        Ok(answer)
    }

    fn take_idle(&self) -> Option<Box<Connection>> {
        loop {
            let mut connection = self.idle.borrow_mut().pop_front()?;
            if connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    async fn open(&self) -> Result<Box<Connection>, Class> {
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
        Ok(Box::new(Connection {
            stream,
            parser: Parser::new(false),
            instance: None,
            buf: BytesMut::with_capacity(READ_SIZE),
            out: Vec::new(),
        }))
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
        let read = self.stream.try_read(&mut [0; 1]);
        read.is_err_and(|e| e.kind() == ErrorKind::WouldBlock)
    }

    async fn exchange(
        &mut self,
        request: &PreparedRequest,
        draw: Draw,
        instance_header: &str,
        ticket: &Ticket,
    ) -> Result<(Answer, bool), Class> {
        let text = request.render(draw, ticket.trace(), &mut self.out);
        let unwritten = send(&mut self.stream, text, ticket).await.err();
        let search = request.expect_body.as_deref().map(Search::new);
        let mut reading = Reading {
            instance_header,
            ledger: ticket.ledger(),
            last_instance: self.instance,
            instance: None,
            search,
        };
        self.parser.next(request.is_head());
        // A server may answer and close before it has read everything: its answer counts.
        let read = self.read(&mut reading).await;
        let reusable = match (read, unwritten) {
            (Ok(()), unwritten) => self.parser.keep_alive() && unwritten.is_none(),
            (Err(_), Some(class)) | (Err(class), None) => return Err(class),
        };
        if !self.buf.is_empty() {
            return Err(Class::Protocol);
        }
        let expected_body = reading.search.is_none_or(|s| s.found());
        self.instance = reading.instance;
        Ok((
            Answer {
                status: self.parser.status(),
                expected_body,
                instance: reading.instance,
            },
            reusable,
        ))
    }

    async fn read(&mut self, reading: &mut Reading<'_>) -> Result<(), Class> {
        self.buf.clear();
        loop {
            self.buf.reserve(READ_SIZE);
            match self.stream.read_buf(&mut self.buf).await {
                Ok(0) => {
                    return self.parser.end().map_err(|_| Class::EndOfStream);
                }
                Ok(_) => match self.parser.advance(&mut self.buf, reading) {
                    Ok(Progress::More) => {}
                    Ok(Progress::Done) => return Ok(()),
                    Err(_) => return Err(Class::Protocol),
                },
                Err(e) => return Err(Class::of_io(e.kind())),
            }
        }
    }
}
