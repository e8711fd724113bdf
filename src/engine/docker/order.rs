//! Who waits for whom, and for what: `depends_on` as an order of starts.

use super::container;
use super::error::UpError;
use super::ready::{Goal, Made};
use crate::compose::topology::{Condition, Topology};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Ids of the containers that have got so far; waited for by those that depend on them.
#[derive(Debug, Default)]
pub struct Board {
    /// Started.
    pub started: BTreeSet<String>,
    /// Healthy.
    pub healthy: BTreeSet<String>,
    /// Ended with code 0.
    pub completed: BTreeSet<String>,
}

/// Whether a container has got as far as a condition asks for.
pub fn is_met(board: &Board, id: &str, condition: Condition) -> bool {
    match condition {
        Condition::Started => board.started.contains(id),
        Condition::Healthy => board.healthy.contains(id),
        Condition::CompletedSuccessfully => board.completed.contains(id),
    }
}

/// What a service waits for: its `depends_on`, and the services whose namespaces it joins.
fn dependencies(topology: &Topology, service: &str) -> BTreeMap<String, Condition> {
    let Some(service) = topology.services.get(service) else {
        return BTreeMap::new();
    };
    let joined = container::peers_of(service).map(|peer| (peer.to_owned(), Condition::Started));
    let mut all: BTreeMap<String, Condition> = joined.collect();
    all.extend(
        service
            .depends_on
            .iter()
            .map(|(name, dependency)| (name.clone(), dependency.condition)),
    );
    // One that is not in the topology and not required has been warned about by the reader.
    all.retain(|name, _| topology.services.contains_key(name));
    all
}

/// The containers that those of a service wait for, and how far each must be.
pub fn needs(topology: &Topology, service: &str, all: &[Made]) -> Vec<(String, Condition)> {
    let dependencies = dependencies(topology, service);
    all.iter()
        .filter_map(|made| {
            dependencies
                .get(&made.service)
                .map(|condition| (made.id.clone(), *condition))
        })
        .collect()
}

/// What others wait for decides what a service is brought up to.
pub fn goals(topology: &Topology) -> HashMap<String, Goal> {
    let mut goals = HashMap::new();
    for name in topology.services.keys() {
        for (dependency, condition) in dependencies(topology, name) {
            let goal = match condition {
                Condition::Started => continue,
                Condition::Healthy => Goal::Healthy,
                Condition::CompletedSuccessfully => Goal::Completed,
            };
            goals.insert(dependency, goal);
        }
    }
    goals
}

/// The reader refuses cycles with the line they are on; a topology made otherwise must not hang.
pub fn refuse_cycles(topology: &Topology) -> Result<(), UpError> {
    let mut left: BTreeSet<&String> = topology.services.keys().collect();
    loop {
        let free: Vec<&String> = left
            .iter()
            .filter(|name| {
                !dependencies(topology, name)
                    .keys()
                    .any(|d| left.contains(d))
            })
            .copied()
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        if free.is_empty() {
            let names: Vec<&str> = left.into_iter().map(String::as_str).collect();
            return Err(UpError::Impossible(format!(
                "services wait for each other: {}",
                names.join(", ")
            )));
        }
        for name in free {
            left.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::topology::Dependency;

    fn topology(edges: &[(&str, &str, Condition)]) -> Topology {
        let mut topology = Topology::default();
        for (from, to, condition) in edges {
            topology.services.entry((*to).to_owned()).or_default();
            let dependency = Dependency {
                condition: *condition,
                required: true,
            };
            topology
                .services
                .entry((*from).to_owned())
                .or_default()
                .depends_on
                .insert((*to).to_owned(), dependency);
        }
        topology
    }

    #[test]
    fn services_that_wait_for_each_other_are_refused_and_named() {
        let circle = topology(&[
            ("a", "b", Condition::Started),
            ("b", "a", Condition::Healthy),
            ("c", "a", Condition::Started),
        ]);
        let said = refuse_cycles(&circle).expect_err("a cycle").to_string();
        assert!(said.contains("a, b"), "{said}");
        assert!(refuse_cycles(&topology(&[("a", "b", Condition::Started)])).is_ok());
    }

    #[test]
    fn what_others_wait_for_decides_the_goal() {
        let t = topology(&[
            ("web", "db", Condition::Healthy),
            ("web", "job", Condition::CompletedSuccessfully),
            ("x", "web", Condition::Started),
        ]);
        let goals = goals(&t);
        assert_eq!(goals.get("db"), Some(&Goal::Healthy));
        assert_eq!(goals.get("job"), Some(&Goal::Completed));
        assert_eq!(goals.get("web"), None);
    }

    #[test]
    fn every_replica_of_a_dependency_is_waited_for() {
        let t = topology(&[("web", "db", Condition::Healthy)]);
        let made = |id: &str, service: &str| Made {
            id: id.into(),
            name: id.into(),
            service: service.into(),
        };
        let needs = needs(
            &t,
            "web",
            &[made("1", "db"), made("2", "db"), made("3", "web")],
        );
        assert_eq!(
            needs,
            [
                ("1".to_owned(), Condition::Healthy),
                ("2".to_owned(), Condition::Healthy)
            ]
        );
    }
}
