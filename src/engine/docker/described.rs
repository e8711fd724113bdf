//! A project that is up, as far as its containers tell: what an attached run plans its faults with.

use super::engine::container_of;
use super::{Docker, EngineError, labels};
use crate::compose::topology::{Attachment, Condition, Dependency, Port, Service, Topology};
use bollard::models::ContainerSummary;
use std::collections::BTreeMap;

impl Docker {
    /// The services of a project with their number of containers, image, labels, networks, published ports and
    /// dependencies. Empty where nothing of it is there.
    ///
    /// # Errors
    /// The engine's refusal.
    pub async fn described(&self, project: &str) -> Result<Topology, EngineError> {
        let listed = self.all_of(project).await?;
        Ok(described(project, &listed))
    }
}

fn described(project: &str, listed: &[ContainerSummary]) -> Topology {
    let mut services: BTreeMap<String, Service> = BTreeMap::new();
    for summary in listed {
        let Some(container) = container_of(summary) else {
            continue;
        };
        let service = services.entry(container.service).or_default();
        service.replicas = service.replicas.max(container.number);
        service.image.clone_from(&summary.image);
        service.ports = ports(summary);
        let own = summary.labels.clone().unwrap_or_default();
        service.depends_on = own
            .get(labels::DEPENDS_ON)
            .map(|text| dependencies(text))
            .unwrap_or_default();
        service.labels = own.into_iter().collect();
        let networks = summary.network_settings.clone().and_then(|s| s.networks);
        service.networks = networks
            .unwrap_or_default()
            .into_keys()
            .map(|name| (key(project, &name), Attachment::default()))
            .collect();
    }
    Topology {
        project: project.to_owned(),
        services,
        ..Topology::default()
    }
}

/// A network's key in the compose file: its name, without the project's where compose gave it.
fn key(project: &str, network: &str) -> String {
    let own = network.strip_prefix(project);
    let key = own.and_then(|rest| rest.strip_prefix('_'));
    key.unwrap_or(network).to_owned()
}

fn ports(summary: &ContainerSummary) -> Vec<Port> {
    let all = summary.ports.iter().flatten();
    let published = all.filter(|p| p.public_port.is_some());
    published
        .map(|p| Port {
            target: p.private_port,
            published: p.public_port,
            host_ip: p.ip.as_deref().and_then(|ip| ip.parse().ok()),
            protocol: p.typ.map_or_else(|| "tcp".to_owned(), |t| t.to_string()),
        })
        .collect()
}

/// `db:service_healthy:false,cache:service_started:false`, as compose writes it.
fn dependencies(text: &str) -> BTreeMap<String, Dependency> {
    let names = text.split(',').filter_map(|one| one.split(':').next());
    let named = names.map(str::trim).filter(|name| !name.is_empty());
    named
        .map(|name| {
            let dependency = Dependency {
                condition: Condition::Started,
                required: true,
            };
            (name.to_owned(), dependency)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_containers_tell_is_enough_for_roles_networks_and_dependants() {
        let labels = [
            (labels::SERVICE, "web"),
            (labels::NUMBER, "2"),
            (labels::ROLE, "lb"),
            (
                labels::DEPENDS_ON,
                "db:service_healthy:false,cache:service_started:true",
            ),
        ];
        let networks = ["p_default", "shared"].map(|n| (n.to_owned(), Default::default()));
        let summary = ContainerSummary {
            id: Some("1".into()),
            names: Some(vec!["/p-web-2".into()]),
            labels: Some(labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into()),
            network_settings: Some(bollard::models::ContainerSummaryNetworkSettings {
                networks: Some(networks.into()),
            }),
            ..ContainerSummary::default()
        };
        let topology = described("p", &[summary]);
        let web = &topology.services["web"];
        assert_eq!(web.replicas, 2);
        assert_eq!(web.labels[labels::ROLE], "lb");
        assert_eq!(
            web.networks.keys().collect::<Vec<_>>(),
            ["default", "shared"]
        );
        assert_eq!(web.depends_on.keys().collect::<Vec<_>>(), ["cache", "db"]);
    }
}
