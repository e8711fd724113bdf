//! How lbtest ends, for scripts and CI jobs.

use std::process::ExitCode;

/// An exit code with its meaning. Where several scenarios are run, the worst one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All gates held (or the command did what it was asked).
    Pass,
    /// A gate failed.
    GateFailed,
    /// Wrong usage, or a mistake in a scenario or compose file. Nothing was started.
    Usage,
    /// The environment: Docker, ports, images, files that cannot be written.
    Environment,
    /// The run proves neither pass nor fail.
    Inconclusive,
    /// Interrupted (Ctrl-C, SIGTERM); what was measured is written, everything is taken down.
    Interrupted,
}

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::GateFailed => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::Inconclusive => 4,
            Self::Interrupted => 130,
        }
    }

    /// The one to end with after two things were done: an interruption first, then what kept lbtest from
    /// measuring, then a failed gate, then an inconclusive run.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        let rank = |exit: Self| match exit {
            Self::Pass => 0,
            Self::Inconclusive => 1,
            Self::GateFailed => 2,
            Self::Environment => 3,
            Self::Usage => 4,
            Self::Interrupted => 5,
        };
        if rank(other) > rank(self) {
            other
        } else {
            self
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn one_failed_scenario_is_not_hidden_by_those_that_pass() {
        assert_eq!(
            Exit::Pass.worst(Exit::GateFailed).worst(Exit::Pass),
            Exit::GateFailed
        );
        assert_eq!(Exit::Inconclusive.worst(Exit::GateFailed), Exit::GateFailed);
        assert_eq!(Exit::Pass.worst(Exit::Inconclusive), Exit::Inconclusive);
    }
}
