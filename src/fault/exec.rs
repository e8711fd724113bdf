//! `exec`: a command in the container, without a shell, and its undo.

use super::undo::in_words;
use super::{Effect, Kind, Site, Undo};
use crate::engine::{ContainerState, EngineError, Executed};
use crate::scenario::Program;
use async_trait::async_trait;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Runs commands in containers.
pub struct Exec {
    of: Program,
    /// Ids of the targets in which it ended well.
    ran: Mutex<Vec<String>>,
}

impl Exec {
    /// This command.
    #[must_use]
    pub fn new(of: Program) -> Self {
        Self {
            of,
            ran: Mutex::default(),
        }
    }
}

/// In words how a command ended.
///
/// # Errors
/// It did not end with 0.
pub fn ended(command: &[String], executed: &Executed) -> Result<String, EngineError> {
    let what = in_words(command);
    if executed.code == 0 {
        return Ok(format!("`{what}` ended with 0"));
    }
    Err(EngineError::Refused {
        what: format!("`{what}`"),
        answer: format!("it ended with {}: {}", executed.code, executed.output),
    })
}

/// Whether a command that ends with 0 while a fault shows ended otherwise: in words, or none.
#[must_use]
pub fn no_longer(command: &[String], executed: &Executed) -> Option<String> {
    let words = || format!("`{}` ended with {}", in_words(command), executed.code);
    (executed.code != 0).then(words)
}

#[async_trait]
impl Kind for Exec {
    fn name(&self) -> &'static str {
        "exec"
    }

    async fn undo(&self, _: Site<'_>, _: &ContainerState) -> Result<Option<Undo>, EngineError> {
        Ok(self.of.heal.clone().map(|command| Undo::Exec {
            command,
            shows: self.of.confirm.clone(),
            timeout: self.of.timeout,
        }))
    }

    async fn inject(&self, site: Site<'_>) -> Result<Effect, EngineError> {
        let id = &site.target.id;
        let executed = site
            .engine
            .exec(id, &self.of.inject, self.of.timeout)
            .await?;
        ended(&self.of.inject, &executed)?;
        let mut ran = self.ran.lock().unwrap_or_else(PoisonError::into_inner);
        ran.push(id.clone());
        Ok(Effect::default())
    }

    fn lingers(&self) -> Duration {
        self.of.timeout + super::AT_ONCE
    }

    async fn confirm(
        &self,
        site: Site<'_>,
        _: &ContainerState,
    ) -> Result<Option<String>, EngineError> {
        let id = &site.target.id;
        if let Some(look) = &self.of.confirm {
            let executed = site.engine.exec(id, look, self.of.timeout).await?;
            return Ok(ended(look, &executed).ok());
        }
        let ran = self.ran.lock().unwrap_or_else(PoisonError::into_inner);
        let words = || format!("`{}` ended with 0", in_words(&self.of.inject));
        Ok(ran.contains(id).then(words))
    }
}
