//! Whom a fault hits: names and globs held against the topology, random choices drawn from the seed.

use super::{Late, roles};
use crate::compose::Topology;
use crate::scenario::{ClientSpec, Scenario, Target, TargetChoice};
use crate::source::{Mistake, nearest};
use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// For what containers are looked for: each purpose draws from a stream of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `target`.
    Target,
    /// `towards`.
    Towards,
    /// The first group of a partition.
    First,
    /// The second group of a partition.
    Second,
    /// Who of a group is in the minority.
    Minority,
}

impl Purpose {
    fn stream(self) -> &'static [u8] {
        match self {
            Self::Target => b"fault target",
            Self::Towards => b"fault towards",
            Self::First => b"partition first",
            Self::Second => b"partition second",
            Self::Minority => b"partition minority",
        }
    }
}

/// Containers by name: `service`, or `service.2` where it has several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// All of them, or those among which the moment of injection chooses.
    pub names: Vec<String>,
    /// How it chooses; none: all are meant.
    pub late: Option<Late>,
}

/// Looks targets of one occurrence of a fault up in the topology.
#[derive(Debug, Clone, Copy)]
pub struct Lookup<'a> {
    /// The scenario, with its seed and its places.
    pub scenario: &'a Scenario,
    /// The topology.
    pub topology: &'a Topology,
    /// The fault's name.
    pub fault: &'a str,
    /// Which occurrence, from 1.
    pub occurrence: u32,
}

impl Lookup<'_> {
    /// A mistake at a target.
    pub fn wrong(&self, target: &Target, message: &str, help: impl Into<String>) -> Mistake {
        let message = format!("fault `{}`: {message}", self.fault.escape_debug());
        self.scenario
            .origin
            .mistake(target.span.clone(), message)
            .with_help(help)
    }

    /// The containers of a target.
    ///
    /// # Errors
    /// A service, role or workload that does not exist, a pattern that matches nothing, more drawn than there are.
    pub fn find(&self, target: &Target, purpose: Purpose) -> Result<Found, Mistake> {
        let all = |names| Found { names, late: None };
        match &target.choice {
            TargetChoice::Services(names) => self.listed(target, names, is_glob).map(all),
            TargetChoice::AllOf(pattern) => self
                .listed(target, std::slice::from_ref(pattern), |_| true)
                .map(all),
            TargetChoice::Role { role, dsn } => roles::find(self, target, role, dsn.is_some()),
            TargetChoice::LastServed { load } => self.last_served(target, load),
            TargetChoice::Random { from, count } => {
                let candidates = self.listed(target, from, |_| true)?;
                if *count > candidates.len() {
                    let message = format!("it draws {count} of {}", candidates.len());
                    let help = format!("lower `count`, or add to: {}", candidates.join(", "));
                    return Err(self.wrong(target, &message, help));
                }
                Ok(all(self.draw(candidates, *count, purpose)))
            }
        }
    }

    /// The containers of a target that must be known before the run.
    ///
    /// # Errors
    /// As [`Lookup::find`], and one that is only known at the moment of injection.
    pub fn find_now(
        &self,
        target: &Target,
        purpose: Purpose,
        key: &str,
    ) -> Result<Vec<String>, Mistake> {
        let found = self.find(target, purpose)?;
        match found.late {
            None => Ok(found.names),
            Some(_) => Err(self.wrong(
                target,
                &format!("who `{key}` is must be known before the run"),
                "name the services; roles that are asked for, and `last_served`, are for `target` alone",
            )),
        }
    }

    fn listed(
        &self,
        target: &Target,
        names: &[String],
        is_pattern: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>, Mistake> {
        let mut found = Vec::new();
        for name in names {
            let containers = if is_pattern(name) {
                matching(self.topology, name)
            } else {
                named(self.topology, name)
            };
            if containers.is_empty() {
                return Err(self.nobody(target, name));
            }
            found.extend(containers);
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    fn nobody(&self, target: &Target, name: &str) -> Mistake {
        if self.topology.services.contains_key(name) {
            let message = format!("service `{name}` has no containers (its scale is 0)");
            let help = "give the service a container, or the fault another target";
            return self.wrong(target, &message, help);
        }
        let known = || self.topology.services.keys().map(String::as_str);
        let help = match nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "services of the topology: {}",
                known().collect::<Vec<_>>().join(", ")
            ),
        };
        let message = format!("the topology has no service `{}`", name.escape_debug());
        self.wrong(target, &message, help)
    }

    fn last_served(&self, target: &Target, load: &str) -> Result<Found, Mistake> {
        let loads = &self.scenario.loads;
        if !loads.iter().any(|l| l.name == load) {
            let known = || loads.iter().map(|l| l.name.as_str());
            let help = match nearest(load, known()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("workloads: {}", known().collect::<Vec<_>>().join(", ")),
            };
            let message = format!("there is no workload `{}`", load.escape_debug());
            return Err(self.wrong(target, &message, help));
        }
        let services = self.topology.services.iter();
        Ok(Found {
            names: services
                .flat_map(|(name, s)| containers(name, s.replicas))
                .collect(),
            late: Some(Late::LastServed(load.to_owned())),
        })
    }

    /// Whether some workload tells how a database is asked.
    pub fn has_credentials(&self) -> bool {
        let mut loads = self.scenario.loads.iter();
        loads.any(|l| matches!(l.client, ClientSpec::Postgres(_)))
    }

    /// Some of the candidates, by the seed.
    pub fn draw(&self, from: Vec<String>, count: usize, purpose: Purpose) -> Vec<String> {
        let seed = self.scenario.run.seed;
        draw(seed, self.fault, self.occurrence, from, count, purpose)
    }
}

