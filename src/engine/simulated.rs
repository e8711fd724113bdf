//! An engine in memory, on tokio's time: what faults are tested with, exactly and without waiting.
//!
//! Every call has three moments, as with Docker: its effect, the event that tells of it,
//! and its return. Calls can be made to fail, or to report success without any effect.

use super::{Container, ContainerState, Engine, EngineError, EngineEvent};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;

/// A call of the engine that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// `stop`
    Stop,
    /// `kill`
    Kill,
    /// `pause`
    Pause,
    /// `unpause`
    Unpause,
    /// `restart`
    Restart,
    /// `start`
    Start,
}

/// How long a call takes, each counted from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// Until it has its effect.
    pub effect: Duration,
    /// Until the event that tells of it.
    pub event: Duration,
    /// Until it returns.
    pub returns: Duration,
}

impl Latency {
    /// Milliseconds until effect, event and return.
    #[must_use]
    pub const fn of_millis(effect: u64, event: u64, returns: u64) -> Self {
        Self {
            effect: Duration::from_millis(effect),
            event: Duration::from_millis(event),
            returns: Duration::from_millis(returns),
        }
    }
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// When it began.
    pub at: Instant,
    /// Which.
    pub call: Call,
    /// On which container.
    pub id: String,
    /// Signal or grace, as given: `SIGTERM`, `10s`; empty where there is none.
    pub argument: String,
}

#[derive(Debug, Clone)]
enum Spoiled {
    Fails(EngineError),
    NoEffect,
}

#[derive(Debug, Default)]
struct World {
    containers: BTreeMap<String, (Container, ContainerState)>,
    latencies: BTreeMap<Call, Latency>,
    spoiled: Vec<(Call, Spoiled)>,
    calls: Vec<Made>,
    starts: u64,
}

/// The engine in memory. Clones share it.
#[derive(Debug, Clone)]
pub struct Simulated {
    world: Arc<Mutex<World>>,
    events: broadcast::Sender<EngineEvent>,
}

impl Simulated {
    /// An engine with one running container per service. A container's id is `id-` and its name.
    #[must_use]
    pub fn with_services(services: &[&str]) -> Self {
        let simulated = Self {
            world: Arc::default(),
            events: broadcast::channel(1024).0,
        };
        for service in services {
            simulated.add(service, 1);
        }
        simulated
    }

    /// Adds a running container; its id.
    pub fn add(&self, service: &str, number: u32) -> String {
        let name = format!("simulated-{service}-{number}");
        let id = format!("id-{name}");
        let container = Container {
            id: id.clone(),
            name,
            service: service.to_owned(),
            number,
        };
        let mut world = self.world();
        let state = world.running();
        world.containers.insert(id.clone(), (container, state));
        id
    }

    /// Sets how long a call takes. Without, the medians that Docker 20.10 was measured at (kill: 11, 32, 326 ms).
    pub fn set_latency(&self, call: Call, latency: Latency) {
        self.world().latencies.insert(call, latency);
    }

    /// The next call of the kind fails, without effect.
    pub fn fail_next(&self, call: Call, error: EngineError) {
        self.world().spoiled.push((call, Spoiled::Fails(error)));
    }

    /// The next call of the kind reports success and does nothing.
    pub fn ignore_next(&self, call: Call) {
        self.world().spoiled.push((call, Spoiled::NoEffect));
    }

    /// A container ends by itself, now.
    pub fn crash(&self, id: &str, exit_code: i64) {
        self.change(id, |_, state| end(state, exit_code));
        self.tell(id, "die", &format!("exitCode={exit_code}"));
    }

    /// Sets a container's health, now.
    pub fn set_health(&self, id: &str, health: &str) {
        self.change(id, |_, state| state.health = Some(health.to_owned()));
        self.tell(id, &format!("health_status: {health}"), "");
    }

    /// Takes a container away, now.
    pub fn remove(&self, id: &str) {
        self.world().containers.remove(id);
    }

