//! What a load worker hands over, several times a second: everything since the last time, by addition.

use super::Delta;
use crate::clock::Offset;
use hdrhistogram::Histogram;

/// One worker's account of one workload since its last flush.
#[derive(Debug, Clone)]
pub struct Flush {
    /// The worker, from 0.
    pub worker: usize,
    /// Index of the workload in the plan.
    pub load: usize,
    /// What was recorded.
    pub delta: Delta,
    /// Lateness of the sends, dispatch − intended, in microseconds.
    pub lateness: Histogram<u32>,
    /// Operations that are under way now.
    pub in_flight: usize,
    /// Every operation of this worker and workload that was intended before this is in a delta already sent.
    pub complete_before: Offset,
}
