//! Load within the target's control group: processes of our own that use up what the target may use.
//!
//! The sidecar has a process namespace of its own, so that the workers end with it, and sees the host's control
//! groups.

use super::act::Act;
use super::cgroup::Cgroup;
use super::clock::monotonic_ns;
use super::figures::{counted, megabytes};
use super::procfs::{self, Stat};
use super::protocol::{Done, Stress};
use async_trait::async_trait;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

/// So long is waited at the start for a first effect of every worker.
const SETTLE: Duration = Duration::from_millis(300);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The runtime tries to remove the control group of a container that ended for some 300 ms: by then the workers
/// have to be out of it.
const WATCH_EVERY: Duration = Duration::from_millis(40);
/// A process that waits for a disk dies when the disk answers.
const REAP: Duration = Duration::from_secs(5);
/// More would only slow each other down.
const MOST_WORKERS: u32 = 1024;

/// Where workers come from and where they go.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The root of the control groups.
    pub cgroups: PathBuf,
    /// lbtest's executable.
    pub executable: PathBuf,
    /// A folder to write in.
    pub folder: PathBuf,
}

/// What a worker uses up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Cpu,
    Memory(u64),
    Io,
}

impl Kind {
    const fn named(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Memory(_) => "memory",
            Self::Io => "I/O",
        }
    }

    fn arguments(self, ground: &Ground) -> Vec<OsString> {
        match self {
            Self::Cpu => vec!["cpu".into()],
            Self::Memory(bytes) => vec!["memory".into(), bytes.to_string().into()],
            Self::Io => vec!["io".into(), ground.folder.clone().into()],
        }
    }
}

/// A process of ours. It is killed when this is dropped.
#[derive(Debug)]
struct Worker {
    kind: Kind,
    child: Child,
    pid: u32,
    /// Before it began; then the watch holds it.
    input: Option<ChildStdin>,
    /// How it ended, once it did by itself.
    ended: Option<String>,
}

/// Workers in a control group.
#[derive(Debug)]
struct Stressed {
    cgroup: Cgroup,
    workers: Vec<Worker>,
    /// Kills for want of memory that were there before.
    kills_before: u64,
    watch: AbortOnDropHandle<()>,
    mended: bool,
}

/// Begins to use up the resources of a container.
///
/// # Errors
/// Its control group is not found, a worker cannot be started or put there; then none stays.
pub async fn begin(stress: Stress) -> Result<(Box<dyn Act>, Done), String> {
    let executable = std::env::current_exe().map_err(|e| format!("own executable: {e}"))?;
    let ground = Ground {
        cgroups: "/sys/fs/cgroup".into(),
        executable,
        folder: "/tmp".into(),
    };
    begin_on(&ground, &stress).await
}

/// The same with other places.
///
/// # Errors
/// Those of [`begin`].
pub async fn begin_on(ground: &Ground, stress: &Stress) -> Result<(Box<dyn Act>, Done), String> {
    let kinds = kinds(stress)?;
    let cgroup = Cgroup::find(&ground.cgroups, &stress.container)?;
    // Those that were started already are killed as they are dropped, where one cannot be.
    let mut workers = Vec::new();
    for kind in kinds {
        let worker = Worker::start(kind, ground)?;
        cgroup.enter(worker.pid)?;
        workers.push(worker);
    }
    let kills_before = cgroup.memory_kills();
    let from_ns = monotonic_ns();
    let mut inputs = Vec::new();
    for worker in &mut workers {
        inputs.push(worker.go().await?);
    }
    let until_ns = monotonic_ns();
    let pids = workers.iter().map(|w| w.pid).collect();
    let mut stressed = Stressed {
        kills_before,
        watch: AbortOnDropHandle::new(tokio::spawn(watch(cgroup.clone(), pids, inputs))),
        cgroup,
        workers,
        mended: false,
    };
    let until = Instant::now() + SETTLE;
    let all = stressed.workers.len() as u64;
    let mut seen = stressed.look().await?;
    while seen.count < all && Instant::now() < until {
        sleep(LOOK_EVERY).await;
        seen = stressed.look().await?;
    }
    let done = Done {
        from_ns,
        until_ns,
        ..seen
    };
    Ok((Box::new(stressed), done))
}

/// Holds the workers' inputs for as long as the target runs: without them they end, as the target's own processes did.
async fn watch(cgroup: Cgroup, pids: Vec<u32>, inputs: Vec<ChildStdin>) {
    while cgroup.lives_beside(&pids) {
        sleep(WATCH_EVERY).await;
    }
    drop(inputs);
}

fn kinds(stress: &Stress) -> Result<Vec<Kind>, String> {
    if stress.cpu > MOST_WORKERS || stress.io > MOST_WORKERS {
        return Err(format!("more than {MOST_WORKERS} processes of a kind"));
    }
    let mut kinds: Vec<Kind> = (0..stress.cpu).map(|_| Kind::Cpu).collect();
    if stress.memory > 0 {
        kinds.push(Kind::Memory(stress.memory));
    }
    kinds.extend((0..stress.io).map(|_| Kind::Io));
    if kinds.is_empty() {
        return Err("a stress of no CPU, no memory and no I/O".to_owned());
    }
    Ok(kinds)
}

