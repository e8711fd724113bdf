//! The experiments, one file each: what is loaded, by whom, and what is made of it.

mod arrivals;
mod closed;
mod http;
mod outage;
mod scaling;
mod seen;
mod show;
mod sql;
mod stall;

use crate::bench::Bench;
use crate::error::BenchError;
use crate::section::Section;

/// Which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Experiment {
    /// Cost of a request, closed loop.
    Http,
    /// Cost of a transaction, closed loop.
    Sql,
    /// When arrivals of an open loop really come.
    Arrivals,
    /// What is said about a server that stalls.
    Stall,
    /// Two workers instead of one.
    Scaling,
    /// What is said about a server that was gone.
    Outage,
}

impl Experiment {
    /// All of them, in the order of a run.
    pub const ALL: [Self; 6] = [
        Self::Http,
        Self::Sql,
        Self::Arrivals,
        Self::Stall,
        Self::Scaling,
        Self::Outage,
    ];

    /// What it is called on the command line, and in the headings of results.
    pub fn key(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Sql => "sql",
            Self::Arrivals => "arrivals",
            Self::Stall => "stall",
            Self::Scaling => "scaling",
            Self::Outage => "outage",
        }
    }

    /// Measures.
    ///
    /// # Errors
    /// Where it could not be measured.
    pub fn run(self, bench: &Bench) -> Result<Section, BenchError> {
        match self {
            Self::Http => http::run(bench),
            Self::Sql => sql::run(bench),
            Self::Arrivals => arrivals::run(bench),
            Self::Stall => stall::run(bench),
            Self::Scaling => scaling::run(bench),
            Self::Outage => outage::run(bench),
        }
    }
}
