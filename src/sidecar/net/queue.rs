//! Packets that the kernel hands to us and that wait for our verdict: delay, bandwidth, and loss that nobody notices.
//!
//! Each direction has a queue, a socket and a thread of its own, so that its packets are let go in order, many by one
//! verdict. Source: `include/uapi/linux/netfilter/nfnetlink_queue.h` of the kernel.

use super::netlink::{Refusal, Socket};
use super::pace::Pace;
use super::resend::{Copied, Resend};
use super::wire::{self, ACK, REQUEST, Wire};
use crate::sidecar::clock::monotonic_ns;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::netlink::NETFILTER;
use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;

const SUBSYSTEM: u16 = 3;
const PACKET: u16 = 0;
const VERDICT: u16 = 1;
const CONFIG: u16 = 2;
const VERDICT_BATCH: u16 = 3;

const ACCEPT: u32 = 1;
const DROP: u32 = 0;
/// `NFQA_CFG_F_FAIL_OPEN`: what finds no room passes at once.
const FAIL_OPEN: u32 = 1;
/// `NFQA_CFG_F_GSO`: what the kernel keeps together (up to 64 KB of a stream) is one packet.
const TOGETHER: u32 = 4;
/// Packets that may wait. They stay in the kernel; this many small ones are some 50 MB.
const LONGEST: u32 = 65_536;
/// For the messages about packets, which are read at once.
const ROOM: usize = 16 << 20;
/// Above this rate packets are counted as the kernel keeps them together; below, one by one.
const FAST: u64 = 20_000_000;
/// Queues are numbered from here, to stay out of the way of others.
const FIRST: u16 = 0x6c62;
/// So many numbers are tried.
const TRIED: u16 = 64;
/// Packets that are read before those that are due are looked after.
const ROUND: usize = 256;

/// What a lane did.
#[derive(Debug, Default)]
pub struct Tally {
    /// Packets that came.
    pub seen: AtomicU64,
    /// Packets that found no room on the link.
    pub dropped: AtomicU64,
    /// Times that the kernel could not tell us of packets.
    pub overruns: AtomicU64,
}

