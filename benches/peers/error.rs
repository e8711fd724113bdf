//! Why something could not be measured. A client that does badly is a result and not an error.

use std::path::PathBuf;
use std::time::Duration;

/// Why.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// What cannot be done without.
    #[error(
        "{0} is not installed: benches/peers/install.sh installs what is needed, on Debian and Ubuntu"
    )]
    Missing(&'static str),
    /// An argument or a variable of the environment.
    #[error("{0}")]
    Usage(String),
    /// A program that is there and does not start.
    #[error("{program} cannot be started: {source}")]
    Start {
        /// Its name.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A server that does not answer, or a preparation that failed.
    #[error("{what}: {said}")]
    Prepare {
        /// What was to be done.
        what: &'static str,
        /// What it said.
        said: String,
    },
    /// A client that does not come to its end.
    #[error("{program} was still running after {within:?}")]
    Endless {
        /// Its name.
        program: String,
        /// The time it had.
        within: Duration,
    },
    /// A client that ended badly where nothing was wrong.
    #[error("{client} ended with {code:?}: {said}")]
    Client {
        /// Its name.
        client: String,
        /// Its exit code.
        code: Option<i32>,
        /// The end of what it said.
        said: String,
    },
    /// Output that cannot be read.
    #[error("{client}: {why}; it said: {said}")]
    Unreadable {
        /// Its name.
        client: String,
        /// What is missing.
        why: String,
        /// The end of what it said.
        said: String,
    },
    /// Nothing came where a load was made.
    #[error("{0}: nothing that could be measured arrived")]
    Nothing(String),
    /// A result that cannot be written.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Everything else of the operating system.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl From<rustix::io::Errno> for BenchError {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}