    /// Every changing call so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Made> {
        self.world().calls.clone()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, id: &str, change: impl FnOnce(u64, &mut ContainerState)) {
        let mut world = self.world();
        world.starts += 1;
        let stamp = world.starts;
        if let Some((_, state)) = world.containers.get_mut(id) {
            change(stamp, state);
        }
    }

    fn tell(&self, id: &str, action: &str, detail: &str) {
        let service = self
            .world()
            .containers
            .get(id)
            .map(|(c, _)| c.service.clone())
            .unwrap_or_default();
        let event = EngineEvent {
            at: Instant::now(),
            container: id.to_owned(),
            service,
            action: action.to_owned(),
            detail: detail.to_owned(),
        };
        let _ = self.events.send(event);
    }

    /// Notes the call and looks at the container; what spoils it, if anything does.
    fn begin(
        &self,
        call: Call,
        id: &str,
        argument: String,
    ) -> Result<(ContainerState, Latency, bool), EngineError> {
        let mut world = self.world();
        world.calls.push(Made {
            at: Instant::now(),
            call,
            id: id.to_owned(),
            argument,
        });
        let latency = world
            .latencies
            .get(&call)
            .copied()
            .unwrap_or_else(|| measured(call));
        let state = world.containers.get(id).map(|(_, state)| state.clone());
        let state = state.ok_or_else(|| EngineError::NotFound(format!("container {id}")))?;
        let at = world
            .spoiled
            .iter()
            .position(|(spoiled, _)| *spoiled == call);
        match at.map(|at| world.spoiled.remove(at).1) {
            Some(Spoiled::Fails(error)) => Err(error),
            Some(Spoiled::NoEffect) => Ok((state, latency, false)),
            None => Ok((state, latency, true)),
        }
    }

    /// Effect, event and return, each at its moment.
    async fn carry_out(
        &self,
        id: &str,
        latency: Latency,
        effect: impl FnOnce(u64, &mut ContainerState),
        event: (&str, &str),
    ) {
        let began = Instant::now();
        tokio::time::sleep_until(began + latency.effect).await;
        self.change(id, effect);
        tokio::time::sleep_until(began + latency.event).await;
        self.tell(id, event.0, event.1);
        tokio::time::sleep_until(began + latency.returns).await;
    }
}

impl World {
    fn running(&mut self) -> ContainerState {
        self.starts += 1;
        let mut state = ContainerState::default();
        begin_again(self.starts, &mut state);
        state
    }
}

fn begin_again(stamp: u64, state: &mut ContainerState) {
    state.running = true;
    state.paused = false;
    state.exit_code = None;
    state.started_at = Some(format!("start {stamp}"));
}

fn end(state: &mut ContainerState, exit_code: i64) {
    state.running = false;
    state.paused = false;
    state.exit_code = Some(exit_code);
}

/// Medians of Docker 20.10 on a two-core machine: effect, event, return.
const fn measured(call: Call) -> Latency {
    match call {
        Call::Stop => Latency::of_millis(12, 37, 327),
        Call::Kill => Latency::of_millis(11, 32, 326),
        Call::Pause => Latency::of_millis(14, 15, 17),
        Call::Unpause => Latency::of_millis(10, 11, 13),
        Call::Restart => Latency::of_millis(16, 45, 632),
        Call::Start => Latency::of_millis(265, 265, 265),
    }
}

fn refused(what: &str, answer: &str) -> EngineError {
    EngineError::Refused {
        what: what.to_owned(),
        answer: answer.to_owned(),
    }
}

fn seconds(grace: Option<Duration>) -> String {
    grace.map_or_else(String::new, |g| format!("{}s", g.as_secs_f64()))
}

#[async_trait]
impl Engine for Simulated {
    async fn containers(&self, _project: &str) -> Result<Vec<Container>, EngineError> {
        let mut all: Vec<Container> = self
            .world()
            .containers
            .values()
            .map(|(c, _)| c.clone())
            .collect();
        all.sort_by(|a, b| (&a.service, a.number).cmp(&(&b.service, b.number)));
        Ok(all)
    }

