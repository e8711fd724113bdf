//! The one place where commands turn compose files into a topology.

use super::failure::Failure;
use crate::compose::Topology;
use crate::scenario::{Scenario, TopologySource};
use crate::source::Mistake;

/// A topology and what is odd about its files.
pub struct Read {
    /// The topology.
    pub topology: Topology,
    /// Keys that are not carried out, and the like.
    pub warnings: Vec<Mistake>,
}

/// Reads the topology of a scenario, where it has one.
pub fn of_scenario(scenario: &Scenario) -> Result<Option<Read>, Failure> {
    scenario.topology.as_ref().map(read).transpose()
}

/// Reads compose files.
pub fn read(source: &TopologySource) -> Result<Read, Failure> {
    let files: Vec<String> = source
        .files
        .iter()
        .map(|f| f.display().to_string())
        .collect();
    Err(Failure::environment(
        format!(
            "compose files cannot be read by this build: {}",
            files.join(", ")
        ),
        "",
    ))
}
