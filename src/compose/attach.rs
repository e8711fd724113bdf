//! How a service joins networks, and what it waits for.

use std::collections::BTreeMap;

use super::fields::{Fields, expected};
use super::node::Node;
use super::report::Report;
use super::topology::{Attachment, Condition, Dependency};

/// Reads `networks`; a service that names none, and has no `network_mode`, joins `default`.
pub fn networks(fields: &mut Fields<'_>, has_mode: bool) -> BTreeMap<String, Attachment> {
    let node = fields.take("networks");
    let path = fields.path_of("networks");
    let mut networks = BTreeMap::new();
    match node {
        Some(node) if has_mode => fields.report.mistake(
            node.mistake(format!(
                "{}: network_mode and networks exclude each other",
                fields.path
            ))
            .with_help("keep one of the two"),
        ),
        Some(node) => match node.entries() {
            Some(entries) => {
                for entry in entries {
                    let path = format!("{path}.{}", entry.key.text);
                    networks.insert(
                        entry.key.text.clone(),
                        attachment(&entry.value, &path, fields.report),
                    );
                }
            }
            None => fields
                .report
                .mistake(expected(node, &path, "a list or a mapping")),
        },
        None => {}
    }
    if networks.is_empty() && !has_mode {
        networks.insert("default".into(), Attachment::default());
    }
    networks
}

fn attachment(node: &Node, path: &str, report: &Report) -> Attachment {
    let Some(mut fields) = Fields::of(node, path, report) else {
        return Attachment::default();
    };
    let attachment = Attachment {
        aliases: fields.texts("aliases", false),
        ipv4_address: fields.read(
            "ipv4_address",
            "an IPv4 address",
            "write 172.28.0.10",
            |t| t.parse::<std::net::Ipv4Addr>().ok().map(|a| a.to_string()),
        ),
        ipv6_address: fields.read(
            "ipv6_address",
            "an IPv6 address",
            "write 2001:db8::10",
            |t| t.parse::<std::net::Ipv6Addr>().ok().map(|a| a.to_string()),
        ),
        link_local_ips: fields.texts("link_local_ips", false),
        mac_address: fields.text("mac_address"),
        priority: fields.integer("priority").unwrap_or(0),
    };
    fields.not_carried_out(&["driver_opts", "gw_priority", "interface_name"]);
    fields.finish();
    attachment
}

/// Reads `depends_on`.
pub fn depends_on(fields: &mut Fields<'_>) -> BTreeMap<String, Dependency> {
    let mut dependencies = BTreeMap::new();
    let Some(node) = fields.take("depends_on") else {
        return dependencies;
    };
    let path = fields.path_of("depends_on");
    let Some(entries) = node.entries() else {
        fields
            .report
            .mistake(expected(node, &path, "a list or a mapping"));
        return dependencies;
    };
    let help = "write service_started, service_healthy or service_completed_successfully";
    for entry in entries {
        let path = format!("{path}.{}", entry.key.text);
        let Some(mut inner) = Fields::of(&entry.value, path, fields.report) else {
            continue;
        };
        let condition = inner.read("condition", "a condition", help, |t| match t {
            "service_started" => Some(Condition::Started),
            "service_healthy" => Some(Condition::Healthy),
            "service_completed_successfully" => Some(Condition::CompletedSuccessfully),
            _ => None,
        });
        let required = inner.flag("required").unwrap_or(true);
        inner.not_carried_out(&["restart"]);
        inner.finish();
        let condition = condition.unwrap_or(Condition::Started);
        dependencies.insert(
            entry.key.text.clone(),
            Dependency {
                condition,
                required,
            },
        );
    }
    dependencies
}
