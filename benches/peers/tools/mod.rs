//! The clients that are compared: how each is told to make a load, and how its output is read. One short file for each.

pub mod ab;
pub mod h2load;
pub mod hey;
pub mod lbtest;
pub mod oha;
pub mod pgbench;
pub mod wrk;

use std::time::Duration;

/// The User-Agent that every client is told to send, so that all requests are alike.
pub const AGENT: &str = "bench";

/// A client.
pub trait Tool {
    /// As it is called in the tables.
    fn name(&self) -> &'static str;
    /// Its executable.
    fn program(&self) -> &'static str {
        self.name()
    }
    /// The argument that makes it print its version; none: it does not know it.
    fn version(&self) -> Option<&'static str> {
        Some("--version")
    }
    /// What it looks at in an answer before it counts it as good.
    fn verifies(&self) -> &'static str;
    /// The arguments for a load; none: it cannot make such a load.
    fn arguments(&self, load: &Load) -> Option<Vec<String>>;
    /// Reads what it printed.
    ///
    /// # Errors
    /// Where a figure is missing that must be there.
    fn read(&self, output: &str) -> Result<Report, Unreadable>;
}

/// A load. A client that offers several threads takes one, unless it is asked for more.
#[derive(Debug, Clone)]
pub enum Load {
    /// HTTP/1.1 with keep-alive: GET.
    Http {
        /// The URL.
        url: String,
        /// Connections.
        connections: u32,
        /// How long.
        seconds: u32,
        /// Arrivals per second over all connections; none: a closed loop.
        rate: Option<u32>,
    },
    /// A prepared statement that reads one row by its key.
    Sql {
        /// Port of the server on 127.0.0.1.
        port: String,
        /// Clients, each with a connection.
        clients: u32,
        /// How long.
        seconds: u32,
        /// Keys go from 1 to this.
        keys: u32,
        /// File with the statement in pgbench's form.
        script: String,
    },
}

impl Load {
    /// How long it is.
    #[must_use]
    pub fn seconds(&self) -> u32 {
        match self {
            Self::Http { seconds, .. } | Self::Sql { seconds, .. } => *seconds,
        }
    }

    /// The same load without what is this machine's: how it is written down.
    #[must_use]
    pub fn symbolic(&self) -> Self {
        let mut load = self.clone();
        match &mut load {
            Self::Http { url, .. } => "http://127.0.0.1:PORT/".clone_into(url),
            Self::Sql { port, script, .. } => {
                "PORT".clone_into(port);
                "SCRIPT".clone_into(script);
            }
        }
        load
    }
}

/// What a client says about its run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Good answers.
    pub good: u64,
    /// Everything else that it counts: errors, time-outs, unexpected statuses.
    pub bad: u64,
    /// Good answers per second, as it says itself.
    pub per_second: f64,
    /// Latency.
    pub latency: Latency,
}

/// What a client says about latency; none: it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Latency {
    /// Median.
    pub p50: Option<Duration>,
    /// 99th percentile.
    pub p99: Option<Duration>,
    /// 99.9th percentile.
    pub p999: Option<Duration>,
    /// Largest.
    pub max: Option<Duration>,
}

/// Output that is not what the client is known to print.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("its output has no {0}")]
pub struct Unreadable(pub &'static str);

/// The first word after a text, of the first line that holds it.
fn word_after<'a>(output: &'a str, text: &str) -> Option<&'a str> {
    let line = output.lines().find(|line| line.contains(text))?;
    let (_, rest) = line.split_once(text)?;
    rest.split_whitespace().next()
}

/// The number after a text; commas and units around it do not matter.
fn number_after<T: std::str::FromStr>(output: &str, text: &str) -> Option<T> {
    let digits = |c: char| !c.is_ascii_digit() && c != '.';
    word_after(output, text)?.trim_matches(digits).parse().ok()
}

/// The word before a text, as a number.
fn number_before<T: std::str::FromStr>(output: &str, text: &str) -> Option<T> {
    let line = output.lines().find(|line| line.contains(text))?;
    let (before, _) = line.split_once(text)?;
    before.split_whitespace().last()?.parse().ok()
}

/// `1.50ms`, `312.00us`, `1.2s`, `250ns`, `1.00m`.
fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" | "secs" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

/// Words as arguments.
fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.iter().map(|&w| w.to_owned()).collect()
}
