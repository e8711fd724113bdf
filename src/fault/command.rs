//! `command`: a command on this machine, without a shell, and its undo. It cannot outlive lbtest.

use super::undo::in_words;
use super::{Effect, Kind, Site, Undo};
use crate::engine::{ContainerState, EngineError, Executed};
use crate::scenario::Program;
use async_trait::async_trait;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// So much of what a command writes is kept.
const KEPT: u64 = 4096;

/// Runs commands here.
pub struct Local {
    of: Program,
    ran: AtomicBool,
}

impl Local {
    /// This command.
    #[must_use]
    pub fn new(of: Program) -> Self {
        Self {
            of,
            ran: AtomicBool::new(false),
        }
    }
}

/// Runs a command to its end; in words how it ended.
///
/// # Errors
/// It cannot be started, did not end in time (it is killed then), or not with 0.
pub async fn run(command: &[String], timeout: Duration) -> Result<String, EngineError> {
    super::exec::ended(command, &execute(command, timeout).await?)
}

/// Runs a command to its end.
///
/// # Errors
/// It cannot be started, or did not end in time (it is killed then).
pub async fn execute(command: &[String], timeout: Duration) -> Result<Executed, EngineError> {
    let refused = |answer: String| EngineError::Refused {
        what: format!("`{}`", in_words(command)),
        answer,
    };
    leashed(command, timeout).await.map_err(refused)
}

async fn leashed(command: &[String], timeout: Duration) -> Result<Executed, String> {
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut child = tokio::process::Command::new(own)
        .arg("leash")
        .arg("--")
        .args(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let leash = child.stdin.take();
    let said = child.stderr.take();
    let output = tokio::spawn(async move {
        let mut text = Vec::new();
        if let Some(said) = said {
            // A background process may hold it open: what was said until the end is read below, not waited for.
            let _ = said.take(KEPT).read_to_end(&mut text).await;
        }
        String::from_utf8_lossy(&text).trim().to_owned()
    });
    let Ok(ended) = tokio::time::timeout(timeout, child.wait()).await else {
        // The end of its input makes the leash kill it.
        drop(leash);
        let _ = child.wait().await;
        return Err(format!(
            "it has not ended within {timeout:?}, and was killed"
        ));
    };
    let status = ended.map_err(|e| e.to_string())?;
    let output = tokio::time::timeout(Duration::from_millis(200), output).await;
    Ok(Executed {
        code: i64::from(status.code().unwrap_or(-1)),
        output: output.ok().and_then(Result::ok).unwrap_or_default(),
    })
}

#[async_trait]
impl Kind for Local {
    fn name(&self) -> &'static str {
        "command"
    }

    fn hits_a_container(&self) -> bool {
        false
    }

    async fn undo(&self, _: Site<'_>, _: &ContainerState) -> Result<Option<Undo>, EngineError> {
        Ok(self.of.heal.clone().map(|command| Undo::Command {
            command,
            shows: self.of.confirm.clone(),
            timeout: self.of.timeout,
        }))
    }

    async fn inject(&self, _: Site<'_>) -> Result<Effect, EngineError> {
        run(&self.of.inject, self.of.timeout).await?;
        self.ran.store(true, Ordering::Relaxed);
        Ok(Effect::default())
    }

    async fn confirm(
        &self,
        _: Site<'_>,
        _: &ContainerState,
    ) -> Result<Option<String>, EngineError> {
        if let Some(look) = &self.of.confirm {
            return Ok(run(look, self.of.timeout).await.ok());
        }
        let words = || format!("`{}` ended with 0", in_words(&self.of.inject));
        Ok(self.ran.load(Ordering::Relaxed).then(words))
    }
}
