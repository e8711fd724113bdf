//! The engine's events of the project's containers, for the history: what died, started or turned unhealthy, and when.

use crate::clock::Clock;
use crate::engine::EngineEvent;
use crate::history::Event;
use std::collections::BTreeSet;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::mpsc::UnboundedSender;

/// Actions worth keeping; the rest (exec of healthchecks, resize, …) is noise.
const KEPT: [&str; 10] = [
    "kill",
    "die",
    "stop",
    "start",
    "restart",
    "pause",
    "unpause",
    "oom",
    "destroy",
    "health_status",
];

/// Passes the events of `services` on until the engine's stream ends.
pub async fn follow(
    mut events: Receiver<EngineEvent>,
    clock: Clock,
    containers: BTreeSet<String>,
    sink: UnboundedSender<Event>,
) {
    loop {
        match events.recv().await {
            Ok(event) if containers.contains(&event.container) => {
                if let Some(event) = kept(&event, &clock)
                    && sink.send(event).is_err()
                {
                    return;
                }
            }
            Ok(_) => {}
            Err(RecvError::Lagged(missed)) => {
                let what = format!("{missed} engine events were missed: lbtest could not keep up");
                let lagged = Event {
                    at: clock.now(),
                    source: "lbtest".to_owned(),
                    subject: "docker".to_owned(),
                    what,
                };
                if sink.send(lagged).is_err() {
                    return;
                }
            }
            Err(RecvError::Closed) => return,
        }
    }
}

fn kept(event: &EngineEvent, clock: &Clock) -> Option<Event> {
    let name = event.action.split(':').next().unwrap_or_default();
    KEPT.contains(&name).then(|| Event {
        at: clock.offset(event.at),
        source: "docker".to_owned(),
        subject: event.service.clone(),
        what: if event.detail.is_empty() {
            event.action.clone()
        } else {
            format!("{} ({})", event.action, event.detail)
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn only_our_containers_and_only_what_matters_reach_the_history() {
        let (tx, rx) = tokio::sync::broadcast::channel(16);
        let (sink, mut kept) = tokio::sync::mpsc::unbounded_channel();
        let clock = Clock::starting_at(Instant::now());
        tokio::time::advance(std::time::Duration::from_secs(2)).await;
        for (container, action) in [
            ("ours", "die"),
            ("theirs", "die"),
            ("ours", "exec_start: psql"),
            ("ours", "health_status: unhealthy"),
        ] {
            let event = EngineEvent {
                at: Instant::now(),
                container: container.into(),
                service: "db".into(),
                action: action.into(),
                detail: String::new(),
            };
            tx.send(event).unwrap();
        }
        drop(tx);
        follow(rx, clock, BTreeSet::from(["ours".to_owned()]), sink).await;
        let mut seen = Vec::new();
        while let Some(event) = kept.recv().await {
            seen.push((event.at.as_millis_f64(), event.what));
        }
        assert_eq!(
            seen,
            [
                (2000.0, "die".to_owned()),
                (2000.0, "health_status: unhealthy".to_owned())
            ]
        );
    }
}
