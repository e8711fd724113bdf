//! What a container may use of CPU and memory, and how that is changed while it runs.
//!
//! The engine's update call has no "none": 0 means "as it is", and -1 is refused for memory and not passed on for
//! swap. Tried on Docker 20.10: a quota of -1 lifts the limit of CPU, the greatest number that the kernel counts to
//! lifts that of memory. A container that got `NanoCpus` can neither lose it nor be given a quota that lasts, so one
//! that has none is never given it.

use super::error::Named;
use super::{Docker, EngineError};
use crate::engine::Limits;
use bollard::models::{ContainerUpdateBody, HostConfig, SystemInfoCgroupVersionEnum};

/// What cgroup v1 shows where nothing is limited: the greatest number of whole pages.
const NO_LIMIT: i64 = i64::MAX - 4095;
/// On cgroup v2 the engine sets swap to the difference of the two limits: that has to be great, too.
const NO_LIMIT_BESIDE_SWAP: i64 = NO_LIMIT / 2 / 4096 * 4096;
/// No machine has an exbibyte: such a limit is one that was lifted.
const LIFTED: i64 = 1 << 60;
/// The kernel's own period, in microseconds.
const PERIOD: i64 = 100_000;
const NANOS: i64 = 1_000_000_000;
/// The engine's word for "no quota".
const NO_QUOTA: i64 = -1;

impl Docker {
    /// What a container may use now.
    ///
    /// # Errors
    /// There is no such container.
    pub async fn limits_of(&self, id: &str) -> Result<Limits, EngineError> {
        let found = self
            .client
            .inspect_container(id, None)
            .await
            .named(|| format!("container {id}"))?;
        Ok(read(&found.host_config.unwrap_or_default()))
    }

    /// Gives a container these limits, whatever it has; it goes on running.
    ///
    /// # Errors
    /// The engine refuses. On cgroup v1 that is its answer to a limit of memory below what is in use and cannot be
    /// freed: then nothing is changed. On cgroup v2 the kernel kills processes of the container instead.
    pub async fn set_limits(&self, id: &str, wanted: &Limits) -> Result<(), EngineError> {
        self.guard(id).await?;
        let present = self.limits_of(id).await?;
        if present == *wanted {
            return Ok(());
        }
        let no_limit = self.no_memory_limit().await?;
        self.client
            .update_container(id, update(&present, wanted, no_limit))
            .await
            .named(|| format!("changing the limits of container {id}"))
    }

    async fn no_memory_limit(&self) -> Result<i64, EngineError> {
        let info = self.client.info().await;
        let info = info.doing(|| "asking which control groups the engine uses".to_owned())?;
        Ok(match info.cgroup_version {
            Some(SystemInfoCgroupVersionEnum::_2) => NO_LIMIT_BESIDE_SWAP,
            Some(SystemInfoCgroupVersionEnum::_1 | SystemInfoCgroupVersionEnum::EMPTY) | None => {
                NO_LIMIT
            }
        })
    }
}

fn read(config: &HostConfig) -> Limits {
    let positive = |n: Option<i64>| n.unwrap_or(0).max(0);
    let memory = match positive(config.memory) {
        LIFTED.. => 0,
        bytes => bytes,
    };
    let memory_swap = match config.memory_swap.unwrap_or(0) {
        _ if memory == 0 => 0,
        LIFTED.. | ..0 => -1,
        bytes => bytes,
    };
    Limits {
        nano_cpus: positive(config.nano_cpus),
        cpu_period: positive(config.cpu_period),
        cpu_quota: positive(config.cpu_quota),
        memory,
        memory_swap,
    }
}

/// The call that leads from one to the other. What stays is left out.
fn update(present: &Limits, wanted: &Limits, no_limit: i64) -> ContainerUpdateBody {
    let mut body = ContainerUpdateBody::default();
    let cpu = |l: &Limits| (l.nano_cpus, l.cpu_period, l.cpu_quota);
    if cpu(present) != cpu(wanted) {
        if present.nano_cpus > 0 && share(wanted) > 0 {
            body.nano_cpus = Some(share(wanted));
        } else {
            let period = [wanted.cpu_period, present.cpu_period, PERIOD];
            let period = period.into_iter().find(|p| *p > 0).unwrap_or(PERIOD);
            // Named only where it has one: none is the same as the kernel's.
            body.cpu_period = (present.cpu_period > 0 || wanted.cpu_period > 0).then_some(period);
            body.cpu_quota = Some(match (wanted.nano_cpus, wanted.cpu_quota) {
                (0, 0) => NO_QUOTA,
                (0, quota) => quota,
                (nanos, _) => scaled(nanos, period, NANOS),
            });
        }
    }
    let memory = |l: &Limits| (l.memory, l.memory_swap);
    if memory(present) != memory(wanted) {
        let (bytes, swap) = match memory(wanted) {
            (0, _) => (no_limit, NO_LIMIT),
            (bytes, ..0) => (bytes, NO_LIMIT),
            // Swap that nobody asked for would turn too little memory into slowness.
            (bytes, swap) => (bytes, swap.max(bytes)),
        };
        body.memory = Some(bytes);
        body.memory_swap = Some(swap);
    }
    body
}

