//! Taking down, and finding what any run left: by label only, so that nothing of anybody else is ever touched.

use super::error::{Named, is_missing, status};
use super::runs::Labelled;
use super::{Docker, EngineError, labels};
use crate::notice::{Notice, Notices};
use bollard::errors::Error;
use bollard::query_parameters::{
    ListImagesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder,
    RemoveVolumeOptionsBuilder,
};
use futures_util::future;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// Before what is still there is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Removal that has not ended by then will not end by itself.
const GIVE_UP: Duration = Duration::from_secs(60);

/// Whose leftovers are meant. Always only those that carry lbtest's label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every run's.
    Everything,
    /// One compose project's.
    Project(String),
    /// One run's.
    Run(String),
    /// Every run's but these, and every project but those.
    AllBut {
        /// Runs that are alive.
        runs: Vec<String>,
        /// Projects that somebody is using: a run that is alive may be attached to what another one brought up.
        projects: Vec<String>,
    },
}

impl Scope {
    fn filter(&self) -> HashMap<String, Vec<String>> {
        let all = labels::RUN.to_owned();
        labels::filter(&match self {
            // The engine's filters know no "not".
            Self::Everything | Self::AllBut { .. } => vec![all],
            Self::Project(project) => vec![all, format!("{}={project}", labels::PROJECT)],
            Self::Run(run) => vec![format!("{}={run}", labels::RUN)],
        })
    }

    fn spares(&self, labels: Option<&HashMap<String, String>>) -> bool {
        let Self::AllBut { runs, projects } = self else {
            return false;
        };
        let is_of = |label: &str, spared: &[String]| {
            let value = labels.and_then(|l| l.get(label));
            value.is_some_and(|value| spared.contains(value))
        };
        is_of(labels::RUN, runs) || is_of(labels::PROJECT, projects)
    }
}

/// What was removed, or is there to be removed: names, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Containers.
    pub containers: BTreeSet<String>,
    /// Networks.
    pub networks: BTreeSet<String>,
    /// Volumes.
    pub volumes: BTreeSet<String>,
    /// Images.
    pub images: BTreeSet<String>,
}

impl Removed {
    /// Nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.containers.is_empty()
            && self.networks.is_empty()
            && self.volumes.is_empty()
            && self.images.is_empty()
    }

    /// Takes in what another look removed.
    pub fn extend(&mut self, more: Self) {
        self.containers.extend(more.containers);
        self.networks.extend(more.networks);
        self.volumes.extend(more.volumes);
        self.images.extend(more.images);
    }
}

/// One container that is to go.
#[derive(Debug)]
struct Remnant {
    id: String,
    name: String,
    service: String,
}

/// One look at what is there.
#[derive(Debug, Default)]
struct Remnants {
    containers: Vec<Remnant>,
    /// Id and name.
    networks: BTreeMap<String, String>,
    volumes: BTreeSet<String>,
}

impl Remnants {
    fn names(&self) -> Removed {
        Removed {
            containers: self.containers.iter().map(|c| c.name.clone()).collect(),
            networks: self.networks.values().cloned().collect(),
            volumes: self.volumes.clone(),
            images: BTreeSet::new(),
        }
    }
}

impl Docker {
    /// Removes a project's containers, networks and volumes that lbtest made. Looks again until nothing is left, so
    /// that an object whose creation was in flight goes too. Containers are killed: their volumes go with them.
    ///
    /// # Errors
    /// What could not be removed, and why. A project that is not there is no error.
    pub async fn down(&self, project: &str, notices: &Notices) -> Result<Removed, EngineError> {
        self.clean(&Scope::Project(project.to_owned()), notices)
            .await
    }

    /// What runs left that carries lbtest's label.
    ///
    /// # Errors
    /// The engine's refusal.
    pub async fn leftovers(&self, scope: &Scope) -> Result<Removed, EngineError> {
        Ok(self.remnants(scope).await?.names())
    }

