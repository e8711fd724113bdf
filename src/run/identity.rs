//! Names of runs: the id that everything a run makes is labelled with, and the folder of its results.

use std::path::{Path, PathBuf};

/// An id that no other run has: scenario, wall time to the millisecond, process.
#[must_use]
pub fn run_id(scenario: &str) -> String {
    let now = jiff::Timestamp::now();
    format!(
        "{scenario}-{}-{}",
        now.strftime("%Y%m%dT%H%M%S%3f"),
        std::process::id()
    )
}

/// The process that a run's id names: the last part of [`run_id`].
#[must_use]
pub fn process_of(run: &str) -> Option<u32> {
    run.rsplit('-').next()?.parse().ok()
}

/// Where results go unless the user says otherwise: `reports/<scenario>/<local time>/`.
#[must_use]
pub fn default_out(scenario: &str) -> PathBuf {
    let now = jiff::Zoned::now();
    let base = Path::new("reports")
        .join(scenario)
        .join(now.strftime("%Y-%m-%dT%H-%M-%S").to_string());
    let taken = |p: &PathBuf| p.exists();
    let numbered = (2..1000).map(|n| PathBuf::from(format!("{}-{n}", base.display())));
    if taken(&base) {
        numbered.into_iter().find(|p| !taken(p)).unwrap_or(base)
    } else {
        base
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_can_be_a_label_and_a_file_name() {
        let id = run_id("kill-slave");
        assert!(id.starts_with("kill-slave-2"));
        assert!(
            id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
            "{id}"
        );
        assert_eq!(process_of(&id), Some(std::process::id()));
        assert_eq!(process_of("somebody else's"), None);
    }
}
