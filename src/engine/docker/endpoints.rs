//! Networks that a container is in: taking it off one, and putting it back as it was.

use super::error::Named;
use super::{Docker, Endpoint, EngineError, labels};
use bollard::models::{
    EndpointIpamConfig, EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest,
};
use futures_util::future::try_join_all;
use std::net::IpAddr;

/// Docker answers 403 where the container is in the network already, or is not in it (any more).
const ALREADY: [&str; 2] = ["already exists in network", "is not connected to"];

impl Docker {
    pub(super) async fn endpoints_of(&self, id: &str) -> Result<Vec<Endpoint>, EngineError> {
        let inspected = self
            .client
            .inspect_container(id, None)
            .await
            .named(|| format!("container {id}"))?;
        let settings = inspected.network_settings.and_then(|s| s.networks);
        let mut found: Vec<Endpoint> = settings
            .unwrap_or_default()
            .into_iter()
            .map(|(name, settings)| endpoint(name, settings))
            .collect();
        let keys = found.iter().map(|e| self.key_of(&e.network));
        let keys = try_join_all(keys).await?;
        for (endpoint, key) in found.iter_mut().zip(keys) {
            endpoint.key = key;
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The key that a network has in its compose file.
    async fn key_of(&self, network: &str) -> Result<Option<String>, EngineError> {
        let inspected = self
            .client
            .inspect_network(network, None)
            .await
            .named(|| format!("network {network}"))?;
        Ok(inspected
            .labels
            .and_then(|mut labels| labels.remove(labels::NETWORK)))
    }

    pub(super) async fn take_off(&self, id: &str, network: &str) -> Result<(), EngineError> {
        let request = NetworkDisconnectRequest {
            container: id.to_owned(),
            force: Some(true),
        };
        let answer = self.client.disconnect_network(network, request).await;
        done_already(answer.named(|| format!("taking container {id} off network {network}")))
    }

    pub(super) async fn put_back(&self, id: &str, at: &Endpoint) -> Result<(), EngineError> {
        let fixed = at.fixed_ipv4.is_some() || at.fixed_ipv6.is_some();
        let settings = EndpointSettings {
            aliases: Some(at.aliases.clone()),
            links: (!at.links.is_empty()).then(|| at.links.clone()),
            ipam_config: fixed.then(|| EndpointIpamConfig {
                ipv4_address: at.fixed_ipv4.clone(),
                ipv6_address: at.fixed_ipv6.clone(),
                ..EndpointIpamConfig::default()
            }),
            ..EndpointSettings::default()
        };
        let request = NetworkConnectRequest {
            container: id.to_owned(),
            endpoint_config: Some(settings),
        };
        let answer = self.client.connect_network(&at.network, request).await;
        done_already(answer.named(|| format!("putting container {id} into network {}", at.name)))
    }
}

fn done_already(answer: Result<(), EngineError>) -> Result<(), EngineError> {
    match answer {
        Err(EngineError::Refused { answer, .. }) if ALREADY.iter().any(|a| answer.contains(a)) => {
            Ok(())
        }
        other => other,
    }
}

fn endpoint(name: String, settings: EndpointSettings) -> Endpoint {
    let given = |text: Option<String>| text.filter(|t| !t.is_empty());
    let fixed = settings.ipam_config.unwrap_or_default();
    let addresses = [settings.ip_address, settings.global_ipv6_address];
    Endpoint {
        network: settings.network_id.unwrap_or_default(),
        name,
        key: None,
        aliases: settings.aliases.unwrap_or_default(),
        links: settings.links.unwrap_or_default(),
        fixed_ipv4: given(fixed.ipv4_address),
        fixed_ipv6: given(fixed.ipv6_address),
        addresses: addresses
            .into_iter()
            .flatten()
            .filter_map(|a| a.parse::<IpAddr>().ok())
            .collect(),
    }
}
