//! One operation of a workload: a request or a query.

use super::Outcome;
use crate::clock::Offset;
use std::time::Duration;

/// Index of an instance name in the recorder's table (see [`super::slot::Recorder::instance`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(pub u16);

/// What is known of one operation when it is over.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// When the schedule wanted it. In a closed loop: when the user was ready to send it.
    pub intended: Offset,
    /// When its first byte was handed to the kernel; none where it never came that far.
    pub sent: Option<Offset>,
    /// When its answer was complete, or it was given up.
    pub done: Offset,
    /// What became of it.
    pub outcome: Outcome,
    /// Who answered, where that is known.
    pub instance: Option<InstanceId>,
}

impl Operation {
    /// Response time: from the intent, so that queueing behind a stalled system counts.
    #[must_use]
    pub fn latency(&self) -> Duration {
        self.done - self.intended
    }

    /// How long it waited until it was sent; zero where it never was.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.sent
            .map_or(Duration::ZERO, |sent| sent - self.intended)
    }

    /// Service time: from the send. It hides queueing and is kept beside the latency for that.
    #[must_use]
    pub fn service_time(&self) -> Option<Duration> {
        self.sent.map(|sent| self.done - sent)
    }
}
