//! `cpu` and `memory`: a lower limit, and the former one when it is healed.

use super::{Effect, Kind, Site, Undo, edge};
use crate::engine::{ContainerState, EngineError, Limits};
use async_trait::async_trait;

/// The period that CPU time is given out in, where the container has none of its own. Source: kernel documentation,
/// sched-bwc.
const PERIOD_US: i64 = 100_000;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Thousandths of a CPU.
    Cpu(u64),
    /// Bytes.
    Memory(u64),
}

impl Limit {
    /// The limits of a container with this one among them.
    #[must_use]
    pub fn within(self, before: Limits) -> Limits {
        let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        match self {
            // The engine takes one of the two forms, and keeps to the one that a container has.
            Self::Cpu(millis) if before.nano_cpus != 0 => Limits {
                nano_cpus: whole(millis.saturating_mul(1_000_000)),
                ..before
            },
            Self::Cpu(millis) => {
                let period = match before.cpu_period {
                    1.. => before.cpu_period,
                    // None of its own, and it gets none: it could not be taken away again.
                    _ => PERIOD_US,
                };
                Limits {
                    cpu_quota: (whole(millis).saturating_mul(period) / 1000).max(1000),
                    ..before
                }
            }
            Self::Memory(bytes) => Limits {
                memory: whole(bytes),
                // No swap to flee to.
                memory_swap: whole(bytes),
                ..before
            },
        }
    }
}

#[async_trait]
impl Kind for Limit {
    fn name(&self) -> &'static str {
        match self {
            Self::Cpu(_) => "cpu",
            Self::Memory(_) => "memory",
        }
    }

    async fn undo(&self, site: Site<'_>, _: &ContainerState) -> Result<Option<Undo>, EngineError> {
        let before = site.engine.limits(&site.target.id).await?;
        Ok(Some(Undo::Limits(before)))
    }

    async fn inject(&self, site: Site<'_>) -> Result<Effect, EngineError> {
        let before = site.engine.limits(&site.target.id).await?;
        let wanted = self.within(before);
        site.engine.set_limits(&site.target.id, &wanted).await?;
        Ok(Effect::default())
    }

    async fn over_early(
        &self,
        site: Site<'_>,
        _: &ContainerState,
        _: Option<&ContainerState>,
    ) -> Option<String> {
        let now = site.engine.limits(&site.target.id).await.ok()?;
        (self.within(now) != now)
            .then(|| "its limits were changed while the fault was on".to_owned())
    }

    /// The kernel's own file, where it is ours; else what the engine says.
    async fn confirm(
        &self,
        site: Site<'_>,
        before: &ContainerState,
    ) -> Result<Option<String>, EngineError> {
        let now = site.engine.limits(&site.target.id).await?;
        if self.within(now) != now {
            return Ok(None);
        }
        let file = site
            .engine
            .shares_our_kernel()
            .then(|| kernel_value(*self, &site.target.id, before.pid?))
            .flatten();
        Ok(match (file, self) {
            (Some((file, value)), _) => {
                holds(*self, now, &value).then(|| format!("{file} reads {value}"))
            }
            (None, Self::Cpu(millis)) => Some(format!(
                "the engine reads back {millis} thousandths of a CPU"
            )),
            (None, Self::Memory(bytes)) => Some(format!("the engine reads back {bytes} bytes")),
        })
    }
}

/// The value in the container's cgroup. Source: kernel documentation, cgroup-v2 (cpu.max, memory.max), sched-bwc, memory.
fn kernel_value(limit: Limit, container: &str, pid: u32) -> Option<(&'static str, String)> {
    let (controller, v1, v2) = match limit {
        Limit::Cpu(_) => ("cpu", "cpu.cfs_quota_us", "cpu.max"),
        Limit::Memory(_) => ("memory", "memory.limit_in_bytes", "memory.max"),
    };
    let file = edge::cgroup_file(container, pid, controller, v1, v2)?;
    let text = std::fs::read_to_string(&file).ok()?;
    let name = if file.ends_with(v1) { v1 } else { v2 };
    Some((name, text.trim().to_owned()))
}

fn holds(limit: Limit, now: Limits, value: &str) -> bool {
    let first = value.split_whitespace().next();
    let read: Option<i64> = first.and_then(|n| n.parse().ok());
    match limit {
        Limit::Cpu(_) if now.nano_cpus != 0 => read.is_some_and(|quota| quota > 0),
        Limit::Cpu(_) => read == Some(now.cpu_quota),
        // The kernel rounds down to whole pages.
        Limit::Memory(_) => read.is_some_and(|n| (now.memory - n).abs() < 1 << 16),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_given_in_the_form_that_the_container_has() {
        let none = Limits::default();
        let half = Limit::Cpu(500).within(none);
        assert_eq!((half.cpu_period, half.cpu_quota), (0, 50_000));
        let nano = Limits {
            nano_cpus: 2_000_000_000,
            ..none
        };
        assert_eq!(Limit::Cpu(500).within(nano).nano_cpus, 500_000_000);
        assert_eq!(Limit::Cpu(500).within(nano).cpu_quota, 0);
        let memory = Limit::Memory(1 << 20).within(none);
        assert_eq!((memory.memory, memory.memory_swap), (1 << 20, 1 << 20));
        assert_eq!(Limit::Cpu(500).within(half), half, "reads back as itself");
    }
}
