//! `ulimits`, `extra_hosts` and `expose`.

use std::collections::BTreeMap;

use super::fields::{Fields, expected, loose_text};
use super::node::{Node, Value};
use super::report::Report;
use super::values::port_range;

/// Reads `ulimits`: soft and hard by name.
pub fn ulimits(fields: &mut Fields<'_>) -> BTreeMap<String, (i64, i64)> {
    let mut limits = BTreeMap::new();
    let Some(node) = fields.take("ulimits") else {
        return limits;
    };
    let path = fields.path_of("ulimits");
    let Some(entries) = node.entries() else {
        fields.report.mistake(expected(node, &path, "a mapping"));
        return limits;
    };
    for entry in entries {
        let path = format!("{path}.{}", entry.key.text);
        if let Some(number) = entry.value.text() {
            match number.parse() {
                Ok(number) => {
                    limits.insert(entry.key.text.clone(), (number, number));
                }
                Err(_) => fields
                    .report
                    .mistake(expected(&entry.value, &path, "a whole number")),
            }
        } else if let Some(mut both) = Fields::of(&entry.value, path.as_str(), fields.report) {
            match (both.integer("soft"), both.integer("hard")) {
                (Some(soft), Some(hard)) => {
                    limits.insert(entry.key.text.clone(), (soft, hard));
                }
                _ => fields.report.mistake(
                    entry
                        .key
                        .mistake(format!("{path} needs soft and hard"))
                        .with_help("write both numbers, or one number for both"),
                ),
            }
            both.finish();
        }
    }
    limits
}

/// `extra_hosts` in both forms, as `name:address`.
pub fn extra_hosts(node: Option<&Node>, path: &str, report: &Report) -> Vec<String> {
    let Some(node) = node else { return Vec::new() };
    let mut hosts = Vec::new();
    match &node.value {
        Value::List(items) => {
            for item in items {
                let text = loose_text(item, path, report).unwrap_or_default();
                match text.split_once('=').or_else(|| text.split_once(':')) {
                    Some((name, address)) if !name.is_empty() && !address.is_empty() => {
                        hosts.push(format!("{name}:{}", address.trim_matches(['[', ']'])));
                    }
                    _ => report.mistake(
                        item.mistake(format!("{path}: `{text}` is no host"))
                            .with_help("write name=address"),
                    ),
                }
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                let addresses = match &entry.value.value {
                    Value::List(items) => items.as_slice(),
                    Value::Scalar(_) | Value::Map(_) => std::slice::from_ref(&entry.value),
                };
                hosts.extend(addresses.iter().filter_map(|a| {
                    Some(format!(
                        "{}:{}",
                        entry.key.text,
                        loose_text(a, path, report)?
                    ))
                }));
            }
        }
        Value::Scalar(_) => report.mistake(expected(node, path, "a list or a mapping")),
    }
    hosts
}

/// Reads `expose`.
pub fn expose(fields: &mut Fields<'_>) -> Vec<String> {
    let Some(node) = fields.take("expose") else {
        return Vec::new();
    };
    let path = fields.path_of("expose");
    let Value::List(items) = &node.value else {
        fields.report.mistake(expected(node, &path, "a list"));
        return Vec::new();
    };
    let one = |item: &Node| {
        let text = loose_text(item, &path, fields.report)?;
        let (port, protocol) = text.split_once('/').unwrap_or((text.as_str(), "tcp"));
        let Some((first, last)) = port_range(port) else {
            let message = format!("{path}: `{text}` is not a port");
            fields
                .report
                .mistake(item.mistake(message).with_help("write 80 or 80/udp"));
            return None;
        };
        // Port by port: engines take ranges where ports are published, not where they are exposed.
        Some(
            (first..=last)
                .map(move |port| format!("{port}/{protocol}"))
                .collect::<Vec<_>>(),
        )
    };
    items.iter().filter_map(one).flatten().collect()
}
