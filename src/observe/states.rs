//! How the containers of a run are: looked at once, and again after each event of the engine's that may change it.

use crate::engine::{Container, ContainerState, Engine, EngineError, EngineEvent};
use crate::notice::ServiceTick;
use std::sync::Arc;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::watch;

/// Actions after which a container may be otherwise.
const CHANGES: [&str; 8] = [
    "die",
    "stop",
    "start",
    "restart",
    "pause",
    "unpause",
    "destroy",
    "health_status",
];

/// Keeps `told` up to date until the engine's stream of events ends, or nobody listens. Each event costs one look at its
/// container; between events nothing is asked.
pub async fn follow(
    engine: Arc<dyn Engine>,
    mut events: Receiver<EngineEvent>,
    containers: Vec<Container>,
    told: watch::Sender<Vec<ServiceTick>>,
) {
    look_at_all(&*engine, &containers, &told).await;
    loop {
        match events.recv().await {
            Ok(event) => {
                let action = event.action.split(':').next().unwrap_or_default();
                let ours = containers.iter().position(|c| c.id == event.container);
                let Some(index) = ours.filter(|_| CHANGES.contains(&action)) else {
                    continue;
                };
                let now = look(&*engine, &containers[index]).await;
                told.send_if_modified(|all| replace(all, index, now));
            }
            Err(RecvError::Lagged(_)) => look_at_all(&*engine, &containers, &told).await,
            Err(RecvError::Closed) => return,
        }
        if told.is_closed() {
            return;
        }
    }
}

/// Names of containers as targets are named: the service, or `service.2` where it has several.
#[must_use]
pub fn names(containers: &[Container]) -> Vec<String> {
    let several = |c: &Container| containers.iter().filter(|o| o.service == c.service).count() > 1;
    let name = |c: &Container| match several(c) {
        true => format!("{}.{}", c.service, c.number),
        false => c.service.clone(),
    };
    containers.iter().map(name).collect()
}

async fn look_at_all(
    engine: &dyn Engine,
    containers: &[Container],
    told: &watch::Sender<Vec<ServiceTick>>,
) {
    let before = told.borrow().clone();
    let mut all: Vec<ServiceTick> = Vec::new();
    for (container, name) in containers.iter().zip(names(containers)) {
        let known = || before.iter().find(|s| s.name == name);
        let state = match look(engine, container).await {
            Some(state) => state,
            None => known().map_or_else(String::new, |s| s.state.clone()),
        };
        all.push(ServiceTick { name, state });
    }
    told.send_replace(all);
}

/// None while the engine does not answer: then what was last seen stands.
async fn look(engine: &dyn Engine, container: &Container) -> Option<String> {
    match engine.state(&container.id).await {
        Ok(state) => Some(in_words(&state)),
        Err(EngineError::NotFound(_)) => Some("removed".to_owned()),
        Err(
            EngineError::Unreachable(_) | EngineError::Refused { .. } | EngineError::NotOurs(_),
        ) => None,
    }
}

fn in_words(state: &ContainerState) -> String {
    match (state.running, state.paused, &state.health) {
        (false, _, _) => match state.exit_code {
            None | Some(0) => "stopped".to_owned(),
            Some(code) => format!("stopped {code}"),
        },
        (true, true, _) => "paused".to_owned(),
        (true, false, Some(health)) => health.clone(),
        (true, false, None) => "running".to_owned(),
    }
}

fn replace(all: &mut [ServiceTick], index: usize, state: Option<String>) -> bool {
    match (all.get_mut(index), state) {
        (Some(service), Some(state)) if service.state != state => {
            service.state = state;
            true
        }
        (Some(_) | None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::simulated::Simulated;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn states_follow_the_engines_events_at_one_look_each() {
        let engine = Simulated::with_services(&["db", "app"]);
        engine.add("app", 2);
        let containers = engine.containers("p").await.unwrap();
        let id = containers
            .iter()
            .find(|c| c.service == "db")
            .unwrap()
            .id
            .clone();
        let (tx, rx) = watch::channel(Vec::new());
        let events = engine.events();
        let shared: Arc<dyn Engine> = Arc::new(engine.clone());
        tokio::spawn(follow(shared, events, containers, tx));
        let seen = async |after: u64| {
            tokio::time::sleep(Duration::from_secs(after)).await;
            let all = rx.borrow().clone();
            let mut all: Vec<_> = all.into_iter().map(|s| (s.name, s.state)).collect();
            all.sort();
            all
        };
        let of = |db: &str| {
            ["app.1 running", "app.2 running", db]
                .map(|s| s.split_once(' ').unwrap())
                .map(|(n, s)| (n.to_owned(), s.to_owned()))
                .to_vec()
        };
        assert_eq!(seen(1).await, of("db running"));
        engine.stop(&id, None).await.unwrap();
        assert_eq!(seen(1).await, of("db stopped"));
        engine.start(&id).await.unwrap();
        engine.pause(&id).await.unwrap();
        assert_eq!(seen(1).await, of("db paused"));
        engine.remove(&id);
        engine.unpause(&id).await.unwrap_err();
        assert_eq!(seen(1).await.len(), 3);
    }
}
