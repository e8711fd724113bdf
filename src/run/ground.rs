//! What a run stands on: the engine, the journal, and the guardian over it. Made before anything else is, left after
//! everything else is gone.

use super::guardian::{Guardian, heal, recover};
use super::identity::process_of;
use super::{RunError, Spec};
use crate::compose::Topology;
use crate::engine::Engine;
use crate::engine::absent::Absent;
use crate::engine::docker::{Docker, Removed, UpError, UpOptions};
use crate::fault::conductor::Reach;
use crate::fault::journal::{self, Header, Journal};
use crate::history::Environment;
use crate::notice::{Notice, Notices};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The ground of a run. Without a topology, and without a fault that breaks something else, there is nothing to clean up,
/// and all of it is empty.
pub struct Ground {
    held: Option<Held>,
}

struct Held {
    /// None where faults break what is in no container.
    docker: Option<Docker>,
    journal: Arc<Journal>,
    guardian: Guardian,
    header: Header,
}

impl Ground {
    /// Connects, writes the journal's header and starts the guardian.
    ///
    /// # Errors
    /// Where the engine cannot be reached, another lbtest has the project, or the journal cannot be written.
    pub async fn prepare(spec: &Spec, run: &str, notices: &Notices) -> Result<Self, RunError> {
        let Some(topology) = &spec.topology else {
            let breaks = |kind: &str| kind != "external";
            let any = spec.plan.faults.iter().any(|f| breaks(&f.kind));
            return if any {
                Self::without_engine(run).await
            } else {
                Ok(Self { held: None })
            };
        };
        let teardown = !spec.keep && !spec.attach;
        Self::over(&topology.project, run, teardown, spec.attach, notices).await
    }

    /// The ground of `lbtest up`: everything is taken down, unless [`Self::keep`] says that it came up.
    ///
    /// # Errors
    /// As of [`Self::prepare`].
    pub async fn for_up(topology: &Topology, notices: &Notices) -> Result<Self, RunError> {
        let run = super::identity::run_id(&topology.project);
        Self::over(&topology.project, &run, true, false, notices).await
    }

    /// Journal and guardian, for faults that are in no container.
    async fn without_engine(run: &str) -> Result<Self, RunError> {
        let header = Header {
            run: run.to_owned(),
            project: String::new(),
            pid: std::process::id(),
            teardown: false,
            attached: false,
        };
        let (journal, guardian) = guarded(&journal::default_folder(), &header).await?;
        let docker = None;
        Ok(Self {
            held: Some(Held {
                docker,
                journal,
                guardian,
                header,
            }),
        })
    }

    async fn over(
        project: &str,
        run: &str,
        teardown: bool,
        attach: bool,
        notices: &Notices,
    ) -> Result<Self, RunError> {
        let project = project.to_owned();
        let folder = journal::default_folder();
        alone(&folder, &project)?;
        let docker = Docker::connect().await?;
        // Another user's lbtest, or one with another state folder: its journal is not to be seen, its label is.
        if let Some(pid) = living(&docker.runs(Some(&project)).await?).next() {
            return Err(RunError::InUse { project, pid });
        }
        if attach {
            docker.allow(&project);
        }
        for old in abandoned(&folder, &project) {
            notices.tell(Notice::Info(format!(
                "cleaning up after run {}, which was cut off",
                old.header.run
            )));
            if let Err(error) = recover(Some(&docker), &old.path).await {
                notices.tell(Notice::Warning(format!(
                    "run {} is not cleaned up: {error}; clean up with: lbtest clean",
                    old.header.run
                )));
            }
        }
        let header = Header {
            run: run.to_owned(),
            project,
            pid: std::process::id(),
            teardown,
            attached: attach,
        };
        let (journal, guardian) = guarded(&folder, &header).await?;
        if let Err(error) = alone(&folder, &header.project) {
            // Nothing was made or broken yet.
            let _ = journal.remove();
            dismiss(guardian).await;
            return Err(error);
        }
        Ok(Self {
            held: Some(Held {
                docker: Some(docker),
                journal,
                guardian,
                header,
            }),
        })
    }

    /// Brings a topology up on this ground.
    ///
    /// # Errors
    /// Why it did not come up.
    pub async fn up(
        &self,
        topology: &Topology,
        ready_timeout: Duration,
        notices: &Notices,
        stop: &CancellationToken,
    ) -> Result<(), UpError> {
        let Some((held, docker)) = self
            .held
            .as_ref()
            .and_then(|h| Some((h, h.docker.as_ref()?)))
        else {
            return Ok(());
        };
        let options = UpOptions {
            run: held.header.run.clone(),
            ready_timeout,
        };
        docker.up(topology, &options, notices, stop).await
    }

    /// What was brought up is to stay.
    pub fn keep(&mut self) {
        if let Some(held) = &mut self.held {
            held.header.teardown = false;
        }
    }

    /// The engine, where there is a topology.
    #[must_use]
    pub fn docker(&self) -> Option<&Docker> {
        self.held.as_ref()?.docker.as_ref()
    }

    /// What faults can reach.
    #[must_use]
    pub fn reach(&self) -> Option<Reach> {
        let held = self.held.as_ref()?;
        let engine: Arc<dyn Engine> = match &held.docker {
            Some(docker) => Arc::new(docker.clone()),
            None => Arc::new(Absent),
        };
        Some(Reach {
            engine,
            journal: Arc::clone(&held.journal),
            run: held.header.run.clone(),
            project: held.header.project.clone(),
        })
    }

