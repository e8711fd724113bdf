//! What the engine answers, as lbtest's errors: each names its subject.

use super::EngineError;
use super::connect::chain;
use bollard::errors::Error;
use std::net::IpAddr;
use std::time::Duration;

/// Says which object, or which call, an answer of the engine was about.
pub trait Named<T> {
    /// A 404 becomes "`what` does not exist"; everything else is `what` with the engine's words.
    fn named(self, what: impl FnOnce() -> String) -> Result<T, EngineError>;
    /// The same for a call that makes something: a 404 is then about what it needs, and keeps the engine's words.
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, EngineError>;
}

impl<T> Named<T> for Result<T, Error> {
    fn named(self, what: impl FnOnce() -> String) -> Result<T, EngineError> {
        self.map_err(|e| {
            if is_missing(&e) {
                EngineError::NotFound(what())
            } else {
                translate(what(), e)
            }
        })
    }

    fn doing(self, what: impl FnOnce() -> String) -> Result<T, EngineError> {
        self.map_err(|e| translate(what(), e))
    }
}

/// The engine says that there is no such object.
pub fn is_missing(error: &Error) -> bool {
    status(error) == Some(404)
}

fn translate(what: String, error: Error) -> EngineError {
    match error {
        Error::DockerResponseServerError { message, .. } => EngineError::Refused {
            what,
            answer: message,
        },
        Error::DockerStreamError { error } => EngineError::Refused {
            what,
            answer: error,
        },
        Error::RequestTimeoutError => EngineError::Refused {
            what,
            answer: "the engine did not answer in time".into(),
        },
        Error::HyperLegacyError { .. }
        | Error::HyperResponseError { .. }
        | Error::IOError { .. } => EngineError::Unreachable(format!("{what}: {}", chain(&error))),
        other => EngineError::Refused {
            what,
            answer: other.to_string(),
        },
    }
}

/// The status the engine answered with, where it was an answer.
pub fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Why a topology did not come up.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The engine refused a call.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Somebody asked to stop; what was made so far is still there for `down`.
    #[error("interrupted while the topology was coming up")]
    Cancelled,
    /// There are containers of the project that lbtest did not make.
    #[error(
        "project `{project}` is already there and lbtest did not make it ({containers}); use another project name, or --attach"
    )]
    Occupied {
        /// The project.
        project: String,
        /// Names of the foreign containers.
        containers: String,
    },
    /// A network or volume of the name is there and lbtest did not make it.
    #[error(
        "{kind} `{name}` is already there and lbtest did not make it; remove it, or declare it `external: true`"
    )]
    Taken {
        /// `network` or `volume`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// An external network or volume is not there.
    #[error("{kind} `{name}` is declared external and does not exist; create it first")]
    ExternalMissing {
        /// `network` or `volume`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A published port is taken.
    #[error("port {port} on {address}, which service `{service}` publishes, is taken by {by}")]
    PortTaken {
        /// The service that wants it.
        service: String,
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
        /// Who has it.
        by: String,
    },
    /// An image is not there and cannot be had.
    #[error(
        "image `{image}` for service `{service}` is not there and cannot be pulled: {reason}\n{help}"
    )]
    Image {
        /// The image.
        image: String,
        /// The service that needs it.
        service: String,
        /// Why not.
        reason: String,
        /// What to do.
        help: String,
    },
    /// A build failed.
    #[error("building the image of service `{service}` failed: {reason}\n{}", lines.join("\n"))]
    Build {
        /// The service.
        service: String,
        /// The builder's error.
        reason: String,
        /// Its last lines of output.
        lines: Vec<String>,
    },
    /// A container ended, or became unhealthy.
    #[error("container `{container}` {why}{}", excerpt(log))]
    Failed {
        /// Its name.
        container: String,
        /// What happened: `exited with code 1`, `is unhealthy`, ….
        why: String,
        /// Its last log lines.
        log: Vec<String>,
    },
    /// Not everything was ready by the deadline.
    #[error("not ready within {}: container `{container}` {why}{}", in_seconds(*after), excerpt(log))]
    NotReady {
        /// The deadline.
        after: Duration,
        /// The container that was waited for.
        container: String,
        /// Its state.
        why: String,
        /// Its last log lines.
        log: Vec<String>,
    },
    /// The topology cannot be carried out as it stands.
    #[error("{0}")]
    Impossible(String),
}

fn in_seconds(d: Duration) -> String {
    format!("{} s", d.as_secs_f64())
}

fn excerpt(log: &[String]) -> String {
    if log.is_empty() {
        return "; it logged nothing".into();
    }
    let lines: Vec<String> = log.iter().map(|line| format!("\n    {line}")).collect();
    format!("; its last log lines:{}", lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status_code: u16, message: &str) -> Error {
        Error::DockerResponseServerError {
            status_code,
            message: message.into(),
        }
    }

    #[test]
    fn a_missing_object_is_told_from_a_refusal() {
        let asked = |status, message| Err::<(), _>(answer(status, message)).named(|| "x".into());
        assert!(
            matches!(asked(404, "No such container: x"), Err(EngineError::NotFound(s)) if s == "x")
        );
        assert!(matches!(
            asked(409, "is not running"),
            Err(EngineError::Refused { .. })
        ));
        let made = Err::<(), _>(answer(404, "No such image: y")).doing(|| "making x".into());
        assert_eq!(
            made.expect_err("refused").to_string(),
            "making x: No such image: y"
        );
    }

    #[test]
    fn a_failed_start_shows_the_last_log_lines() {
        let e = UpError::Failed {
            container: "p-db-1".into(),
            why: "exited with code 1".into(),
            log: vec!["FATAL: no".into()],
        };
        assert_eq!(
            e.to_string(),
            "container `p-db-1` exited with code 1; its last log lines:\n    FATAL: no"
        );
    }
}
