//! What mends a fault. An undo is data, so that the journal can hold it and anyone — the conductor, the
//! guardian, `lbtest clean` — can carry it out. Carrying it out twice does no harm.

use super::Truth;
use crate::engine::{ContainerState, Engine, EngineError};
use serde::{Deserialize, Serialize};

/// How a container is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// Start it.
    Start,
    /// Thaw it.
    Unpause,
    /// Stop it.
    Stop,
}

impl Undo {
    /// Does it, unless it is done already.
    ///
    /// # Errors
    /// What the engine answers.
    pub async fn apply(self, engine: &dyn Engine, container: &str) -> Result<(), EngineError> {
        if self.is_done(&engine.state(container).await?) {
            return Ok(());
        }
        match self {
            Self::Start => engine.start(container).await,
            Self::Unpause => engine.unpause(container).await,
            Self::Stop => engine.stop(container, None).await,
        }
    }

    /// Whether a state shows that it is done.
    #[must_use]
    pub fn is_done(self, state: &ContainerState) -> bool {
        match self {
            Self::Start => state.running,
            Self::Unpause => !state.paused,
            Self::Stop => !state.running,
        }
    }

    /// What a look at the mended container shows, in words.
    #[must_use]
    pub fn confirm(self, after: &ContainerState) -> Option<String> {
        self.is_done(after).then(|| {
            match self {
                Self::Start => "running",
                Self::Unpause => "not paused",
                Self::Stop => "not running",
            }
            .to_owned()
        })
    }

    /// The observation that shows when it took effect.
    #[must_use]
    pub fn truth(self) -> Truth {
        match self {
            Self::Start => Truth::Event,
            Self::Unpause => Truth::Thawed,
            Self::Stop => Truth::ProcessDeath,
        }
    }

    /// The engine's event that goes with it.
    #[must_use]
    pub fn event(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Unpause => "unpause",
            Self::Stop => "die",
        }
    }

    /// The command that does it by hand, for the moment when lbtest cannot.
    #[must_use]
    pub fn by_hand(self, container: &str) -> String {
        match self {
            Self::Start => format!("docker start {container}"),
            Self::Unpause => format!("docker unpause {container}"),
            Self::Stop => format!("docker stop {container}"),
        }
    }
}
