//! What can be typed after `lbtest bench`.

use crate::cli::follow::Telemetry;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

const EXAMPLES: &str = "Examples:
  lbtest bench http://127.0.0.1:8080/                              50 users, each waits for its answer, 10 s
  lbtest bench http://127.0.0.1:8080/ --rate 5000 --duration 30s   5000 arrivals per second, whatever the target does
  lbtest bench https://10.0.0.7/api -X POST -H 'Content-Type: application/json' --body @order.json --ca-file ca.pem
  lbtest bench 'postgres://app:${PGPASSWORD}@127.0.0.1:5433/app' --query 'SELECT 1' --users 16
  lbtest bench http://127.0.0.1:8080/ --gate 'p99 <= 20ms' --gate 'error_rate <= 0.1%' --format json
  lbtest bench 'http://127.0.0.1:8080/users/{id}' --set 'load.bench.http.vars.id={ random = [1, 5000] }'
  lbtest bench http://127.0.0.1:8080/ --rate 500 --print-scenario > s.toml    the same load as a scenario, to go on from

`${NAME}` in a DSN and in headers comes from the environment, so that a secret need not be typed. A DSN without a password
takes PGPASSWORD, where it is set.

Exit codes: as of `lbtest run`. Without a gate nothing is judged: 0 where the load ran to its end; what is in doubt about the
figures is said in the report.";

/// `lbtest bench`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Bench {
    /// What is loaded: an http:// or https:// URL, or a postgres:// DSN
    #[arg(value_name = "TARGET")]
    pub target: String,

    /// Closed loop: so many users, each waits for its answer [default: 50]
    #[arg(long, short = 'c', aliases = ["connections", "clients"], value_name = "N", help_heading = "Load")]
    pub users: Option<u64>,
    /// Open loop: so many arrivals per second, whatever the target does
    #[arg(
        long,
        short,
        value_name = "R",
        conflicts_with = "users",
        help_heading = "Load"
    )]
    pub rate: Option<f64>,
    /// Open loop: random gaps (a Poisson process) instead of even ones
    #[arg(long, requires = "rate", help_heading = "Load")]
    pub poisson: bool,
    /// Open loop: most operations at once; further arrivals are dropped, and counted [default: rate × time-out, 64 to 10000]
    #[arg(long, value_name = "N", requires = "rate", help_heading = "Load")]
    pub max_in_flight: Option<u64>,
    /// Length of the load, warm-up included
    #[arg(
        long,
        short,
        value_name = "TIME",
        default_value = "10s",
        help_heading = "Load"
    )]
    pub duration: String,
    /// Leave so much of the beginning out of the figures; connections are made before the load begins in any case
    #[arg(long, value_name = "TIME", default_value = "0s", help_heading = "Load")]
    pub warmup: String,
    /// Load workers (threads) [default: half of the cores]
    #[arg(long, short, value_name = "N", help_heading = "Load")]
    pub workers: Option<u64>,
    /// Time-out of an operation, connecting included [default: 5s]
    #[arg(long, value_name = "TIME", help_heading = "Load")]
    pub timeout: Option<String>,
    /// Time-out of a connection [default: 1s, at most the time-out]
    #[arg(long, value_name = "TIME", help_heading = "Load")]
    pub connect_timeout: Option<String>,
    /// Seed of every random choice
    #[arg(long, help_heading = "Load")]
    pub seed: Option<u64>,
    /// It writes: what was sent and never answered is "unknown" [default: by method or by the statement's first word]
    #[arg(long, help_heading = "Load")]
    pub write: bool,

    /// What is asked over HTTP
    #[command(flatten)]
    pub http: Http,
    /// What is asked of PostgreSQL
    #[command(flatten)]
    pub postgres: Postgres,

    /// Judge: METRIC and limit, as in a scenario's [gate] (repeatable)
    #[arg(long, value_name = "GATE", help_heading = "Result")]
    pub gate: Vec<String>,
    /// Form of the report; json is run.json
    #[arg(
        long,
        value_enum,
        default_value = "text",
        value_name = "FORMAT",
        help_heading = "Result"
    )]
    pub format: Format,
    /// Write run.json, report.md, report.html, junit.xml and history.ndjson here; without it nothing is written to disk
    #[arg(long, value_name = "DIR", help_heading = "Result")]
    pub out: Option<PathBuf>,
    /// Print the same load as a scenario file, and start nothing
    #[arg(long, help_heading = "Result")]
    pub print_scenario: bool,
    /// Override a key of that scenario: load.bench.think=10ms (repeatable)
    #[arg(long, value_name = "KEY=VALUE", value_parser = crate::cli::args::key_value, help_heading = "Result")]
    pub set: Vec<(String, String)>,
    /// Who else is told
    #[command(flatten)]
    pub telemetry: Telemetry,
}

