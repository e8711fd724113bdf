//! Bringing a topology up: images, networks, volumes, containers, and every container ready.

use super::container::{self, Request};
use super::error::{Named, UpError};
use super::images::image_of;
use super::ready::{Goal, Limits, Made, Stage};
use super::{Docker, labels};
use crate::compose::topology::{Condition, Healthcheck, Service, Topology};
use crate::notice::{Notice, Notices, Phase};
use bollard::models::NetworkConnectRequest;
use bollard::query_parameters::{CreateContainerOptionsBuilder, ListContainersOptionsBuilder};
use futures_util::future;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How to bring a topology up.
#[derive(Debug, Clone)]
pub struct UpOptions {
    /// The run's id, for the label on everything that is made.
    pub run: String,
    /// From the first container's creation until everything must be ready. Pulls and builds do not count.
    pub ready_timeout: Duration,
}

/// A deadline beyond this is none; it keeps the sum of an instant and any duration representable.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// What every step of one `up` needs.
struct Rise<'a> {
    topology: &'a Topology,
    options: &'a UpOptions,
    notices: &'a Notices,
    cancel: &'a CancellationToken,
}

impl Rise<'_> {
    fn go_on(&self) -> Result<(), UpError> {
        if self.cancel.is_cancelled() {
            Err(UpError::Cancelled)
        } else {
            Ok(())
        }
    }

    fn tell(&self, service: &str, state: &str) {
        self.notices.tell(Notice::Container {
            service: service.to_owned(),
            state: state.to_owned(),
        });
    }
}

/// Ids of the containers that have got so far; waited for by those that depend on them.
#[derive(Debug, Default)]
struct Board {
    started: BTreeSet<String>,
    healthy: BTreeSet<String>,
    completed: BTreeSet<String>,
}

impl Docker {
    /// Brings a topology up and waits until every container is ready. A project of the name that lbtest itself left is
    /// removed first. Nothing is torn down on failure or cancellation: that is [`Docker::down`]'s.
    ///
    /// # Errors
    /// [`UpError`]: whatever kept a container from becoming ready, named.
    pub async fn up(
        &self,
        topology: &Topology,
        options: &UpOptions,
        notices: &Notices,
        cancel: &CancellationToken,
    ) -> Result<(), UpError> {
        let rise = Rise {
            topology,
            options,
            notices,
            cancel,
        };
        refuse_cycles(topology)?;
        self.clear_way(&rise).await?;
        rise.go_on()?;
        warn(topology, notices, self.speaks(44));
        self.check_ports(topology).await?;
        rise.go_on()?;
        notices.tell(Notice::Phase(Phase::Images));
        self.have_images(topology, notices, cancel).await?;
        rise.go_on()?;
        notices.tell(Notice::Phase(Phase::Starting));
        let deadline = Instant::now() + options.ready_timeout.min(LONGEST_WAIT);
        let (networks, volumes) = future::join(
            self.make_networks(topology, &options.run),
            self.make_volumes(topology, &options.run),
        )
        .await;
        networks.and(volumes)?;
        let made = self.create_all(&rise).await?;
        let limits = Limits {
            deadline,
            timeout: options.ready_timeout,
            halt: cancel.child_token(),
        };
        self.start_all(&rise, &made, &limits).await?;
        // An interruption that came while the last container started still is one.
        rise.go_on()
    }

    /// Removes what lbtest left of the project, and refuses a project that is somebody else's.
    async fn clear_way(&self, rise: &Rise<'_>) -> Result<(), UpError> {
        let project = &rise.topology.project;
        let filters = labels::filter(&[format!("{}={project}", labels::PROJECT)]);
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        let listed = self
            .client
            .list_containers(Some(options))
            .await
            .named(|| "listing containers".into())?;
        let foreign: Vec<String> = listed
            .iter()
            .filter(|c| {
                !c.labels
                    .as_ref()
                    .is_some_and(|labels| labels.contains_key(labels::RUN))
            })
            .filter_map(|c| {
                Some(
                    c.names
                        .as_ref()?
                        .first()?
                        .trim_start_matches('/')
                        .to_owned(),
                )
            })
            .collect();
        if !foreign.is_empty() {
            return Err(UpError::Occupied {
                project: project.clone(),
                containers: foreign.join(", "),
            });
        }
        self.down(project, rise.notices).await?;
        Ok(())
    }

