//! A run told fault by fault, in plain words: what was done, what it cost, and who noticed.

use super::noticed::{self, noticed};
use super::text::grouped;
use crate::analysis::result::{EdgeKind, FaultResult, Impact, RunResult};
use crate::verdict::gate::duration;

/// A fault's story.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// `postgres-slave1 stopped at 10.0 s: 3 of 9 000 requests failed, service back after 210 ms`.
    pub injected: String,
    /// `healed at 25.0 s: no request failed`; none where it was not healed.
    pub healed: Option<String>,
    /// What other sources noticed after each edge.
    pub noticed: Vec<String>,
}

/// The story of a fault.
#[must_use]
pub fn of(result: &RunResult, fault: &FaultResult) -> Story {
    let Some(at) = fault.injected_at_ms else {
        return Story {
            injected: format!("{}: did not take place", deed(fault)),
            healed: None,
            noticed: Vec::new(),
        };
    };
    let doubt = if fault.confirmed == Some(false) {
        " (NOT CONFIRMED)"
    } else {
        ""
    };
    let told = |edge| {
        noticed(result, fault, edge)
            .iter()
            .map(|n| noticed::sentence(n, edge))
            .collect::<Vec<_>>()
    };
    let heal = |at: f64| {
        format!(
            "healed at {}{}",
            moment(at),
            cost(result, fault, EdgeKind::Heal)
        )
    };
    Story {
        injected: format!(
            "{} at {}{doubt}{}",
            deed(fault),
            moment(at),
            cost(result, fault, EdgeKind::Inject)
        ),
        healed: fault.healed_at_ms.map(heal),
        noticed: [told(EdgeKind::Inject), told(EdgeKind::Heal)].concat(),
    }
}

fn moment(ms: f64) -> String {
    format!("{:.1} s", ms / 1e3)
}

/// What was done to whom: `postgres-slave1 stopped`; the fault's name where there is no target, or no word for it.
#[must_use]
pub fn deed(fault: &FaultResult) -> String {
    let many = fault.targets.len() > 1;
    let was = if many { "were" } else { "was" };
    let done = match fault.kind.as_str() {
        "stop" => "stopped".to_owned(),
        "kill" => format!("{was} killed"),
        "pause" => format!("{was} paused"),
        "restart" => "restarted".to_owned(),
        "start" => "started".to_owned(),
        "disconnect" => format!("{was} disconnected"),
        "partition" => format!("{was} cut off"),
        "delay" => "had packets delayed".to_owned(),
        "loss" => "lost packets".to_owned(),
        "bandwidth" => "had little bandwidth".to_owned(),
        "reset_connections" => "had connections reset".to_owned(),
        "cpu" => "had little CPU".to_owned(),
        "memory" => "had little memory".to_owned(),
        "stress" => format!("{was} put under stress"),
        "fill_disk" => "had a full disk".to_owned(),
        "freeze_process" => "had processes frozen".to_owned(),
        _ => return fault.name.clone(),
    };
    if fault.targets.is_empty() {
        return fault.name.clone();
    }
    format!("{} {done}", fault.targets.join(", "))
}

/// What an edge cost all workloads together, after a colon; nothing where there are no figures.
fn cost(result: &RunResult, fault: &FaultResult, edge: EdgeKind) -> String {
    let of_edge = |i: &&Impact| i.fault == fault.name && i.edge == edge && i.requests > 0;
    let impacts: Vec<_> = result.impacts.iter().filter(of_edge).collect();
    if impacts.is_empty() {
        return String::new();
    }
    let sum = |pick: fn(&Impact) -> u64| {
        impacts
            .iter()
            .fold(0u64, |sum, i| sum.saturating_add(pick(i)))
    };
    let (requests, bad) = (sum(|i| i.requests), sum(|i| i.bad));
    if bad == 0 {
        return format!(
            ": none of {} requests failed{}",
            grouped(requests),
            slow(result, &impacts)
        );
    }
    let failed = format!(
        ": {} of {} requests failed",
        grouped(bad),
        grouped(requests)
    );
    let hurt: Vec<_> = impacts.iter().filter(|i| i.bad > 0).collect();
    let whose = |i: &Impact| {
        if impacts.len() > 1 {
            format!(" ({})", i.load)
        } else {
            String::new()
        }
    };
    if let Some(stuck) = hurt.iter().find(|i| !i.recovered) {
        return format!(
            "{failed}, service NOT BACK within {}{}",
            duration(stuck.window_ms),
            whose(stuck)
        );
    }
    let took = |i: &&&&Impact| i.time_to_recover_ms.unwrap_or(0.0);
    let slowest = hurt.iter().max_by(|a, b| took(a).total_cmp(&took(b)));
    let back = slowest.and_then(|i| {
        i.time_to_recover_ms
            .map(|ms| format!(", service back after {}{}", duration(ms), whose(i)))
    });
    format!("{failed}{}", back.unwrap_or_default())
}

/// Slow is not failed, and is told where nothing failed.
fn slow(result: &RunResult, impacts: &[&Impact]) -> String {
    let limited = |i: &Impact| {
        result
            .loads
            .iter()
            .any(|l| l.name == i.load && l.baseline.p99_limit_ms.is_some())
    };
    let slowed = impacts
        .iter()
        .filter(|i| limited(i) && i.time_to_recover_performance_ms != Some(0.0));
    let names: Vec<_> = slowed.map(|i| i.load.as_str()).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(", but {} became slower", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::analyze;
    use crate::analysis::known::{add_fault, history, plan, steady};

    fn run(outages: &[(u64, u64)]) -> RunResult {
        let operations = steady(100, 60, outages);
        let mut history = history(plan(&["web"], 2, 60), &[operations]);
        add_fault(&mut history, "slave 1 stops", 10_000, Some(30_000));
        analyze(&history)
    }

    #[test]
    fn a_fault_is_told_with_what_both_of_its_edges_cost() {
        let result = run(&[(10_000, 10_210)]);
        let story = of(&result, &result.faults[0]);
        assert_eq!(
            story.injected,
            "postgres-slave1 stopped at 10.0 s: 21 of 2 000 requests failed, service back after 210 ms"
        );
        assert_eq!(
            story.healed.unwrap(),
            "healed at 30.0 s: none of 3 000 requests failed"
        );
    }

    #[test]
    fn an_outage_that_did_not_end_is_told_so() {
        let result = run(&[(10_000, 30_000)]);
        let story = of(&result, &result.faults[0]);
        assert!(
            story
                .injected
                .ends_with("2 000 of 2 000 requests failed, service NOT BACK within 20.000 s"),
            "{}",
            story.injected
        );
    }

    #[test]
    fn a_fault_that_did_not_take_place_or_was_not_seen_is_told_so() {
        let mut result = run(&[]);
        result.faults[0].confirmed = Some(false);
        assert!(
            of(&result, &result.faults[0])
                .injected
                .starts_with("postgres-slave1 stopped at 10.0 s (NOT CONFIRMED)")
        );
        result.faults[0].injected_at_ms = None;
        assert_eq!(
            of(&result, &result.faults[0]).injected,
            "postgres-slave1 stopped: did not take place"
        );
    }

    #[test]
    fn a_kind_without_a_word_of_its_own_is_told_by_its_name() {
        let mut result = run(&[]);
        result.faults[0].kind = "external".to_owned();
        assert_eq!(deed(&result.faults[0]), "slave 1 stops");
        result.faults[0].kind = "kill".to_owned();
        result.faults[0].targets = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(deed(&result.faults[0]), "a, b were killed");
    }
}
