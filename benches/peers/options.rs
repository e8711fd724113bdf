//! What was asked for: arguments and variables of the environment.

use crate::error::BenchError;
use crate::experiments::Experiment;
use std::path::PathBuf;

/// What to do.
#[derive(Debug)]
pub struct Options {
    /// Which experiments, in the order of their table.
    pub experiments: Vec<Experiment>,
    /// Rounds of each.
    pub rounds: u32,
    /// Length of one client's run in a round.
    pub seconds: u32,
    /// Check of the harness: everything for a second, nothing is kept.
    pub smoke: bool,
    /// A file that is locked for the length of a round.
    pub lock: Option<PathBuf>,
}

/// What is done with the options.
pub enum Asked {
    /// Measure.
    Measure(Options),
    /// Started by a test run, which is no place to measure.
    Nothing,
}

/// How it is used.
pub const USAGE: &str = "\
usage: cargo bench --bench peers -- [EXPERIMENT…]
  EXPERIMENT    http, sql, arrivals, stall, scaling, outage; without any: all of them
  --test        or SMOKE=1: each for a second, once, to see that everything works; writes no result
  ROUNDS=5      rounds of every experiment
  SECONDS=8     length of one client's run
  LOCK=FILE     hold an exclusive lock (flock) on FILE for each round: where several people measure on one machine
  LBTEST=FILE   another lbtest";

/// Reads them. `variable` looks into the environment.
///
/// # Errors
/// What is not known or not a number.
pub fn read(
    arguments: impl Iterator<Item = String>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Asked, BenchError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty() && value != "0");
    let mut smoke = set("SMOKE").is_some();
    let mut benched = false;
    let mut experiments = Vec::new();
    for argument in arguments {
        match argument.as_str() {
            "--bench" => benched = true,
            "--test" => smoke = true,
            "--help" | "-h" => return Err(BenchError::Usage(USAGE.to_owned())),
            name => match Experiment::ALL.into_iter().find(|e| e.key() == name) {
                Some(experiment) => experiments.push(experiment),
                None => {
                    return Err(BenchError::Usage(format!(
                        "`{name}` is no experiment\n{USAGE}"
                    )));
                }
            },
        }
    }
    // `cargo bench` says --bench; `cargo test --all-targets` does not.
    if !benched && !smoke {
        return Ok(Asked::Nothing);
    }
    if experiments.is_empty() {
        experiments.extend(Experiment::ALL);
    }
    let number = |name: &str, default: u32| match variable(name).map(|value| value.parse::<u32>()) {
        None => Ok(default),
        Some(Ok(value)) if value > 0 => Ok(value),
        Some(_) => Err(BenchError::Usage(format!(
            "{name} is not a number above zero"
        ))),
    };
    let (rounds, seconds) = (number("ROUNDS", 5)?, number("SECONDS", 8)?);
    Ok(Asked::Measure(Options {
        experiments,
        rounds: if smoke { 1 } else { rounds },
        seconds: if smoke { 1 } else { seconds },
        smoke,
        lock: set("LOCK").map(PathBuf::from),
    }))
}