/// A queue of one direction, with the thread that looks after it.
#[derive(Debug)]
pub struct Lane {
    /// The queue's number.
    pub number: u16,
    /// The bit of the mark of packets that were sent again; none: all wait in the kernel.
    pub resent: Option<u32>,
    /// What it did.
    pub tally: Arc<Tally>,
    /// Its end tells the thread to let everything go and to end.
    until: Option<std::io::PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Lane {
    /// Takes a free queue and looks after it.
    ///
    /// # Errors
    /// In words: no queue is to be had.
    pub fn open(pace: Pace, outgoing: bool) -> Result<Self, String> {
        let failed = |e: &dyn std::fmt::Display| format!("a queue for packets: {e}");
        let (socket, number) = bound().map_err(|e| failed(&e))?;
        let bit = 1 << (31 - (number - FIRST) % 16);
        // A limited link slows the sender down by the very thing that a delay must not be slowed down by.
        let resend = match &pace {
            Pace::Delay { .. } if outgoing => Resend::open(bit).ok(),
            Pace::Delay { .. } | Pace::Bandwidth { .. } | Pace::Discard => None,
        };
        let resent = resend.as_ref().map(|_| bit);
        configure(&socket, number, &pace, resend.is_some()).map_err(|e| failed(&e))?;
        let (end, until) = std::io::pipe().map_err(|e| failed(&e))?;
        let tally = Arc::new(Tally::default());
        let mut watch = Watch {
            socket,
            number,
            pace,
            resend,
            waiting: VecDeque::new(),
            tally: Arc::clone(&tally),
        };
        let thread = std::thread::Builder::new()
            .name("queue".to_owned())
            .spawn(move || watch.keep(&end))
            .map_err(|e| failed(&e))?;
        Ok(Self {
            number,
            resent,
            tally,
            until: Some(until),
            thread: Some(thread),
        })
    }

    /// Lets everything go that waits, in order, and gives the queue up. No rule may send packets to it any more.
    pub fn close(&mut self) {
        self.until = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.close();
    }
}

/// Whether a queue is to be had.
///
/// # Errors
/// The kernel's refusal.
pub fn is_to_be_had() -> Result<(), Refusal> {
    bound().map(drop)
}

fn bound() -> Result<(Socket, u16), Refusal> {
    let socket = Socket::open(NETFILTER)?;
    socket.room(ROOM);
    let mut result = Err(Errno::BUSY.into());
    for number in FIRST..FIRST + TRIED {
        // Bind.
        match socket.transact(&config(number, |w| w.attribute(1, &[1, 0, 0, 0]))) {
            Ok(()) => return Ok((socket, number)),
            // Somebody else's.
            Err(e) if matches!(e.errno, Errno::BUSY | Errno::PERM) => result = Err(e),
            Err(e) => return Err(e),
        }
    }
    result
}

fn config(number: u16, body: impl FnOnce(&mut Wire)) -> Wire {
    let mut wire = Wire::default();
    wire.message(SUBSYSTEM << 8 | CONFIG, REQUEST | ACK, 1, |w| {
        w.netfilter(0, number);
        body(w);
    });
    wire
}

/// How much of a packet is wanted, and what happens to packets that find no room.
fn configure(socket: &Socket, number: u16, pace: &Pace, whole: bool) -> Result<(), Refusal> {
    let (copy, flags) = match pace {
        // All of it, as it will be on the wire.
        Pace::Delay { .. } if whole => ([0, 0, 0xff, 0xff, 2], FAIL_OPEN),
        // What finds no room is dropped too, as it should be.
        Pace::Discard => ([0, 0, 0, 0, 1], TOGETHER),
        // Its circumstances only.
        Pace::Delay { .. } => ([0, 0, 0, 0, 1], FAIL_OPEN | TOGETHER),
        // Some bytes: then its length is told.
        Pace::Bandwidth {
            bytes_per_second, ..
        } if *bytes_per_second > FAST => ([0, 0, 0, 4, 2], TOGETHER),
        Pace::Bandwidth { .. } => ([0, 0, 0, 4, 2], 0),
    };
    socket.transact(&config(number, |w| w.attribute(2, &copy)))?;
    socket.transact(&config(number, |w| w.be32(3, LONGEST)))?;
    let mask = FAIL_OPEN | TOGETHER;
    let flags = config(number, |w| {
        w.be32(4, mask);
        w.be32(5, flags);
    });
    match socket.transact(&flags) {
        // A kernel that cannot is as good, only slower.
        Ok(()) => Ok(()),
        Err(e) if e.errno == Errno::OPNOTSUPP => Ok(()),
        Err(e) => Err(e),
    }
}

fn verdict(kind: u16, number: u16, verdict: u32, id: u32) -> Wire {
    let mut wire = Wire::default();
    wire.message(SUBSYSTEM << 8 | kind, REQUEST, 0, |w| {
        w.netfilter(0, number);
        let header = [verdict.to_be_bytes(), id.to_be_bytes()].concat();
        w.attribute(2, &header);
    });
    wire
}

/// What the kernel says of a packet.
#[derive(Debug, PartialEq, Eq)]
struct Packet<'a> {
    /// Its number in the queue.
    id: u32,
    /// Its length.
    length: u64,
    /// What was copied of it.
    copy: &'a [u8],
    mark: u32,
}

impl<'a> Packet<'a> {
    fn read(message: &wire::Message<'a>) -> Option<Self> {
        if message.kind != SUBSYSTEM << 8 | PACKET {
            return None;
        }
        let attributes = message.body.get(4..)?;
        let number = |kind| {
            let value = wire::attribute(attributes, kind)?.first_chunk()?;
            Some(u32::from_be_bytes(*value))
        };
        let copy = wire::attribute(attributes, 10).unwrap_or_default();
        Some(Self {
            id: number(1)?,
            // Told where not all of it was copied.
            length: number(13).map_or(copy.len() as u64, u64::from),
            copy,
            mark: number(3).unwrap_or_default(),
        })
    }
}

/// Where a packet waits.
#[derive(Debug)]
enum Waiting {
    /// In the kernel, by its number.
    Kernel(u32),
    /// With us.
    Here(Copied),
}

/// What the thread looks after.
struct Watch {
    socket: Socket,
    number: u16,
    pace: Pace,
    resend: Option<Resend>,
    /// Those that wait, in order, and until when.
    waiting: VecDeque<(Waiting, u64)>,
    tally: Arc<Tally>,
}

