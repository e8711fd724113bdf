//! Follows a run by its notices, on their way to the progress view.

use super::exposition::{Exposition, RunInfo};
use crate::notice::{Notice, Phase};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// When phases began, by the wall clock, in that order.
pub type Timeline = Vec<(Phase, Timestamp)>;

/// Follows one run after the other; clones share what they saw.
#[derive(Debug, Clone, Default)]
pub struct Follower {
    /// What Prometheus is shown.
    pub exposition: Exposition,
    phases: Arc<Mutex<Timeline>>,
}

impl Follower {
    /// A run of this scenario follows.
    pub fn begins(&self, info: RunInfo) {
        self.exposition.begins(info);
        self.phases().clear();
    }

    /// Passes notices on as they come, and sees each of them first.
    #[must_use]
    pub fn tap(&self, mut told: UnboundedReceiver<Notice>) -> UnboundedReceiver<Notice> {
        let (on, passed) = unbounded_channel();
        let follower = self.clone();
        tokio::spawn(async move {
            while let Some(notice) = told.recv().await {
                follower.sees(&notice);
                if on.send(notice).is_err() {
                    return;
                }
            }
        });
        passed
    }

    fn sees(&self, notice: &Notice) {
        self.exposition.takes(notice);
        if let Notice::Phase(phase) = notice {
            self.phases().push((*phase, Timestamp::now()));
        }
    }

    /// When the phases of the run began.
    #[must_use]
    pub fn timeline(&self) -> Timeline {
        self.phases().clone()
    }

    fn phases(&self) -> MutexGuard<'_, Timeline> {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::Notices;

    #[tokio::test]
    async fn every_notice_is_passed_on_in_order_and_the_end_too() {
        let (notices, told) = Notices::channel();
        let follower = Follower::default();
        let mut passed = follower.tap(told);
        for phase in [Phase::Probing, Phase::WarmUp] {
            notices.tell(Notice::Phase(phase));
        }
        notices.tell(Notice::Info("x".to_owned()));
        drop(notices);
        let mut seen = Vec::new();
        while let Some(notice) = passed.recv().await {
            seen.push(format!("{notice:?}"));
        }
        assert_eq!(seen, ["Phase(Probing)", "Phase(WarmUp)", "Info(\"x\")"]);
        let phases: Vec<_> = follower.timeline().into_iter().map(|p| p.0).collect();
        assert_eq!(phases, [Phase::Probing, Phase::WarmUp]);
        follower.begins(RunInfo::default());
        assert!(follower.timeline().is_empty());
    }
}
