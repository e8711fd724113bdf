//! HTTP/2 through hyper: one connection per worker and workload, its requests multiplexed.
//!
//! Over TLS by ALPN, in the clear with prior knowledge. hyper does not tell when the first byte of a request
//! reaches the kernel, so `sent` is the moment the request is handed to the connection.

use super::plan::{HttpPlan, PreparedRequest};
use super::search::Search;
use crate::clock::Offset;
use crate::history::trace::TraceId;
use crate::history::{Class, InstanceId, Outcome};
use crate::load::deadline::Deadlines;
use crate::load::gate::{Gate, PATIENCE};
use crate::load::ledger::{Ledger, Ticket};
use crate::load::net::{Peer, Stream, class_beneath};
use crate::load::values::Draw;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

/// The client of one workload on one worker.
pub struct Http2 {
    plan: Arc<HttpPlan>,
    peer: Peer,
    gate: Gate,
    ledger: Rc<Ledger>,
    deadlines: Rc<Deadlines>,
    connection: RefCell<Option<Shared>>,
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Shared {
    sender: SendRequest<Full<Bytes>>,
    /// When it was there.
    since: Offset,
    /// Why the connection ended.
    ended: Rc<Cell<Option<Class>>>,
}

/// Spawns hyper's tasks on the worker's own thread.
#[derive(Clone, Copy)]
struct Local;

impl<F> hyper::rt::Executor<F> for Local
where
    F: Future + 'static,
{
    fn execute(&self, task: F) {
        tokio::task::spawn_local(async move {
            task.await;
        });
    }
}

impl Http2 {
    /// A client without connection.
    #[must_use]
    pub fn new(
        plan: Arc<HttpPlan>,
        gate: Gate,
        ledger: Rc<Ledger>,
        deadlines: Rc<Deadlines>,
    ) -> Self {
        let peer = Peer::new(&plan.host, plan.port);
        Self {
            plan,
            peer,
            gate,
            ledger,
            deadlines,
            connection: RefCell::default(),
            connecting: tokio::sync::Mutex::default(),
        }
    }

    /// Connects ahead.
    pub async fn warm(&self) {
        if self.plan.keep_alive
            && let Ok(shared) = self.open().await
        {
            *self.connection.borrow_mut() = Some(shared);
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
            Some(Ok(done)) => done,
            Some(Err(class)) => (ticket.unanswered(class), None),
            None => {
                self.retire(&ticket);
                (ticket.timed_out(), None)
            }
        };
        ticket.finish(outcome, instance)
    }

    /// A connection on which a request got no answer in time takes no further ones, as with HTTP/1.1, where each
    /// request has its own: a peer that vanished without a word would hold all requests until TCP gives up, a
    /// quarter of an hour later. Requests that are under way on it are not cut off.
    fn retire(&self, ticket: &Ticket) {
        let mut connection = self.connection.borrow_mut();
        let used = |c: &Shared| ticket.sent_at().is_some_and(|sent| c.since <= sent);
        if connection.as_ref().is_some_and(used) {
            connection.take();
        }
    }

