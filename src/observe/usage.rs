//! CPU and memory over time, one figure per second: of the machine, of lbtest itself, and of each container where the
//! engine shares our kernel. A figure of CPU is that of the second that ends at its moment, in cores.

use super::cgroup::{self, Group};
use super::host::{self, CpuTimes};
use crate::clock::{Clock, Offset};
use crate::engine::Container;
use crate::history::Sample;
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

/// Between two figures.
const EVERY: Duration = Duration::from_secs(1);
/// Containers that had no control group yet are looked for after so many figures, and after twice as many each time that
/// there is none: the whole tree is walked.
const SEARCH_AFTER: u32 = 5;
/// A last figure of less than that would be of nothing but chance.
const LEAST: Duration = Duration::from_millis(250);

/// Measures from the clock's zero on, until the load is over or nobody listens. The last figure is of the time that was
/// left.
pub async fn follow(
    clock: Clock,
    containers: Vec<Container>,
    sink: UnboundedSender<Sample>,
    over: CancellationToken,
) {
    let mut usage = Usage::new(PathBuf::from(cgroup::ROOT), &containers);
    let mut tick = interval_at(clock.zero(), EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut looked = clock.zero();
    while !over.is_cancelled() {
        tokio::select! {
            _ = tick.tick() => {}
            () = over.cancelled() => if looked.elapsed() < LEAST { return },
        }
        looked = Instant::now();
        for sample in usage.look(&clock) {
            if sink.send(sample).is_err() {
                return;
            }
        }
    }
}

/// A counter of CPU time, from look to look.
#[derive(Debug, Default)]
struct Meter {
    before: Option<(Offset, Duration, u64)>,
}

impl Meter {
    /// Cores used since the look before; none where either look found nothing, or another one's counter.
    fn cores(&mut self, at: Offset, counter: Option<(Duration, u64)>) -> Option<f64> {
        let before = std::mem::replace(
            &mut self.before,
            counter.map(|(used, generation)| (at, used, generation)),
        );
        let ((since, earlier, old), (used, new)) = before.zip(counter)?;
        let used = used.checked_sub(earlier).filter(|_| old == new)?;
        let passed = (at - since).as_secs_f64();
        (passed > 0.0).then(|| used.as_secs_f64() / passed)
    }
}

struct Watched {
    id: String,
    subject: String,
    group: Option<Group>,
    meter: Meter,
}

/// What is measured, and what the last look showed.
struct Usage {
    root: PathBuf,
    looks: u32,
    /// The next search is at this look.
    search_at: u32,
    host: Option<CpuTimes>,
    lbtest: Meter,
    containers: Vec<Watched>,
}

impl Usage {
    fn new(root: PathBuf, containers: &[Container]) -> Self {
        let mut replicas: BTreeMap<&str, usize> = BTreeMap::new();
        for container in containers {
            *replicas.entry(&container.service).or_default() += 1;
        }
        let watched = |c: &Container| Watched {
            id: c.id.clone(),
            subject: match replicas.get(&*c.service) {
                Some(2..) => format!("{}.{}", c.service, c.number),
                Some(_) | None => c.service.clone(),
            },
            group: None,
            meter: Meter::default(),
        };
        Self {
            root,
            looks: 0,
            search_at: 0,
            host: None,
            lbtest: Meter::default(),
            containers: containers.iter().map(watched).collect(),
        }
    }

    /// The first look has no CPU to tell: there is none before it.
    fn look(&mut self, clock: &Clock) -> Vec<Sample> {
        if self.looks == self.search_at {
            self.search();
            self.search_at = self.looks.saturating_mul(2).max(SEARCH_AFTER);
        }
        let first = self.looks == 0;
        self.looks = self.looks.saturating_add(1);
        let mut figures = self.machine(clock);
        for watched in &mut self.containers {
            let at = clock.now();
            let used = watched.group.as_ref().and_then(Group::used);
            let cores = watched.meter.cores(at, used.map(|u| (u.cpu, u.generation)));
            let memory = used.and_then(|u| u.memory);
            figures.push(cpu(at, "cgroup", &watched.subject, cores));
            figures.push(bytes(at, "cgroup", &watched.subject, memory));
        }
        figures.retain(|sample| !(first && sample.metric == CPU));
        figures
    }

    fn search(&mut self) {
        let missing = self.containers.iter().filter(|w| w.group.is_none());
        let ids: Vec<&str> = missing.map(|w| &*w.id).collect();
        if ids.is_empty() {
            return;
        }
        let mut found = cgroup::find(&self.root, &ids);
        for watched in self.containers.iter_mut().filter(|w| w.group.is_none()) {
            watched.group = found.remove(&watched.id);
        }
    }

    fn machine(&mut self, clock: &Clock) -> Vec<Sample> {
        let now = CpuTimes::now();
        let busy = now.zip(self.host).and_then(|(n, b)| n.busy_since(&b));
        self.host = now;
        let at = clock.now();
        let own = self.lbtest.cores(at, Some((own_cpu_time(), 0)));
        vec![
            cpu(at, "host", "host", busy),
            bytes(at, "host", "host", host::memory_used()),
            cpu(at, "host", "lbtest", own),
            bytes(at, "host", "lbtest", host::own_memory()),
        ]
    }
}

/// CPU time of this process, all threads.
fn own_cpu_time() -> Duration {
    let t = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(t.tv_sec).unwrap_or(0),
        u32::try_from(t.tv_nsec).unwrap_or(0),
    )
}

const CPU: &str = "cpu";

fn cpu(at: Offset, source: &str, subject: &str, value: Option<f64>) -> Sample {
    sample(at, (source, subject), (CPU, "cores"), value)
}

fn bytes(at: Offset, source: &str, subject: &str, value: Option<u64>) -> Sample {
    #[expect(clippy::cast_precision_loss, reason = "2^53 bytes are 8 PiB")]
    let value = value.map(|bytes| bytes as f64);
    sample(at, (source, subject), ("memory", "bytes"), value)
}

fn sample(at: Offset, of: (&str, &str), what: (&str, &str), value: Option<f64>) -> Sample {
    Sample {
        at,
        source: of.0.to_owned(),
        subject: of.1.to_owned(),
        metric: what.0.to_owned(),
        unit: what.1.to_owned(),
        value,
    }
}

#[cfg(test)]
#[path = "usage_tests.rs"]
mod tests;
