//! Whose a container is: lbtest touches what it made, and projects it was given.

use super::error::Named;
use super::{Docker, EngineError, labels, lock};
use std::collections::HashMap;

impl Docker {
    /// Refuses containers that are neither lbtest's nor of a project given by [`Docker::allow`].
    ///
    /// A container is asked about once: after that the check costs nothing at the moment of a fault.
    pub(super) async fn guard(&self, id: &str) -> Result<(), EngineError> {
        if lock(&self.shared.known).contains(id) {
            return Ok(());
        }
        let found = self
            .client
            .inspect_container(id, None)
            .await
            .named(|| format!("container {id}"))?;
        let labels = found.config.and_then(|c| c.labels).unwrap_or_default();
        if !self.is_ours(&labels) {
            let name = found.name.unwrap_or_default();
            return Err(EngineError::NotOurs(format!(
                "container {}",
                name.trim_start_matches('/')
            )));
        }
        // Under its id, not under what it was called by: names are given again.
        if let Some(id) = found.id {
            lock(&self.shared.known).insert(id);
        }
        Ok(())
    }

    /// True where a project has containers that lbtest did not make.
    ///
    /// # Errors
    /// The engine's refusal.
    pub async fn is_foreign(&self, project: &str) -> Result<bool, EngineError> {
        let all = self.all_of(project).await?;
        let foreign = |c: &bollard::models::ContainerSummary| {
            let labels = c.labels.as_ref();
            !labels.is_some_and(|l| l.contains_key(labels::RUN))
        };
        Ok(all.iter().any(foreign))
    }

    /// Keeps in mind that a container may be touched.
    pub(super) fn remember(&self, id: &str) {
        lock(&self.shared.known).insert(id.to_owned());
    }

    pub(super) fn is_ours(&self, labels: &HashMap<String, String>) -> bool {
        labels.contains_key(labels::RUN)
            || labels
                .get(labels::PROJECT)
                .is_some_and(|project| lock(&self.shared.allowed).contains(project))
    }
}
