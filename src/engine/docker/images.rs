//! The images phase: which images a topology needs, and having all of them, by pull, by build, or by making
//! lbtest's own.

use super::build::Group;
use super::error::{Named, UpError};
use super::own_image::SELF_IMAGE;
use super::{Docker, EngineError};
use crate::compose::topology::{Service, Topology};
use crate::notice::{Notice, Notices};
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::{StreamExt, future};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The image of a service: what it names, or what its build is called.
pub fn image_of(topology: &Topology, name: &str, service: &Service) -> String {
    service
        .image
        .clone()
        .unwrap_or_else(|| format!("{}-{name}", topology.project))
}

/// The reference with its tag: `debian` is `debian:latest`.
pub fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains(':') || last.contains('@') {
        image.to_owned()
    } else {
        format!("{image}:latest")
    }
}

/// An image that is wanted without being built.
struct Wanted<'a> {
    image: String,
    services: Vec<&'a str>,
    policy: Option<&'a str>,
    platform: Option<&'a str>,
}

impl Docker {
    /// Has every image that the topology needs.
    pub(super) async fn have_images(
        &self,
        topology: &Topology,
        notices: &Notices,
        cancel: &CancellationToken,
    ) -> Result<(), UpError> {
        let groups = Group::of(topology).await?;
        let wanted = wanted(topology, &groups);
        if wanted.iter().any(|w| is_own(&w.image)) {
            self.ensure_self_image(notices).await?;
        }
        let pulls = wanted
            .iter()
            .filter(|w| !is_own(&w.image))
            .map(|w| self.have_image(w, notices, cancel));
        future::try_join_all(pulls).await?;
        for own in wanted.iter().filter(|w| is_own(&w.image)) {
            ready(notices, &own.services, Duration::ZERO);
        }
        self.build_all(topology, groups, notices, cancel).await
    }

    /// What the engine knows of an image; none where it has none of the name.
    pub(super) async fn look_at_image(
        &self,
        image: &str,
    ) -> Result<Option<ImageInspect>, EngineError> {
        match self
            .client
            .inspect_image(image)
            .await
            .named(|| format!("image {image}"))
        {
            Ok(found) => Ok(Some(found)),
            Err(EngineError::NotFound(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    async fn have_image(
        &self,
        w: &Wanted<'_>,
        notices: &Notices,
        cancel: &CancellationToken,
    ) -> Result<(), UpError> {
        let service = w.services.first().copied().unwrap_or_default();
        let there = self.look_at_image(&w.image).await?.is_some();
        let began = Instant::now();
        if !there && w.policy == Some("never") {
            return Err(UpError::Image {
                image: w.image.clone(),
                service: service.to_owned(),
                reason: "pull_policy is `never`".into(),
                help: advice(&w.image),
            });
        }
        if !there || w.policy == Some("always") {
            tokio::select! {
                () = cancel.cancelled() => return Err(UpError::Cancelled),
                pulled = self.pull(&w.image, w.platform, service, notices) => pulled.map_err(|e| UpError::Image {
                    image: w.image.clone(),
                    service: service.to_owned(),
                    reason: e.to_string(),
                    help: advice(&w.image),
                })?,
            }
        }
        ready(
            notices,
            &w.services,
            if there {
                Duration::ZERO
            } else {
                began.elapsed()
            },
        );
        Ok(())
    }

    async fn pull(
        &self,
        image: &str,
        platform: Option<&str>,
        service: &str,
        notices: &Notices,
    ) -> Result<(), bollard::errors::Error> {
        let options = CreateImageOptionsBuilder::new()
            .from_image(&with_tag(image))
            .platform(platform.unwrap_or_default())
            .build();
        let mut stream = std::pin::pin!(self.client.create_image(Some(options), None, None));
        while let Some(info) = stream.next().await {
            let info = info?;
            if let Some(line) = info.status {
                let layer = info.id.map_or_else(String::new, |id| format!("{id}: "));
                notices.tell(Notice::Image {
                    service: service.to_owned(),
                    line: format!("{layer}{line}"),
                });
            }
        }
        Ok(())
    }
}

/// Images of services without a build, and those that builds start from, each once.
fn wanted<'a>(topology: &'a Topology, groups: &'a [Group]) -> Vec<Wanted<'a>> {
    let built: BTreeSet<String> = groups
        .iter()
        .flat_map(|g| g.images.iter().map(|i| with_tag(i)))
        .collect();
    let mut by_image: BTreeMap<String, Wanted<'a>> = BTreeMap::new();
    let mut want = |image: &str,
                    service: Option<&'a str>,
                    policy: Option<&'a str>,
                    platform: Option<&'a str>| {
        let image = with_tag(image);
        if built.contains(&image) {
            return;
        }
        let wanted = by_image.entry(image.clone()).or_insert_with(|| Wanted {
            image,
            services: Vec::new(),
            policy: None,
            platform,
        });
        wanted.services.extend(service);
        wanted.policy = wanted.policy.or(policy);
        wanted.platform = wanted.platform.or(platform);
    };
    for (name, service) in topology.services.iter().filter(|(_, s)| s.build.is_none()) {
        want(
            &image_of(topology, name, service),
            Some(name),
            service.pull_policy.as_deref(),
            service.platform.as_deref(),
        );
    }
    for group in groups {
        for base in &group.bases {
            want(
                base,
                group.services.first().map(String::as_str),
                None,
                group.build.platform.as_deref(),
            );
        }
    }
    by_image.into_values().collect()
}

fn is_own(image: &str) -> bool {
    image == SELF_IMAGE
}

fn ready(notices: &Notices, services: &[&str], took: Duration) {
    for service in services {
        notices.tell(Notice::ImageReady {
            service: (*service).to_owned(),
            took,
        });
    }
}

/// What to do about an image that cannot be had.
fn advice(image: &str) -> String {
    if with_tag(image).starts_with("debian:") {
        "Run `make base-image`: it makes debian:bookworm-slim from Debian's packages, without a registry.".into()
    } else {
        format!(
            "Check its name. A private one: `docker pull` it first (lbtest knows no logins). Where no registry answers, bring it in with `docker load`, or build and tag it as `{image}`."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_without_a_tag_means_latest() {
        assert_eq!(with_tag("debian"), "debian:latest");
        assert_eq!(with_tag("host:5000/a/b"), "host:5000/a/b:latest");
        assert_eq!(with_tag("debian:12"), "debian:12");
        assert_eq!(with_tag("a@sha256:00"), "a@sha256:00");
    }

    #[test]
    fn a_missing_base_image_is_answered_with_how_to_make_it() {
        assert!(advice("debian:bookworm-slim").contains("make base-image"));
        assert!(!advice("nginx:1.27").contains("make base-image"));
    }

    #[test]
    fn an_image_is_wanted_once_for_all_its_services() {
        let service = Service {
            image: Some("x".into()),
            ..Service::default()
        };
        let services = [("a".to_owned(), service.clone()), ("b".to_owned(), service)].into();
        let topology = Topology {
            project: "p".into(),
            services,
            ..Topology::default()
        };
        let wanted = wanted(&topology, &[]);
        assert_eq!(wanted.len(), 1);
        assert_eq!(wanted[0].services, ["a", "b"]);
    }

    #[test]
    fn an_image_is_wanted_for_the_platform_of_its_service() {
        let service = Service {
            image: Some("x".into()),
            platform: Some("linux/arm64".into()),
            ..Service::default()
        };
        let topology = Topology {
            services: [("a".to_owned(), service)].into(),
            ..Topology::default()
        };
        assert_eq!(wanted(&topology, &[])[0].platform, Some("linux/arm64"));
    }
}
