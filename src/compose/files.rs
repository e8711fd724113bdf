//! Compose files from disk into one merged tree: reading, `include`, and files laid on each other.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fields::Fields;
use super::interpolate::interpolate;
use super::node::{Entry, Env, Node, Origin, Value};
use super::report::Report;
use super::{dotenv, merge, parse, paths};
use crate::source::{Mistake, SourceFile};

/// Files that one load reads at most: `include`s that include each other twice double every time.
const MAX_FILES: usize = 256;
/// Bytes of one file.
const MAX_BYTES: u64 = 8 << 20;
/// `include`s within `include`s.
const MAX_INCLUDES: usize = 16;

/// Sections whose entries an included file brings in.
const SECTIONS: [&str; 5] = ["services", "networks", "volumes", "configs", "secrets"];

/// Reads files, and remembers which.
pub struct Files<'a> {
    /// Where mistakes go.
    pub report: &'a Report,
    /// Every file that was read.
    pub sources: Vec<Arc<SourceFile>>,
    /// What is being included, outermost first.
    including: Vec<PathBuf>,
    /// Files that `extends` names, by path.
    extended: HashMap<PathBuf, Option<Arc<Node>>>,
}

impl<'a> Files<'a> {
    /// Nothing read yet.
    pub fn new(report: &'a Report) -> Self {
        Self {
            report,
            sources: Vec::new(),
            including: Vec::new(),
            extended: HashMap::new(),
        }
    }

    /// Reads a file that `at` names; without `at`, the caller named it.
    pub fn read(&mut self, path: &Path, at: Option<&Node>) -> Option<Arc<SourceFile>> {
        let read = match self.sources.len() < MAX_FILES {
            true => text_of(path),
            false => Err(format!("more than {MAX_FILES} files")),
        };
        match read {
            Ok(text) => {
                let file = SourceFile::new(path, text);
                self.sources.push(Arc::clone(&file));
                Some(file)
            }
            Err(why) => {
                let message = format!("cannot read {}: {why}", path.display());
                let mistake = match at {
                    Some(node) => node.mistake(message),
                    None => Mistake::new(&SourceFile::new(path, ""), 0..0, message),
                };
                self.report.mistake(mistake.with_help(
                    "check the path; relative ones start at the folder of the compose file",
                ));
                None
            }
        }
    }

    /// Reads the variables of an optional file: none where it does not exist.
    pub fn variables(&mut self, path: &Path, outer: &Env) -> Env {
        if !path.is_file() {
            return Env::new();
        }
        match self.read(path, None) {
            Some(file) => dotenv::read(&file, outer, false, self.report),
            None => Env::new(),
        }
    }

    /// One file's documents, as they are written.
    pub fn documents(&mut self, file: &Arc<SourceFile>, base: &Path, env: &Arc<Env>) -> Vec<Node> {
        let origin = Arc::new(Origin {
            file: Arc::clone(file),
            base: base.to_owned(),
            env: Arc::clone(env),
        });
        match parse::parse(&origin) {
            Ok(documents) => documents,
            Err(mistake) => {
                self.report.mistake(mistake);
                Vec::new()
            }
        }
    }

    /// Documents laid on each other, variables filled in and includes brought in.
    pub fn merged(&mut self, documents: Vec<Node>) -> Option<Node> {
        let mut whole: Option<Node> = None;
        for mut document in documents {
            if document.is_null() {
                document.value = Value::Map(Vec::new());
            }
            if document.entries().is_none() {
                let message = format!("a compose file is a mapping, not {}", document.kind());
                self.report.mistake(
                    document
                        .mistake(message)
                        .with_help("start with `services:`"),
                );
                continue;
            }
            interpolate(&mut document, self.report);
            merge::canonical(&mut document);
            if let Some(include) = document.remove("include") {
                self.include(&mut document, &include.value);
            }
            whole = Some(match whole {
                Some(base) => merge::merge(base, document, &[], self.report),
                None => document,
            });
        }
        whole
    }

    /// The tree of a file that `extends` names; read once.
    pub fn extended(&mut self, path: &Path, at: &Node) -> Option<Arc<Node>> {
        if let Some(known) = self.extended.get(path) {
            return known.clone();
        }
        let tree = self.read(path, Some(at)).and_then(|file| {
            let base = path.parent().unwrap_or(Path::new("/"));
            let documents = self.documents(&file, base, &at.origin.env);
            self.merged(documents)
        });
        let tree = tree.map(Arc::new);
        self.extended.insert(path.to_owned(), tree.clone());
        tree
    }

    fn include(&mut self, document: &mut Node, include: &Node) {
        let items = match &include.value {
            Value::List(items) => items.as_slice(),
            Value::Scalar(_) | Value::Map(_) => {
                let message = format!("include must be a list, not {}", include.kind());
                self.report
                    .mistake(include.mistake(message).with_help("write `- path` items"));
                return;
            }
        };
        for item in items {
            if let Some(included) = self.included(item) {
                self.bring_in(document, included);
            }
        }
    }

