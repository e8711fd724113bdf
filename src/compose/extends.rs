//! `extends`: a service built on another one, of the same file or of another.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::fields::Fields;
use super::files::Files;
use super::node::{Entry, Node, Value};
use super::{merge, paths};
use crate::source::nearest;

/// Services that extend services that extend …
const MAX_CHAIN: usize = 32;

/// A service in its file; the loaded files have no path.
type Name = (PathBuf, String);

/// Gives every service what it extends.
pub fn resolve(model: &mut Node, files: &mut Files<'_>) {
    let Some(Value::Map(services)) = model.get("services").map(|s| &s.value) else {
        return;
    };
    if services.iter().all(|e| e.value.get("extends").is_none()) {
        return;
    }
    let scope = Scope {
        path: PathBuf::new(),
        model: Arc::new(model.clone()),
    };
    let mut extender = Extender {
        files,
        known: HashMap::new(),
        chain: Vec::new(),
    };
    let resolved: Vec<Option<Node>> = services
        .iter()
        .map(|e| extender.service(&scope, &e.key.text, &e.value))
        .collect();
    if let Some(Value::Map(services)) = model.get_mut("services").map(|s| &mut s.value) {
        for (entry, resolved) in services.iter_mut().zip(resolved) {
            if let Some(resolved) = resolved {
                entry.value = resolved;
            }
        }
    }
}

struct Scope {
    path: PathBuf,
    model: Arc<Node>,
}

struct Extender<'a, 'b> {
    files: &'a mut Files<'b>,
    known: HashMap<Name, Option<Node>>,
    chain: Vec<Name>,
}

impl Extender<'_, '_> {
    /// The service with everything that it extends; none where that failed (and was reported).
    fn service(&mut self, scope: &Scope, name: &str, node: &Node) -> Option<Node> {
        let id = (scope.path.clone(), name.to_owned());
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        self.chain.push(id.clone());
        let resolved = self.extended(scope, node);
        self.chain.pop();
        self.known.insert(id, resolved.clone());
        resolved
    }

    fn extended(&mut self, scope: &Scope, node: &Node) -> Option<Node> {
        let mut own = node.clone();
        let Some(Entry { value: extends, .. }) = own.remove("extends") else {
            return Some(own);
        };
        let report = self.files.report;
        let (service, file) = match extends.text() {
            Some(service) => (service.to_owned(), None),
            None => {
                let mut fields = Fields::of(&extends, "extends", report)?;
                let (service, file) = (fields.text("service"), fields.text("file"));
                fields.finish();
                let Some(service) = service else {
                    report.mistake(
                        extends
                            .mistake("extends needs a service")
                            .with_help("write `service: name`"),
                    );
                    return None;
                };
                (service, file)
            }
        };
        let other = match file {
            None => None,
            Some(file) => {
                let path = paths::of_node(&extends, &file);
                let at = extends.get("file").unwrap_or(&extends);
                let model = self.files.extended(&path, at)?;
                Some(Scope { path, model })
            }
        };
        let scope = other.as_ref().unwrap_or(scope);
        let at = extends.get("service").unwrap_or(&extends);
        self.check_chain(scope, &service, at)?;
        let model = Arc::clone(&scope.model);
        let base = match model.get("services").and_then(|s| s.get(&service)) {
            Some(base) => self.service(scope, &service, base)?,
            None => {
                self.not_found(&model, &service, at);
                return None;
            }
        };
        Some(merge::merge(base, own, &["services", &service], report))
    }

    fn check_chain(&self, scope: &Scope, service: &str, at: &Node) -> Option<()> {
        let id = (scope.path.clone(), service.to_owned());
        let circle = self.chain.iter().position(|c| *c == id);
        if circle.is_none() && self.chain.len() < MAX_CHAIN {
            return Some(());
        }
        let names: Vec<&str> = self.chain[circle.unwrap_or(0)..]
            .iter()
            .map(|(_, name)| name.as_str())
            .chain([service])
            .collect();
        let message = match circle {
            Some(_) => format!("extends goes round in a circle: {}", names.join(" → ")),
            None => format!("more than {MAX_CHAIN} services extend each other"),
        };
        self.files.report.mistake(
            at.mistake(message)
                .with_help("take one of the `extends` out"),
        );
        None
    }

    fn not_found(&self, model: &Node, service: &str, at: &Node) {
        let names = model
            .get("services")
            .and_then(Node::entries)
            .unwrap_or_default();
        let help = match nearest(service, names.iter().map(|e| e.key.text.as_str())) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "name a service of that file".into(),
        };
        let message = format!("extends: there is no service `{service}`");
        self.files
            .report
            .mistake(at.mistake(message).with_help(help));
    }
}
