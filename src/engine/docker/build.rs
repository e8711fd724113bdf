//! Building images with the classic builder: equal builds once, an unchanged one not at all.

use super::context::{self, Context};
use super::dockerfile;
use super::error::UpError;
use super::images::{image_of, with_tag};
use super::{Docker, labels};
use crate::compose::topology::{Build, Topology};
use crate::notice::{Notice, Notices};
use bollard::errors::Error;
use bollard::query_parameters::{BuildImageOptions, TagImageOptionsBuilder};
use futures_util::{StreamExt, future};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Lines of the builder's output that an error shows.
const LAST_LINES: usize = 20;
/// A context above this is a slip more often than not: a folder that `.dockerignore` should name. It is held in memory.
const LARGE: usize = 256 << 20;
/// A build may be silent for long: a download within a step.
const LONGEST: Duration = Duration::from_secs(3600);

/// Services that are built from the same things.
pub struct Group {
    /// How.
    pub build: Build,
    /// For which services.
    pub services: Vec<String>,
    /// Under which names.
    pub images: Vec<String>,
    /// Images that its Dockerfile starts from.
    pub bases: Vec<String>,
    context: Context,
}

impl Group {
    /// The builds of a topology, their contexts packed.
    ///
    /// # Errors
    /// A context that cannot be read.
    pub async fn of(topology: &Topology) -> Result<Vec<Self>, UpError> {
        let mut plans: Vec<(Build, Vec<String>, Vec<String>)> = Vec::new();
        for (name, service) in &topology.services {
            let Some(build) = &service.build else {
                continue;
            };
            let images =
                std::iter::once(image_of(topology, name, service)).chain(build.tags.clone());
            let build = Build {
                tags: Vec::new(),
                platform: service.platform.clone().or(build.platform.clone()),
                ..build.clone()
            };
            let at = plans
                .iter()
                .position(|(known, _, _)| *known == build)
                .unwrap_or_else(|| {
                    plans.push((build, Vec::new(), Vec::new()));
                    plans.len() - 1
                });
            plans[at].1.push(name.clone());
            let new: Vec<String> = images
                .filter(|image| !plans[at].2.contains(image))
                .collect();
            plans[at].2.extend(new);
        }
        let packed = tokio::task::spawn_blocking(move || {
            plans
                .into_iter()
                .map(|(build, services, images)| Self::pack(build, services, images))
                .collect()
        });
        packed
            .await
            .map_err(|e| UpError::Impossible(format!("packing the build contexts: {e}")))?
    }

    fn pack(build: Build, services: Vec<String>, images: Vec<String>) -> Result<Self, UpError> {
        let context = context::pack(&build).map_err(|e| UpError::Build {
            service: services.join(", "),
            reason: e.to_string(),
            lines: Vec::new(),
        })?;
        let bases = dockerfile::bases(&context.text, &build.args, build.target.as_deref());
        Ok(Self {
            build,
            services,
            images,
            bases,
            context,
        })
    }

    fn starts_from(&self, other: &Self) -> bool {
        self.bases.iter().any(|base| {
            other
                .images
                .iter()
                .any(|image| with_tag(image) == with_tag(base))
        })
    }

    /// Hash of everything that the image is made of.
    fn input(&self, base_ids: &[String]) -> String {
        let b = &self.build;
        let parts = format!(
            "{} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {base_ids:?}",
            self.context.hash,
            self.context.dockerfile,
            b.args,
            b.target,
            b.labels,
            b.network,
            b.shm_size,
            b.extra_hosts,
            b.platform
        );
        context::hex(&Sha256::digest(parts))
    }
}

/// What one build needs besides its group.
struct Order<'a> {
    topology: &'a Topology,
    notices: &'a Notices,
    cancel: &'a CancellationToken,
}

impl Docker {
    /// Builds every group; one that starts from another's image comes after it, others run side by side.
    pub(super) async fn build_all(
        &self,
        topology: &Topology,
        groups: Vec<Group>,
        notices: &Notices,
        cancel: &CancellationToken,
    ) -> Result<(), UpError> {
        let order = Order {
            topology,
            notices,
            cancel,
        };
        let mut left = groups;
        while !left.is_empty() {
            let free: BTreeSet<usize> = (0..left.len())
                .filter(|i| !left.iter().any(|other| left[*i].starts_from(other)))
                .collect();
            if free.is_empty() {
                let services: Vec<&str> = left
                    .iter()
                    .flat_map(|g| &g.services)
                    .map(String::as_str)
                    .collect();
                return Err(UpError::Impossible(format!(
                    "the builds of {} start from each other's images",
                    services.join(", ")
                )));
            }
            let mut now = Vec::new();
            let mut later = Vec::new();
            for (i, group) in left.into_iter().enumerate() {
                if free.contains(&i) {
                    now.push(group)
                } else {
                    later.push(group)
                }
            }
            // All are awaited, also after a failure: a build that is cut off leaves its intermediate container.
            let built =
                future::join_all(now.into_iter().map(|group| self.build(group, &order))).await;
            built.into_iter().collect::<Result<(), _>>()?;
            left = later;
        }
        Ok(())
    }