    async fn state(&self, id: &str) -> Result<ContainerState, EngineError> {
        let state = self
            .world()
            .containers
            .get(id)
            .map(|(_, state)| state.clone());
        state.ok_or_else(|| EngineError::NotFound(format!("container {id}")))
    }

    async fn stop(&self, id: &str, grace: Option<Duration>) -> Result<(), EngineError> {
        let (state, latency, works) = self.begin(Call::Stop, id, seconds(grace))?;
        if works && state.running {
            self.carry_out(id, latency, |_, state| end(state, 0), ("die", "exitCode=0"))
                .await;
        }
        Ok(())
    }

    async fn kill(&self, id: &str, signal: &str) -> Result<(), EngineError> {
        let (state, latency, works) = self.begin(Call::Kill, id, signal.to_owned())?;
        if !state.running {
            return Err(refused(
                &format!("sending {signal} to container {id}"),
                "it is not running",
            ));
        }
        if works {
            let (code, ends) = match signal.trim_start_matches("SIG") {
                "KILL" | "9" => (137, true),
                "TERM" | "15" => (143, true),
                "INT" | "2" => (130, true),
                _ => (0, false),
            };
            let effect = |_, state: &mut ContainerState| {
                if ends {
                    end(state, code);
                }
            };
            let detail = if ends {
                format!("exitCode={code}")
            } else {
                format!("signal={signal}")
            };
            self.carry_out(
                id,
                latency,
                effect,
                (if ends { "die" } else { "kill" }, &detail),
            )
            .await;
        }
        Ok(())
    }

    async fn pause(&self, id: &str) -> Result<(), EngineError> {
        let (state, latency, works) = self.begin(Call::Pause, id, String::new())?;
        if !state.running || state.paused {
            return Err(refused(
                &format!("pausing container {id}"),
                "it is not running, or paused already",
            ));
        }
        if works {
            self.carry_out(id, latency, |_, state| state.paused = true, ("pause", ""))
                .await;
        }
        Ok(())
    }

    async fn unpause(&self, id: &str) -> Result<(), EngineError> {
        let (state, latency, works) = self.begin(Call::Unpause, id, String::new())?;
        if !state.paused {
            return Err(refused(
                &format!("unpausing container {id}"),
                "it is not paused",
            ));
        }
        if works {
            self.carry_out(
                id,
                latency,
                |_, state| state.paused = false,
                ("unpause", ""),
            )
            .await;
        }
        Ok(())
    }

    async fn restart(&self, id: &str, grace: Option<Duration>) -> Result<(), EngineError> {
        let (_, latency, works) = self.begin(Call::Restart, id, seconds(grace))?;
        if works {
            let began = Instant::now();
            let down = Latency {
                returns: latency.event,
                ..latency
            };
            self.carry_out(id, down, |_, state| end(state, 0), ("die", "exitCode=0"))
                .await;
            tokio::time::sleep_until(began + latency.returns).await;
            self.change(id, begin_again);
            self.tell(id, "start", "");
            self.tell(id, "restart", "");
        }
        Ok(())
    }

    async fn start(&self, id: &str) -> Result<(), EngineError> {
        let (state, latency, works) = self.begin(Call::Start, id, String::new())?;
        if works && !state.running {
            self.carry_out(id, latency, begin_again, ("start", ""))
                .await;
        }
        Ok(())
    }

    async fn log_tail(&self, id: &str, _lines: usize) -> Result<Vec<String>, EngineError> {
        self.state(id).await.map(|_| Vec::new())
    }

    fn events(&self) -> broadcast::Receiver<EngineEvent> {
        self.events.subscribe()
    }

    fn shares_our_kernel(&self) -> bool {
        false
    }
}

#[cfg(test)]
#[path = "simulated_tests.rs"]
mod tests;
