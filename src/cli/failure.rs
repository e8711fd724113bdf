//! Why a command could not do what it was asked.

use super::exit::Exit;
use crate::engine::EngineError;
use crate::engine::docker::UpError;
use crate::load::LoadError;
use crate::run::RunError;
use crate::scenario::ScenarioError;
use crate::source::Mistake;

/// A failed command; each kind has its exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Mistakes in files or options: exit 2.
    #[error("{} mistakes", .0.len())]
    Mistakes(Vec<Mistake>),
    /// The command itself makes no sense: exit 2.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do about it.
        help: String,
    },
    /// Docker, ports, images, the disk: exit 3.
    #[error("{message}")]
    Environment {
        /// What is wrong.
        message: String,
        /// What to do about it.
        help: String,
    },
}

impl Failure {
    /// A failure of the environment.
    pub fn environment(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Environment {
            message: message.into(),
            help: help.into(),
        }
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Mistakes(_) | Self::Usage { .. } => Exit::Usage,
            Self::Environment { .. } => Exit::Environment,
        }
    }
}

impl From<ScenarioError> for Failure {
    fn from(error: ScenarioError) -> Self {
        Self::Mistakes(error.mistakes().to_vec())
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let help = match &error {
            EngineError::Unreachable(_) => "`lbtest doctor` says more",
            EngineError::NotFound(_) | EngineError::Refused { .. } | EngineError::NotOurs(_) => "",
        };
        Self::environment(error.to_string(), help)
    }
}

impl From<UpError> for Failure {
    fn from(error: UpError) -> Self {
        match error {
            UpError::Engine(error) => error.into(),
            other => Self::environment(other.to_string(), ""),
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Engine(error) => error.into(),
            RunError::Up(error) => error.into(),
            RunError::NotReady { .. } => Self::environment(
                error.to_string(),
                "is the address right, and is what answers there part of the topology?",
            ),
            RunError::Load(error @ LoadError::Spec { .. }) => Self::Usage {
                message: error.to_string(),
                help: "correct the workload in the scenario".to_owned(),
            },
            other => Self::environment(other.to_string(), ""),
        }
    }
}
