//! Several files, and services that extend others, merged by the rules of the Compose specification.

use std::collections::HashMap;

use super::node::{Directive, Entry, Node, Value};
use super::report::Report;

/// A path within a file; `*` in a rule stands for any one key.
type Path<'a> = [&'a str];

/// Brings lists that have a mapping form into it, so that both forms merge and read alike.
pub fn canonical(file: &mut Node) {
    if let Some(Value::Map(services)) = file.get_mut("services").map(|s| &mut s.value) {
        services
            .iter_mut()
            .for_each(|e| canonical_service(&mut e.value));
    }
    for section in ["networks", "volumes", "configs", "secrets"] {
        if let Some(Value::Map(entries)) = file.get_mut(section).map(|s| &mut s.value) {
            for entry in entries {
                canonical_pairs(&mut entry.value, &["labels", "driver_opts"]);
            }
        }
    }
}

fn canonical_service(service: &mut Node) {
    canonical_pairs(
        service,
        &["environment", "labels", "sysctls", "annotations"],
    );
    if let Some(build) = service.get_mut("build") {
        if build.text().is_some() {
            let context = Entry {
                key: build.key_here("context"),
                value: build.clone(),
            };
            let directive = build.directive;
            *build = build.beside(Value::Map(vec![context]));
            build.directive = directive;
        }
        canonical_pairs(build, &["args", "labels"]);
    }
    for key in ["networks", "depends_on"] {
        let Some(node) = service.get_mut(key) else {
            continue;
        };
        let Value::List(items) = &node.value else {
            continue;
        };
        // An item of the wrong type keeps the list, and the reader names it.
        let named: Option<Vec<Entry>> = items
            .iter()
            .map(|i| {
                Some(Entry {
                    key: i.key_here(i.text()?),
                    value: i.null_beside(),
                })
            })
            .collect();
        if let Some(entries) = named {
            node.value = Value::Map(unique(entries));
        }
    }
    for key in [
        "dns",
        "dns_search",
        "dns_opt",
        "env_file",
        "tmpfs",
        "label_file",
    ] {
        if let Some(node) = service.get_mut(key)
            && node.text().is_some()
        {
            node.value = Value::List(vec![node.beside(node.value.clone())]);
        }
    }
}

fn canonical_pairs(parent: &mut Node, keys: &[&str]) {
    for key in keys {
        let Some(node) = parent.get_mut(key) else {
            continue;
        };
        let Value::List(items) = &node.value else {
            continue;
        };
        let pairs: Option<Vec<Entry>> = items
            .iter()
            .map(|item| {
                let text = item.text()?;
                Some(match text.split_once('=') {
                    Some((name, value)) => Entry {
                        key: item.key_here(name),
                        value: item.text_beside(value),
                    },
                    None => Entry {
                        key: item.key_here(text),
                        value: item.null_beside(),
                    },
                })
            })
            .collect();
        if let Some(entries) = pairs {
            node.value = Value::Map(unique(entries));
        }
    }
}

/// One entry a name; the last one counts.
fn unique(entries: Vec<Entry>) -> Vec<Entry> {
    let mut index: HashMap<String, usize> = HashMap::new();
    let mut out: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries {
        match index.get(&entry.key.text) {
            Some(at) => out[*at] = entry,
            None => {
                index.insert(entry.key.text.clone(), out.len());
                out.push(entry);
            }
        }
    }
    out
}

/// Lays `over` on `base`.
pub fn merge(base: Node, over: Node, path: &Path<'_>, report: &Report) -> Node {
    if over.directive == Directive::Override || base.directive == Directive::Reset {
        return over;
    }
    if over.is_null() && !matches!(base.value, Value::Scalar(_)) {
        return base;
    }
    if base.is_null() || replaces(path) {
        return over;
    }
    let kind = base.kind();
    let mut node = base;
    let below = std::mem::replace(&mut node.value, Value::List(Vec::new()));
    match (below, over.value) {
        (Value::Map(base), Value::Map(over)) => {
            node.value = Value::Map(match path {
                ["services", _, "logging"] if other_driver(&base, &over) => over,
                _ => merge_entries(base, over, path, report),
            });
            node
        }
        (Value::List(base), Value::List(over)) => {
            node.value = Value::List(merge_lists(base, over, path));
            node
        }
        (Value::Scalar(_), value @ Value::Scalar(_)) => Node {
            value,
            span: over.span,
            origin: over.origin,
            directive: Directive::Merge,
        },
        // `ulimits: nofile: 5` over `nofile: {soft, hard}`, `external: true` over `{name}`.
        (Value::Map(_) | Value::Scalar(_), value @ (Value::Map(_) | Value::Scalar(_)))
            if matches!(path, ["services", _, "ulimits", _] | [_, _, "external"]) =>
        {
            Node {
                value,
                span: over.span,
                origin: over.origin,
                directive: Directive::Merge,
            }
        }
        (below, value) => {
            node.value = below;
            let over = Node {
                value,
                span: over.span,
                origin: over.origin,
                directive: Directive::Merge,
            };
            let message = format!(
                "{}: {} cannot be laid over {kind}",
                path.join("."),
                over.kind()
            );
            report.mistake(over.mistake(message).with_help(
                "write it in the form of the earlier file, or replace it with the tag `!override`",
            ));
            node
        }
    }
}