    /// Takes down what was brought up and heals what is still broken, removes the journal and dismisses the guardian.
    /// Returns what could not be cleaned up, in words.
    pub async fn leave(self, notices: &Notices) -> Vec<String> {
        let Some(Held {
            docker,
            journal,
            guardian,
            header,
        }) = self.held
        else {
            return Vec::new();
        };
        let mut left = Vec::new();
        let healed = match journal::read(journal.path()) {
            Ok(pending) => heal(docker.as_ref(), &pending, header.teardown, None)
                .await
                .map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let down = match &docker {
            Some(docker) if header.teardown => docker.down(&header.project, notices).await,
            Some(_) | None => Ok(Removed::default()),
        };
        let result = healed.and(down.map(drop).map_err(|e| e.to_string()));
        if let Err(error) = result {
            left.push(format!(
                "{error}; the guardian goes on trying; by hand: lbtest clean"
            ));
            // Not dismissed: the end of its pipe is its sign to try for itself.
            drop(guardian);
        } else {
            let _ = journal.remove();
            dismiss(guardian).await;
        }
        left
    }
}

/// A journal that has a guardian from its first moment on: lbtest may die in the next one.
async fn guarded(
    folder: &std::path::Path,
    header: &Header,
) -> Result<(Arc<Journal>, Guardian), RunError> {
    let path = journal::path_of(folder, &header.run);
    let guardian = Guardian::start(&path).map_err(RunError::Guardian)?;
    match Journal::create(folder, header) {
        Ok(journal) => Ok((Arc::new(journal), guardian)),
        Err(error) => {
            dismiss(guardian).await;
            Err(error.into())
        }
    }
}

async fn dismiss(guardian: Guardian) {
    // A guardian that is gone has nothing to be told.
    let _ = tokio::task::spawn_blocking(|| guardian.dismiss()).await;
}

/// Asked before anything is touched, and again once the own journal is there: of two that start together, at least
/// one then sees the other.
fn alone(folder: &std::path::Path, project: &str) -> Result<(), RunError> {
    holder_of(folder, project).map_or(Ok(()), |pid| {
        let project = project.to_owned();
        Err(RunError::InUse { project, pid })
    })
}

/// Whether a living lbtest has the project of this journal, other than the one that wrote it.
pub(super) fn is_held(journal: &std::path::Path, header: &Header) -> bool {
    let holder = journal
        .parent()
        .and_then(|folder| holder_of(folder, &header.project));
    holder.is_some_and(|pid| pid != header.pid)
}

/// The living lbtest that has a project, other than this one.
fn holder_of(folder: &std::path::Path, project: &str) -> Option<u32> {
    let mut journals = journal::all(folder).into_iter().map(|j| j.header);
    journals
        .find(|h| h.project == project && h.pid != std::process::id() && is_lbtest(h.pid))
        .map(|h| h.pid)
}

/// Processes of those runs that are alive, other than this one.
pub fn living<'a>(runs: impl IntoIterator<Item = &'a String>) -> impl Iterator<Item = u32> {
    let processes = runs.into_iter().filter_map(|run| process_of(run));
    processes.filter(|pid| *pid != std::process::id() && is_lbtest(*pid))
}

/// Journals of a project whose lbtest is gone.
fn abandoned(folder: &std::path::Path, project: &str) -> Vec<journal::Pending> {
    let mut journals = journal::all(folder);
    journals.retain(|j| j.header.project == project && !is_lbtest(j.header.pid));
    journals
}

/// Whether a process lives and is an lbtest: a number may have been given to somebody else since. By its name,
/// because what another user's process executes is not to be seen.
#[must_use]
pub fn is_lbtest(pid: u32) -> bool {
    living_name(&pid.to_string()).is_some_and(|name| living_name("self") == Some(name))
}

/// The name of a process; none of one that is dead, reaped or not. `pid (name) state …`: proc(5).
fn living_name(process: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (name, state) = stat.rsplit_once(") ")?;
    let (_, name) = name.split_once('(')?;
    (!state.starts_with(['Z', 'X'])).then(|| name.to_owned())
}

/// What is known of this machine without asking an engine.
#[must_use]
pub fn environment() -> Environment {
    let uname = rustix::system::uname();
    let os = std::fs::read_to_string("/etc/os-release").ok();
    let pretty = os
        .as_deref()
        .and_then(|t| t.lines().find_map(|l| l.strip_prefix("PRETTY_NAME=")));
    Environment {
        engine_version: None,
        api_version: None,
        kernel: Some(uname.release().to_string_lossy().into_owned()),
        host_os: pretty.map(|p| p.trim_matches('"').to_owned()),
        cpus: std::thread::available_parallelism()
            .ok()
            .and_then(|n| u32::try_from(n.get()).ok()),
        memory_bytes: Some(rustix::system::sysinfo().totalram as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_dead_and_not_yet_reaped_does_not_live() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let stat = format!("/proc/{}/stat", child.id());
        while !std::fs::read_to_string(&stat).unwrap().contains(") Z ") {
            std::thread::yield_now();
        }
        assert_eq!(living_name(&child.id().to_string()), None);
        child.wait().unwrap();
        assert!(living_name("self").is_some());
        assert!(is_lbtest(std::process::id()));
    }
}
