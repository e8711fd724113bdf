//! Top-level `networks` and `volumes`, read where an active service uses them.

use std::net::IpAddr;

use super::fields::{Fields, expected};
use super::node::{Node, Value};
use super::report::Report;
use super::topology::{IpamPool, Network, Volume};

/// `external` in both forms; the older one holds the name.
fn external(fields: &mut Fields<'_>) -> (bool, Option<String>) {
    let Some(entry) = fields.entry("external") else {
        return (false, None);
    };
    if entry.value.entries().is_some() {
        let path = fields.path_of("external");
        let name = Fields::of(&entry.value, path, fields.report).and_then(|mut inner| {
            let name = inner.text("name");
            inner.finish();
            name
        });
        return (true, name);
    }
    match entry.value.text() {
        Some("true") => (true, None),
        Some("false") | None => (false, None),
        Some(_) => {
            let path = fields.path_of("external");
            fields
                .report
                .mistake(expected(&entry.value, &path, "true or false"));
            (false, None)
        }
    }
}

/// Reads a network; `key` as in the file.
pub fn network(node: &Node, project: &str, key: &str, report: &Report) -> Network {
    let path = format!("networks.{key}");
    let Some(mut fields) = Fields::of(node, path.as_str(), report) else {
        return Network {
            name: format!("{project}_{key}"),
            ..Network::default()
        };
    };
    let (external, older_name) = external(&mut fields);
    let name = fields.text("name").or(older_name);
    let mut network = Network {
        name: name.unwrap_or_else(|| default_name(external, project, key)),
        external,
        driver: fields.text("driver"),
        driver_opts: fields.pairs("driver_opts"),
        internal: fields.flag("internal").unwrap_or(false),
        attachable: fields.flag("attachable").unwrap_or(false),
        enable_ipv6: fields.flag("enable_ipv6").unwrap_or(false),
        labels: fields.pairs("labels"),
        ..Network::default()
    };
    if let Some(ipam) = fields.take("ipam") {
        read_ipam(ipam, &format!("{path}.ipam"), &mut network, report);
    }
    fields.not_carried_out(&["enable_ipv4"]);
    fields.finish();
    network
}

/// Reads a volume; `key` as in the file.
pub fn volume(node: &Node, project: &str, key: &str, report: &Report) -> Volume {
    let path = format!("volumes.{key}");
    let Some(mut fields) = Fields::of(node, path, report) else {
        return Volume {
            name: format!("{project}_{key}"),
            ..Volume::default()
        };
    };
    let (external, older_name) = external(&mut fields);
    let name = fields.text("name").or(older_name);
    let volume = Volume {
        name: name.unwrap_or_else(|| default_name(external, project, key)),
        external,
        driver: fields.text("driver"),
        driver_opts: fields.pairs("driver_opts"),
        labels: fields.pairs("labels"),
    };
    fields.finish();
    volume
}

fn default_name(external: bool, project: &str, key: &str) -> String {
    if external {
        key.to_owned()
    } else {
        format!("{project}_{key}")
    }
}

fn read_ipam(node: &Node, path: &str, network: &mut Network, report: &Report) {
    let Some(mut fields) = Fields::of(node, path, report) else {
        return;
    };
    network.ipam_driver = fields.text("driver");
    network.ipam_options = fields.pairs("options");
    let pools = fields.take("config");
    fields.finish();
    match pools.map(|n| (&n.value, n)) {
        Some((Value::List(items), _)) => {
            network.ipam = items.iter().filter_map(|i| pool(i, path, report)).collect();
        }
        Some((Value::Scalar(_) | Value::Map(_), node)) => {
            report.mistake(expected(node, &format!("{path}.config"), "a list"));
        }
        None => {}
    }
}

fn pool(node: &Node, path: &str, report: &Report) -> Option<IpamPool> {
    let mut fields = Fields::of(node, format!("{path}.config[]"), report)?;
    let help = "write an address and a length: 172.28.0.0/16";
    let subnet = |text: &str| is_subnet(text).then(|| text.to_owned());
    let address = |text: &str| text.parse::<IpAddr>().ok().map(|_| text.to_owned());
    let pool = IpamPool {
        subnet: fields.read("subnet", "a subnet", help, subnet),
        ip_range: fields.read("ip_range", "a subnet", help, subnet),
        gateway: fields.read("gateway", "an address", "write 172.28.0.1", address),
        aux_addresses: fields.pairs("aux_addresses"),
    };
    fields.finish();
    Some(pool)
}

fn is_subnet(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    match (address.parse::<IpAddr>(), length.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(length)) => length <= 32,
        (Ok(IpAddr::V6(_)), Ok(length)) => length <= 128,
        _ => false,
    }
}
