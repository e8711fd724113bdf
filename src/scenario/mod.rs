//! A scenario file, read, checked and resolved into what it means.
//!
//! [`mod@file`] is what was typed (serde and JSON Schema); the types here are what it means, with units.

mod at;
pub mod breakage;
mod check;
mod fault;
mod faults;
pub mod file;
mod gates;
mod http;
mod interpolate;
mod one;
mod origin;
mod overrides;
mod postgres;
mod quantity;
mod read;
mod relative;
mod shape;
#[cfg(test)]
mod tests;
mod variables;
mod workload;

pub use breakage::{
    Call, Direction, FillDisk, HttpFault, Link, Partition, Program, Refusal, Split, SqlFault,
    StressSpec,
};
pub use fault::{
    Composite, Fault, FaultKind, Member, Order, Places, Repeat, Rolling, Target, TargetChoice,
};
pub use http::url_without_secrets;
pub use one::one_fault;
pub use origin::Origin;
pub use overrides::Overrides;
pub use read::{ScenarioError, overridden, parse, read, read_with};

use crate::plan::{Gate, Recovery};
use crate::source::{Mistake, SourceFile};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A whole scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name: letters, digits, `-`, `_`.
    pub name: String,
    /// What it is about, in a sentence.
    pub description: String,
    /// The file it was read from, for diagnostics.
    pub file: Arc<SourceFile>,
    /// Which text the `span`s below belong to: that file, or a `--set` option.
    pub origin: Origin,
    /// What is odd but not wrong.
    pub warnings: Vec<Mistake>,
    /// The compose topology, if lbtest is to bring one up.
    pub topology: Option<TopologySource>,
    /// Length, warm-up, seed, workers.
    pub run: RunSettings,
    /// When a workload counts as recovered, for workloads that do not say otherwise.
    pub recovery: Recovery,
    /// The workloads; names are unique, at least one.
    pub loads: Vec<Workload>,
    /// The faults, in the order of the file.
    pub faults: Vec<Fault>,
    /// Faults that are made of others, in the order of the file.
    pub composites: Vec<Composite>,
    /// All gates, those of workloads and faults among them.
    pub gates: Vec<Gate>,
}

/// Where the topology comes from. Paths are resolved against the scenario's folder.
#[derive(Debug, Clone)]
pub struct TopologySource {
    /// Compose files, merged in this order.
    pub files: Vec<PathBuf>,
    /// Profiles that are on.
    pub profiles: Vec<String>,
    /// Project name, where the scenario fixes it.
    pub project: Option<String>,
    /// Variables that the scenario sets for interpolation, above the environment.
    pub env: BTreeMap<String, String>,
    /// How long everything may take until it is ready.
    pub ready_timeout: Duration,
    /// Where the topology is named in the scenario file.
    pub span: Range<usize>,
}

/// `[run]`.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// Operations intended before this are not judged.
    pub warmup: Duration,
    /// Length of the load, warm-up included.
    pub duration: Duration,
    /// Seed of every random choice.
    pub seed: u64,
    /// Load workers (threads); none: half of the cores, at least one.
    pub workers: Option<usize>,
    /// An empty gate passes: the run only observes.
    pub observe: bool,
}

/// `[[load]]`.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// When operations are made.
    pub arrivals: Arrivals,
    /// Open loop: at most this many operations at once; further arrivals are dropped.
    pub max_in_flight: usize,
    /// What an operation is.
    pub client: ClientSpec,
    /// Its own recovery limits.
    pub recovery: Recovery,
    /// Where it stands in the file.
    pub span: Range<usize>,
}

/// When operations are made.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrivals {
    /// Open loop. Stages follow each other; the last one holds until the end of the run.
    Open {
        /// At least one. A constant rate is one stage without length.
        stages: Vec<Stage>,
        /// Exponential gaps (a Poisson process) instead of even ones.
        poisson: bool,
    },
    /// Closed loop.
    Closed {
        /// Users, each with one operation at a time.
        users: usize,
        /// Pause between an answer and the next operation.
        think: Duration,
    },
}

