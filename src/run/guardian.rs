//! The guardian: a child process that outlives lbtest when lbtest dies, heals what the journal says is broken, and
//! takes the project down.
//!
//! It holds the read end of a pipe whose only write end is lbtest's. End of file without the word of dismissal
//! means that lbtest is gone, however it went: SIGKILL, out of memory, a closed terminal. It lives in a session of
//! its own, so that a Ctrl-C at the terminal does not reach it.

use super::ground;
use crate::engine::absent::Absent;
use crate::engine::docker::{Docker, Removed};
use crate::engine::{Engine, EngineError};
use crate::fault::conductor::heal_pending;
use crate::fault::failpoint;
use crate::fault::journal::{self, JournalError, Pending};
use crate::fault::linger::heal_after_death;
use crate::notice::Notices;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;
use tokio::time::Instant;

/// What lbtest writes to the pipe when it has cleaned up by itself.
const DISMISSAL: &[u8] = b"dismissed\n";
/// A container may still be made by a request that was under way when lbtest died: the project is looked at again
/// after this, until a look finds nothing.
const SETTLE: Duration = Duration::from_secs(1);
/// Tries to clean up while the engine refuses.
const TRIES: u32 = 30;
/// Tries while it does not answer: a daemon may take its time to come back, and nobody else is left to clean up.
const TRIES_UNREACHED: u32 = 900;

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
            .env_remove(failpoint::DIE_AT)
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
    let (mut tries, mut unreached) = (0, 0);
    loop {
        match clean_up(path).await {
            Err(GuardianError::Engine(EngineError::Unreachable(_)))
                if unreached < TRIES_UNREACHED =>
            {
                unreached += 1;
            }
            Err(GuardianError::Engine(_) | GuardianError::NotHealed(_)) if tries < TRIES => {
                tries += 1;
            }
            done => return done,
        }
        tokio::time::sleep(SETTLE).await;
    }
}

async fn clean_up(path: &Path) -> Result<(), GuardianError> {
    // Without a project nothing is in a container, and there may be no engine at all.
    let docker = match journal::read(path) {
        Ok(pending) if pending.header.project.is_empty() => None,
        Ok(_) | Err(_) => Some(Docker::connect().await?),
    };
    recover(docker.as_ref(), path).await.map(drop)
}

/// Works a journal off: heals what it says is broken, takes its project down where it says so, and removes it. Does
/// nothing where somebody else has done all that. Returns what was removed.
///
/// # Errors
/// What could not be healed or removed; the journal is then still needed, and there.
pub async fn recover(docker: Option<&Docker>, path: &Path) -> Result<Removed, GuardianError> {
    let journal = path.to_owned();
    let claimed = tokio::task::spawn_blocking(move || journal::claim(&journal)).await;
    let Some(_claim) = claimed.map_err(io::Error::from)?? else {
        return Ok(Removed::default());
    };
    let pending = match journal::read(path) {
        Err(error) if error.is_of_a_stillborn() => {
            std::fs::remove_file(path)?;
            return Ok(Removed::default());
        }
        read => read?,
    };
    // Another lbtest may have been told that it has the project: this one had not begun.
    let teardown = pending.header.teardown && !ground::is_held(path, &pending.header);
    let healed = heal(docker, &pending, teardown, Some(dead_for(path))).await;
    let removed = match docker {
        Some(docker) if teardown => take_down(docker, &pending.header.project).await?,
        Some(_) | None => Removed::default(),
    };
    healed?;
    // Under the claim, so that whoever waits for it finds nothing left to do.
    std::fs::remove_file(path)?;
    Ok(removed)
}

/// How long the lbtest of a journal has been dead at most: it lived when it wrote the last line.
fn dead_for(path: &Path) -> Duration {
    let written = std::fs::metadata(path).and_then(|file| file.modified());
    let ago = written.map(|at| at.elapsed().unwrap_or_default());
    ago.unwrap_or_default()
}

/// One may still be made by a request that was under way when lbtest died: a look counts that is a moment after its death
/// and finds none. Of an lbtest that lives the first one counts.
async fn remove_sidecars(
    docker: &Docker,
    run: &str,
    settled: Option<Instant>,
) -> Result<(), EngineError> {
    loop {
        let late = settled.is_none_or(|at| Instant::now() >= at);
        let found = docker.remove_sidecars(run).await?;
        if found.is_empty() && late {
            return Ok(());
        }
        let again = Instant::now() + SETTLE;
        tokio::time::sleep_until(settled.filter(|_| !late).unwrap_or(again)).await;
    }
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

/// Heals what a journal says is broken, and removes the run's sidecars. What is in a container that is going to be
/// removed needs no healing. `dead_for`: how long its lbtest has been dead at most; none while it lives.
///
/// # Errors
/// What could not be healed.
pub async fn heal(
    docker: Option<&Docker>,
    pending: &Pending,
    teardown: bool,
    dead_for: Option<Duration>,
) -> Result<(), GuardianError> {
    let mut entries = pending.entries.clone();
    entries.retain(|e| !(teardown && e.undo.ends_with_the_container()));
    let left = match docker {
        Some(docker) => {
            docker.allow(&pending.header.project);
            let settled = dead_for.map(|ago| Instant::now() + SETTLE.saturating_sub(ago));
            let left = mend(docker, &entries, dead_for).await;
            remove_sidecars(docker, &pending.header.run, settled).await?;
            left
        }
        None => mend(&Absent, &entries, dead_for).await,
    };
    if left.is_empty() {
        Ok(())
    } else {
        Err(GuardianError::NotHealed(left))
    }
}

async fn mend(
    engine: &dyn Engine,
    entries: &[journal::Entry],
    dead_for: Option<Duration>,
) -> Vec<String> {
    match dead_for {
        Some(ago) => heal_after_death(engine, entries, ago).await,
        None => heal_pending(engine, entries).await,
    }
}
