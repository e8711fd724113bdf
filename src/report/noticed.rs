//! What others noticed of a fault: the first word of every other source about something that went down or up, after
//! each edge. The rule knows no source by name, so that whatever an observer writes is found.

use crate::analysis::result::{EdgeKind, EventResult, FaultResult, RunResult};
use crate::verdict::gate::duration;

/// lbtest's own source of events: it does not notice what it does itself.
const OWN: &str = "lbtest";

/// Words of an event that say that something went down …
const DOWN: [&str; 22] = [
    "down",
    "unhealthy",
    "die",
    "died",
    "dead",
    "lost",
    "left",
    "gone",
    "fail",
    "failed",
    "failing",
    "offline",
    "unreachable",
    "disconnected",
    "broken",
    "stopped",
    "maint",
    "drain",
    "ejected",
    "removed",
    "oom",
    "unavailable",
];
/// … or up.
const UP: [&str; 14] = [
    "up",
    "healthy",
    "recovered",
    "online",
    "reachable",
    "connected",
    "streaming",
    "started",
    "start",
    "ready",
    "back",
    "joined",
    "promoted",
    "available",
];
/// What the engine says of its own deeds: of a fault's target, it is our own order come back.
const DEEDS: [&str; 6] = ["die", "stop", "start", "kill", "oom", "restart"];

/// What a source noticed.
#[derive(Debug, Clone, PartialEq)]
pub struct Noticed<'a> {
    /// After the edge, milliseconds.
    pub after_ms: f64,
    /// The event.
    pub event: &'a EventResult,
}

/// The first event of every source other than lbtest, from an edge of a fault to the next edge of any fault (or the
/// end), that tells of something that went down or up.
#[must_use]
pub fn noticed<'a>(result: &'a RunResult, fault: &FaultResult, edge: EdgeKind) -> Vec<Noticed<'a>> {
    let at = match edge {
        EdgeKind::Inject => fault.injected_at_ms,
        EdgeKind::Heal => fault.healed_at_ms,
    };
    let Some(at) = at else {
        return Vec::new();
    };
    let edges = result
        .faults
        .iter()
        .flat_map(|f| [f.injected_at_ms, f.healed_at_ms]);
    let until = edges
        .flatten()
        .filter(|other| *other > at)
        .fold(f64::INFINITY, f64::min);
    let mut found: Vec<Noticed> = Vec::new();
    for event in &result.events {
        let tells =
            event.source != OWN && (at..until).contains(&event.at_ms) && is_change(event, fault);
        if !tells {
            continue;
        }
        let noticed = Noticed {
            after_ms: event.at_ms - at,
            event,
        };
        match found.iter_mut().find(|n| n.event.source == event.source) {
            Some(known) if known.after_ms > noticed.after_ms => *known = noticed,
            Some(_) => {}
            None => found.push(noticed),
        }
    }
    found.sort_by(|a, b| a.after_ms.total_cmp(&b.after_ms));
    found
}

fn is_change(event: &EventResult, fault: &FaultResult) -> bool {
    let what = event.what.to_lowercase();
    let mut words = what
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .take(64);
    let own = event.source == "docker" && fault.hits(&event.subject);
    if own
        && words
            .clone()
            .next()
            .is_some_and(|first| DEEDS.contains(&first))
    {
        return false;
    }
    words.any(|word| DOWN.contains(&word) || UP.contains(&word))
}

/// `HAProxy noticed after 7.400 s (postgres-slave1: DOWN)`, `HAProxy noticed the heal after 3.500 s (postgres-slave1: UP)`.
#[must_use]
pub fn sentence(noticed: &Noticed, edge: EdgeKind) -> String {
    let event = noticed.event;
    let what = match edge {
        EdgeKind::Inject => "",
        EdgeKind::Heal => "the heal ",
    };
    let about = match event.subject.as_str() {
        "" => event.what.clone(),
        subject => format!("{subject}: {}", event.what),
    };
    format!(
        "{} noticed {what}after {} ({about})",
        who(&event.source),
        duration(noticed.after_ms)
    )
}

/// A source as its makers write it.
#[must_use]
pub fn who(source: &str) -> String {
    match source {
        "haproxy" => "HAProxy",
        "docker" => "Docker",
        "postgres" | "postgresql" => "PostgreSQL",
        "mysql" => "MySQL",
        "mariadb" => "MariaDB",
        "redis" => "Redis",
        "rabbitmq" => "RabbitMQ",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::analyze;
    use crate::analysis::known::{add_fault, history, plan, steady};

    fn run(events: &[(f64, &str, &str, &str)]) -> RunResult {
        let mut history = history(plan(&["web"], 2, 60), &[steady(20, 60, &[])]);
        add_fault(&mut history, "slave 1 stops", 10_000, Some(30_000));
        let mut result = analyze(&history);
        result.faults[0].targets = vec!["postgres-slave1".to_owned()];
        let event = |(at, source, subject, what): &(f64, &str, &str, &str)| EventResult {
            at_ms: *at,
            source: (*source).to_owned(),
            subject: (*subject).to_owned(),
            what: (*what).to_owned(),
        };
        result.events = events.iter().map(event).collect();
        result
    }

    fn said(result: &RunResult, edge: EdgeKind) -> Vec<String> {
        noticed(result, &result.faults[0], edge)
            .iter()
            .map(|n| sentence(n, edge))
            .collect()
    }

    #[test]
    fn the_first_word_of_every_source_after_each_edge_is_told() {
        let result = run(&[
            (9_000.0, "haproxy", "app1", "DOWN"),
            (17_400.0, "haproxy", "postgres-slave1", "DOWN, L4TOUT"),
            (18_000.0, "haproxy", "postgres-slave1", "DOWN again"),
            (10_200.0, "postgres", "postgres-master", "replica lost"),
            (33_500.0, "haproxy", "postgres-slave1", "UP"),
        ]);
        assert_eq!(
            said(&result, EdgeKind::Inject),
            [
                "PostgreSQL noticed after 200 ms (postgres-master: replica lost)",
                "HAProxy noticed after 7.400 s (postgres-slave1: DOWN, L4TOUT)",
            ]
        );
        assert_eq!(
            said(&result, EdgeKind::Heal),
            ["HAProxy noticed the heal after 3.500 s (postgres-slave1: UP)"]
        );
    }

    #[test]
    fn what_the_engine_did_by_order_is_not_noticed_but_a_failing_health_check_is() {
        let result = run(&[
            (10_020.0, "docker", "postgres-slave1", "die (exitCode=0)"),
            (10_050.0, "docker", "app1", "die (exitCode=1)"),
            (30_000.0, "docker", "postgres-slave1", "start"),
            (
                32_000.0,
                "docker",
                "postgres-slave1",
                "health_status: healthy",
            ),
        ]);
        assert_eq!(
            said(&result, EdgeKind::Inject),
            ["Docker noticed after 50 ms (app1: die (exitCode=1))"]
        );
        assert_eq!(
            said(&result, EdgeKind::Heal),
            ["Docker noticed the heal after 2.000 s (postgres-slave1: health_status: healthy)"]
        );
    }

    #[test]
    fn other_words_and_lbtests_own_are_not_told() {
        let result = run(&[
            (10_100.0, "lbtest", "postgres-slave1", "down"),
            (10_200.0, "nginx", "upstream", "reloaded its upgrade"),
        ]);
        assert!(said(&result, EdgeKind::Inject).is_empty());
    }
}
