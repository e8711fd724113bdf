//! One background task follows the engine's event stream, stamps every event on receipt and broadcasts it.

use super::{EngineEvent, labels};
use bollard::Docker as Client;
use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Events that a slow listener may fall behind before it loses the oldest.
pub const BACKLOG: usize = 4096;
/// Before a broken stream is opened again.
const RETRY: Duration = Duration::from_millis(100);
/// Everything that tells of a container's life; executed commands (each healthcheck is one) are left out.
const ACTIONS: &[&str] = &[
    "create",
    "start",
    "restart",
    "stop",
    "kill",
    "die",
    "oom",
    "pause",
    "unpause",
    "destroy",
    "rename",
    "health_status",
];
/// Attributes worth keeping.
const DETAILS: &[&str] = &["signal", "exitCode", "execDuration"];

/// Follows the stream until `end`. After a break it asks for what it missed.
pub async fn follow(client: Client, to: broadcast::Sender<EngineEvent>, end: CancellationToken) {
    let mut last_nano: Option<i64> = None;
    while !end.is_cancelled() {
        tokio::select! {
            () = end.cancelled() => return,
            () = one_stream(&client, &to, &mut last_nano) => {}
        }
        tokio::select! {
            () = end.cancelled() => return,
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

async fn one_stream(
    client: &Client,
    to: &broadcast::Sender<EngineEvent>,
    last_nano: &mut Option<i64>,
) {
    let filters: HashMap<String, Vec<String>> = HashMap::from([
        ("type".into(), vec!["container".into()]),
        ("label".into(), vec![labels::PROJECT.into()]),
        (
            "event".into(),
            ACTIONS.iter().map(|a| (*a).to_owned()).collect(),
        ),
    ]);
    let mut options = EventsOptionsBuilder::new().filters(&filters);
    // The engine's own stamps, so a clock that differs from ours does not matter.
    let seen = *last_nano;
    if let Some(nano) = seen {
        options = options.since(&format!(
            "{}.{:09}",
            nano / 1_000_000_000,
            nano % 1_000_000_000
        ));
    }
    let mut stream = std::pin::pin!(client.events(Some(options.build())));
    while let Some(Ok(message)) = stream.next().await {
        let at = Instant::now();
        if let Some(nano) = message.time_nano {
            // `since` is inclusive: what was told before the break is not told again.
            if seen.is_some_and(|seen| nano <= seen) {
                continue;
            }
            *last_nano = Some(last_nano.map_or(nano, |last| last.max(nano)));
        }
        if let Some(event) = translate(at, message) {
            // Nobody listens: nothing to do.
            let _ = to.send(event);
        }
    }
}

fn translate(at: Instant, message: EventMessage) -> Option<EngineEvent> {
    let actor = message.actor?;
    let attributes = actor.attributes.unwrap_or_default();
    let detail: Vec<String> = DETAILS
        .iter()
        .filter_map(|key| attributes.get(*key).map(|value| format!("{key}={value}")))
        .collect();
    Some(EngineEvent {
        at,
        container: actor.id?,
        service: attributes.get(labels::SERVICE).cloned().unwrap_or_default(),
        action: message.action?,
        detail: detail.join(" "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::EventActor;

    #[tokio::test(start_paused = true)]
    async fn an_event_keeps_its_service_and_the_attributes_that_matter() {
        let attributes = [
            ("exitCode", "137"),
            ("signal", "9"),
            ("image", "x"),
            (labels::SERVICE, "db"),
        ];
        let message = EventMessage {
            action: Some("die".into()),
            actor: Some(EventActor {
                id: Some("abc".into()),
                attributes: Some(attributes.map(|(k, v)| (k.to_owned(), v.to_owned())).into()),
            }),
            ..EventMessage::default()
        };
        let event = translate(Instant::now(), message).expect("an event");
        assert_eq!(
            (event.container.as_str(), event.service.as_str()),
            ("abc", "db")
        );
        assert_eq!(event.detail, "signal=9 exitCode=137");
    }
}
