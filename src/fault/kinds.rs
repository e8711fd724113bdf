//! From a scenario's fault and its place in the plan to the kind that carries it out.

use super::deed::ByDeed;
use super::packets::{Meant, Packets, partitioned};
use super::{
    Kind, command, disconnect, exec, http, kill, limits, pause, reset_connections, restart, sql,
    start, stop,
};
use crate::engine::Container;
use crate::plan::PlannedFault;
use crate::scenario::{Direction, FaultKind, Link, Partition, Refusal, Split};
use crate::sidecar::protocol::{ProcessMatch, Treatment};
use std::collections::BTreeMap;
use std::time::Duration;

/// What waits longer for a slow link is dropped. A second is what drivers of slow links queue at most; see bufferbloat.
const QUEUE: Duration = Duration::from_secs(1);

/// Who plays in one occurrence of a fault.
#[derive(Clone, Copy)]
pub struct Cast<'a> {
    /// The occurrence.
    pub planned: &'a PlannedFault,
    /// All containers of the project.
    pub containers: &'a [Container],
    /// Seed of the run's random choices.
    pub seed: u64,
    /// What tells this occurrence from the run's others.
    pub tag: &'a str,
}

impl Cast<'_> {
    /// Containers by the names that the plan gives them.
    #[must_use]
    pub fn named(&self, names: &[String]) -> Vec<Container> {
        let meant = |c: &&Container| names.iter().any(|name| c.is_called(name));
        self.containers.iter().filter(meant).cloned().collect()
    }

    fn targets(&self) -> Vec<Container> {
        self.named(&self.planned.targets)
    }

    fn peers(&self) -> Option<Vec<Container>> {
        let towards = &self.planned.towards;
        (!towards.is_empty()).then(|| self.named(towards))
    }

    fn on_link(&self, name: &'static str, treatment: Treatment, link: &Link) -> Box<dyn Kind> {
        let (incoming, outgoing) = ways(link.direction);
        let meant = Meant {
            peers: self.peers(),
            incoming,
            outgoing,
        };
        let all = self.targets().into_iter();
        let meant: BTreeMap<_, _> = all.map(|c| (c.id, meant.clone())).collect();
        Box::new(Packets::new(name, treatment, link.ports.clone(), meant))
    }

    fn partition(&self, of: &Partition) -> Box<dyn Kind> {
        let treatment = match of.refusal {
            Refusal::Drop => Treatment::Drop,
            Refusal::Reject => Treatment::Reject,
            Refusal::Reset => Treatment::Reset,
        };
        let group = |n: usize| {
            let names = self.planned.groups.get(n);
            names.map(|names| self.named(names)).unwrap_or_default()
        };
        let meant = match of.split {
            Split::Isolate(_) => {
                let everything = Meant {
                    peers: None,
                    incoming: of.direction != Direction::Out,
                    outgoing: of.direction != Direction::In,
                };
                let all = self.targets().into_iter();
                all.map(|c| (c.id, everything.clone())).collect()
            }
            Split::Between(..) | Split::MinorityOf(_) => {
                let to_second = of.direction != Direction::In;
                let to_first = of.direction != Direction::Out;
                partitioned(&group(0), &group(1), to_second, to_first)
            }
        };
        Box::new(Packets::new("partition", treatment, Vec::new(), meant))
    }
}

fn ways(direction: Direction) -> (bool, bool) {
    match direction {
        Direction::In => (true, false),
        Direction::Out => (false, true),
        Direction::Both => (true, true),
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The kind of a scenario's fault; none for `external`, which breaks nothing itself.
#[must_use]
pub fn kind_of(kind: &FaultKind, cast: Cast<'_>) -> Option<Box<dyn Kind>> {
    Some(match kind {
        FaultKind::Stop { grace } => Box::new(stop::Stop { grace: *grace }),
        FaultKind::Kill { signal } => Box::new(kill::Kill {
            signal: signal.clone(),
        }),
        FaultKind::Pause => Box::new(pause::Pause),
        FaultKind::Restart { grace } => Box::new(restart::Restart { grace: *grace }),
        FaultKind::Start => Box::new(start::Start {
            heals: cast.planned.heal_at.is_some(),
        }),
        FaultKind::Disconnect { networks } => {
            Box::new(disconnect::Disconnect::new(networks.clone()))
        }
        FaultKind::Partition(of) => cast.partition(of),
        FaultKind::Delay { time, jitter, link } => {
            let treatment = Treatment::Delay {
                time_us: micros(*time),
                jitter_us: micros(*jitter),
                seed: cast.seed,
            };
            cast.on_link("delay", treatment, link)
        }
        FaultKind::Loss { ratio, link } => {
            cast.on_link("loss", Treatment::Loss { ratio: *ratio }, link)
        }
        FaultKind::Bandwidth {
            bytes_per_second,
            link,
        } => {
            let treatment = Treatment::Bandwidth {
                bytes_per_second: *bytes_per_second,
                queue_us: micros(QUEUE),
            };
            cast.on_link("bandwidth", treatment, link)
        }
        FaultKind::ResetConnections { link } => Box::new(reset_connections::ResetConnections::new(
            cast.peers(),
            link.ports.clone(),
        )),
        FaultKind::Cpu { millicpus } => Box::new(limits::Limit::Cpu(*millicpus)),
        FaultKind::Memory { bytes } => Box::new(limits::Limit::Memory(*bytes)),
        FaultKind::Stress(of) => Box::new(ByDeed::new(*of)),
        FaultKind::FillDisk(of) => Box::new(ByDeed::new(of.clone())),
        FaultKind::FreezeProcess { pattern } => {
            let pattern = pattern.clone();
            Box::new(ByDeed::new(ProcessMatch { pattern }))
        }
        FaultKind::Http(of) => {
            let within = !cast.planned.targets.is_empty();
            Box::new(http::Http::new(of.clone(), within))
        }
        FaultKind::Exec(of) => Box::new(exec::Exec::new(of.clone())),
        FaultKind::Command(of) => Box::new(command::Local::new(of.clone())),
        FaultKind::Sql(of) => Box::new(sql::Sql::new(of.clone(), cast.tag)),
        FaultKind::External => return None,
    })
}
