//! `stress`: load within the target's own cgroup, so that it competes with the target under the target's limits. It
//! runs in a container of its own, and ends with it.

use super::Site;
use super::deed::Deed;
use crate::engine::Join;
use crate::scenario::StressSpec;
use crate::sidecar::protocol::{Leftover, Order, Stress};

impl Deed for StressSpec {
    fn name(&self) -> &'static str {
        "stress"
    }

    fn join(&self) -> Join {
        Join::Cgroup
    }

    fn order(&self, site: Site<'_>) -> Order {
        Order::Stress(Stress {
            container: site.target.id.clone(),
            cpu: self.cpu,
            memory: self.memory,
            io: self.io,
        })
    }

    fn leftover(&self, _: Site<'_>) -> Option<Leftover> {
        None
    }
}
