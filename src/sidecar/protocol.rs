//! What lbtest and a sidecar say to each other: one JSON object a line, requests in, answers out.
//!
//! A sidecar is lbtest's own executable in a container that joins a namespace of the target. It does what it is told,
//! and undoes all of it when it is told to, when its input ends (lbtest is gone) and when it gets SIGTERM.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A line to the sidecar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Echoed in the answer.
    pub id: u64,
    /// What to do.
    pub order: Order,
}

/// A line from the sidecar. The first one, with id 0, says that it is ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// That of the request.
    pub id: u64,
    /// What came of it; an error is in words that name the subject.
    pub result: Result<Done, String>,
}

/// What a sidecar can be told to do. Carrying one out twice replaces what the first one did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Treat packets in the joined network namespace.
    Rules(Rules),
    /// Destroy the TCP connections that exist now.
    ResetConnections(Match),
    /// Stop processes of the joined process namespace (SIGSTOP).
    Freeze(ProcessMatch),
    /// Fill a folder of the target's file system.
    Fill(Fill),
    /// Use up the resources of the target's cgroup.
    Stress(Stress),
    /// Send a request from the joined network namespace.
    Http(HttpCall),
    /// Ask the PostgreSQL server at this DSN which role it has: `primary` or `replica` in [`Done::seen`].
    Role {
        /// `postgres://user:password@127.0.0.1:5432/database`.
        dsn: String,
    },
    /// Look, independently of what was done: counters of the rules, states of the processes, sizes.
    Look,
    /// Undo everything, and look that it is undone. Also what somebody before us left behind.
    Mend(Option<Leftover>),
    /// What this kernel can do, without any effect: see [`Abilities`] in [`Done::abilities`].
    Probe,
}

/// What a sidecar that is gone may have left, for the one that cleans up after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leftover {
    /// Our tables in the network namespace.
    Rules,
    /// Stopped processes.
    Frozen(ProcessMatch),
    /// A file that fills a folder.
    Filled(Fill),
}

/// How a sidecar answers that did what it was told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Just before the call to the kernel that had the effect: nanoseconds of CLOCK_MONOTONIC.
    pub from_ns: u64,
    /// Just after it.
    pub until_ns: u64,
    /// What did it: `nftables drop`, `xt NFQUEUE`, `sock_diag`, ….
    #[serde(default)]
    pub mechanism: String,
    /// What is to be seen, in words: `12 packets dropped`.
    #[serde(default)]
    pub seen: String,
    /// How much of it: packets, connections, processes, bytes, …. Zero: no effect yet.
    #[serde(default)]
    pub count: u64,
    /// The answer to [`Order::Probe`].
    #[serde(default)]
    pub abilities: Option<Abilities>,
}

/// What packet rules a kernel can do in a container's namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// nftables: drop, reject, reset.
    pub filter: bool,
    /// Tables that vanish with their owner.
    pub owned_tables: bool,
    /// Random loss (numgen).
    pub loss: bool,
    /// Packets can be queued to user space: `nft queue`, `xt NFQUEUE`; none: no delay, no bandwidth.
    pub queue: Option<String>,
    /// TCP connections can be destroyed (INET_DIAG_DESTROY).
    pub reset: bool,
    /// The kernel's release.
    pub kernel: String,
}

/// Which packets. An empty list means any. Loopback is never meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The other side's addresses.
    pub peers: Vec<IpAddr>,
    /// TCP and UDP ports of either side.
    pub ports: Vec<u16>,
}

/// Packets, and what becomes of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// What becomes of them.
    pub treatment: Treatment,
    /// Incoming packets.
    pub incoming: bool,
    /// Outgoing packets.
    pub outgoing: bool,
    /// Which.
    pub of: Match,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Treatment {
    /// It vanishes.
    Drop,
    /// It is answered by ICMP "administratively prohibited".
    Reject,
    /// It is answered by a TCP reset; what is not TCP vanishes.
    Reset,
    /// It vanishes with this probability.
    Loss {
        /// 0 to 1.
        ratio: f64,
    },
    /// It waits.
    Delay {
        /// Microseconds.
        time_us: u64,
        /// Evenly distributed, plus or minus; microseconds. Packets never overtake each other.
        jitter_us: u64,
        /// Of the jitter.
        seed: u64,
    },
    /// It waits until the link is free.
    Bandwidth {
        /// Of IP packets, each way for itself.
        bytes_per_second: u64,
        /// What waits longer than this is dropped; microseconds.
        queue_us: u64,
    },
}

/// Processes by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessMatch {
    /// A glob over the process's name (comm) or its whole command line.
    pub pattern: String,
}

/// A file that fills a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// The folder, as the target sees it.
    pub folder: String,
    /// Name of the file in it.
    pub file: String,
    /// At most so many bytes.
    pub bytes: u64,
    /// So many bytes are left free in any case.
    pub leave: u64,
}

/// Load within the target's cgroup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stress {
    /// The target's container id: its cgroup is looked for under /sys/fs/cgroup.
    pub container: String,
    /// Processes that compute.
    pub cpu: u32,
    /// Bytes that are taken and touched.
    pub memory: u64,
    /// Processes that write and sync.
    pub io: u32,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCall {
    /// `POST`.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
    /// Statuses that are good: inclusive ranges.
    pub expect_status: Vec<(u16, u16)>,
    /// Text that the answer must hold.
    pub expect_body: Option<String>,
    /// Milliseconds for all of it.
    pub timeout_ms: u64,
}
