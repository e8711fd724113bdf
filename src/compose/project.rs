//! The project's name.

use std::path::Path;

use super::LoadRequest;
use super::interpolate::expand;
use super::node::{Env, Node};
use super::report::Report;
use crate::source::{Mistake, SourceFile};

const HELP: &str = "use lower case letters, digits, `-` and `_`, a letter or digit first";

/// The request's name, else that of the environment, of the files, of the folder.
pub fn name(
    request: &LoadRequest,
    env: &Env,
    documents: &[Node],
    folder: &Path,
    report: &Report,
) -> Option<String> {
    let given = request
        .project
        .as_ref()
        .or_else(|| env.get("COMPOSE_PROJECT_NAME"));
    if let Some(given) = given.filter(|g| !g.is_empty()) {
        if !is_valid(given) {
            let file = match documents.first() {
                Some(node) => node.origin.file.clone(),
                None => SourceFile::new(request.files.first().cloned().unwrap_or_default(), ""),
            };
            let message = format!("`{given}` is no name of a project");
            report.mistake(Mistake::new(&file, 0..0, message).with_help(HELP));
            return None;
        }
        return Some(given.clone());
    }
    let written = documents
        .iter()
        .rev()
        .find_map(|d| d.get("name").filter(|n| !n.is_null()));
    if let Some(node) = written {
        // An expression that fails is reported where all of them are filled in.
        let name = expand(node.text().unwrap_or_default(), env)
            .map(|e| e.text)
            .unwrap_or_else(|_| "x".into());
        if !is_valid(&name) {
            let message = format!("name: `{name}` is no name of a project");
            report.mistake(node.mistake(message).with_help(HELP));
            return None;
        }
        return Some(name);
    }
    let folder = folder
        .file_name()
        .map(|n| n.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let kept: String = folder.chars().filter(|c| is_allowed(*c)).collect();
    let name = kept.trim_start_matches(['-', '_']).to_owned();
    if name.is_empty() {
        let file = documents.first().map(|d| d.origin.file.clone())?;
        let message = "the folder's name gives no project name";
        report.mistake(Mistake::new(&file, 0..0, message).with_help("write a top-level `name:`"));
        return None;
    }
    Some(name)
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_')
}

fn is_valid(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(is_allowed)
}
