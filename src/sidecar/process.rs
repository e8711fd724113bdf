//! Processes of the target that stand still: SIGSTOP, and SIGCONT to heal.
//!
//! The sidecar is in the target's process namespace, so /proc is the target's.

use super::act::Act;
use super::clock::monotonic_ns;
use super::figures::counted;
use super::procfs::{self, Stat};
use super::protocol::{Done, ProcessMatch};
use async_trait::async_trait;
use globset::{Glob, GlobMatcher};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;

/// The kernel stops a process when it next runs; one that waits for a disk takes longer.
const SETTLE: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// So many processes are named in an error.
const NAMED: usize = 12;
const FREEZES: &str = "SIGSTOP";
const THAWS: &str = "SIGCONT";

/// One process, told from a later one of the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    pid: u32,
    name: String,
    started: u64,
}

impl Process {
    /// Its state now; none where it is gone.
    fn stat(&self) -> Option<Stat> {
        Stat::of(self.pid).filter(|s| s.started == self.started && s.lives())
    }

    fn state(&self) -> Option<char> {
        self.stat().map(|s| s.state)
    }

    /// False where it is gone.
    fn signal(&self, signal: Signal) -> Result<bool, String> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let (Some(pid), Some(_)) = (pid, self.stat()) else {
            return Ok(false);
        };
        match kill_process(pid, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(e) => Err(format!("cannot signal {self}: {e}")),
        }
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} ({})", self.pid, self.name)
    }
}

/// Processes that were stopped.
#[derive(Debug)]
struct Frozen {
    processes: Vec<Process>,
    /// What else is to be said: that PID 1 matches too.
    remark: String,
}

/// Stops every process that matches.
///
/// # Errors
/// Nothing matches, only PID 1 does, or a process may not be signalled; then none stays stopped.
pub async fn freeze(of: ProcessMatch) -> Result<(Box<dyn Act>, Done), String> {
    let found = Found::look(&of)?;
    let mut frozen = Frozen {
        remark: found.remark(),
        processes: found.into_processes(&of)?,
    };
    let from_ns = monotonic_ns();
    let sent: Result<Vec<bool>, String> = frozen
        .processes
        .iter()
        .map(|p| p.signal(Signal::STOP))
        .collect();
    let until_ns = monotonic_ns();
    if let Err(e) = sent {
        frozen.mend().await?;
        return Err(e);
    }
    settle(&frozen.processes, |state| state != 'T').await;
    let done = Done {
        from_ns,
        until_ns,
        ..frozen.look().await?
    };
    Ok((Box::new(frozen), done))
}

/// Lets go on what somebody before us stopped: everything that matches and is stopped.
///
/// # Errors
/// A process stays stopped.
pub async fn mend_leftover(of: &ProcessMatch) -> Result<Done, String> {
    let stopped = Found::look(of)?
        .matching
        .into_iter()
        .filter(|p| p.state() == Some('T'))
        .collect();
    thaw(stopped).await
}

#[async_trait]
impl Act for Frozen {
    async fn look(&mut self) -> Result<Done, String> {
        let now = monotonic_ns();
        let mut stopped = 0;
        let mut others = Vec::new();
        for process in &self.processes {
            match process.stat() {
                Some(s) if s.state == 'T' => stopped += 1,
                Some(s) => others.push(format!("{process} is {}", s.state_in_words())),
                None => others.push(format!("{process} is gone")),
            }
        }
        let mut seen = format!("{} stopped", counted(stopped, "process", "processes"));
        for more in others
            .iter()
            .chain((!self.remark.is_empty()).then_some(&self.remark))
        {
            seen.push_str("; ");
            seen.push_str(more);
        }
        Ok(Done {
            from_ns: now,
            until_ns: monotonic_ns(),
            mechanism: FREEZES.to_owned(),
            seen,
            count: stopped as u64,
            abilities: None,
        })
    }

    async fn mend(&mut self) -> Result<Done, String> {
        thaw(self.processes.clone()).await
    }
}

