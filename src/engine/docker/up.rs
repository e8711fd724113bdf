//! Bringing a topology up: images, networks, volumes, containers, and every container ready.

use super::abilities::{refuse_subpaths, warn_of_missing};
use super::container::{self, Request};
use super::error::{Named, UpError};
use super::images::image_of;
use super::order::{Board, goals, is_met, needs, refuse_cycles};
use super::ready::{Goal, Limits, Made, Stage};
use super::{Docker, labels};
use crate::compose::topology::{Condition, Service, Topology};
use crate::notice::{Notice, Notices, Phase};
use bollard::models::NetworkConnectRequest;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use futures_util::future;
use std::collections::HashMap;
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
/// After the deadline, before a container that waits for another is what failed: the other one has more to say.
const COURTESY: Duration = Duration::from_secs(5);

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
        refuse_subpaths(topology, self.speaks(45))?;
        self.clear_way(&rise).await?;
        rise.go_on()?;
        let elsewhere = (!self.listens_here()).then_some(self.shared.host.as_str());
        warn_of_missing(topology, notices, self.speaks(44), elsewhere);
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
        let listed = self.all_of(project).await?;
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
        if !listed.is_empty() {
            rise.notices.tell(Notice::Warning(format!(
                "project `{project}` was left up by an earlier run: it is taken down first, with its volumes"
            )));
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
                (1..=service.replicas).map(move |n| self.create(rise, name, service, n, peers))
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
        let built_for = service.build.as_ref().and_then(|b| b.platform.as_deref());
        let platform = service
            .platform
            .as_deref()
            .or(built_for)
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
            () = tokio::time::sleep_until(limits.deadline + COURTESY) => {
                return Err(waited_in_vain(one, all, &needs, &board.borrow(), limits));
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

/// A container that was never started, and whom it waited for. Two services may wait for things of a third that
/// exclude each other, and then nobody else fails.
fn waited_in_vain(
    one: &Made,
    all: &[Made],
    needs: &[(String, Condition)],
    board: &Board,
    limits: &Limits,
) -> UpError {
    let missing = needs.iter().filter(|(id, c)| !is_met(board, id, *c));
    let missing: Vec<String> = missing
        .map(|(id, condition)| {
            let name = all
                .iter()
                .find(|m| m.id == *id)
                .map_or(id.as_str(), |m| &m.name);
            let what = match condition {
                Condition::Started => "to start",
                Condition::Healthy => "to be healthy",
                Condition::CompletedSuccessfully => "to complete",
            };
            format!("`{name}` {what}")
        })
        .collect();
    UpError::NotReady {
        after: limits.timeout,
        container: one.name.clone(),
        why: format!("was not started: it waits for {}", missing.join(", ")),
        log: Vec::new(),
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

#[cfg(test)]
mod tests {
    use super::*;

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
