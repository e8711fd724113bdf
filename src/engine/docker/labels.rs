//! The labels on everything lbtest makes: compose's own, so that its commands understand it, and lbtest's, so
//! that nothing of anybody else is ever touched.

use crate::compose::topology::{Condition, Service, Topology};
use std::collections::HashMap;

/// The run that made an object. Whatever carries it is lbtest's to remove.
pub const RUN: &str = "io.lbtest.run";
/// On a sidecar: the id of the container that it stands beside.
pub const SIDECAR: &str = "io.lbtest.sidecar";
/// On a sidecar: what tells it from others of the same container and run.
pub const TAG: &str = "io.lbtest.tag";
/// A service's role, where the compose file says one: a project that is up has no other way to tell it.
pub const ROLE: &str = "io.lbtest.role";
/// Compose: the services that a container's service depends on.
pub const DEPENDS_ON: &str = "com.docker.compose.depends_on";
/// On images that lbtest made: the project they were built for, or `self`.
pub const IMAGE: &str = "io.lbtest.image";
/// On images that lbtest made: hash of what went in.
pub const INPUT: &str = "io.lbtest.input";
/// Compose: project.
pub const PROJECT: &str = "com.docker.compose.project";
/// Compose: service.
pub const SERVICE: &str = "com.docker.compose.service";
/// Compose: number of the container within its service, from 1.
pub const NUMBER: &str = "com.docker.compose.container-number";
/// Compose: key of a network.
pub const NETWORK: &str = "com.docker.compose.network";
/// Compose: key of a volume.
pub const VOLUME: &str = "com.docker.compose.volume";

/// Compose: `True` on what `docker compose run` made.
pub const ONEOFF: &str = "com.docker.compose.oneoff";
const CONFIG_FILES: &str = "com.docker.compose.project.config_files";
const WORKING_DIR: &str = "com.docker.compose.project.working_dir";
const CONFIG_HASH: &str = "com.docker.compose.config-hash";
const VERSION: &str = "com.docker.compose.version";

/// Labels of anything of a project.
pub fn common(project: &str, run: &str) -> HashMap<String, String> {
    [
        (RUN, run.to_owned()),
        (PROJECT, project.to_owned()),
        (
            VERSION,
            concat!("lbtest-", env!("CARGO_PKG_VERSION")).to_owned(),
        ),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// Labels of a container: the user's, and over them compose's and lbtest's.
pub fn of_container(
    topology: &Topology,
    name: &str,
    service: &Service,
    number: u32,
    run: &str,
) -> HashMap<String, String> {
    let mut labels: HashMap<String, String> = service
        .labels
        .iter()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    labels.extend(common(&topology.project, run));
    let files: Vec<String> = topology
        .files
        .iter()
        .map(|f| f.display().to_string())
        .collect();
    let own = [
        (SERVICE, name.to_owned()),
        (NUMBER, number.to_string()),
        (ONEOFF, "False".to_owned()),
        (CONFIG_FILES, files.join(",")),
        (WORKING_DIR, topology.working_dir.display().to_string()),
        (CONFIG_HASH, service.config_hash.clone()),
        (DEPENDS_ON, dependencies(service)),
    ];
    labels.extend(own.into_iter().map(|(key, value)| (key.to_owned(), value)));
    if let Some(role) = service.extensions.get("role") {
        labels.insert(ROLE.to_owned(), role.clone());
    }
    labels
}

/// As compose writes it: `db:service_healthy:false`; the last part says whether a restart of the one restarts the other.
fn dependencies(service: &Service) -> String {
    let all = service.depends_on.iter().map(|(name, needed)| {
        let condition = match needed.condition {
            Condition::Started => "service_started",
            Condition::Healthy => "service_healthy",
            Condition::CompletedSuccessfully => "service_completed_successfully",
        };
        format!("{name}:{condition}:false")
    });
    all.collect::<Vec<_>>().join(",")
}

/// Labels of a network or volume; `kind` is [`NETWORK`] or [`VOLUME`].
pub fn of_resource<'a>(
    project: &str,
    run: &str,
    kind: &str,
    key: &str,
    user: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> HashMap<String, String> {
    let mut labels: HashMap<String, String> = user
        .into_iter()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    labels.extend(common(project, run));
    labels.insert(kind.to_owned(), key.to_owned());
    labels
}

/// A filter of the engine's list calls: all of these labels (`key` or `key=value`).
pub fn filter(labels: &[String]) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), labels.to_vec())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_label_cannot_displace_the_project_or_the_run() {
        let topology = Topology {
            project: "p".into(),
            ..Topology::default()
        };
        let service = Service {
            labels: [
                (PROJECT.to_owned(), "other".to_owned()),
                ("mine".to_owned(), "1".to_owned()),
            ]
            .into(),
            ..Service::default()
        };
        let labels = of_container(&topology, "web", &service, 2, "r1");
        assert_eq!(labels[PROJECT], "p");
        assert_eq!(labels[RUN], "r1");
        assert_eq!(labels[SERVICE], "web");
        assert_eq!(labels[NUMBER], "2");
        assert_eq!(labels["mine"], "1");
    }
}