/// SIGCONT to each, and a look that none is stopped. One that is gone needs nothing.
async fn thaw(processes: Vec<Process>) -> Result<Done, String> {
    let from_ns = monotonic_ns();
    let sent: Vec<Result<bool, String>> =
        processes.iter().map(|p| p.signal(Signal::CONT)).collect();
    let until_ns = monotonic_ns();
    settle(&processes, |state| state == 'T').await;
    let stuck: Vec<String> = processes
        .iter()
        .filter(|p| p.state() == Some('T'))
        .map(|p| format!("{p} is still stopped"))
        .collect();
    if !stuck.is_empty() {
        let why = sent.into_iter().filter_map(Result::err);
        return Err(stuck.into_iter().chain(why).collect::<Vec<_>>().join("; "));
    }
    let alive = processes.iter().filter(|p| p.state().is_some()).count();
    let mut seen = format!(
        "{} no longer stopped",
        counted(alive, "process", "processes")
    );
    if alive < processes.len() {
        seen.push_str(&format!(", {} gone", processes.len() - alive));
    }
    Ok(Done {
        from_ns,
        until_ns,
        mechanism: THAWS.to_owned(),
        seen,
        count: alive as u64,
        abilities: None,
    })
}

/// Waits a little until no process is in such a state.
async fn settle(processes: &[Process], waiting: fn(char) -> bool) {
    let until = tokio::time::Instant::now() + SETTLE;
    while processes.iter().filter_map(Process::state).any(waiting)
        && tokio::time::Instant::now() < until
    {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The processes there are.
#[derive(Debug, Default)]
struct Found {
    matching: Vec<Process>,
    /// A namespace's first process ignores SIGSTOP from within it.
    first: Option<Process>,
    others: Vec<Process>,
}

impl Found {
    fn look(of: &ProcessMatch) -> Result<Self, String> {
        let glob = Glob::new(&of.pattern)
            .map_err(|e| format!("process pattern `{}`: {}", of.pattern, e.kind()))?
            .compile_matcher();
        let mut found = Self::default();
        for pid in procfs::pids().map_err(|e| format!("cannot read /proc: {e}"))? {
            let Some(stat) = Stat::of(pid).filter(Stat::lives) else {
                continue;
            };
            let command = procfs::command_line(pid);
            if pid == std::process::id() || is_sidecar(&command) {
                continue;
            }
            let matches = matches(&glob, &stat.name, &command);
            let process = Process {
                pid,
                name: stat.name,
                started: stat.started,
            };
            match (matches, pid) {
                (true, 1) => found.first = Some(process),
                (true, _) => found.matching.push(process),
                (false, _) => found.others.push(process),
            }
        }
        Ok(found)
    }

    fn remark(&self) -> String {
        self.first.as_ref().map_or_else(String::new, |first| {
            format!(
                "PID 1 ({}) matches too and runs on: only `pause` stops it",
                first.name
            )
        })
    }

    fn into_processes(self, of: &ProcessMatch) -> Result<Vec<Process>, String> {
        let pattern = &of.pattern;
        match (self.matching.is_empty(), self.first) {
            (false, _) => Ok(self.matching),
            (true, Some(first)) => Err(format!(
                "`{pattern}` matches only PID 1 ({}), which cannot be stopped from within its namespace: use `pause`",
                first.name
            )),
            (true, None) => {
                let names: Vec<String> = self
                    .others
                    .iter()
                    .take(NAMED)
                    .map(|p| format!("{} {}", p.pid, p.name))
                    .collect();
                let more = self.others.len().saturating_sub(NAMED);
                let more = if more == 0 {
                    String::new()
                } else {
                    format!(", and {more} more")
                };
                Err(format!(
                    "no process matches `{pattern}`; there are: {}{more}",
                    names.join(", ")
                ))
            }
        }
    }
}

/// By name or by the whole command line.
fn matches(glob: &GlobMatcher, name: &str, command: &str) -> bool {
    glob.is_match(name) || (!command.is_empty() && glob.is_match(command))
}

/// Another sidecar in the same namespace is not the target's.
fn is_sidecar(command: &str) -> bool {
    let mut words = command.split(' ');
    let program = words.next().unwrap_or_default();
    program.rsplit('/').next() == Some("lbtest") && words.next() == Some("sidecar")
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
