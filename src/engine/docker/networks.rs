//! Networks of a topology.

use super::error::{Named, UpError};
use super::{Docker, labels};
use crate::compose::topology::{Network, Topology};
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use futures_util::future;
use std::collections::{BTreeMap, BTreeSet, HashMap};

impl Docker {
    /// Makes the networks that services use. Names are looked at first: engines before API 1.44 make a second
    /// network of a name without a word.
    pub(super) async fn make_networks(
        &self,
        topology: &Topology,
        run: &str,
    ) -> Result<(), UpError> {
        let wanted = used(topology);
        if wanted.is_empty() {
            return Ok(());
        }
        let listed = self
            .client
            .list_networks(None)
            .await
            .named(|| "listing networks".into())?;
        let there: BTreeSet<String> = listed
            .into_iter()
            .filter_map(|network| network.name)
            .collect();
        for network in wanted.values() {
            match (network.external, there.contains(&network.name)) {
                (true, false) => {
                    return Err(UpError::ExternalMissing {
                        kind: "network",
                        name: network.name.clone(),
                    });
                }
                (false, true) => {
                    return Err(UpError::Taken {
                        kind: "network",
                        name: network.name.clone(),
                    });
                }
                (true, true) | (false, false) => {}
            }
        }
        let make = wanted.iter().filter(|(_, network)| !network.external).map(
            |(key, network)| async move {
                let made = self
                    .client
                    .create_network(request(&topology.project, run, key, network))
                    .await;
                made.doing(|| format!("making network {}", network.name))
            },
        );
        // All are awaited, also after a failure: none may appear after `down` has looked.
        future::join_all(make)
            .await
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        Ok(())
    }
}

/// Networks by key: those of the topology, and any that a service names without more.
fn used(topology: &Topology) -> BTreeMap<String, Network> {
    let mut networks = topology.networks.clone();
    for key in topology
        .services
        .values()
        .filter(|s| s.network_mode.is_none())
        .flat_map(|s| s.networks.keys())
    {
        networks.entry(key.clone()).or_insert_with(|| Network {
            name: format!("{}_{key}", topology.project),
            ..Network::default()
        });
    }
    networks
}

fn request(project: &str, run: &str, key: &str, n: &Network) -> NetworkCreateRequest {
    let plain = |map: &BTreeMap<String, String>| -> Option<HashMap<String, String>> {
        (!map.is_empty()).then(|| map.clone().into_iter().collect())
    };
    let pools: Vec<IpamConfig> = n
        .ipam
        .iter()
        .map(|pool| IpamConfig {
            subnet: pool.subnet.clone(),
            ip_range: pool.ip_range.clone(),
            gateway: pool.gateway.clone(),
            auxiliary_addresses: plain(&pool.aux_addresses),
        })
        .collect();
    let ipam = Ipam {
        driver: n.ipam_driver.clone(),
        config: (!pools.is_empty()).then_some(pools),
        options: plain(&n.ipam_options),
    };
    NetworkCreateRequest {
        name: n.name.clone(),
        driver: n.driver.clone(),
        internal: Some(n.internal),
        attachable: Some(n.attachable),
        enable_ipv6: Some(n.enable_ipv6),
        options: plain(&n.driver_opts),
        ipam: (ipam != Ipam::default()).then_some(ipam),
        labels: Some(labels::of_resource(
            project,
            run,
            labels::NETWORK,
            key,
            &n.labels,
        )),
        ..NetworkCreateRequest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::topology::{Attachment, IpamPool, Service};

    #[test]
    fn a_network_that_only_a_service_names_is_made_too() {
        let networks = [("default".to_owned(), Attachment::default())].into();
        let services = [(
            "a".to_owned(),
            Service {
                networks,
                ..Service::default()
            },
        )]
        .into();
        let topology = Topology {
            project: "p".into(),
            services,
            ..Topology::default()
        };
        assert_eq!(used(&topology)["default"].name, "p_default");
    }

    #[test]
    fn pools_and_labels_are_carried() {
        let pool = IpamPool {
            subnet: Some("10.99.0.0/24".into()),
            ..IpamPool::default()
        };
        let network = Network {
            name: "p_n".into(),
            ipam: vec![pool],
            internal: true,
            ..Network::default()
        };
        let made = request("p", "r", "n", &network);
        assert_eq!(made.ipam.and_then(|i| i.config).map(|c| c.len()), Some(1));
        assert_eq!(made.internal, Some(true));
        let labels = made.labels.expect("labels");
        assert_eq!(
            (
                labels[labels::NETWORK].as_str(),
                labels[labels::RUN].as_str()
            ),
            ("n", "r")
        );
    }
}
