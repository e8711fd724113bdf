//! A command in a running container.

use super::error::Named;
use super::{Docker, EngineError, Executed};
use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use futures_util::StreamExt;
use std::time::Duration;

/// So much of what a command writes is kept.
const KEPT: usize = 4096;

impl Docker {
    pub(super) async fn execute(
        &self,
        id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<Executed, EngineError> {
        let what = || format!("running {command:?} in container {id}");
        let config = ExecConfig {
            cmd: Some(command.to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let exec = self.client.create_exec(id, config).await.named(what)?.id;
        let ended = tokio::time::timeout(timeout, self.output_of(&exec, &what)).await;
        let Ok(output) = ended else {
            return Err(EngineError::Refused {
                what: what(),
                answer: format!("it has not ended within {timeout:?}"),
            });
        };
        let output = output?;
        let code = self.client.inspect_exec(&exec).await.named(what)?.exit_code;
        Ok(Executed {
            code: code.unwrap_or(-1),
            output,
        })
    }

    async fn output_of(
        &self,
        exec: &str,
        what: &impl Fn() -> String,
    ) -> Result<String, EngineError> {
        let started = self.client.start_exec(exec, None).await.named(what)?;
        let StartExecResults::Attached { mut output, .. } = started else {
            return Ok(String::new());
        };
        let mut said = Vec::new();
        while let Some(part) = output.next().await {
            let part = part.named(what)?.into_bytes();
            let room = KEPT.saturating_sub(said.len()).min(part.len());
            said.extend_from_slice(&part[..room]);
        }
        Ok(String::from_utf8_lossy(&said).trim().to_owned())
    }
}
