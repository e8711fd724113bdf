//! The machine that generates the load: how idle it was. A starved generator measures itself.
//!
//! Source: proc(5), `/proc/stat`, first line: user, nice, system, idle, iowait, irq, softirq, steal; the lines after it
//! are of one core each.

/// CPU time of the whole machine, in ticks, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTimes {
    idle: u64,
    total: u64,
    cores: u32,
}

impl CpuTimes {
    /// Reads the present counters; none where there is no `/proc/stat`.
    #[must_use]
    pub fn now() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<u64> = stat
            .lines()
            .next()?
            .strip_prefix("cpu ")?
            .split_whitespace()
            .take(8)
            .map_while(|f| f.parse().ok())
            .collect();
        let idle = fields.get(3)? + fields.get(4).copied().unwrap_or(0);
        let of_a_core = |line: &&str| {
            let number = line
                .strip_prefix("cpu")
                .and_then(|rest| rest.chars().next());
            number.is_some_and(|c| c.is_ascii_digit())
        };
        Some(Self {
            idle,
            total: fields.iter().sum(),
            cores: u32::try_from(stat.lines().filter(of_a_core).count()).unwrap_or(u32::MAX),
        })
    }

    /// Cores that were neither idle nor waiting for a disk since an earlier moment; none where no tick passed.
    #[must_use]
    pub fn busy_since(&self, earlier: &Self) -> Option<f64> {
        Some((1.0 - self.idle_ratio_since(earlier)?) * f64::from(self.cores))
    }

    /// Idle share since an earlier moment, 0 to 1; none where no tick passed.
    #[must_use]
    pub fn idle_ratio_since(&self, earlier: &Self) -> Option<f64> {
        let total = self.total.checked_sub(earlier.total).filter(|t| *t > 0)?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "ticks of one run are far below 2^53"
        )]
        Some(self.idle.saturating_sub(earlier.idle) as f64 / total as f64)
    }
}

/// Memory of the machine that is not available to new processes, in bytes; none where the kernel does not say.
#[must_use]
pub fn memory_used() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let [total, available] = ["MemTotal:", "MemAvailable:"].map(|key| kibibytes(&info, key));
    total?.checked_sub(available?)
}

/// Resident memory of this process, in bytes.
#[must_use]
pub fn own_memory() -> Option<u64> {
    kibibytes(
        &std::fs::read_to_string("/proc/self/status").ok()?,
        "VmRSS:",
    )
}

/// `Key:   1234 kB`, in bytes.
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_idle_share_is_idle_and_iowait_over_all_ticks_between_two_looks() {
        let a = CpuTimes::parse("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3").unwrap();
        let b = CpuTimes::parse("cpu  150 10 120 710 110 0 0 0 0 0\n").unwrap();
        assert!((b.idle_ratio_since(&a).unwrap() - 0.2).abs() < 1e-9);
        assert_eq!(a.idle_ratio_since(&a), None);
        assert_eq!(CpuTimes::parse("intr 1"), None);
        assert!(CpuTimes::now().is_some());
    }

    #[test]
    fn busy_cores_are_the_busy_share_of_all_cores() {
        let a = CpuTimes::parse("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2\ncpu1 1 2\nctxt 1")
            .unwrap();
        let b = CpuTimes::parse("cpu  150 10 120 710 110 0 0 0 0 0\ncpu0 1 2\ncpu1 1 2\n").unwrap();
        assert!((b.busy_since(&a).unwrap() - 1.6).abs() < 1e-9);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(
            kibibytes("MemFree: 1 kB\nMemTotal:   2048 kB\n", "MemTotal:"),
            Some(2_097_152)
        );
        assert_eq!(kibibytes("MemTotal: many", "MemTotal:"), None);
        let (own, used) = (own_memory().unwrap(), memory_used().unwrap());
        assert!(own > 100_000 && own < used, "{own} of {used}");
    }
}
