//! Compose files, read, merged and resolved into a [`Topology`].
//!
//! Text → tree of nodes with places → variables filled in → includes, further files and `extends`
//! merged → services, networks and volumes → checks between them. Every mistake points at the line
//! that caused it; what is known but not carried out is a warning.

mod attach;
mod build;
mod checks;
mod content;
mod dotenv;
mod extends;
mod fields;
mod files;
mod health;
mod hosts;
mod interpolate;
mod limits;
mod merge;
mod mounts;
mod node;
mod parse;
mod paths;
mod ports;
mod project;
mod report;
mod resources;
mod service;
#[cfg(test)]
mod tests;
pub mod topology;
mod values;
mod variables;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::source::{Mistake, SourceFile};
use checks::Active;
use fields::Fields;
use files::Files;
use node::{Entry, Env, Node, Value};
use report::Report;
pub use topology::Topology;

/// What to load.
#[derive(Debug, Clone, Default)]
pub struct LoadRequest {
    /// Compose files, later ones laid on earlier ones. Override files are read only if named here.
    pub files: Vec<PathBuf>,
    /// Active profiles; `*` is all. None: those of `COMPOSE_PROFILES` in `env`.
    pub profiles: Vec<String>,
    /// Project name, above everything that the files and the environment say.
    pub project: Option<String>,
    /// The whole environment; nothing is read from the process.
    pub env: BTreeMap<String, String>,
}

/// A topology with what was noticed while it was loaded.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The topology.
    pub topology: Topology,
    /// What the files ask for and lbtest does not carry out, and what looks like a slip.
    pub warnings: Vec<Mistake>,
    /// Every file that was read.
    pub sources: Vec<Arc<SourceFile>>,
}

/// Compose files that cannot be loaded; at least one mistake.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ComposeError {
    mistakes: Vec<Mistake>,
}

