//! What a fault is: its times, its kind, its target; and the composites that order faults.

use super::{FillDisk, HttpFault, Link, Partition, Program, SqlFault, StressSpec};
use std::ops::Range;
use std::time::Duration;

/// `[[fault]]`.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Its name, unique.
    pub name: String,
    /// First injection; none: a composite says when.
    pub at: Option<Duration>,
    /// Healed so long after the injection; none: at the end of the run.
    pub heal_after: Option<Duration>,
    /// Further occurrences.
    pub repeat: Option<Repeat>,
    /// Its target's containers one after the other.
    pub rolling: Option<Rolling>,
    /// What it does.
    pub kind: FaultKind,
    /// Whom it hits; none where that is not a container, and for a partition, which has groups.
    pub target: Option<Target>,
    /// Where it stands in the file.
    pub span: Range<usize>,
    /// Where parts of it stand.
    pub places: Places,
}

/// Where parts of a fault stand in the file, for mistakes that only the topology shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// `disconnect.networks`, one for each.
    pub networks: Vec<Range<usize>>,
}

/// `rolling = { … }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rolling {
    /// From the heal of one container to the injection into the next.
    pub pause: Duration,
    /// Where it stands in the file.
    pub span: Range<usize>,
}

/// A `[[fault]]` that is made of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composite {
    /// Its name, unique among all faults.
    pub name: String,
    /// When it begins; none: another composite says when.
    pub at: Option<Duration>,
    /// How its members follow each other.
    pub order: Order,
    /// Its members, at least one.
    pub members: Vec<Member>,
    /// Where it stands in the file.
    pub span: Range<usize>,
}

/// How the members of a composite follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Each begins so long after the one before is healed.
    Sequence {
        /// The time between two.
        pause: Duration,
    },
    /// All begin at once.
    Parallel,
}

/// A member of a composite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The fault's or composite's name.
    pub name: String,
    /// Where it is named.
    pub span: Range<usize>,
}

/// A fault that comes again: `every`, `times` in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// From injection to injection.
    pub every: Duration,
    /// Occurrences in all.
    pub times: u32,
}

/// What a fault does. Each kind has its file under `fault/`.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a scenario holds a handful of them"
)]
pub enum FaultKind {
    /// Stop, with a grace time before SIGKILL; healed by start.
    Stop {
        /// Grace; none: the container's own.
        grace: Option<Duration>,
    },
    /// Send a signal (`SIGKILL`, …); healed by start where the container died of it.
    Kill {
        /// The signal's name, with `SIG`.
        signal: String,
    },
    /// Freeze; healed by unpause.
    Pause,
    /// Stop and start at once; needs no heal.
    Restart {
        /// Grace; none: the container's own.
        grace: Option<Duration>,
    },
    /// Start what is not running; healed by stop.
    Start,
    /// Take off these compose networks (keys; empty: all); healed by connecting with aliases and address.
    Disconnect {
        /// Keys of the topology.
        networks: Vec<String>,
    },
    /// No packets between two groups.
    Partition(Partition),
    /// Packets wait.
    Delay {
        /// How long.
        time: Duration,
        /// Plus or minus.
        jitter: Duration,
        /// Which packets.
        link: Link,
    },
    /// Packets vanish.
    Loss {
        /// 0 to 1.
        ratio: f64,
        /// Which packets.
        link: Link,
    },
    /// Packets go no faster.
    Bandwidth {
        /// Bytes per second, each way for itself.
        bytes_per_second: u64,
        /// Which packets.
        link: Link,
    },
    /// TCP connections break; needs no heal.
    ResetConnections {
        /// Which (the direction means nothing).
        link: Link,
    },
    /// Less CPU; healed by the former limit.
    Cpu {
        /// Thousandths of a CPU.
        millicpus: u64,
    },
    /// Less memory; healed by the former limit.
    Memory {
        /// Bytes.
        bytes: u64,
    },
    /// Load in the target's cgroup.
    Stress(StressSpec),
    /// A full disk.
    FillDisk(FillDisk),
    /// Processes stand still; healed by SIGCONT.
    FreezeProcess {
        /// Glob over name or command line.
        pattern: String,
    },
    /// A request that breaks, and one that heals.
    Http(HttpFault),
    /// A command in the container, and its undo.
    Exec(Program),
    /// A command on this machine, and its undo.
    Command(Program),
    /// Statements in a database.
    Sql(SqlFault),
    /// Something else breaks the system; lbtest only marks the edges.
    External,
}

impl FaultKind {
    /// Why a fault of this kind is never healed; none: it is.
    #[must_use]
    pub fn nothing_to_heal(&self) -> Option<&'static str> {
        match self {
            Self::Restart { .. } => Some("a restart needs no heal"),
            Self::ResetConnections { .. } => {
                Some("connections that were reset are not healed: clients make new ones")
            }
            Self::Http(http) if http.heal.is_none() => Some("this request has no `heal`"),
            Self::Exec(program) | Self::Command(program) if program.heal.is_none() => {
                Some("this program has no `heal`")
            }
            Self::Sql(sql) if sql.heal.is_empty() && !sql.hold => {
                Some("these statements have neither `heal` nor `hold`")
            }
            Self::Stop { .. }
            | Self::Kill { .. }
            | Self::Pause
            | Self::Start
            | Self::Disconnect { .. }
            | Self::Partition(_)
            | Self::Delay { .. }
            | Self::Loss { .. }
            | Self::Bandwidth { .. }
            | Self::Cpu { .. }
            | Self::Memory { .. }
            | Self::Stress(_)
            | Self::FillDisk(_)
            | Self::FreezeProcess { .. }
            | Self::Http(_)
            | Self::Exec(_)
            | Self::Command(_)
            | Self::Sql(_)
            | Self::External => None,
        }
    }

    /// Whether it is over as soon as it is injected, unless a time to heal it is set.
    #[must_use]
    pub fn is_momentary(&self) -> bool {
        self.nothing_to_heal().is_some() || matches!(self, Self::Start | Self::External)
    }
}

/// Whom a fault hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// How the services are chosen.
    pub choice: TargetChoice,
    /// Where it stands in the file.
    pub span: Range<usize>,
}

/// How targets are chosen. A name is a service, or `service.2` for its second container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetChoice {
    /// All containers of each.
    Services(Vec<String>),
    /// All services whose name matches a glob.
    AllOf(String),
    /// `count` of the named ones, seeded; each occurrence draws anew.
    Random {
        /// Candidates (globs allowed).
        from: Vec<String>,
        /// How many.
        count: usize,
    },
    /// The services with this role (`x-lbtest-role`); `primary` and `replicas` of databases are asked for at the moment
    /// of injection.
    Role {
        /// The role; `replicas` is read as `replica`.
        role: String,
        /// How a database is asked, instead of as the first `postgres` workload. A secret: never printed whole.
        dsn: Option<String>,
    },
    /// The container that served the last request of this workload, at the moment of injection.
    LastServed {
        /// The workload's name.
        load: String,
    },
}