impl Worker {
    fn start(kind: Kind, ground: &Ground) -> Result<Self, String> {
        let mut child = Command::new(&ground.executable)
            .arg("sidecar-worker")
            .args(kind.arguments(ground))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| format!("cannot start a worker: {e}"))?;
        Ok(Self {
            kind,
            pid: child.id().unwrap_or_default(),
            input: child.stdin.take(),
            child,
            ended: None,
        })
    }

    /// Lets it begin. It ends with the input that this gives back.
    async fn go(&mut self) -> Result<ChildStdin, String> {
        let kind = self.kind.named();
        let mut input = self
            .input
            .take()
            .ok_or_else(|| format!("a {kind} worker has no input"))?;
        let told = input.write_all(b"\n").await;
        told.map_err(|e| format!("a {kind} worker ended at once: {e}"))?;
        Ok(input)
    }

    fn notice_its_end(&mut self) {
        use std::os::unix::process::ExitStatusExt;
        if self.ended.is_some() {
            return;
        }
        if let Ok(Some(status)) = self.child.try_wait() {
            self.ended = Some(match status.signal() {
                Some(9) => "was killed".to_owned(),
                Some(signal) => format!("ended by signal {signal}"),
                None => format!("ended with code {}", status.code().unwrap_or_default()),
            });
        }
    }

    fn is_seen(&self, cgroup: &Cgroup) -> bool {
        cgroup.holds(self.pid) && Stat::of(self.pid).is_some()
    }

    async fn end(&mut self) -> Result<(), String> {
        // An error here means that it has ended already.
        let _ = self.child.start_kill();
        match timeout(REAP, self.child.wait()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(e)) => Err(format!("worker {}: {e}", self.pid)),
            Err(_) => Err(format!(
                "worker {} is still there {} s after its kill",
                self.pid,
                REAP.as_secs()
            )),
        }
    }
}

/// What workers used so far.
#[derive(Debug, Default)]
struct Used {
    in_place: usize,
    cpu_ms: u64,
    memory: u64,
    written: u64,
}

impl Used {
    /// Adds a worker that lives and is in the group. It is in place once it has used something: of memory, nearly all.
    fn add(&mut self, worker: &Worker) {
        let cpu_ms = Stat::of(worker.pid).map_or(0, |s| s.cpu_ms);
        self.cpu_ms += cpu_ms;
        let working = match worker.kind {
            Kind::Cpu => cpu_ms > 0,
            Kind::Memory(bytes) => {
                let held = procfs::own_memory(worker.pid);
                self.memory += held;
                held >= bytes / 10 * 9
            }
            Kind::Io => {
                let written = procfs::written(worker.pid);
                self.written += written;
                written > 0
            }
        };
        self.in_place += usize::from(working);
    }
}

#[async_trait]
impl Act for Stressed {
    async fn look(&mut self) -> Result<Done, String> {
        let from_ns = monotonic_ns();
        let mut used = Used::default();
        let mut remarks = Vec::new();
        let kills = self.cgroup.memory_kills().saturating_sub(self.kills_before);
        for worker in &mut self.workers {
            worker.notice_its_end();
            match &worker.ended {
                // Memory ran out: that is what was to be seen.
                Some(how) => {
                    let ours = matches!(worker.kind, Kind::Memory(_)) && kills > 0;
                    used.in_place += usize::from(ours);
                    remarks.push(format!("{} worker {how}", worker.kind.named()));
                }
                None if self.cgroup.holds(worker.pid) => used.add(worker),
                None => remarks.push(format!(
                    "{} worker is not in the target's cgroup",
                    worker.kind.named()
                )),
            }
        }
        let pids: Vec<u32> = self.workers.iter().map(|w| w.pid).collect();
        if !self.mended && !self.cgroup.lives_beside(&pids) {
            remarks.push("the target has ended, and the workers with it".to_owned());
        }
        if kills > 0 {
            let kills = usize::try_from(kills).unwrap_or(usize::MAX);
            let kills = counted(kills, "kill", "kills");
            remarks.push(format!("{kills} for want of memory in the target's cgroup"));
        }
        Ok(Done {
            from_ns,
            until_ns: monotonic_ns(),
            mechanism: self.cgroup.named().to_owned(),
            seen: self.in_words(&used, &remarks),
            count: used.in_place as u64,
            abilities: None,
        })
    }

    async fn mend(&mut self) -> Result<Done, String> {
        let from_ns = monotonic_ns();
        self.watch.abort();
        let mut left = Vec::new();
        for worker in &mut self.workers {
            if let Err(e) = worker.end().await {
                left.push(e);
            }
        }
        if !left.is_empty() {
            return Err(left.join("; "));
        }
        // An independent look: they are reaped, so a process of the id would be a later one, and not in the group.
        let ended = self.workers.len();
        if let Some(worker) = self.workers.iter().find(|w| w.is_seen(&self.cgroup)) {
            return Err(format!(
                "worker {} is still in the target's cgroup",
                worker.pid
            ));
        }
        self.workers.clear();
        self.mended = true;
        Ok(Done {
            from_ns,
            until_ns: monotonic_ns(),
            mechanism: "SIGKILL".to_owned(),
            seen: format!("{} ended, none left", counted(ended, "worker", "workers")),
            count: ended as u64,
            abilities: None,
        })
    }
}

impl Stressed {
    fn in_words(&self, used: &Used, remarks: &[String]) -> String {
        if self.mended {
            return "no workers any more".to_owned();
        }
        let has = |wanted: fn(Kind) -> bool| self.workers.iter().any(|w| wanted(w.kind));
        #[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
        let mut figures = vec![format!("{:.2} s of CPU", used.cpu_ms as f64 / 1e3)];
        if has(|k| matches!(k, Kind::Memory(_))) {
            figures.push(format!("{} held", megabytes(used.memory)));
        }
        if has(|k| k == Kind::Io) {
            figures.push(format!("{} written", megabytes(used.written)));
        }
        let workers = counted(used.in_place, "worker", "workers");
        let mut seen = format!("{workers} in the target's cgroup: {}", figures.join(", "));
        for remark in remarks {
            seen.push_str("; ");
            seen.push_str(remark);
        }
        seen
    }
}