    async fn exchange(
        &self,
        request: &PreparedRequest,
        draw: Draw,
        ticket: &Ticket,
    ) -> Result<(Outcome, Option<InstanceId>), Class> {
        let message = self
            .message(request, draw, ticket.trace())
            .ok_or(Class::Protocol)?;
        let (response, shared) = self.send(message, ticket).await?;
        let status = response.status().as_u16();
        let name = response
            .headers()
            .get(&self.plan.instance_header)
            .and_then(|v| v.to_str().ok());
        let instance = name.map(|name| self.ledger.instance(name));
        let mut search = request.expect_body.as_deref().map(Search::new);
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| class_of(&e, &shared.ended))?;
            if let (Some(search), Some(piece)) = (&mut search, frame.data_ref()) {
                search.feed(piece);
            }
        }
        let outcome = if !request.expect_status.contains(status) {
            Outcome::Fail(Class::HttpStatus(status))
        } else if search.is_some_and(|s| !s.found()) {
            Outcome::Fail(Class::UnexpectedBody)
        } else {
            Outcome::Ok
        };
        Ok((outcome, instance))
    }

    /// Sends a request. A server may end a connection in good order at any time (GOAWAY): a request that was still
    /// waiting to be written goes to another one, as with a kept connection of HTTP/1.1 that is found closed. What
    /// was written is not sent again, and a connection that ends as soon as it is made is no kept one.
    async fn send(
        &self,
        message: Request<Full<Bytes>>,
        ticket: &Ticket,
    ) -> Result<(Response<Incoming>, Shared), Class> {
        let began = self.ledger.clock().now();
        let mut message = message;
        loop {
            let mut shared = self.shared().await?;
            let error = match shared.sender.ready().await {
                Err(error) => error,
                Ok(()) => {
                    ticket.sent_now();
                    let mut failed = match shared.sender.try_send_request(message).await {
                        Ok(response) => return Ok((response, shared)),
                        Err(failed) => failed,
                    };
                    let unsent = failed.take_message();
                    let error = failed.into_error();
                    self.leave(&shared);
                    let Some(unsent) = unsent else {
                        return Err(class_of(&error, &shared.ended));
                    };
                    ticket.not_sent();
                    message = unsent;
                    error
                }
            };
            self.leave(&shared);
            if shared.since >= began {
                return Err(class_of(&error, &shared.ended));
            }
        }
    }

    /// A connection that has ended, or is about to, takes no further requests.
    fn leave(&self, ended: &Shared) {
        let mut connection = self.connection.borrow_mut();
        if connection
            .as_ref()
            .is_some_and(|c| Rc::ptr_eq(&c.ended, &ended.ended))
        {
            connection.take();
        }
    }

    fn message(
        &self,
        request: &PreparedRequest,
        draw: Draw,
        trace: Option<TraceId>,
    ) -> Option<Request<Full<Bytes>>> {
        let mut path = Vec::new();
        request.path.render(draw, &mut path);
        let path = String::from_utf8(path).ok()?;
        let uri = format!("{}://{}{path}", self.plan.scheme, self.plan.authority);
        let mut builder = Request::builder().method(request.method.as_str()).uri(uri);
        if let Some(trace) = trace {
            builder = builder.header("traceparent", &trace.traceparent()[..]);
        }
        for (name, value) in request
            .headers
            .iter()
            .filter(|(n, _)| !n.eq_ignore_ascii_case("host"))
        {
            let mut text = Vec::new();
            value.render(draw, &mut text);
            builder = builder.header(name, text);
        }
        let mut body = Vec::new();
        if let Some(template) = &request.body {
            template.render(draw, &mut body);
        }
        builder.body(Full::new(Bytes::from(body))).ok()
    }

    fn usable(&self) -> Option<Shared> {
        if !self.plan.keep_alive {
            return None;
        }
        self.connection
            .borrow()
            .clone()
            .filter(|c| !c.sender.is_closed())
    }

    /// The connection; made anew by the first operation that finds it closed, for all that wait.
    async fn shared(&self) -> Result<Shared, Class> {
        if let Some(usable) = self.usable() {
            return Ok(usable);
        }
        if !self.plan.keep_alive {
            return self.gate.connect(|| None, || self.open()).await;
        }
        // One at a time, so that the first requests do not open a connection each; but nobody waits long for
        // another's attempt, which may hang: see the gate.
        let _one_at_a_time = tokio::time::timeout(PATIENCE, self.connecting.lock()).await;
        if let Some(usable) = self.usable() {
            return Ok(usable);
        }
        let shared = self.gate.connect(|| self.usable(), || self.open()).await?;
        *self.connection.borrow_mut() = Some(shared.clone());
        Ok(shared)
    }

    async fn open(&self) -> Result<Shared, Class> {
        let opening = async {
            let tcp = self.peer.connect(self.plan.connect_timeout).await?;
            let stream = match &self.plan.tls {
                None => Stream::Plain(tcp),
                Some(tls) => tls.handshake(tcp).await?,
            };
            let mut builder = http2::Builder::new(Local);
            builder.timer(TokioTimer::new());
            let (sender, connection) = builder
                .handshake(TokioIo::new(stream))
                .await
                .map_err(|e| class_of(&e, &Cell::new(None)))?;
            let ended = Rc::new(Cell::new(None));
            let told = Rc::clone(&ended);
            tokio::task::spawn_local(async move {
                let class = match connection.await {
                    Ok(()) => Class::EndOfStream,
                    Err(e) => class_of(&e, &Cell::new(None)),
                };
                told.set(Some(class));
            });
            let since = self.ledger.clock().now();
            Ok(Shared {
                sender,
                since,
                ended,
            })
        };
        tokio::time::timeout(self.plan.connect_timeout, opening)
            .await
            .map_err(|_| Class::ConnectTimeout)?
    }
}

/// The class of hyper's error: that of the I/O error beneath it, else why the connection ended.
fn class_of(error: &hyper::Error, ended: &Cell<Option<Class>>) -> Class {
    let mut source = error.source();
    while let Some(e) = source {
        if let Some(io) = e.downcast_ref::<std::io::Error>() {
            return class_beneath(io);
        }
        source = e.source();
    }
    match ended.get() {
        Some(class) => class,
        None if error.is_incomplete_message() || error.is_canceled() || error.is_closed() => {
            Class::EndOfStream
        }
        None => Class::Protocol,
    }
}