    /// Creates every container, side by side; those that join another's namespaces after that one.
    async fn create_all(&self, rise: &Rise<'_>) -> Result<Vec<Made>, UpError> {
        let mut made: Vec<Made> = Vec::new();
        let mut left: Vec<(&String, &Service)> = rise.topology.services.iter().collect();
        while !left.is_empty() {
            let peers: HashMap<String, String> = made
                .iter()
                .rev()
                .map(|m| (m.service.clone(), m.id.clone()))
                .collect();
            let waits = |service: &Service| {
                container::peers_of(service).any(|peer| {
                    rise.topology.services.contains_key(peer) && !peers.contains_key(peer)
                })
            };
            let (later, now): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|(_, service)| waits(service));
            if now.is_empty() {
                return Err(UpError::Impossible(
                    "services join each other's namespaces in a circle".into(),
                ));
            }
            let creations = now.iter().flat_map(|(name, service)| {
                let peers = &peers;
                (1..=service.replicas.max(1))
                    .map(move |n| self.create(rise, name, service, n, peers))
            });
            // All are awaited, also after a failure: none may appear after `down` has looked.
            for created in future::join_all(creations).await {
                made.push(created?);
            }
            left = later;
        }
        Ok(made)
    }

    async fn create(
        &self,
        rise: &Rise<'_>,
        service_name: &str,
        service: &Service,
        number: u32,
        peers: &HashMap<String, String>,
    ) -> Result<Made, UpError> {
        rise.go_on()?;
        let topology = rise.topology;
        let name = container::name_of(topology, service_name, service, number);
        let body = container::body(&Request {
            topology,
            service_name,
            service,
            number,
            run: &rise.options.run,
            image: &image_of(topology, service_name, service),
            peers,
            start_interval: self.speaks(44),
        });
        let platform = service
            .build
            .as_ref()
            .and_then(|b| b.platform.as_deref())
            .unwrap_or_default();
        let options = CreateContainerOptionsBuilder::new()
            .name(&name)
            .platform(platform)
            .build();
        let created = self.client.create_container(Some(options), body).await;
        let id = created.doing(|| format!("creating container {name}"))?.id;
        self.remember(&id);
        for (key, attachment) in container::networks_in_order(service).into_iter().skip(1) {
            rise.go_on()?;
            let network = container::network_name(topology, key);
            let request = NetworkConnectRequest {
                container: id.clone(),
                endpoint_config: Some(container::endpoint(service_name, attachment)),
            };
            let connected = self.client.connect_network(&network, request).await;
            connected.doing(|| format!("connecting container {name} to network {network}"))?;
        }
        self.put_content(&id, &name, &service.mounts).await?;
        rise.tell(service_name, "created");
        Ok(Made {
            id,
            name,
            service: service_name.to_owned(),
        })
    }

    /// Starts every container as soon as what it depends on is there, and waits until all are ready.
    async fn start_all(
        &self,
        rise: &Rise<'_>,
        made: &[Made],
        limits: &Limits,
    ) -> Result<(), UpError> {
        let goals = goals(rise.topology);
        let goal = |m: &Made| {
            goals
                .get(m.service.as_str())
                .copied()
                .unwrap_or(Goal::Ready)
        };
        let board = watch::Sender::new(Board::default());
        let starts = made.iter().map(|one| {
            let board = &board;
            async move {
                let outcome = self
                    .start_one(rise, one, made, goal(one), board, limits)
                    .await;
                if outcome.is_err() {
                    limits.halt.cancel();
                }
                outcome
            }
        });
        let mut all = std::pin::pin!(future::join_all(starts));
        tokio::select! {
            outcomes = &mut all => first_real(outcomes)?,
            loss = self.first_loss(made, goal) => {
                limits.halt.cancel();
                let _ = all.await;
                return Err(loss);
            }
        }
        // Once more: one may have ended since.
        let looks = future::try_join_all(made.iter().map(|m| self.look(m, goal(m)))).await?;
        for (one, stage) in made.iter().zip(looks) {
            if let Stage::Failed(why) = stage {
                return Err(self.failure(one, why).await);
            }
        }
        Ok(())
    }

    async fn start_one(
        &self,
        rise: &Rise<'_>,
        one: &Made,
        all: &[Made],
        goal: Goal,
        board: &watch::Sender<Board>,
        limits: &Limits,
    ) -> Result<(), UpError> {
        let needs = needs(rise.topology, &one.service, all);
        let mut seen = board.subscribe();
        tokio::select! {
            () = limits.halt.cancelled() => return Err(UpError::Cancelled),
            met = seen.wait_for(|board| needs.iter().all(|(id, condition)| is_met(board, id, *condition))) => {
                met.map_err(|_| UpError::Cancelled)?;
            }
        }
        if limits.halt.is_cancelled() {
            return Err(UpError::Cancelled);
        }
        if let Err(e) = self.client.start_container(&one.id, None).await {
            let answer = Err::<(), _>(e).doing(|| "could not be started".into());
            let why = answer.err().map_or_else(String::new, |e| e.to_string());
            return Err(self.failure(one, why).await);
        }
        board.send_modify(|board| {
            board.started.insert(one.id.clone());
        });
        rise.tell(&one.service, "started");
        let reached = self.until(one, goal, limits).await?;
        board.send_modify(|board| {
            match reached {
                "healthy" => board.healthy.insert(one.id.clone()),
                "completed" => board.completed.insert(one.id.clone()),
                _ => false,
            };
        });
        if reached != "running" {
            rise.tell(&one.service, reached);
        }
        Ok(())
    }
}

