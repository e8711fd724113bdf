//! An engine in memory, on tokio's time: what faults are tested with, exactly and without waiting.
//!
//! Every call has three moments, as with Docker: its effect, the event that tells of it,
//! and its return. Calls can be made to fail, or to report success without any effect.

use super::{
    Container, ContainerState, Endpoint, Engine, EngineError, EngineEvent, Executed, Limits,
    Sidecar, SidecarSpec,
};
use crate::sidecar::protocol::{Done, Leftover, Order};
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
    /// `network disconnect`
    Disconnect,
    /// `network connect`
    Connect,
    /// `update`
    Update,
    /// `exec`
    Exec,
    /// Start of a sidecar
    Sidecar,
    /// An order to a sidecar
    Order,
    /// Removal of a sidecar and of what it left
    Mend,
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
    networks: BTreeMap<String, Vec<Endpoint>>,
    limits: BTreeMap<String, Limits>,
    /// How often all connections were cut.
    cuts: u64,
    /// Sidecars that are there: tag and target.
    sidecars: Vec<(String, String)>,
    /// What sidecars answer to a look.
    counted: u64,
    /// Exit codes of programs; 0 for those that are not here.
    codes: BTreeMap<String, i64>,
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

    /// A container that ended runs again, now: by its restart policy, or by somebody's hand.
    pub fn come_back(&self, id: &str) {
        self.change(id, begin_again);
        self.tell(id, "start", "");
    }

    /// Cuts every connection, now: sidecars end with theirs.
    pub fn cut(&self) {
        let mut world = self.world();
        world.cuts += 1;
        world.sidecars.clear();
    }

    /// Somebody changes a container's limits, now.
    pub fn change_limits(&self, id: &str, limits: Limits) {
        self.world().limits.insert(id.to_owned(), limits);
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

    /// Puts a container into a network.
    pub fn join_network(&self, id: &str, endpoint: Endpoint) {
        let mut world = self.world();
        world
            .networks
            .entry(id.to_owned())
            .or_default()
            .push(endpoint);
    }

    /// What every sidecar counts from now on when it is told to look.
    pub fn count(&self, count: u64) {
        self.world().counted = count;
    }

    /// A program ends with this code whenever it is executed.
    pub fn set_exit_code(&self, program: &str, code: i64) {
        self.world().codes.insert(program.to_owned(), code);
    }

    /// How many sidecars are beside a container.
    #[must_use]
    pub fn sidecars_beside(&self, id: &str) -> usize {
        let world = self.world();
        world
            .sidecars
            .iter()
            .filter(|(_, beside)| beside == id)
            .count()
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
        Call::Start | Call::Sidecar => Latency::of_millis(265, 265, 265),
        Call::Disconnect => Latency::of_millis(299, 299, 302),
        Call::Connect => Latency::of_millis(47, 47, 49),
        Call::Update | Call::Order => Latency::of_millis(1, 1, 2),
        Call::Exec => Latency::of_millis(50, 50, 70),
        Call::Mend => Latency::of_millis(300, 300, 400),
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

    async fn endpoints(&self, id: &str) -> Result<Vec<Endpoint>, EngineError> {
        self.state(id).await?;
        let world = self.world();
        Ok(world.networks.get(id).cloned().unwrap_or_default())
    }

    async fn disconnect(&self, id: &str, network: &str) -> Result<(), EngineError> {
        let (_, latency, works) = self.begin(Call::Disconnect, id, network.to_owned())?;
        tokio::time::sleep(latency.effect).await;
        if works && let Some(all) = self.world().networks.get_mut(id) {
            all.retain(|e| e.network != network);
        }
        Ok(())
    }

    async fn connect(&self, id: &str, endpoint: &Endpoint) -> Result<(), EngineError> {
        let (_, latency, works) = self.begin(Call::Connect, id, endpoint.network.clone())?;
        tokio::time::sleep(latency.effect).await;
        if works {
            self.join_network(id, endpoint.clone());
        }
        Ok(())
    }

    async fn limits(&self, id: &str) -> Result<Limits, EngineError> {
        self.state(id).await?;
        Ok(self.world().limits.get(id).copied().unwrap_or_default())
    }

    async fn set_limits(&self, id: &str, limits: &Limits) -> Result<(), EngineError> {
        let (_, latency, works) = self.begin(Call::Update, id, format!("{limits:?}"))?;
        tokio::time::sleep(latency.returns).await;
        if works {
            self.world().limits.insert(id.to_owned(), *limits);
        }
        Ok(())
    }

    async fn exec(
        &self,
        id: &str,
        command: &[String],
        _timeout: Duration,
    ) -> Result<Executed, EngineError> {
        let (_, latency, _) = self.begin(Call::Exec, id, command.join(" "))?;
        tokio::time::sleep(latency.returns).await;
        let program = command.first().map_or("", String::as_str);
        Ok(Executed {
            code: self.world().codes.get(program).copied().unwrap_or(0),
            output: String::new(),
        })
    }

    async fn sidecar(&self, spec: &SidecarSpec) -> Result<Arc<dyn Sidecar>, EngineError> {
        let (state, latency, _) = self.begin(Call::Sidecar, &spec.target, spec.tag.clone())?;
        tokio::time::sleep(latency.returns).await;
        let mark = (spec.tag.clone(), spec.target.clone());
        self.world().sidecars.push(mark.clone());
        Ok(Arc::new(Beside {
            engine: self.clone(),
            mark,
            joined: state.pid,
            cuts: self.world().cuts,
        }))
    }

    async fn sidecars(&self, spec: &SidecarSpec) -> Result<Vec<String>, EngineError> {
        let world = self.world();
        let mine = |(tag, target): &&(String, String)| *tag == spec.tag && *target == spec.target;
        Ok(world
            .sidecars
            .iter()
            .filter(mine)
            .map(|(tag, _)| tag.clone())
            .collect())
    }

    async fn mend(
        &self,
        spec: &SidecarSpec,
        _leftover: Option<&Leftover>,
    ) -> Result<String, EngineError> {
        let (_, latency, works) = self.begin(Call::Mend, &spec.target, spec.tag.clone())?;
        tokio::time::sleep(latency.returns).await;
        if works {
            let gone = (spec.tag.clone(), spec.target.clone());
            self.world().sidecars.retain(|mark| *mark != gone);
        }
        Ok("nothing is left".to_owned())
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

/// A sidecar that does nothing but count.
struct Beside {
    engine: Simulated,
    mark: (String, String),
    joined: Option<u32>,
    cuts: u64,
}

impl Drop for Beside {
    fn drop(&mut self) {
        let mark = &self.mark;
        self.engine.world().sidecars.retain(|m| m != mark);
    }
}

#[async_trait]
impl Sidecar for Beside {
    async fn ask(&self, order: Order) -> Result<Done, EngineError> {
        if !self.lives() {
            return Err(refused("the sidecar", "it is gone"));
        }
        let (_, latency, _) = self
            .engine
            .begin(Call::Order, &self.mark.1, format!("{order:?}"))?;
        tokio::time::sleep(latency.returns).await;
        let count = self.engine.world().counted;
        Ok(Done {
            mechanism: "simulated".to_owned(),
            seen: format!("{count} packets"),
            count,
            ..Done::default()
        })
    }

    fn joined(&self) -> Option<u32> {
        self.joined
    }

    fn lives(&self) -> bool {
        self.engine.world().cuts == self.cuts
    }
}

#[cfg(test)]
#[path = "simulated_tests.rs"]
mod tests;
