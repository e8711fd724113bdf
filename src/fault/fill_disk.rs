//! `fill_disk`: a file that leaves nothing, or little, free where a folder of the target lies. Bounded, and removed by
//! the heal.

use super::Site;
use super::deed::Deed;
use crate::engine::Join;
use crate::scenario::FillDisk;
use crate::sidecar::protocol::{Fill, Leftover, Order};

fn fill(of: &FillDisk, site: Site<'_>) -> Fill {
    Fill {
        folder: of.path.clone(),
        file: format!(".lbtest-{}", site.tag),
        bytes: of.size,
        leave: of.leave,
    }
}

impl Deed for FillDisk {
    fn name(&self) -> &'static str {
        "fill_disk"
    }

    fn join(&self) -> Join {
        Join::Files
    }

    fn order(&self, site: Site<'_>) -> Order {
        Order::Fill(fill(self, site))
    }

    fn leftover(&self, site: Site<'_>) -> Option<Leftover> {
        Some(Leftover::Filled(fill(self, site)))
    }
}