fn is_met(board: &Board, id: &str, condition: Condition) -> bool {
    match condition {
        Condition::Started => board.started.contains(id),
        Condition::Healthy => board.healthy.contains(id),
        Condition::CompletedSuccessfully => board.completed.contains(id),
    }
}

/// The failure itself, not the cancellations it caused.
fn first_real(outcomes: Vec<Result<(), UpError>>) -> Result<(), UpError> {
    let mut cancelled = Ok(());
    for outcome in outcomes {
        match outcome {
            Err(UpError::Cancelled) => cancelled = Err(UpError::Cancelled),
            Err(real) => return Err(real),
            Ok(()) => {}
        }
    }
    cancelled
}

/// What a service waits for: its `depends_on`, and the services whose namespaces it joins.
fn dependencies(topology: &Topology, service: &str) -> BTreeMap<String, Condition> {
    let Some(service) = topology.services.get(service) else {
        return BTreeMap::new();
    };
    let joined = container::peers_of(service).map(|peer| (peer.to_owned(), Condition::Started));
    let mut all: BTreeMap<String, Condition> = joined.collect();
    all.extend(
        service
            .depends_on
            .iter()
            .map(|(name, dependency)| (name.clone(), dependency.condition)),
    );
    // One that is not in the topology and not required has been warned about by the reader.
    all.retain(|name, _| topology.services.contains_key(name));
    all
}

fn needs(topology: &Topology, service: &str, all: &[Made]) -> Vec<(String, Condition)> {
    let dependencies = dependencies(topology, service);
    all.iter()
        .filter_map(|made| {
            dependencies
                .get(&made.service)
                .map(|condition| (made.id.clone(), *condition))
        })
        .collect()
}

/// What others wait for decides what a service is brought up to.
fn goals(topology: &Topology) -> HashMap<String, Goal> {
    let mut goals = HashMap::new();
    for name in topology.services.keys() {
        for (dependency, condition) in dependencies(topology, name) {
            let goal = match condition {
                Condition::Started => continue,
                Condition::Healthy => Goal::Healthy,
                Condition::CompletedSuccessfully => Goal::Completed,
            };
            goals.insert(dependency, goal);
        }
    }
    goals
}

