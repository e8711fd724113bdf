//! Whom a fault hits: names and globs held against the topology, random choices drawn from the seed.

use crate::compose::Topology;
use crate::scenario::{Fault, Scenario, Target, TargetChoice};
use crate::source::{Mistake, nearest};
use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// The containers of one occurrence of a fault, by name: `service`, or `service.2` where it has several.
///
/// # Errors
/// A service that does not exist, a pattern that matches nothing, more drawn than there are.
pub fn of_occurrence(
    scenario: &Scenario,
    fault: &Fault,
    target: &Target,
    topology: &Topology,
    occurrence: u32,
) -> Result<Vec<String>, Mistake> {
    let wrong = |message: String, help: String| {
        scenario
            .origin
            .mistake(target.span.clone(), message)
            .with_help(help)
    };
    let known = || topology.services.keys().map(String::as_str);
    let all = |names: &[String], globs: bool| -> Result<Vec<String>, Mistake> {
        let mut found = Vec::new();
        for name in names {
            let containers = if globs {
                matching(topology, name)
            } else {
                named(topology, name)
            };
            if containers.is_empty() && topology.services.contains_key(name) {
                let message = format!(
                    "fault `{}`: service `{name}` has no containers (its scale is 0)",
                    fault.name.escape_debug()
                );
                return Err(wrong(
                    message,
                    "give the service a container, or the fault another target".into(),
                ));
            }
            if containers.is_empty() {
                let help = match nearest(name, known()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "services of the topology: {}",
                        known().collect::<Vec<_>>().join(", ")
                    ),
                };
                let name = name.escape_debug();
                return Err(wrong(
                    format!(
                        "fault `{}`: the topology has no service `{name}`",
                        fault.name.escape_debug()
                    ),
                    help,
                ));
            }
            found.extend(containers);
        }
        found.sort();
        found.dedup();
        Ok(found)
    };
    match &target.choice {
        TargetChoice::Services(names) => all(names, false),
        TargetChoice::AllOf(pattern) => all(std::slice::from_ref(pattern), true),
        TargetChoice::Random { from, count } => {
            let candidates = all(from, true)?;
            if *count > candidates.len() {
                let message = format!(
                    "fault `{}` draws {count} of {}",
                    fault.name.escape_debug(),
                    candidates.len()
                );
                return Err(wrong(
                    message,
                    format!("lower `count`, or add to: {}", candidates.join(", ")),
                ));
            }
            Ok(draw(
                scenario.run.seed,
                &fault.name,
                occurrence,
                candidates,
                *count,
            ))
        }
    }
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

fn containers(service: &str, replicas: u32) -> Vec<String> {
    match replicas {
        1 => vec![service.to_owned()],
        many => (1..=many).map(|n| format!("{service}.{n}")).collect(),
    }
}

/// A stream of its own for every occurrence of every fault, so that a change of one fault does not change what
/// another one draws.
fn draw(
    seed: u64,
    fault: &str,
    occurrence: u32,
    mut from: Vec<String>,
    count: usize,
) -> Vec<String> {
    let mut hash = Sha256::new();
    hash.update(b"fault target");
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
    fn a_draw_depends_on_seed_fault_and_occurrence_and_on_nothing_else() {
        let from: Vec<String> = (0..50).map(|i| format!("app{i}")).collect();
        let of = |seed, fault, occurrence| draw(seed, fault, occurrence, from.clone(), 3);
        assert_eq!(of(1, "a", 1), of(1, "a", 1));
        assert_ne!(of(1, "a", 1), of(2, "a", 1));
        assert_ne!(of(1, "a", 1), of(1, "b", 1));
        assert_ne!(of(1, "a", 1), of(1, "a", 2));
        let mut all = draw(1, "a", 1, from.clone(), 50);
        all.dedup();
        assert_eq!(all.len(), 50, "drawn without putting back");
    }
}
