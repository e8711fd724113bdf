//! The guardian: a child process that outlives lbtest when lbtest dies, heals what the journal says is broken, and
//! takes the project down.
//!
//! It holds the read end of a pipe whose only write end is lbtest's. End of file without the word of dismissal
//! means that lbtest is gone, however it went: SIGKILL, out of memory, a closed terminal. It lives in a session of
//! its own, so that a Ctrl-C at the terminal does not reach it.

use crate::engine::docker::{Docker, Removed};
use crate::engine::{Engine, EngineError};
use crate::fault::conductor::heal_pending;
use crate::fault::journal::{self, JournalError, Pending};
use crate::notice::Notices;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// What lbtest writes to the pipe when it has cleaned up by itself.
const DISMISSAL: &[u8] = b"dismissed\n";
/// A container may still be made by a request that was under way when lbtest died: the project is looked at again
/// after this, until a look finds nothing.
const SETTLE: Duration = Duration::from_secs(1);
/// Tries to clean up while the engine does not answer or refuses.
const TRIES: u32 = 30;

/// lbtest's hold on its guardian.
#[derive(Debug)]
pub struct Guardian {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Guardian {
    /// Starts a guardian over a journal.
    ///
    /// # Errors
    /// Where the own executable cannot be started again.
    pub fn start(journal: &Path) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("guardian")
            .arg(journal)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // From its first moment on a Ctrl-C at the terminal is not meant for it; later it leads its own session.
            .process_group(0)
            .spawn()?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it away: everything is cleaned up. Waits for its end.
    ///
    /// # Errors
    /// Where it was gone already.
    pub fn dismiss(mut self) -> io::Result<()> {
        if let Some(mut pipe) = self.pipe.take() {
            pipe.write_all(DISMISSAL)?;
        }
        self.child.wait().map(drop)
    }
}

/// A guardian that could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum GuardianError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal cannot be removed.
    #[error("the journal cannot be removed: {0}")]
    Io(#[from] io::Error),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Something is still broken, in words with the command that mends it.
    #[error("not healed: {}", .0.join("; "))]
    NotHealed(Vec<String>),
}

/// The guardian's own life: waits for the end of the pipe and cleans up unless it was dismissed.
///
/// # Errors
/// What could not be cleaned up.
pub async fn guard(path: &Path) -> Result<(), GuardianError> {
    // Fails only where it leads a session already, which is what is wanted.
    let _ = rustix::process::setsid();
    let dismissed = tokio::task::spawn_blocking(|| {
        let mut said = Vec::new();
        // An error on the pipe means the same as its end.
        let _ = io::stdin().lock().read_to_end(&mut said);
        said == DISMISSAL
    });
    if dismissed.await.unwrap_or(false) {
        return Ok(());
    }
    let mut tries = 0;
    loop {
        match clean_up(path).await {
            Err(GuardianError::Engine(_) | GuardianError::NotHealed(_)) if tries < TRIES => {
                tries += 1;
            }
            done => return done,
        }
        tokio::time::sleep(SETTLE).await;
    }
}

async fn clean_up(path: &Path) -> Result<(), GuardianError> {
    recover(&Docker::connect().await?, path).await.map(drop)
}

/// Works a journal off: heals what it says is broken, takes its project down where it says so, and removes it. Does
/// nothing where somebody else has done all that. Returns what was removed.
///
/// # Errors
/// What could not be healed or removed; the journal is then still needed, and there.
pub async fn recover(docker: &Docker, path: &Path) -> Result<Removed, GuardianError> {
    let journal = path.to_owned();
    let claimed = tokio::task::spawn_blocking(move || journal::claim(&journal)).await;
    let Some(_claim) = claimed.map_err(io::Error::from)?? else {
        return Ok(Removed::default());
    };
    let pending = journal::read(path)?;
    let removed = if pending.header.teardown {
        take_down(docker, &pending.header.project).await?
    } else {
        heal(docker, &pending).await?;
        Removed::default()
    };
    // Under the claim, so that whoever waits for it finds nothing left to do.
    std::fs::remove_file(path)?;
    Ok(removed)
}

async fn take_down(docker: &Docker, project: &str) -> Result<Removed, EngineError> {
    let (silent, _) = Notices::channel();
    let mut all = Removed::default();
    let mut quiet_looks = 0;
    while quiet_looks < 2 {
        let removed = docker.down(project, &silent).await?;
        quiet_looks = if removed.is_empty() {
            quiet_looks + 1
        } else {
            0
        };
        all.extend(removed);
        tokio::time::sleep(SETTLE).await;
    }
    Ok(all)
}

/// Heals what a journal says is broken.
///
/// # Errors
/// What could not be healed.
pub async fn heal(docker: &Docker, pending: &Pending) -> Result<(), GuardianError> {
    docker.allow(&pending.header.project);
    let engine: &dyn Engine = docker;
    let left = heal_pending(engine, &pending.entries).await;
    if left.is_empty() {
        Ok(())
    } else {
        Err(GuardianError::NotHealed(left))
    }
}
