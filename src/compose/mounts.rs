//! `volumes` and `tmpfs` of a service: named volumes, folders of the host, memory.

use super::fields::{Fields, expected, loose_text};
use super::node::{Node, Value};
use super::report::Report;
use super::topology::Mount;
use super::{paths, values};

const HELP: &str = "write volume:/path, ./folder:/path or /path, with :ro for read only";

/// Path in the container that a short form names.
pub fn short_target(text: &str) -> &str {
    let mut parts = text.split(':');
    match (parts.next(), parts.next()) {
        (_, Some(target)) => target,
        (first, None) => first.unwrap_or_default(),
    }
}

/// Reads `volumes`, each mount with the node that asks for it.
pub fn read<'a>(node: Option<&'a Node>, path: &str, report: &Report) -> Vec<(Mount, &'a Node)> {
    let Some(node) = node else { return Vec::new() };
    let Value::List(items) = &node.value else {
        report.mistake(expected(node, path, "a list"));
        return Vec::new();
    };
    let one = |item| match node_is_map(item) {
        true => long(item, path, report),
        false => short(item, path, report),
    };
    items
        .iter()
        .filter_map(|item| Some((one(item)?, item)))
        .collect()
}

fn node_is_map(node: &Node) -> bool {
    node.entries().is_some()
}

fn short(item: &Node, path: &str, report: &Report) -> Option<Mount> {
    let text = loose_text(item, path, report)?;
    let bad = |what: &str| {
        report.mistake(
            item.mistake(format!("{path}: `{text}` {what}"))
                .with_help(HELP),
        );
        None
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        [target] => (None, *target, ""),
        [source, target] => (Some(*source), *target, ""),
        [source, target, options] => (Some(*source), *target, *options),
        _ => return bad("has too many parts"),
    };
    if !target.starts_with('/') || source == Some("") {
        return bad("names no absolute path in the container");
    }
    let (mut read_only, mut nocopy, mut propagation) = (false, false, None);
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match option {
            "ro" => read_only = true,
            "rw" | "cached" | "delegated" | "consistent" | "copy" => {}
            "nocopy" => nocopy = true,
            "shared" | "slave" | "private" | "rshared" | "rslave" | "rprivate" => {
                propagation = Some(option.to_owned());
            }
            "z" | "Z" => report.warn(
                item.mistake(format!(
                    "{path}: the SELinux label `{option}` is not carried out"
                ))
                .with_help("lbtest mounts it without a new label"),
            ),
            _ => return bad("has an unknown option at its end"),
        }
    }
    let target = target.to_owned();
    Some(match source {
        Some(source) if source.starts_with(['.', '/', '~']) => Mount::Bind {
            source: paths::of_node(item, source),
            target,
            read_only,
            create: true,
            propagation,
        },
        volume => Mount::Volume {
            volume: volume.map(str::to_owned),
            target,
            read_only,
            nocopy,
            subpath: None,
        },
    })
}

