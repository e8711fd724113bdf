//! One edge of one fault on one container: a call to the engine, with the moment when it really took effect.
//!
//! The return of a call is late (a stop some 300 ms after the process is gone), and the engine's events are some
//! 20 ms late. Where engine and lbtest share a kernel, the truth is watched for directly: a pidfd for the death of
//! the container's first process, the freezer's state for pause. Elsewhere the engine's event is the best there is.

use super::{Effect, Truth};
use crate::clock::Clock;
use crate::engine::{ContainerState, Engine, EngineError, EngineEvent};
use crate::history::event::EdgeTimes;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::sync::broadcast::Receiver;
use tokio::time::Instant;

/// Events and truths that come after the return of the call are waited for so long.
const AFTER_RETURN: Duration = Duration::from_millis(500);
/// The freezer has no file descriptor to wait on, so it is looked at this often.
const FREEZER_POLL: Duration = Duration::from_micros(500);

/// What to watch while a call is made.
pub struct Watch<'a> {
    /// The engine.
    pub engine: &'a dyn Engine,
    /// The container's id.
    pub container: &'a str,
    /// Its state before the call.
    pub before: &'a ContainerState,
    /// The observation that shows the effect.
    pub truth: Truth,
    /// The engine's event that goes with it.
    pub event: &'static str,
}

/// Makes the call and measures it.
pub async fn measure<F>(
    clock: &Clock,
    watch: Watch<'_>,
    call: F,
) -> (EdgeTimes, Result<Effect, EngineError>)
where
    F: Future<Output = Result<Effect, EngineError>>,
{
    // Subscribed and opened before the call, so that nothing is missed.
    let events = watch.engine.events();
    let mut truth = pin!(observation(&watch));
    let mut event = pin!(event_of(events, watch.container, watch.event));
    let mut call = pin!(call);
    let (mut truth_at, mut event_at) = (None, None);
    let (mut returned, mut result) = (None, Ok(Effect::default()));
    let mut truth_open = watch.truth != Truth::Event;
    let mut event_open = !watch.event.is_empty();
    let called = Instant::now();
    let mut deadline = None;
    while returned.is_none() || (deadline.is_some() && (truth_open || event_open)) {
        tokio::select! {
            biased;
            seen = &mut truth, if truth_open => (truth_at, truth_open) = (seen, false),
            seen = &mut event, if event_open => (event_at, event_open) = (seen, false),
            answer = &mut call, if returned.is_none() => {
                returned = Some(Instant::now());
                // A refused call has no effect to wait for.
                deadline = answer.is_ok().then(|| Instant::now() + AFTER_RETURN);
                result = answer;
            }
            () = until(deadline) => break,
        }
    }
    let at = |instant: Option<Instant>| instant.map(|i| clock.offset(i));
    let own = result.as_ref().ok().and_then(|effect| effect.at);
    let times = EdgeTimes {
        called: clock.offset(called),
        truth: at(own.map(|(_, until)| until).or(truth_at)),
        truth_from: at(own.map(|(from, _)| from)),
        event: at(event_at),
        returned: at(returned),
    };
    (times, result)
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The moment of the truth; none where it cannot be observed.
async fn observation(watch: &Watch<'_>) -> Option<Instant> {
    if !watch.engine.shares_our_kernel() {
        return None;
    }
    match watch.truth {
        Truth::Event => None,
        Truth::ProcessDeath => death(open_pidfd(watch.before.pid?)?).await,
        Truth::Frozen => freezer(watch.container, watch.before.pid?, true).await,
        Truth::Thawed => freezer(watch.container, watch.before.pid?, false).await,
    }
}

fn open_pidfd(pid: u32) -> Option<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

/// A pidfd becomes readable when its process ends.
async fn death(pidfd: OwnedFd) -> Option<Instant> {
    #[expect(
        deprecated,
        reason = "its replacement is unsafe for the sake of borrowed descriptors; this one is owned"
    )]
    let pidfd = AsyncFd::with_interest(pidfd, tokio::io::Interest::READABLE).ok()?;
    let _ready = pidfd.readable().await.ok()?;
    Some(Instant::now())
}

/// The freezer of cgroup v2 or v1. Source: kernel documentation, cgroup-v2 (`cgroup.events`) and freezer-subsystem.
async fn freezer(container: &str, pid: u32, frozen: bool) -> Option<Instant> {
    let (file, yes) = freezer_file(container, pid)?;
    loop {
        let text = std::fs::read_to_string(&file).ok()?;
        if text.lines().any(|line| line.trim() == yes) == frozen {
            return Some(Instant::now());
        }
        tokio::time::sleep(FREEZER_POLL).await;
    }
}

fn freezer_file(container: &str, pid: u32) -> Option<(PathBuf, &'static str)> {
    let file = cgroup_file(container, pid, "freezer", "freezer.state", "cgroup.events")?;
    let yes = if file.ends_with("freezer.state") {
        "FROZEN"
    } else {
        "frozen 1"
    };
    Some((file, yes))
}

/// A file of a container's cgroup: of the controller's own tree (v1), or of the one tree (v2).
pub(super) fn cgroup_file(
    container: &str,
    pid: u32,
    controller: &str,
    v1: &str,
    v2: &str,
) -> Option<PathBuf> {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path_of = |wanted: &str| {
        groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let controllers = fields.nth(1)?;
            controllers
                .split(',')
                .any(|c| c == wanted)
                .then(|| fields.next().map(|p| p.trim_start_matches('/')))?
        })
    };
    let root = PathBuf::from("/sys/fs/cgroup");
    let first = path_of(controller).map(|p| root.join(controller).join(p).join(v1));
    let second = path_of("").map(|p| root.join(p).join(v2));
    let belongs = |path: &PathBuf| path.to_string_lossy().contains(container) && path.exists();
    first.filter(belongs).or_else(|| second.filter(belongs))
}

/// The first event of this container and action.
async fn event_of(
    mut events: Receiver<EngineEvent>,
    container: &str,
    action: &str,
) -> Option<Instant> {
    use tokio::sync::broadcast::error::RecvError;
    loop {
        match events.recv().await {
            Ok(event) if event.container == container && event.action == action => {
                return Some(event.at);
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_death_of_a_process_is_seen_within_milliseconds() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pidfd = open_pidfd(child.id()).unwrap();
        let killer = tokio::task::spawn_blocking(move || {
            std::thread::sleep(Duration::from_millis(100));
            let at = Instant::now();
            child.kill().unwrap();
            child.wait().unwrap();
            at
        });
        let seen = death(pidfd).await.unwrap();
        let killed = killer.await.unwrap();
        // The bound leaves room for a busy machine; a wrong observation (never, or at once) is far outside.
        assert!(
            seen + Duration::from_millis(1) > killed && seen - killed < Duration::from_millis(80)
        );
    }
}
