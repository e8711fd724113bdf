//! Published ports: whether each is free before anything is made, and who has one that is not.

use super::container::LOOPBACK;
use super::error::{Named, UpError};
use super::{Docker, EngineError};
use crate::compose::topology::Topology;
use bollard::models::ContainerSummary;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, TcpListener, UdpSocket};

impl Docker {
    /// Sees that every published port is free.
    pub(super) async fn check_ports(&self, topology: &Topology) -> Result<(), UpError> {
        let mut claimed: BTreeMap<(IpAddr, u16, &str), &str> = BTreeMap::new();
        let mut running: Option<Vec<ContainerSummary>> = None;
        for (name, service) in &topology.services {
            for port in &service.ports {
                let Some(number) = port.published else {
                    continue;
                };
                let address = port.host_ip.unwrap_or(LOOPBACK);
                let taken = |by: String| UpError::PortTaken {
                    service: name.clone(),
                    address,
                    port: number,
                    by,
                };
                if let Some(other) = claimed.insert((address, number, &port.protocol), name) {
                    return Err(taken(format!("service `{other}` of the same topology")));
                }
                if running.is_none() {
                    running = Some(self.running().await?);
                }
                if let Some(by) = holder(
                    running.as_deref().unwrap_or_default(),
                    address,
                    number,
                    &port.protocol,
                ) {
                    return Err(taken(format!("container `{by}`")));
                }
                if self.listens_here() && !is_free(address, number, &port.protocol) {
                    return Err(taken(
                        process_on(number).unwrap_or_else(|| "another program".into()),
                    ));
                }
            }
        }
        Ok(())
    }

    pub(super) async fn running(&self) -> Result<Vec<ContainerSummary>, EngineError> {
        self.client
            .list_containers(None)
            .await
            .named(|| "listing containers".into())
    }

    /// The engine publishes ports on this machine: only then does binding one here say anything.
    pub(super) fn listens_here(&self) -> bool {
        self.shared.host.starts_with("unix://")
    }
}

/// The container that publishes the port on an address that covers ours.
pub(super) fn holder(
    running: &[ContainerSummary],
    address: IpAddr,
    port: u16,
    protocol: &str,
) -> Option<String> {
    let covers = |ip: &str| {
        ip.parse::<IpAddr>()
            .is_ok_and(|ip| ip == address || ip.is_unspecified() || address.is_unspecified())
    };
    running
        .iter()
        .find(|container| {
            container.ports.iter().flatten().any(|p| {
                p.public_port == Some(port)
                    && p.typ.is_some_and(|t| t.to_string() == protocol)
                    && p.ip.as_deref().is_none_or(covers)
            })
        })
        .and_then(|container| container.names.as_ref()?.first())
        .map(|name| name.trim_start_matches('/').to_owned())
}

/// Binding succeeds, or fails for a reason that is not that somebody has the port (the engine may bind what we may not).
pub(super) fn is_free(address: IpAddr, port: u16, protocol: &str) -> bool {
    let bound = match protocol {
        "tcp" => TcpListener::bind((address, port)).map(drop),
        "udp" => UdpSocket::bind((address, port)).map(drop),
        _ => Ok(()),
    };
    !matches!(bound, Err(e) if e.kind() == io::ErrorKind::AddrInUse)
}

/// Process that listens on the port, as far as this user may see: `nginx (pid 123)`.
pub(super) fn process_on(port: u16) -> Option<String> {
    let inodes: BTreeSet<String> = ["tcp", "tcp6", "udp", "udp6"]
        .into_iter()
        .filter_map(|table| std::fs::read_to_string(format!("/proc/net/{table}")).ok())
        .flat_map(|table| listeners(&table, port))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let mut entries = std::fs::read_dir("/proc").ok()?.flatten();
    entries.find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let mut files = std::fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        files.find(|fd| {
            std::fs::read_link(fd.path()).is_ok_and(|target| {
                let target = target.to_string_lossy();
                target
                    .strip_prefix("socket:[")
                    .and_then(|t| t.strip_suffix(']'))
                    .is_some_and(|i| inodes.contains(i))
            })
        })?;
        let comm = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        Some(format!("{} (pid {pid})", comm.trim()))
    })
}

/// Inodes of sockets bound to the port in a table of /proc/net: listening (0A) for TCP, unconnected (07) for UDP.
/// Source: proc(5), `/proc/net/tcp`.
fn listeners(table: &str, port: u16) -> Vec<String> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
            let ours = u16::from_str_radix(local_port, 16).ok()? == port
                && ["0A", "07"].contains(fields.get(3)?);
            ours.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_free_and_its_process_is_found() {
        let listener = TcpListener::bind((LOOPBACK, 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        assert!(!is_free(LOOPBACK, port, "tcp"));
        let by = process_on(port).expect("our own process");
        assert!(
            by.ends_with(&format!("(pid {})", std::process::id())),
            "{by}"
        );
        drop(listener);
        assert!(is_free(LOOPBACK, port, "tcp"));
    }

    #[test]
    fn a_table_that_is_garbled_names_nobody() {
        assert!(listeners("", 80).is_empty());
        assert!(listeners("head\nx\n  0: 0100007F:0050\n1: zz:zz 0 0A", 80).is_empty());
    }

    #[test]
    fn a_container_that_publishes_on_all_addresses_has_the_port_on_ours() {
        use bollard::models::{PortSummary, PortSummaryTypeEnum};
        let summary = |ip: &str| ContainerSummary {
            names: Some(vec!["/other".into()]),
            ports: Some(vec![PortSummary {
                ip: Some(ip.into()),
                private_port: 80,
                public_port: Some(8080),
                typ: Some(PortSummaryTypeEnum::TCP),
            }]),
            ..ContainerSummary::default()
        };
        assert_eq!(
            holder(&[summary("0.0.0.0")], LOOPBACK, 8080, "tcp").as_deref(),
            Some("other")
        );
        assert_eq!(
            holder(&[summary("127.0.0.1")], LOOPBACK, 8080, "tcp").as_deref(),
            Some("other")
        );
        assert_eq!(holder(&[summary("127.0.0.2")], LOOPBACK, 8080, "tcp"), None);
    }
}