    async fn build(&self, mut group: Group, order: &Order<'_>) -> Result<(), UpError> {
        let began = Instant::now();
        let mut base_ids = Vec::new();
        for base in &group.bases {
            base_ids.extend(
                self.look_at_image(&with_tag(base))
                    .await?
                    .and_then(|image| image.id),
            );
        }
        let input = group.input(&base_ids);
        let first = group.images.first().cloned().unwrap_or_default();
        let fresh = group.build.no_cache || group.build.pull;
        let there = !fresh && self.is_built_from(&first, &input).await?;
        if !there {
            let tar = std::mem::take(&mut group.context.tar);
            if tar.len() > LARGE {
                order.notices.tell(Notice::Warning(format!(
                    "service `{}`: the build context {} is {} MB; name in its .dockerignore what the build does not need",
                    group.services.join("`, `"),
                    group.build.context.display(),
                    tar.len() >> 20
                )));
            }
            let options = options(&group, &order.topology.project, &first, &input);
            tokio::select! {
                () = order.cancel.cancelled() => return Err(UpError::Cancelled),
                built = self.run_builder(options, tar, &group.services, order.notices) => built?,
            }
        }
        for image in group.images.iter().skip(1) {
            self.tag(&first, image, &group.services).await?;
        }
        let took = if there {
            Duration::ZERO
        } else {
            began.elapsed()
        };
        for service in &group.services {
            order.notices.tell(Notice::ImageReady {
                service: service.clone(),
                took,
            });
        }
        Ok(())
    }

    async fn is_built_from(&self, image: &str, input: &str) -> Result<bool, UpError> {
        let found = self.look_at_image(image).await?;
        let labels = found
            .and_then(|image| image.config)
            .and_then(|config| config.labels);
        Ok(labels.is_some_and(|labels| {
            labels
                .get(labels::INPUT)
                .is_some_and(|known| known == input)
        }))
    }

    async fn run_builder(
        &self,
        options: BuildImageOptions,
        tar: Vec<u8>,
        services: &[String],
        notices: &Notices,
    ) -> Result<(), UpError> {
        let client = self.client.clone().with_timeout(LONGEST);
        let mut last: VecDeque<String> = VecDeque::new();
        let mut stream =
            std::pin::pin!(client.build_image(options, None, Some(bollard::body_full(tar.into()))));
        while let Some(info) = stream.next().await {
            let info = match info {
                Ok(info) => info,
                Err(e) => return Err(failed(services, &e, last)),
            };
            let text = info.stream.or(info.status).unwrap_or_default();
            for line in text
                .lines()
                .map(str::trim_end)
                .filter(|line| !line.is_empty())
            {
                if last.len() == LAST_LINES {
                    last.pop_front();
                }
                last.push_back(line.to_owned());
                for service in services {
                    notices.tell(Notice::Image {
                        service: service.clone(),
                        line: line.to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    async fn tag(&self, image: &str, also: &str, services: &[String]) -> Result<(), UpError> {
        let full = with_tag(also);
        let (repo, tag) = full.rsplit_once(':').unwrap_or((full.as_str(), "latest"));
        let options = TagImageOptionsBuilder::new().repo(repo).tag(tag).build();
        let tagged = self.client.tag_image(image, Some(options)).await;
        tagged.map_err(|e| failed(services, &e, VecDeque::new()))
    }
}

fn options(group: &Group, project: &str, image: &str, input: &str) -> BuildImageOptions {
    let b = &group.build;
    let own = [(labels::IMAGE, project), (labels::INPUT, input)]
        .map(|(k, v)| (k.to_owned(), v.to_owned()));
    BuildImageOptions {
        dockerfile: group.context.dockerfile.clone(),
        t: Some(image.to_owned()),
        buildargs: Some(b.args.clone().into_iter().collect()),
        target: b.target.clone().unwrap_or_default(),
        labels: Some(b.labels.clone().into_iter().chain(own).collect()),
        networkmode: b.network.clone(),
        nocache: b.no_cache,
        pull: b.pull.then(|| "true".to_owned()),
        shmsize: b.shm_size.map(|n| i32::try_from(n).unwrap_or(i32::MAX)),
        extrahosts: b.extra_hosts.first().cloned(),
        cachefrom: (!b.cache_from.is_empty()).then(|| b.cache_from.clone()),
        platform: b.platform.clone().unwrap_or_default(),
        rm: true,
        forcerm: true,
        ..BuildImageOptions::default()
    }
}

fn failed(services: &[String], error: &Error, last: VecDeque<String>) -> UpError {
    let reason = match error {
        Error::DockerStreamError { error } => error.clone(),
        Error::DockerResponseServerError { message, .. } => message.clone(),
        other => other.to_string(),
    };
    UpError::Build {
        service: services.join(", "),
        reason,
        lines: last.into(),
    }
}