/// No service is called like that: `*`, `?` and `[` stand for others.
fn is_glob(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}

/// Containers of a service, or one of them.
fn named(topology: &Topology, name: &str) -> Vec<String> {
    if let Some(service) = topology.services.get(name) {
        return containers(name, service.replicas);
    }
    let Some((service, number)) = name.rsplit_once('.') else {
        return Vec::new();
    };
    let replicas = topology.services.get(service).map_or(0, |s| s.replicas);
    match number.parse::<u32>() {
        Ok(number) if (1..=replicas).contains(&number) && replicas > 1 => {
            vec![format!("{service}.{number}")]
        }
        Ok(1) if replicas == 1 => vec![service.to_owned()],
        Ok(_) | Err(_) => Vec::new(),
    }
}

fn matching(topology: &Topology, pattern: &str) -> Vec<String> {
    let Ok(glob) = globset::Glob::new(pattern) else {
        return Vec::new();
    };
    let matcher = glob.compile_matcher();
    let services = topology
        .services
        .iter()
        .filter(|(name, _)| matcher.is_match(name));
    let found: Vec<String> = services
        .flat_map(|(name, s)| containers(name, s.replicas))
        .collect();
    if found.is_empty() {
        named(topology, pattern)
    } else {
        found
    }
}

/// The containers of a service with so many of them.
pub fn containers(service: &str, replicas: u32) -> Vec<String> {
    match replicas {
        1 => vec![service.to_owned()],
        many => (1..=many).map(|n| format!("{service}.{n}")).collect(),
    }
}

/// The service of a container's name: `app` of `app.2`.
#[must_use]
pub fn service_of<'n>(topology: &Topology, container: &'n str) -> &'n str {
    if topology.services.contains_key(container) {
        return container;
    }
    container
        .rsplit_once('.')
        .map_or(container, |(service, _)| service)
}

/// A stream of its own for every purpose of every occurrence of every fault, so that a change of one fault does not
/// change what another one draws.
fn draw(
    seed: u64,
    fault: &str,
    occurrence: u32,
    mut from: Vec<String>,
    count: usize,
    purpose: Purpose,
) -> Vec<String> {
    let mut hash = Sha256::new();
    hash.update(purpose.stream());
    hash.update(seed.to_le_bytes());
    hash.update(occurrence.to_le_bytes());
    hash.update(fault.as_bytes());
    let mut rng = ChaCha8Rng::from_seed(hash.finalize().into());
    let mut drawn = Vec::with_capacity(count);
    while drawn.len() < count && !from.is_empty() {
        drawn.push(from.swap_remove(rng.random_range(0..from.len())));
    }
    drawn.sort();
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_seed_fault_occurrence_and_purpose_and_on_nothing_else() {
        let from: Vec<String> = (0..50).map(|i| format!("app{i}")).collect();
        let of = |seed, fault, occurrence| {
            draw(seed, fault, occurrence, from.clone(), 3, Purpose::Target)
        };
        assert_eq!(of(1, "a", 1), of(1, "a", 1));
        assert_ne!(of(1, "a", 1), of(2, "a", 1));
        assert_ne!(of(1, "a", 1), of(1, "b", 1));
        assert_ne!(of(1, "a", 1), of(1, "a", 2));
        let minority = draw(1, "a", 1, from.clone(), 3, Purpose::Minority);
        assert_ne!(of(1, "a", 1), minority);
        let mut all = draw(1, "a", 1, from.clone(), 50, Purpose::Target);
        all.dedup();
        assert_eq!(all.len(), 50, "drawn without putting back");
    }
}