/// One stage of an open loop: the rate goes linearly from `from` to `to` over `length`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// Arrivals per second at its start.
    pub from: f64,
    /// Arrivals per second at its end.
    pub to: f64,
    /// Its length; none: until the end of the run.
    pub length: Option<Duration>,
}

/// What an operation is.
#[derive(Debug, Clone)]
pub enum ClientSpec {
    /// HTTP/1.1 or HTTP/2, with or without TLS.
    Http(HttpSpec),
    /// A prepared statement.
    Postgres(PostgresSpec),
}

/// `http = { … }`.
#[derive(Debug, Clone)]
pub struct HttpSpec {
    /// The requests, chosen by weight; at least one. All go to the same origin.
    pub requests: Vec<HttpRequest>,
    /// Time-out for one operation, from its intended time's dispatch, connecting included.
    pub timeout: Duration,
    /// Time-out for making a connection.
    pub connect_timeout: Duration,
    /// Reuse connections.
    pub keep_alive: bool,
    /// HTTP/2 instead of HTTP/1.1 (over TLS by ALPN, in clear text with prior knowledge).
    pub http2: bool,
    /// A CA certificate (PEM) to trust instead of the system's roots.
    pub ca_file: Option<PathBuf>,
    /// Response header that names the instance, lower case.
    pub instance_header: String,
    /// Every request carries a `traceparent` header of its own (W3C Trace Context).
    pub traceparent: bool,
    /// Variables for `{name}` in paths, headers and bodies.
    pub variables: Vec<Variable>,
}

/// One HTTP request. `{name}` in path, header values and body stands for a variable.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// `GET`, `POST`, ….
    pub method: String,
    /// Absolute URL; path and query may hold variables, the origin may not.
    pub url: String,
    /// Header fields in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
    /// Its share among the requests.
    pub weight: u32,
    /// A write: an answer that never came leaves the outcome unknown.
    pub write: bool,
    /// Statuses that are expected.
    pub expect_status: StatusSet,
    /// Text the body must contain.
    pub expect_body: Option<String>,
}

/// Statuses that count as good: inclusive ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSet(pub Vec<(u16, u16)>);

impl StatusSet {
    /// Whether a status is in the set.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.0
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&status))
    }
}

/// `postgres = { … }`.
#[derive(Debug, Clone)]
pub struct PostgresSpec {
    /// `postgres://user:password@host:port/database?options`. A secret: never printed whole.
    pub dsn: String,
    /// The statements, chosen by weight; at least one.
    pub statements: Vec<Statement>,
    /// Time-out for one operation.
    pub timeout: Duration,
    /// Time-out for making a connection.
    pub connect_timeout: Duration,
    /// A connection is closed and made anew after this (pools never rebalance without it); none: kept.
    pub connection_lifetime: Option<Duration>,
    /// One connection per operation instead of a kept one.
    pub reconnect: bool,
    /// Query whose first column names the instance, run once per connection; none: not known.
    pub instance_query: Option<String>,
    /// Variables for parameters.
    pub variables: Vec<Variable>,
}

/// One statement with its parameters.
#[derive(Debug, Clone)]
pub struct Statement {
    /// SQL with `$1`, `$2`, ….
    pub query: String,
    /// Each a text that may hold `{name}`; sent as text and cast by the server to the parameter's type.
    pub parameters: Vec<String>,
    /// Its share among the statements.
    pub weight: u32,
    /// A write: an answer that never came leaves the outcome unknown.
    pub write: bool,
    /// Rows that must come back (or, for a write without RETURNING, be affected).
    pub expect_rows: Option<u64>,
}

/// A named source of values, seeded.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name, used as `{name}`.
    pub name: String,
    /// Where its values come from.
    pub source: ValueSource,
}

/// Where values come from.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueSource {
    /// 1, 2, 3 … from a start; each arrival its own number, also across workers.
    Sequence {
        /// First value.
        start: u64,
    },
    /// A whole number, evenly distributed, both ends included.
    RandomInt {
        /// Lowest.
        min: i64,
        /// Highest.
        max: i64,
    },
    /// One of a list; read from the scenario or from a column of a CSV file.
    Choice {
        /// At least one.
        values: Arc<[String]>,
    },
}
