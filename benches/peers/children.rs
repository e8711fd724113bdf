//! Child processes that never outlive this one: they are ended when their owner goes, and by the kernel where this
//! process is killed.

use crate::error::BenchError;
use crate::stop::Stop;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// How often a child is looked at. Seldom: whoever looks, wakes on the processor of the server.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A server that was asked to end is killed after this.
const GRACE: Duration = Duration::from_secs(5);

/// A program that dies with the thread that starts it, by that signal.
pub fn bound(program: &Path, signal: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

/// A program that dies with this one and runs on these processors only (`taskset`'s list).
pub fn pinned(program: &Path, signal: &str, cpus: &str) -> Command {
    let mut command = bound(Path::new("taskset"), signal);
    command.args(["-c", cpus]).arg(program);
    command
}

/// A running child.
pub struct Guard {
    child: Child,
    /// What makes it end in good order.
    signal: Signal,
    name: String,
}

impl Guard {
    /// Starts it. To be called on the main thread: the kernel ends it with the thread that started it.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(command: &mut Command, name: &str, signal: Signal) -> Result<Self, BenchError> {
        let child = command.spawn().map_err(|source| BenchError::Start {
            program: name.to_owned(),
            source,
        })?;
        Ok(Self {
            child,
            signal,
            name: name.to_owned(),
        })
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Where it does not end in time, or this program is asked to end.
    pub fn wait(&mut self, within: Duration, stop: Stop) -> Result<ExitStatus, BenchError> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().map_err(BenchError::Io)? {
                return Ok(status);
            }
            stop.check()?;
            if Instant::now() > deadline {
                return Err(BenchError::Endless {
                    program: self.name.clone(),
                    within,
                });
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Whether it ended by itself.
    pub fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.ended() {
            return;
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It has not been waited for, so that its number is still its own.
            let _ = kill_process(pid, self.signal);
        }
        let deadline = Instant::now() + GRACE;
        while !self.ended() {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