fn replaces(path: &Path<'_>) -> bool {
    matches!(
        path,
        ["services", _, "command" | "entrypoint"] | ["services", _, "healthcheck", "test"]
    )
}

/// Options of one log driver mean nothing to another. A file that names none speaks of the other file's.
fn other_driver(base: &[Entry], over: &[Entry]) -> bool {
    let driver = |entries: &[Entry]| {
        let entry = entries.iter().find(|e| e.key.text == "driver");
        entry.and_then(|e| e.value.text()).map(str::to_owned)
    };
    matches!((driver(base), driver(over)), (Some(base), Some(over)) if base != over)
}

fn merge_entries(
    base: Vec<Entry>,
    over: Vec<Entry>,
    path: &Path<'_>,
    report: &Report,
) -> Vec<Entry> {
    let mut index: HashMap<String, usize> = base
        .iter()
        .enumerate()
        .map(|(i, e)| (e.key.text.clone(), i))
        .collect();
    let mut slots: Vec<Option<Entry>> = base.into_iter().map(Some).collect();
    for entry in over {
        let below: Vec<&str> = path
            .iter()
            .copied()
            .chain([entry.key.text.as_str()])
            .collect();
        match index.get(&entry.key.text).copied() {
            Some(at) if entry.value.directive == Directive::Reset => slots[at] = None,
            Some(at) => match slots[at].take() {
                Some(old) => {
                    let value = merge(old.value, entry.value, &below, report);
                    slots[at] = Some(Entry {
                        key: entry.key,
                        value,
                    });
                }
                None => slots[at] = Some(entry),
            },
            None if entry.value.directive == Directive::Reset => {}
            None => {
                index.insert(entry.key.text.clone(), slots.len());
                slots.push(Some(entry));
            }
        }
    }
    slots.into_iter().flatten().collect()
}

/// Appends; what names the same thing is replaced in its place.
fn merge_lists(base: Vec<Node>, over: Vec<Node>, path: &Path<'_>) -> Vec<Node> {
    let mut index: HashMap<String, usize> = HashMap::new();
    let mut out: Vec<Node> = Vec::with_capacity(base.len() + over.len());
    for item in base.into_iter().chain(over) {
        match identity(&item, path) {
            Some(name) => match index.get(&name) {
                Some(at) => out[*at] = item,
                None => {
                    index.insert(name, out.len());
                    out.push(item);
                }
            },
            None => out.push(item),
        }
    }
    out
}

/// What makes an item of a list unique; none: it is appended whatever it is.
fn identity(item: &Node, path: &Path<'_>) -> Option<String> {
    let field = |key: &str| {
        item.get(key)
            .and_then(Node::text)
            .unwrap_or_default()
            .to_owned()
    };
    match path {
        ["services", _, "volumes"] => match item.text() {
            Some(short) => Some(super::mounts::short_target(short).to_owned()),
            None => Some(field("target")),
        },
        ["services", _, "ports"] => match item.text() {
            Some(short) => Some(short.to_owned()),
            None => Some(
                ["host_ip", "published", "target", "protocol"]
                    .map(field)
                    .join(" "),
            ),
        },
        ["services", _, "configs" | "secrets"] => match item.text() {
            Some(short) => Some(short.to_owned()),
            None => Some(format!("{} {}", field("source"), field("target"))),
        },
        ["networks", _, "ipam", "config"] => Some(field("subnet")),
        ["services", _, "env_file"] => None,
        _ => item.text().map(str::to_owned),
    }
}

/// Takes out what `!reset` unsets.
pub fn without_resets(node: &mut Node) {
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::List(items) => {
            items.retain(|i| i.directive != Directive::Reset);
            items.iter_mut().for_each(without_resets);
        }
        Value::Map(entries) => {
            entries.retain(|e| e.value.directive != Directive::Reset);
            entries
                .iter_mut()
                .for_each(|e| without_resets(&mut e.value));
        }
    }
}