/// Of an URL.
#[derive(Debug, Clone, Default, Args)]
pub struct Http {
    /// Method [default: GET]
    #[arg(
        long,
        short = 'X',
        value_name = "METHOD",
        help_heading = "HTTP (for an URL)"
    )]
    pub method: Option<String>,
    /// Header field, 'Name: value' (repeatable)
    #[arg(
        long,
        short = 'H',
        value_name = "HEADER",
        help_heading = "HTTP (for an URL)"
    )]
    pub header: Vec<String>,
    /// Body, or @FILE that holds it
    #[arg(long, value_name = "TEXT|@FILE", help_heading = "HTTP (for an URL)")]
    pub body: Option<String>,
    /// Statuses of a good answer: 200, 2xx, 200-204 (comma-separated or repeated) [default: 2xx]
    #[arg(
        long,
        value_name = "STATUS",
        value_delimiter = ',',
        help_heading = "HTTP (for an URL)"
    )]
    pub expect_status: Vec<String>,
    /// Text that a good answer's body holds
    #[arg(long, value_name = "TEXT", help_heading = "HTTP (for an URL)")]
    pub expect_body: Option<String>,
    /// HTTP/2 instead of HTTP/1.1
    #[arg(long, help_heading = "HTTP (for an URL)")]
    pub http2: bool,
    /// A new connection for every request
    #[arg(long, help_heading = "HTTP (for an URL)")]
    pub no_keep_alive: bool,
    /// CA certificate (PEM) to trust instead of the system's
    #[arg(long, value_name = "FILE", help_heading = "HTTP (for an URL)")]
    pub ca_file: Option<String>,
}

/// Of a DSN.
#[derive(Debug, Clone, Default, Args)]
pub struct Postgres {
    /// SQL statement, prepared once per connection; $1, $2, … are parameters
    #[arg(long, value_name = "SQL", help_heading = "PostgreSQL (for a DSN)")]
    pub query: Option<String>,
    /// The next of its parameters, as text (repeatable)
    #[arg(
        long,
        short,
        value_name = "TEXT",
        allow_hyphen_values = true,
        help_heading = "PostgreSQL (for a DSN)"
    )]
    pub parameter: Vec<String>,
    /// Rows that must come back, or be affected
    #[arg(long, value_name = "N", help_heading = "PostgreSQL (for a DSN)")]
    pub expect_rows: Option<u64>,
    /// A new connection for every operation
    #[arg(long, help_heading = "PostgreSQL (for a DSN)")]
    pub reconnect: bool,
    /// Make a connection anew after so long
    #[arg(long, value_name = "TIME", help_heading = "PostgreSQL (for a DSN)")]
    pub connection_lifetime: Option<String>,
    /// Query whose first column names the instance, run once per connection
    #[arg(long, value_name = "SQL", help_heading = "PostgreSQL (for a DSN)")]
    pub instance_query: Option<String>,
}

/// Form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// run.json
    Json,
}
