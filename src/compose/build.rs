//! `build` of a service (its short form is a context by now).

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::fields::Fields;
use super::node::{Entry, Node};
use super::paths;
use super::report::Report;
use super::topology::Build;

/// Reads a build section.
pub fn read(node: &Node, path: &str, report: &Report) -> Option<Build> {
    let mut fields = Fields::of(node, path, report)?;
    let context = fields.take("context");
    let mut build = Build {
        context: context_of(node, context, path, report),
        ..Build::default()
    };
    build.dockerfile = fields.text("dockerfile").map(PathBuf::from);
    let inline = fields.take("dockerfile_inline");
    build.dockerfile_inline = inline.and_then(Node::text).map(str::to_owned);
    if let (Some(inline), Some(_)) = (inline, &build.dockerfile) {
        let message = format!("{path}: dockerfile and dockerfile_inline exclude each other");
        report.mistake(inline.mistake(message).with_help("keep one of the two"));
    }
    build.args = fields
        .take("args")
        .map(|n| from_environment(n, &format!("{path}.args"), report))
        .unwrap_or_default();
    build.target = fields.text("target");
    build.labels = fields.pairs("labels");
    build.network = fields.text("network");
    build.no_cache = fields.flag("no_cache").unwrap_or(false);
    build.pull = fields.flag("pull").unwrap_or(false);
    build.shm_size = fields.bytes("shm_size");
    build.extra_hosts = super::hosts::extra_hosts(
        fields.take("extra_hosts"),
        &format!("{path}.extra_hosts"),
        report,
    );
    build.cache_from = fields.texts("cache_from", false);
    let platforms = fields.texts("platforms", false);
    if let ([first, _, ..], Some(at)) = (platforms.as_slice(), node.get("platforms")) {
        let message = format!("{path}.platforms: only the first, {first}, is built for");
        report.warn(
            at.mistake(message)
                .with_help("name the one platform that this engine runs, or none"),
        );
    }
    build.platform = platforms.into_iter().next();
    build.tags = fields.texts("tags", false);
    fields.not_carried_out(&[
        "additional_contexts",
        "cache_to",
        "entitlements",
        "isolation",
        "no_cache_filter",
        "privileged",
        "provenance",
        "sbom",
        "secrets",
        "ssh",
        "ulimits",
    ]);
    fields.finish();
    Some(build)
}

fn context_of(node: &Node, context: Option<&Node>, path: &str, report: &Report) -> PathBuf {
    let (at, text) = match context {
        Some(context) => (context, context.text().unwrap_or_default()),
        None => (node, "."),
    };
    if text.contains("://") || text.starts_with("git@") {
        let message = format!("{path}: a context must be a folder, not {text}");
        report.mistake(
            at.mistake(message)
                .with_help("fetch it first and name the folder"),
        );
    }
    paths::of_node(at, text)
}

/// Names with values; a name without one takes that of the environment, or is left out.
pub fn from_environment(node: &Node, path: &str, report: &Report) -> BTreeMap<String, String> {
    let Some(entries) = node.entries() else {
        report.mistake(super::fields::expected(
            node,
            path,
            "a mapping or a list of NAME=value",
        ));
        return BTreeMap::new();
    };
    let value = |e: &Entry| match e.value.is_null() {
        true => e.value.origin.env.get(&e.key.text).cloned(),
        false => super::fields::loose_text(&e.value, &format!("{path}.{}", e.key.text), report),
    };
    entries
        .iter()
        .filter_map(|e| Some((e.key.text.clone(), value(e)?)))
        .collect()
}