    /// Removes what carries lbtest's label. Images stay: they are a cache.
    ///
    /// # Errors
    /// What could not be removed, and why.
    pub async fn clean(&self, scope: &Scope, notices: &Notices) -> Result<Removed, EngineError> {
        let give_up = Instant::now() + GIVE_UP;
        let mut removed = Removed::default();
        loop {
            let there = self.remnants(scope).await?;
            let names = there.names();
            if names.is_empty() {
                return Ok(removed);
            }
            let failure = self.remove(&there, notices).await.err();
            removed.extend(names);
            if Instant::now() >= give_up {
                let left = self.remnants(scope).await?.names();
                let Removed {
                    containers,
                    networks,
                    volumes,
                    ..
                } = left;
                let names: Vec<String> = containers
                    .into_iter()
                    .chain(networks)
                    .chain(volumes)
                    .collect();
                let answer = failure.map_or_else(|| "still there".to_owned(), |e| e.to_string());
                return Err(EngineError::Refused {
                    what: format!("removing {}", names.join(", ")),
                    answer,
                });
            }
            match failure {
                // A network that somebody else's container is in does not go away by waiting.
                Some(e @ EngineError::NotOurs(_)) => return Err(e),
                // A listing may lag behind what was removed.
                Some(_) | None => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Removes the images that lbtest built, and `lbtest:self`, unless something uses them.
    ///
    /// # Errors
    /// The engine's refusal.
    pub async fn clean_images(&self) -> Result<Removed, EngineError> {
        let options = ListImagesOptionsBuilder::new()
            .filters(&labels::filter(&[labels::IMAGE.to_owned()]))
            .build();
        let listed = self
            .client
            .list_images(Some(options))
            .await
            .named(|| "listing images".into())?;
        let mut removed = Removed::default();
        // Two passes: an image that another was made from goes only after that one.
        for _ in 0..2 {
            for image in &listed {
                for name in if image.repo_tags.is_empty() {
                    vec![image.id.clone()]
                } else {
                    image.repo_tags.clone()
                } {
                    let name = if name == "<none>:<none>" {
                        image.id.clone()
                    } else {
                        name
                    };
                    let options = RemoveImageOptionsBuilder::new().build();
                    if self
                        .client
                        .remove_image(&name, Some(options), None)
                        .await
                        .is_ok()
                    {
                        removed.images.insert(name);
                    }
                }
            }
        }
        Ok(removed)
    }

    async fn remnants(&self, scope: &Scope) -> Result<Remnants, EngineError> {
        let Labelled {
            containers,
            networks,
            volumes,
        } = self.labelled(&scope.filter()).await?;
        Ok(Remnants {
            containers: containers
                .into_iter()
                .filter(|c| !scope.spares(c.labels.as_ref()))
                .filter_map(|c| {
                    let id = c.id?;
                    let name = c
                        .names
                        .and_then(|names| names.into_iter().next())
                        .unwrap_or_else(|| id.clone());
                    let service = c
                        .labels
                        .and_then(|mut l| l.remove(labels::SERVICE))
                        .unwrap_or_default();
                    Some(Remnant {
                        id,
                        name: name.trim_start_matches('/').to_owned(),
                        service,
                    })
                })
                .collect(),
            networks: networks
                .into_iter()
                .filter(|n| !scope.spares(n.labels.as_ref()))
                .filter_map(|n| Some((n.id?, n.name?)))
                .collect(),
            volumes: volumes
                .into_iter()
                .filter(|v| !scope.spares(Some(&v.labels)))
                .map(|v| v.name)
                .collect(),
        })
    }

    async fn remove(&self, there: &Remnants, notices: &Notices) -> Result<(), EngineError> {
        let containers = there
            .containers
            .iter()
            .map(|c| self.remove_container(c, notices));
        let containers = future::join_all(containers).await;
        let networks = future::join_all(
            there
                .networks
                .iter()
                .map(|(id, name)| self.remove_network(id, name)),
        );
        let volumes = future::join_all(there.volumes.iter().map(|name| self.remove_volume(name)));
        let (networks, volumes) = future::join(networks, volumes).await;
        let mut failures: Vec<EngineError> = containers
            .into_iter()
            .chain(networks)
            .chain(volumes)
            .filter_map(Result::err)
            .collect();
        failures.sort_by_key(|e| !matches!(e, EngineError::NotOurs(_)));
        failures.into_iter().next().map_or(Ok(()), Err)
    }

    /// Kills and removes; the engine thaws a paused container itself when it is killed.
    async fn remove_container(&self, c: &Remnant, notices: &Notices) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        let outcome = self.client.remove_container(&c.id, Some(options)).await;
        if outcome
            .as_ref()
            .is_err_and(|e| status(e) != Some(404) && status(e) != Some(409))
        {
            // An engine that could not kill it while frozen can after a thaw; the next look tries again.
            let _ = self.client.unpause_container(&c.id).await;
        }
        gone(outcome).named(|| format!("removing container {}", c.name))?;
        notices.tell(Notice::Container {
            service: c.service.clone(),
            state: "removed".into(),
        });
        Ok(())
    }

    async fn remove_network(&self, id: &str, name: &str) -> Result<(), EngineError> {
        let Err(e) = gone(self.client.remove_network(id).await) else {
            return Ok(());
        };
        let inside = self
            .client
            .inspect_network(id, None)
            .await
            .ok()
            .and_then(|n| n.containers)
            .unwrap_or_default();
        for (container, endpoint) in inside {
            let foreign = match self.client.inspect_container(&container, None).await {
                Ok(c) => !c
                    .config
                    .and_then(|c| c.labels)
                    .is_some_and(|l| l.contains_key(labels::RUN)),
                Err(_) => false,
            };
            if foreign {
                let who = endpoint.name.unwrap_or(container);
                return Err(EngineError::NotOurs(format!(
                    "container {who}, which is in network {name},"
                )));
            }
        }
        Err::<(), _>(e).doing(|| format!("removing network {name}"))
    }

    async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        let options = RemoveVolumeOptionsBuilder::new().build();
        gone(self.client.remove_volume(name, Some(options)).await)
            .named(|| format!("removing volume {name}"))
    }
}

/// Already gone is as good.
fn gone(outcome: Result<(), Error>) -> Result<(), Error> {
    match outcome {
        Err(e) if is_missing(&e) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_that_a_living_run_uses_is_spared_whoever_brought_it_up() {
        let scope = Scope::AllBut {
            runs: vec!["alive".into()],
            projects: vec!["shop".into()],
        };
        let labelled = |run: &str, project: &str| -> HashMap<String, String> {
            [(labels::RUN, run), (labels::PROJECT, project)]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into()
        };
        assert!(scope.spares(Some(&labelled("dead", "shop"))));
        assert!(scope.spares(Some(&labelled("alive", "other"))));
        assert!(!scope.spares(Some(&labelled("dead", "other"))));
        assert!(!scope.spares(None));
    }

    #[test]
    fn no_scope_is_without_lbtests_label() {
        for scope in [
            Scope::Everything,
            Scope::Project("p".into()),
            Scope::Run("r".into()),
        ] {
            let filter = scope.filter();
            assert!(
                filter["label"]
                    .iter()
                    .any(|label| label.starts_with(labels::RUN)),
                "{scope:?}: {filter:?}"
            );
        }
        assert_eq!(
            Scope::Run("r".into()).filter()["label"],
            ["io.lbtest.run=r"]
        );
        assert_eq!(Scope::Project("p".into()).filter()["label"].len(), 2);
    }
}