    /// The model of one item of `include`: a path, or `path`, `project_directory`, `env_file`.
    fn included(&mut self, item: &Node) -> Option<Node> {
        let report = self.report;
        let mut files: Vec<(PathBuf, &Node)> = Vec::new();
        let (mut base, mut env_files) = (None, None);
        if let Some(path) = item.text() {
            files.push((paths::of_node(item, path), item));
        } else {
            let mut fields = Fields::of(item, "include[]", report)?;
            let path = fields.take("path");
            base = fields
                .text("project_directory")
                .map(|p| paths::of_node(item, &p));
            env_files = fields.take("env_file");
            fields.finish();
            files.extend(nodes(path).filter_map(|n| Some((paths::of_node(n, n.text()?), n))));
        }
        let Some((first, _)) = files.first() else {
            report.mistake(
                item.mistake("an include needs a path")
                    .with_help("write `- path: other.yaml`"),
            );
            return None;
        };
        let base = base.unwrap_or_else(|| first.parent().unwrap_or(Path::new("/")).to_owned());
        let env = self.include_env(item, env_files, &base);
        self.enter(item, &files, &base, &env)
    }

    /// An included file sees its own variables, below those of the file that includes it.
    fn include_env(&mut self, item: &Node, files: Option<&Node>, base: &Path) -> Arc<Env> {
        let outer = &item.origin.env;
        let mut env = Env::new();
        if files.is_none() {
            env = self.variables(&base.join(".env"), outer);
        }
        for node in nodes(files) {
            let Some(text) = node.text() else { continue };
            if let Some(file) = self.read(&paths::of_node(node, text), Some(node)) {
                env.extend(dotenv::read(&file, outer, false, self.report));
            }
        }
        env.extend(outer.iter().map(|(k, v)| (k.clone(), v.clone())));
        Arc::new(env)
    }

    fn enter(
        &mut self,
        item: &Node,
        files: &[(PathBuf, &Node)],
        base: &Path,
        env: &Arc<Env>,
    ) -> Option<Node> {
        let depth = self.including.len();
        let mut documents = Vec::new();
        for (path, node) in files {
            if self.including[..depth].contains(path) || depth >= MAX_INCLUDES {
                let chain: Vec<String> = self
                    .including
                    .iter()
                    .chain([path])
                    .map(|p| p.display().to_string())
                    .collect();
                let message = format!("include goes round in a circle: {}", chain.join(" → "));
                self.report.mistake(
                    node.mistake(message)
                        .with_help("a file cannot include itself"),
                );
                self.including.truncate(depth);
                return None;
            }
            self.including.push(path.clone());
            let file = self.read(path, Some(item))?;
            documents.extend(self.documents(&file, base, env));
        }
        let model = self.merged(documents);
        self.including.truncate(depth);
        model
    }

    /// The caller's own files, which no file below may include again.
    pub fn begin(&mut self, path: PathBuf) {
        self.including.push(path);
    }

    fn bring_in(&self, document: &mut Node, included: Node) {
        let Value::Map(sections) = included.value else {
            return;
        };
        for section in sections {
            if !SECTIONS.contains(&section.key.text.as_str()) {
                continue;
            }
            let Value::Map(entries) = section.value.value else {
                continue;
            };
            if document.get(&section.key.text).is_none_or(Node::is_null) {
                document.remove(&section.key.text);
                let empty = document.beside(Value::Map(Vec::new()));
                if let Value::Map(own) = &mut document.value {
                    own.push(Entry {
                        key: section.key.clone(),
                        value: empty,
                    });
                }
            }
            let Some(Value::Map(own)) = document.get_mut(&section.key.text).map(|s| &mut s.value)
            else {
                continue;
            };
            self.add(own, entries, &section.key.text);
        }
    }

    fn add(&self, own: &mut Vec<Entry>, entries: Vec<Entry>, section: &str) {
        let index: HashMap<String, usize> = own
            .iter()
            .enumerate()
            .map(|(i, e)| (e.key.text.clone(), i))
            .collect();
        for entry in entries {
            match index.get(&entry.key.text).map(|at| &own[*at]) {
                Some(mine) if !mine.value.same(&entry.value) => {
                    let message = format!(
                        "{section}.{} is also defined by an included file, {}",
                        mine.key.text,
                        entry.key.origin.file.path.display()
                    );
                    self.report.mistake(
                        mine.key
                            .mistake(message)
                            .with_help("rename one of the two, or use `extends`"),
                    );
                }
                Some(_) => {}
                None => own.push(entry),
            }
        }
    }
}

/// A list's items, or the one node itself.
fn nodes(node: Option<&Node>) -> impl Iterator<Item = &Node> {
    let (items, single) = match node.map(|n| (&n.value, n)) {
        Some((Value::List(items), _)) => (items.as_slice(), None),
        Some((Value::Scalar(_) | Value::Map(_), node)) => (&[][..], Some(node)),
        None => (&[][..], None),
    };
    items.iter().chain(single)
}

fn text_of(path: &Path) -> Result<String, String> {
    let metadata = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a file".into());
    }
    if metadata.len() > MAX_BYTES {
        return Err(format!("it is larger than {MAX_BYTES} bytes"));
    }
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}