/// Billionths of a CPU, by whichever word; 0: no limit.
fn share(limits: &Limits) -> i64 {
    match (limits.nano_cpus, limits.cpu_quota, limits.cpu_period) {
        (0, quota, 0) => scaled(quota, NANOS, PERIOD),
        (0, quota, period) => scaled(quota, NANOS, period),
        (nanos, _, _) => nanos,
    }
}

/// `n * by / of` without an overflow on the way.
fn scaled(n: i64, by: i64, of: i64) -> i64 {
    let wide = i128::from(n) * i128::from(by) / i128::from(of.max(1));
    i64::try_from(wide).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: i64 = 1_000_000;

    fn quota(quota: i64, period: i64) -> Limits {
        Limits {
            cpu_period: period,
            cpu_quota: quota,
            ..Limits::default()
        }
    }

    fn nano(nano_cpus: i64) -> Limits {
        Limits {
            nano_cpus,
            ..Limits::default()
        }
    }

    fn memory(memory: i64, memory_swap: i64) -> Limits {
        Limits {
            memory,
            memory_swap,
            ..Limits::default()
        }
    }

    /// Nano CPUs, period, quota, memory, swap as they are asked for.
    fn asked(present: Limits, wanted: Limits) -> [Option<i64>; 5] {
        let b = update(&present, &wanted, NO_LIMIT);
        [
            b.nano_cpus,
            b.cpu_period,
            b.cpu_quota,
            b.memory,
            b.memory_swap,
        ]
    }

    #[test]
    fn cpu_is_asked_for_in_the_word_that_the_container_has() {
        let none = Limits::default();
        let cpu = |present, wanted| {
            let [nano, period, quota, ..] = asked(present, wanted);
            [nano, period, quota]
        };
        let half = nano(500_000_000);
        assert_eq!(cpu(none, half), [None, None, Some(50_000)]);
        assert_eq!(cpu(quota(50_000, 0), none), [None, None, Some(-1)]);
        assert_eq!(
            cpu(nano(1_500_000_000), half),
            [Some(500_000_000), None, None]
        );
        assert_eq!(
            cpu(nano(1_500_000_000), quota(20_000, 0)),
            [Some(200_000_000), None, None]
        );
        assert_eq!(
            cpu(half, quota(10_000, 50_000)),
            [Some(200_000_000), None, None]
        );
        assert_eq!(
            cpu(quota(25_000, 50_000), nano(100_000_000)),
            [None, Some(50_000), Some(5_000)]
        );
        assert_eq!(
            cpu(quota(10_000, 0), quota(25_000, 50_000)),
            [None, Some(50_000), Some(25_000)]
        );
        assert_eq!(cpu(half, none), [None, None, Some(-1)]);
    }

    #[test]
    fn memory_and_swap_are_always_asked_for_together() {
        let none = Limits::default();
        let both = |present, wanted| {
            let [_, _, _, memory, swap] = asked(present, wanted);
            [memory, swap]
        };
        assert_eq!(
            both(none, memory(50 * MB, 0)),
            [Some(50 * MB), Some(50 * MB)]
        );
        assert_eq!(
            both(memory(50 * MB, 50 * MB), none),
            [Some(NO_LIMIT), Some(NO_LIMIT)]
        );
        let original = memory(200 * MB, -1);
        assert_eq!(
            both(memory(50 * MB, 50 * MB), original),
            [Some(200 * MB), Some(NO_LIMIT)]
        );
        assert_eq!(both(none, quota(10_000, 0)), [None, None]);
    }

    #[test]
    fn a_limit_that_was_lifted_reads_as_none() {
        let lifted = HostConfig {
            memory: Some(NO_LIMIT),
            memory_swap: Some(NO_LIMIT),
            cpu_quota: Some(-1),
            ..HostConfig::default()
        };
        assert_eq!(read(&lifted), Limits::default());
        assert_eq!(read(&HostConfig::default()), Limits::default());
        let beside = HostConfig {
            memory: Some(NO_LIMIT_BESIDE_SWAP),
            memory_swap: Some(NO_LIMIT),
            ..HostConfig::default()
        };
        assert_eq!(read(&beside), Limits::default());
        let swap = HostConfig {
            memory: Some(MB),
            memory_swap: Some(NO_LIMIT),
            ..HostConfig::default()
        };
        assert_eq!(read(&swap), memory(MB, -1));
    }

    #[test]
    fn no_limit_is_whole_pages() {
        assert_eq!(NO_LIMIT, 9_223_372_036_854_771_712);
        assert_eq!((NO_LIMIT % 4096, NO_LIMIT_BESIDE_SWAP % 4096), (0, 0));
    }
}