/// The reader refuses cycles with the line they are on; a topology made otherwise must not hang.
fn refuse_cycles(topology: &Topology) -> Result<(), UpError> {
    let mut left: BTreeSet<&String> = topology.services.keys().collect();
    loop {
        let free: Vec<&String> = left
            .iter()
            .filter(|name| {
                !dependencies(topology, name)
                    .keys()
                    .any(|d| left.contains(d))
            })
            .copied()
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        if free.is_empty() {
            let names: Vec<&str> = left.into_iter().map(String::as_str).collect();
            return Err(UpError::Impossible(format!(
                "services wait for each other: {}",
                names.join(", ")
            )));
        }
        for name in free {
            left.remove(name);
        }
    }
}

fn warn(topology: &Topology, notices: &Notices, start_interval: bool) {
    for (name, service) in &topology.services {
        for port in service.ports.iter().filter(|port| port.host_ip.is_none()) {
            let published = port
                .published
                .map_or_else(|| "a free port".to_owned(), |p| format!("port {p}"));
            notices.tell(Notice::Warning(format!(
                "service `{name}`: {published} is published on 127.0.0.1 only; write `127.0.0.1:…` to say so yourself"
            )));
        }
        if let Some(Healthcheck::Test {
            start_interval: Some(_),
            ..
        }) = service.healthcheck
            && !start_interval
        {
            notices.tell(Notice::Warning(format!(
                "service `{name}`: this engine does not know the healthcheck's start_interval; it is left out"
            )));
        }
        if service
            .build
            .as_ref()
            .is_some_and(|build| build.extra_hosts.len() > 1)
        {
            notices.tell(Notice::Warning(format!(
                "service `{name}`: only the first of the build's extra_hosts is carried out"
            )));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::topology::Dependency;

    fn topology(edges: &[(&str, &str, Condition)]) -> Topology {
        let mut topology = Topology::default();
        for (from, to, condition) in edges {
            topology.services.entry((*to).to_owned()).or_default();
            let dependency = Dependency {
                condition: *condition,
                required: true,
            };
            topology
                .services
                .entry((*from).to_owned())
                .or_default()
                .depends_on
                .insert((*to).to_owned(), dependency);
        }
        topology
    }

    #[test]
    fn services_that_wait_for_each_other_are_refused_and_named() {
        let circle = topology(&[
            ("a", "b", Condition::Started),
            ("b", "a", Condition::Healthy),
            ("c", "a", Condition::Started),
        ]);
        let said = refuse_cycles(&circle).expect_err("a cycle").to_string();
        assert!(said.contains("a, b"), "{said}");
        assert!(refuse_cycles(&topology(&[("a", "b", Condition::Started)])).is_ok());
    }

    #[test]
    fn what_others_wait_for_decides_the_goal() {
        let t = topology(&[
            ("web", "db", Condition::Healthy),
            ("web", "job", Condition::CompletedSuccessfully),
            ("x", "web", Condition::Started),
        ]);
        let goals = goals(&t);
        assert_eq!(goals.get("db"), Some(&Goal::Healthy));
        assert_eq!(goals.get("job"), Some(&Goal::Completed));
        assert_eq!(goals.get("web"), None);
    }

    #[test]
    fn every_replica_of_a_dependency_is_waited_for() {
        let t = topology(&[("web", "db", Condition::Healthy)]);
        let made = |id: &str, service: &str| Made {
            id: id.into(),
            name: id.into(),
            service: service.into(),
        };
        let needs = needs(
            &t,
            "web",
            &[made("1", "db"), made("2", "db"), made("3", "web")],
        );
        assert_eq!(
            needs,
            [
                ("1".to_owned(), Condition::Healthy),
                ("2".to_owned(), Condition::Healthy)
            ]
        );
    }

    #[test]
    fn the_failure_is_told_and_not_the_cancellations_it_caused() {
        let outcomes = vec![
            Err(UpError::Cancelled),
            Ok(()),
            Err(UpError::Impossible("why".into())),
        ];
        assert!(matches!(first_real(outcomes), Err(UpError::Impossible(_))));
        assert!(matches!(
            first_real(vec![Ok(()), Err(UpError::Cancelled)]),
            Err(UpError::Cancelled)
        ));
    }
}
