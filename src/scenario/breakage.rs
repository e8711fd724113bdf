//! What the kinds of faults need beyond a target: the resolved forms of their tables.

use super::{StatusSet, Target};
use std::time::Duration;

/// Which way packets go, as the target sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Those it sends (the default).
    Out,
    /// Those it receives.
    In,
    /// All.
    Both,
}

/// What becomes of packets that a partition stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// They vanish: time-outs (the default).
    Drop,
    /// They are answered by an ICMP error: refused at once.
    Reject,
    /// They are answered by a TCP reset: connections break.
    Reset,
}

/// How a partition's two groups come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split {
    /// `between = [a, b]`: these two groups.
    Between(Target, Target),
    /// `isolate = target`: from everybody, the outside included.
    Isolate(Target),
    /// `minority_of = target`: fewer than half of them, drawn by the seed, from the rest of them.
    MinorityOf(Target),
}

/// `partition = { … }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The groups.
    pub split: Split,
    /// One way (packets from the first to the second group: `Out`; from the second to the first: `In`) or both
    /// (the default).
    pub direction: Direction,
    /// What becomes of the packets.
    pub refusal: Refusal,
}

/// Which of a target's packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Which way.
    pub direction: Direction,
    /// Only to and from these; none: all but loopback.
    pub towards: Option<Target>,
    /// Only these TCP and UDP ports (of either side); empty: all.
    pub ports: Vec<u16>,
}

/// `fill_disk = { … }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FillDisk {
    /// Folder in the container.
    pub path: String,
    /// At most so many bytes.
    pub size: u64,
    /// So many bytes are left free in any case.
    pub leave: u64,
}

/// `stress = { … }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StressSpec {
    /// Processes that compute.
    pub cpu: u32,
    /// Bytes.
    pub memory: u64,
    /// Processes that write and sync.
    pub io: u32,
}

/// A request that breaks, heals or looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `POST`, ….
    pub method: String,
    /// Absolute. With a target it is sent from within the target's network: `http://127.0.0.1:3000/api/switch`.
    pub url: String,
    /// Header fields in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
    /// Statuses that are expected.
    pub expect_status: StatusSet,
    /// Text that the answer must hold.
    pub expect_body: Option<String>,
    /// For all of it.
    pub timeout: Duration,
}

/// `http = { … }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpFault {
    /// Breaks.
    pub inject: Call,
    /// Heals; none: nothing to heal.
    pub heal: Option<Call>,
    /// Shows the effect; none: the answer to `inject` stands for it.
    pub confirm: Option<Call>,
}

/// `exec = { … }` (in the container) and `command = { … }` (here). No shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Breaks: argument list.
    pub inject: Vec<String>,
    /// Heals; none: nothing to heal.
    pub heal: Option<Vec<String>>,
    /// Ends with 0 while the effect shows; none: the exit code 0 of `inject` stands for it.
    pub confirm: Option<Vec<String>>,
    /// For each of them.
    pub timeout: Duration,
}

/// `sql = { … }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFault {
    /// A secret: never printed whole.
    pub dsn: String,
    /// Statements that break, in one session.
    pub inject: Vec<String>,
    /// Statements that heal, in a session of their own.
    pub heal: Vec<String>,
    /// A query whose first column is true while the effect shows; none: rows or locks are counted.
    pub confirm: Option<String>,
    /// The session stays open until the heal, with its transaction and its locks.
    pub hold: bool,
    /// For each statement.
    pub timeout: Duration,
}
