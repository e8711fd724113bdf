//! `configs` and `secrets`: what they hold, read when a service of an active profile uses them.

use super::fields::{Fields, expected};
use super::files::Files;
use super::mounts::read_mode;
use super::node::{Node, Value};
use super::report::Report;
use super::topology::Mount;
use super::{checks, paths};

/// Bytes of one config or secret.
const MAX_BYTES: u64 = 4 << 20;

/// Reads what a service uses of one section (`configs` or `secrets`).
pub fn read(
    node: Option<&Node>,
    section: &str,
    path: &str,
    model: &Node,
    active: bool,
    files: &Files<'_>,
) -> Vec<Mount> {
    let Some(node) = node else { return Vec::new() };
    let Value::List(items) = &node.value else {
        files.report.mistake(expected(node, path, "a list"));
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|i| one(i, section, path, model, active, files))
        .collect()
}

fn one(
    item: &Node,
    section: &str,
    path: &str,
    model: &Node,
    active: bool,
    files: &Files<'_>,
) -> Option<Mount> {
    let report = files.report;
    let folder = if section == "secrets" {
        "/run/secrets/"
    } else {
        "/"
    };
    let (source, target, uid, gid, mode) = match item.text() {
        Some(name) => (name.to_owned(), None, None, None, None),
        None => {
            let mut fields = Fields::of(item, format!("{path}[]"), report)?;
            let source = fields.text("source");
            let target = fields.text("target");
            let (uid, gid) = (fields.integer("uid"), fields.integer("gid"));
            let mode = read_mode(&mut fields);
            fields.finish();
            let Some(source) = source else {
                report.mistake(
                    item.mistake(format!("{path}: needs a source"))
                        .with_help("write `source: name`"),
                );
                return None;
            };
            (source, target, uid, gid, mode)
        }
    };
    if !active {
        return None;
    }
    let at = item.get("source").unwrap_or(item);
    let definition = checks::defined(model, section, &source, at, report)?;
    let content = content(definition, &format!("{section}.{source}"), files)?;
    let target = match target {
        Some(target) if target.starts_with('/') => target,
        Some(target) => format!("{folder}{target}"),
        None => format!("{folder}{source}"),
    };
    Some(Mount::Content {
        target,
        content,
        uid: uid.unwrap_or(0),
        gid: gid.unwrap_or(0),
        mode: mode.unwrap_or(0o444),
    })
}

/// Names unknown keys of a definition, used or not; nothing is read.
pub fn check(node: &Node, path: &str, report: &Report) {
    let Some(mut fields) = Fields::of(node, path, report) else {
        return;
    };
    fields.ignore(&[
        "file",
        "content",
        "environment",
        "external",
        "name",
        "labels",
    ]);
    fields.ignore(&["driver", "driver_opts", "template_driver"]);
    fields.finish();
}

fn content(node: &Node, path: &str, files: &Files<'_>) -> Option<Vec<u8>> {
    let report = files.report;
    let mut fields = Fields::of(node, path, report)?;
    let file = fields.take("file");
    let content = fields
        .take("content")
        .and_then(Node::text)
        .map(str::to_owned);
    let variable = fields.take("environment");
    let external = fields.flag("external").unwrap_or(false);
    fields.not_carried_out(&["driver", "driver_opts", "template_driver", "labels"]);
    fields.ignore(&["name"]);
    fields.finish();
    if external {
        let message = format!("{path} is external: only a swarm keeps such things");
        report.mistake(
            node.mistake(message)
                .with_help("give it by file, content or environment"),
        );
        return None;
    }
    match (file, content, variable) {
        (Some(file), None, None) => {
            let path = paths::of_node(file, file.text()?);
            let read = match std::fs::metadata(&path) {
                Ok(m) if !m.is_file() => Err("it is not a file".to_owned()),
                Ok(m) if m.len() > MAX_BYTES => Err(format!("it is larger than {MAX_BYTES} bytes")),
                Ok(_) => std::fs::read(&path).map_err(|e| e.to_string()),
                Err(e) => Err(e.to_string()),
            };
            read.map_err(|why| {
                let message = format!("cannot read {}: {why}", path.display());
                report.mistake(
                    file.mistake(message)
                        .with_help("the path starts at the folder of the compose file"),
                );
            })
            .ok()
        }
        (None, Some(content), None) => Some(content.into_bytes()),
        (None, None, Some(variable)) => {
            let name = variable.text()?;
            let value = variable.origin.env.get(name);
            if value.is_none() {
                let message = format!("{path}: the variable {name} is not set");
                report.mistake(variable.mistake(message).with_help(format!("set {name}")));
            }
            value.map(|v| v.clone().into_bytes())
        }
        _ => {
            let message = format!("{path} needs exactly one of file, content and environment");
            report.mistake(node.mistake(message).with_help("keep one of the three"));
            None
        }
    }
}
