//! `freeze_process`: processes in a container stand still (SIGSTOP), and go on when it is healed (SIGCONT). Unlike
//! `pause` it can hit one of many: a worker, a replication receiver.

use super::Site;
use super::deed::Deed;
use crate::engine::Join;
use crate::sidecar::protocol::{Leftover, Order, ProcessMatch};

impl Deed for ProcessMatch {
    fn name(&self) -> &'static str {
        "freeze_process"
    }

    fn join(&self) -> Join {
        Join::Processes
    }

    fn order(&self, _: Site<'_>) -> Order {
        Order::Freeze(self.clone())
    }

    fn leftover(&self, _: Site<'_>) -> Option<Leftover> {
        Some(Leftover::Frozen(self.clone()))
    }
}
