//! A server that notes when each request came. It answers a constant, and may stall or go away on a schedule.
//!
//! One thread, alone on its processor, polls without ever sleeping: a thread that sleeps wakes some 50 µs late, which is
//! more than what is to be measured. Every arrival is stamped with the time at which the poll that reported it returned;
//! it came after the poll before that one had begun, so that the stamp is late by less than the time between the two.
//! That *width* is kept for each arrival: the recorder's own resolution, in the same run.

use crate::error::BenchError;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// HTTP/1.0 clients are told that the connection stays.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nok\n";
const END_OF_HEAD: &[u8; 4] = b"\r\n\r\n";
/// Connections that wait to be accepted while the server stalls.
const BACKLOG: i32 = 4096;
/// Stamps that memory is set aside for, so that none is late for want of it.
const STAMPS: usize = 2_000_000;
/// The event of the listener; the others are the numbers of connections.
const LISTENER: u64 = u64::MAX;

/// What the server does.
#[derive(Debug, Clone, Copy)]
pub enum Behaviour {
    /// Answers at once.
    Steady,
    /// Does nothing at all for a part of every period, in its middle. Periods are counted from the first request; in their
    /// middle, because a stall at the end of a load would tell of the load's end as well.
    Stall {
        /// The period.
        every: Duration,
        /// The part.
        stall: Duration,
    },
    /// Is gone once: the listener closed, the connections cut.
    Outage {
        /// When, after the first request.
        after: Duration,
        /// How long.
        lasts: Duration,
    },
}

/// What it saw.
#[derive(Debug, Default)]
pub struct Recording {
    /// CLOCK_MONOTONIC of every arrival, in nanoseconds.
    pub stamps: Vec<u64>,
    /// Of each, how much earlier it may have come, in nanoseconds.
    pub widths: Vec<u64>,
    /// Connections that were made.
    pub connections: usize,
    /// The first request, up to the end of its head.
    pub request: Vec<u8>,
}

/// A running recorder.
pub struct Recorder {
    /// What is to be asked.
    pub port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Recording, BenchError>>>,
}

/// CLOCK_MONOTONIC, in nanoseconds.
pub fn now() -> u64 {
    let t = clock_gettime(ClockId::Monotonic);
    u64::try_from(t.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(t.tv_nsec).unwrap_or(0)
}

/// Keeps the calling thread on one processor.
///
/// # Errors
/// Where there is no such processor.
pub fn stay_on(cpu: usize) -> Result<(), BenchError> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}

impl Recorder {
    /// Starts it on a processor.
    ///
    /// # Errors
    /// Where it cannot listen.
    pub fn start(behaviour: Behaviour, cpu: usize) -> Result<Self, BenchError> {
        let port = super::free_port()?;
        let listener = listen(port)?;
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let body = move || {
            stay_on(cpu)?;
            Server::new(behaviour, listener, port)?.serve(&asked)
        };
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(body)?;
        Ok(Self {
            port,
            stop,
            thread: Some(thread),
        })
    }