impl Watch {
    fn keep(&mut self, end: &std::io::PipeReader) {
        // The kernel may be late by 50 µs otherwise.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let now = monotonic_ns();
            let wait = self.waiting.front().map(|(_, due)| due.saturating_sub(now));
            let wait = wait.map(|ns| Timespec {
                tv_sec: i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX),
                tv_nsec: (ns % 1_000_000_000).cast_signed(),
            });
            let mut fds = [
                PollFd::new(&self.socket, PollFlags::IN),
                PollFd::new(end, PollFlags::IN),
            ];
            let polled = poll(&mut fds, wait.as_ref());
            let ended = polled.is_ok() && !fds[1].revents().is_empty();
            while self.take(&mut buffer) && ended {}
            self.release(if ended { u64::MAX } else { monotonic_ns() });
            if ended {
                return;
            }
        }
    }

    /// Reads of packets that came; whether there may be more.
    fn take(&mut self, buffer: &mut [u8]) -> bool {
        for _ in 0..ROUND {
            let read = match self.socket.read(buffer) {
                Ok(Some(read)) => read,
                Ok(None) | Err(Errno::INTR) => return false,
                // Some packets passed without us. That is to be known and nothing to end for.
                Err(_) => {
                    self.tally.overruns.fetch_add(1, Relaxed);
                    return false;
                }
            };
            let now = monotonic_ns();
            for packet in wire::messages(read).filter_map(|m| Packet::read(&m)) {
                self.tally.seen.fetch_add(1, Relaxed);
                self.admit(&packet, now);
            }
        }
        true
    }

    fn admit(&mut self, packet: &Packet<'_>, now: u64) {
        let Some(due) = self.pace.admit(now, packet.length) else {
            self.tally.dropped.fetch_add(1, Relaxed);
            return self.decide(VERDICT, DROP, packet.id);
        };
        let resend = self.resend.as_mut();
        let waiting = match resend.and_then(|r| r.take(packet.copy, packet.mark)) {
            Some(copied) => {
                self.decide(VERDICT, DROP, packet.id);
                Waiting::Here(copied)
            }
            None => Waiting::Kernel(packet.id),
        };
        self.waiting.push_back((waiting, due));
    }

    /// Lets those go that are due; in the kernel all up to a number by one verdict.
    fn release(&mut self, now: u64) {
        let mut last = None;
        while let Some((waiting, due)) = self.waiting.pop_front() {
            if due > now {
                self.waiting.push_front((waiting, due));
                break;
            }
            match waiting {
                Waiting::Kernel(id) => last = Some(id),
                Waiting::Here(copied) => {
                    // Those before it go before it.
                    if let Some(id) = last.take() {
                        self.decide(VERDICT_BATCH, ACCEPT, id);
                    }
                    if let Some(resend) = &mut self.resend {
                        resend.send(&copied);
                    }
                }
            }
        }
        if let Some(id) = last {
            self.decide(VERDICT_BATCH, ACCEPT, id);
        }
    }

    /// The kernel refuses only what is no longer there.
    fn decide(&self, kind: u16, what: u32, id: u32) {
        let _ = self.socket.send(&verdict(kind, self.number, what, id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_names_queue_and_packet_in_network_order() {
        let wire = verdict(VERDICT_BATCH, 0x0102, ACCEPT, 0x0a0b_0c0d);
        let message = wire::messages(wire.as_bytes()).next().unwrap();
        assert_eq!(message.kind, 0x303);
        assert_eq!(message.body[..4], [0, 0, 1, 2]);
        assert_eq!(
            wire::attribute(&message.body[4..], 2),
            Some(&[0, 0, 0, 1, 10, 11, 12, 13][..])
        );
    }

    #[test]
    fn the_length_of_a_packet_is_that_of_all_of_it() {
        let mut wire = Wire::default();
        wire.message(0x300, 0, 0, |w| {
            w.netfilter(2, 5);
            w.attribute(1, &[0, 0, 0, 9, 8, 0, 1]);
            w.attribute(10, &[0x45, 0, 5, 0xdc]);
            w.be32(13, 1500);
        });
        wire.message(0x300, 0, 0, |w| {
            w.netfilter(2, 5);
            w.attribute(1, &[0, 0, 0, 10, 8, 0, 1]);
            w.attribute(10, &[0x45, 0, 0]);
        });
        wire.message(2, 0, 0, |w| w.raw(&[0; 4]));
        let read: Vec<_> = wire::messages(wire.as_bytes())
            .map(|m| Packet::read(&m).map(|p| (p.id, p.length)))
            .collect();
        assert_eq!(read, [Some((9, 1500)), Some((10, 3)), None]);
    }
}
