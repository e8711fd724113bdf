//! The machine that generates the load: how idle it was. A starved generator measures itself.
//!
//! Source: proc(5), `/proc/stat`, first line: user, nice, system, idle, iowait, irq, softirq, steal.

/// CPU time of the whole machine, in ticks, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuTimes {
    idle: u64,
    total: u64,
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
        Some(Self {
            idle,
            total: fields.iter().sum(),
        })
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
}