    /// What is asked for.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Ends it.
    ///
    /// # Errors
    /// Those of serving.
    pub fn finish(mut self) -> Result<Recording, BenchError> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().map(JoinHandle::join);
        thread
            .and_then(Result::ok)
            .unwrap_or_else(|| Err(BenchError::Nothing("recorder".to_owned())))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(port: u16) -> Result<TcpListener, BenchError> {
    // Not to be inherited: with the client holding it open, it would go on listening.
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    rustix::net::listen(&socket, BACKLOG)?;
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

struct Connection {
    stream: TcpStream,
    /// Bytes of the end of a head that have been seen.
    matched: usize,
}

struct Server {
    behaviour: Behaviour,
    port: u16,
    epoll: rustix::fd::OwnedFd,
    listener: Option<TcpListener>,
    connections: Vec<Option<Connection>>,
    recording: Recording,
}

impl Server {
    fn new(behaviour: Behaviour, listener: TcpListener, port: u16) -> Result<Self, BenchError> {
        let mut server = Self {
            behaviour,
            port,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            listener: None,
            connections: Vec::new(),
            recording: Recording {
                stamps: Vec::with_capacity(STAMPS),
                widths: Vec::with_capacity(STAMPS),
                ..Recording::default()
            },
        };
        server.watch(listener)?;
        Ok(server)
    }

    fn watch(&mut self, listener: TcpListener) -> Result<(), BenchError> {
        epoll::add(
            &self.epoll,
            &listener,
            epoll::EventData::new_u64(LISTENER),
            epoll::EventFlags::IN,
        )?;
        self.listener = Some(listener);
        Ok(())
    }

    fn serve(mut self, stop: &AtomicBool) -> Result<Recording, BenchError> {
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut events = Vec::with_capacity(256);
        let mut known = now();
        while !stop.load(Ordering::Relaxed) {
            let begun = now();
            if !self.attends(begun)? {
                known = begun;
                continue;
            }
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&at_once)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            let returned = now();
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    number => self.answer(
                        usize::try_from(number).unwrap_or(usize::MAX),
                        returned,
                        returned - known,
                    ),
                }
            }
            // What was there when this poll began has been reported by it.
            known = begun;
        }
        Ok(self.recording)
    }

    /// Whether it looks at its sockets at this moment.
    fn attends(&mut self, now: u64) -> Result<bool, BenchError> {
        let Some(first) = self.recording.stamps.first() else {
            return Ok(true);
        };
        let age = Duration::from_nanos(now - first);
        match self.behaviour {
            Behaviour::Steady => Ok(true),
            Behaviour::Stall { every, stall } => {
                let within = age.as_nanos() % every.as_nanos().max(1);
                let begin = (every / 2).as_nanos();
                Ok(!(begin..begin + stall.as_nanos()).contains(&within))
            }
            Behaviour::Outage { after, lasts } => {
                if age >= after && age < after + lasts {
                    self.listener = None;
                    self.connections.clear();
                    return Ok(false);
                }
                if self.listener.is_none() {
                    let listener = listen(self.port)?;
                    self.watch(listener)?;
                }
                Ok(true)
            }
        }
    }

    fn accept(&mut self) -> Result<(), BenchError> {
        while let Some(listener) = &self.listener {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                // A client that has given up already, or no more of them.
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::ConnectionAborted => continue,
                Err(e) => return Err(e.into()),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let number = self
                .connections
                .iter()
                .position(Option::is_none)
                .unwrap_or(self.connections.len());
            let data = epoll::EventData::new_u64(u64::try_from(number).unwrap_or(0));
            epoll::add(&self.epoll, &stream, data, epoll::EventFlags::IN)?;
            let connection = Some(Connection { stream, matched: 0 });
            match self.connections.get_mut(number) {
                Some(place) => *place = connection,
                None => self.connections.push(connection),
            }
            self.recording.connections += 1;
        }
        Ok(())
    }

    fn answer(&mut self, number: usize, stamp: u64, width: u64) {
        let Some(Some(connection)) = self.connections.get_mut(number) else {
            return;
        };
        let mut buffer = [0; 4096];
        let read = match connection.stream.read(&mut buffer) {
            Ok(0) => 0,
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return,
            Err(_) => 0,
        };
        if self.recording.stamps.is_empty() {
            self.recording.request.extend_from_slice(&buffer[..read]);
        }
        let mut closed = read == 0;
        for byte in &buffer[..read] {
            connection.matched = match connection.matched {
                seen if *byte == END_OF_HEAD[seen] => seen + 1,
                _ => usize::from(*byte == END_OF_HEAD[0]),
            };
            if connection.matched == END_OF_HEAD.len() {
                connection.matched = 0;
                self.recording.stamps.push(stamp);
                self.recording.widths.push(width);
                closed |= connection.stream.write_all(ANSWER).is_err();
            }
        }
        if closed {
            self.connections[number] = None;
        }
    }
}