impl ComposeError {
    /// What is wrong, in the order in which it was found.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

/// Loads compose files.
///
/// # Errors
/// Every mistake that was found, each with its place.
pub fn load(request: &LoadRequest) -> Result<Loaded, ComposeError> {
    let report = Report::default();
    let mut files = Files::new(&report);
    let topology = resolve(request, &mut files);
    let sources = std::mem::take(&mut files.sources);
    drop(files);
    let (mut mistakes, warnings) = report.finish();
    match topology {
        Some(topology) if mistakes.is_empty() => Ok(Loaded {
            topology,
            warnings,
            sources,
        }),
        _ => {
            if mistakes.is_empty() {
                let none = SourceFile::new(request.files.first().cloned().unwrap_or_default(), "");
                let (what, help) = if request.files.is_empty() {
                    ("no compose file is given", "name a compose file")
                } else {
                    ("the compose file is empty", "it needs at least `services:`")
                };
                mistakes.push(Mistake::new(&none, 0..0, what).with_help(help));
            }
            Err(ComposeError { mistakes })
        }
    }
}

fn resolve(request: &LoadRequest, files: &mut Files<'_>) -> Option<Topology> {
    let report = files.report;
    let first = request.files.first()?;
    let working_dir = absolute(first)
        .parent()
        .unwrap_or(Path::new("/"))
        .to_owned();
    let mut env = files.variables(&working_dir.join(".env"), &request.env);
    env.extend(request.env.clone());
    let read: Vec<Arc<SourceFile>> = request
        .files
        .iter()
        .filter_map(|f| files.read(f, None))
        .collect();
    request.files.iter().for_each(|f| files.begin(absolute(f)));
    // Once without, to learn the project's name: the files may use it as COMPOSE_PROJECT_NAME.
    let shared = Arc::new(env.clone());
    let documents: Vec<Node> = read
        .iter()
        .flat_map(|f| files.documents(f, &working_dir, &shared))
        .collect();
    if report.failed() {
        return None;
    }
    let project = project::name(request, &env, &documents, &working_dir, report)?;
    env.insert("COMPOSE_PROJECT_NAME".into(), project.clone());
    let shared = Arc::new(env);
    let documents: Vec<Node> = read
        .iter()
        .flat_map(|f| files.documents(f, &working_dir, &shared))
        .collect();
    let mut model = files.merged(documents)?;
    extends::resolve(&mut model, files);
    // Only now: a service takes back with `!reset` what it extends.
    merge::without_resets(&mut model);
    check_top_level(&model, report);
    // A part that is missing would show as mistakes in what is left.
    if report.failed() {
        return None;
    }
    let mut topology = Topology {
        project,
        files: request.files.iter().map(|f| absolute(f)).collect(),
        working_dir,
        ..Topology::default()
    };
    services(&model, &profiles(request, &shared), files, &mut topology);
    Some(topology)
}

fn absolute(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    paths::resolve(Path::new("/"), &absolute)
}

fn profiles(request: &LoadRequest, env: &Env) -> BTreeSet<String> {
    let from_env = env
        .get("COMPOSE_PROFILES")
        .filter(|_| request.profiles.is_empty());
    let from_env = from_env.into_iter().flat_map(|list| list.split(','));
    let all = from_env
        .map(str::trim)
        .chain(request.profiles.iter().map(String::as_str));
    all.filter(|p| !p.is_empty()).map(str::to_owned).collect()
}

fn check_top_level(model: &Node, report: &Report) {
    let Some(mut fields) = Fields::of(model, "", report) else {
        return;
    };
    // `version` is obsolete, and has no meaning.
    fields.ignore(&["version", "name", "services"]);
    for section in ["networks", "volumes", "configs", "secrets"] {
        if let Some(node) = fields.take(section)
            && node.entries().is_none()
        {
            report.mistake(fields::expected(node, section, "a mapping"));
        }
    }
    fields.not_carried_out(&["models"]);
    fields.finish();
    // Those that nobody uses are read too: a slip in them is a slip.
    let entries = |section| {
        model
            .get(section)
            .and_then(Node::entries)
            .unwrap_or_default()
    };
    for entry in entries("networks") {
        resources::network(&entry.value, "", &entry.key.text, report);
    }
    for entry in entries("volumes") {
        resources::volume(&entry.value, "", &entry.key.text, report);
    }
    for section in ["configs", "secrets"] {
        for entry in entries(section) {
            content::check(
                &entry.value,
                &format!("{section}.{}", entry.key.text),
                report,
            );
        }
    }
}

fn services(
    model: &Node,
    profiles: &BTreeSet<String>,
    files: &mut Files<'_>,
    topology: &mut Topology,
) {
    let report = files.report;
    let Some(section) = model.get("services").filter(|s| !s.is_null()) else {
        report.mistake(
            model
                .mistake("there are no services")
                .with_help("write them under `services:`"),
        );
        return;
    };
    let Some(all) = section.entries() else {
        report.mistake(fields::expected(section, "services", "a mapping"));
        return;
    };
    if all.is_empty() {
        report.mistake(
            section
                .mistake("there are no services")
                .with_help("write one under `services:`"),
        );
    }
    let mut active = Active::new();
    for entry in all {
        let name = &entry.key.text;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || !name.chars().all(fits) {
            let message = format!("`{name}` is no name of a service");
            report.mistake(
                entry
                    .key
                    .mistake(message)
                    .with_help("use letters, digits, `.`, `_` and `-`"),
            );
        }
        let on = is_active(entry, profiles, report);
        if let Some(read) = service::read(&entry.value, name, model, on, files)
            && on
        {
            active.insert(name.clone(), (entry, read));
        }
    }
    if active.is_empty() && !all.is_empty() && !report.failed() {
        let help = "activate a profile";
        report.mistake(
            section
                .mistake("no service is in an active profile")
                .with_help(help),
        );
    }
    namespaces(&mut active);
    checks::services(&mut active, all, report);
    networks_and_volumes(model, &active, topology, report);
    for (name, (_, mut read)) in active {
        read.service.config_hash = hash(&read.service);
        topology.services.insert(name, read.service);
    }
}

fn is_active(entry: &Entry, active: &BTreeSet<String>, report: &Report) -> bool {
    let Some(profiles) = entry.value.get("profiles").filter(|p| !p.is_null()) else {
        return true;
    };
    let Value::List(items) = &profiles.value else {
        let path = format!("services.{}.profiles", entry.key.text);
        report.mistake(fields::expected(profiles, &path, "a list"));
        return false;
    };
    items.is_empty()
        || active.contains("*")
        || items
            .iter()
            .filter_map(Node::text)
            .any(|p| active.contains(p))
}

/// A service that shares another one's network, processes or memory starts after it.
fn namespaces(active: &mut Active<'_>) {
    for (_, read) in active.values_mut() {
        let service = &mut read.service;
        for shared in [&service.network_mode, &service.pid, &service.ipc] {
            if let Some(other) = shared.as_ref().and_then(|s| s.strip_prefix("service:")) {
                service
                    .depends_on
                    .entry(other.to_owned())
                    .or_insert(topology::Dependency {
                        condition: topology::Condition::Started,
                        required: true,
                    });
            }
        }
    }
}

fn networks_and_volumes(
    model: &Node,
    active: &Active<'_>,
    topology: &mut Topology,
    report: &Report,
) {
    for (entry, read) in active.values() {
        let written = entry.value.get("networks");
        for (key, attachment) in &read.service.networks {
            let node = model.get("networks").and_then(|n| n.get(key));
            let at = written
                .and_then(Node::entries)
                .and_then(|w| w.iter().find(|e| e.key.text == *key))
                .map_or(&entry.key, |e| &e.key);
            let network = match node {
                Some(node) => resources::network(node, &topology.project, key, report),
                None if key == "default" => {
                    resources::network(&entry.value.null_beside(), &topology.project, key, report)
                }
                None => {
                    let mut here = entry.value.null_beside();
                    here.span = at.span.clone();
                    here.origin = Arc::clone(&at.origin);
                    checks::defined(model, "networks", key, &here, report);
                    continue;
                }
            };
            let fixed = attachment.ipv4_address.is_some() || attachment.ipv6_address.is_some();
            if fixed && !network.external && network.ipam.iter().all(|p| p.subnet.is_none()) {
                let message =
                    format!("a fixed address in the network `{key}`, which has no subnet");
                let help = "give the network `ipam: {config: [{subnet: …}]}`";
                report.mistake(at.mistake(message).with_help(help));
            }
            topology.networks.insert(key.clone(), network);
        }
        for (name, node) in checks::used_volumes(read) {
            let at = node.get("source").unwrap_or(node);
            if let Some(volume) = checks::defined(model, "volumes", name, at, report) {
                let volume = resources::volume(volume, &topology.project, name, report);
                topology.volumes.insert(name.to_owned(), volume);
            }
        }
    }
}

/// SHA-256 over everything that was resolved, in hexadecimal digits.
fn hash(service: &topology::Service) -> String {
    let digest = Sha256::digest(format!("{service:?}").as_bytes());
    digest
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