fn long(item: &Node, path: &str, report: &Report) -> Option<Mount> {
    let path = format!("{path}[]");
    let mut fields = Fields::of(item, &path, report)?;
    let kind = fields.text("type");
    let source = fields.text("source");
    let target = fields.text("target");
    let read_only = fields.flag("read_only").unwrap_or(false);
    fields.ignore(&["consistency"]);
    let (bind, volume, tmpfs) = (
        fields.take("bind"),
        fields.take("volume"),
        fields.take("tmpfs"),
    );
    fields.not_carried_out(&["image"]);
    fields.finish();
    let bad = |message: &str, help: &str| {
        report.mistake(item.mistake(format!("{path}: {message}")).with_help(help));
        None
    };
    let Some(target) = target.filter(|t| t.starts_with('/')) else {
        return bad("a mount needs an absolute target", "write `target: /path`");
    };
    match (kind.as_deref(), source) {
        (Some("volume"), volume_name) => {
            let (mut nocopy, mut subpath) = (false, None);
            if let Some(mut fields) =
                volume.and_then(|n| Fields::of(n, format!("{path}.volume"), report))
            {
                nocopy = fields.flag("nocopy").unwrap_or(false);
                subpath = fields.text("subpath");
                fields.not_carried_out(&["labels"]);
                fields.finish();
            }
            Some(Mount::Volume {
                volume: volume_name,
                target,
                read_only,
                nocopy,
                subpath,
            })
        }
        (Some("bind"), Some(source)) => {
            let (mut create, mut propagation) = (false, None);
            if let Some(mut fields) =
                bind.and_then(|n| Fields::of(n, format!("{path}.bind"), report))
            {
                // As compose has it: true by default, but only where `bind` is written at all.
                create = fields.flag("create_host_path").unwrap_or(true);
                propagation = fields.text("propagation");
                fields.not_carried_out(&["selinux", "recursive"]);
                fields.finish();
            }
            let source = paths::of_node(item, &source);
            Some(Mount::Bind {
                source,
                target,
                read_only,
                create,
                propagation,
            })
        }
        (Some("bind"), None) => bad("a bind mount needs a source", "write `source: ./folder`"),
        (Some("tmpfs"), _) => {
            let (mut size, mut mode) = (None, None);
            if let Some(mut fields) =
                tmpfs.and_then(|n| Fields::of(n, format!("{path}.tmpfs"), report))
            {
                size = fields.bytes("size");
                mode = read_mode(&mut fields);
                fields.finish();
            }
            Some(Mount::Tmpfs { target, size, mode })
        }
        (Some(other), _) => bad(
            &format!("mounts of type `{other}` are not supported"),
            "write volume, bind or tmpfs",
        ),
        (None, _) => bad(
            "a mount needs a type",
            "write `type: volume`, `bind` or `tmpfs`",
        ),
    }
}

/// The field `mode`.
pub fn read_mode(fields: &mut Fields<'_>) -> Option<u32> {
    let plain = |n: &Node| matches!(&n.value, Value::Scalar(s) if s.plain);
    let node = fields.take("mode")?;
    let text = node.text().unwrap_or_default();
    let mode = values::mode(text, plain(node));
    if mode.is_none() {
        let message = format!("{}: `{text}` is not a file mode", fields.path_of("mode"));
        fields
            .report
            .mistake(node.mistake(message).with_help("write octal digits: 0440"));
    }
    mode
}

/// Reads `tmpfs`: `/run`, `/run:size=64m,mode=1777`.
pub fn read_tmpfs(node: Option<&Node>, path: &str, report: &Report) -> Vec<Mount> {
    let Some(node) = node else { return Vec::new() };
    let Value::List(items) = &node.value else {
        report.mistake(expected(node, path, "a path or a list of paths"));
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|item| one_tmpfs(item, path, report))
        .collect()
}

fn one_tmpfs(item: &Node, path: &str, report: &Report) -> Option<Mount> {
    let text = loose_text(item, path, report)?;
    let (target, options) = text.split_once(':').unwrap_or((&text, ""));
    let (mut size, mut mode) = (None, None);
    let mut wrong = !target.starts_with('/');
    for option in options.split(',').filter(|o| !o.is_empty()) {
        match option.split_once('=') {
            Some(("size", value)) => {
                size = values::bytes(value);
                wrong |= size.is_none();
            }
            Some(("mode", value)) => {
                mode = values::mode(value, false);
                wrong |= mode.is_none();
            }
            // What the engine does anyway.
            None if matches!(option, "rw" | "noexec" | "nosuid" | "nodev") => {}
            _ => report.warn(
                item.mistake(format!("{path}: the option `{option}` is not carried out"))
                    .with_help("lbtest knows size and mode"),
            ),
        }
    }
    if wrong {
        let message = format!("{path}: `{text}` is no tmpfs");
        report.mistake(
            item.mistake(message)
                .with_help("write /path or /path:size=64m,mode=1777"),
        );
        return None;
    }
    Some(Mount::Tmpfs {
        target: target.to_owned(),
        size,
        mode,
    })
}
