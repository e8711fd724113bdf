//! `report.html`: one file that shows the run, with nothing else to fetch and nothing to trust.
//!
//! Its template writes every text through one formatter, which escapes it, shows control characters and what turns the
//! direction of writing as their codes, and bounds its length: no text from outside can be anything but text. The page
//! forbids itself (Content-Security-Policy) every script and style but its own two, by their hashes, and every request.
//! Without scripting it is whole; the script adds zoom and values under the pointer, and is given numbers alone.

mod data;
mod heat;
mod histogram;
mod marks;
mod metrics;
mod page;
mod panels;
mod pen;
mod plot;
mod scale;
mod sections;
mod table;
#[cfg(test)]
mod tests;
mod thin;

use super::text::{grouped, plain};
use super::{ReportError, Reporter};
use crate::analysis::result::RunResult;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, Output, State, UndefinedBehavior, context, escape_formatter};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");
const TEMPLATES: [(&str, &str); 4] = [
    ("page.html", include_str!("html/page.html")),
    ("plots.html", include_str!("html/plots.html")),
    ("parts.html", include_str!("html/parts.html")),
    ("definitions.html", include_str!("html/definitions.html")),
];
/// Characters of one text that are shown.
const LENGTH: usize = 240;

/// Renders one HTML file that needs nothing beside it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Html;

impl Reporter for Html {
    fn file_name(&self) -> &'static str {
        "report.html"
    }

    fn render(&self, result: &RunResult) -> Result<String, ReportError> {
        let page = page::of(result)?;
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?;
        environment.set_syntax(syntax);
        environment.set_formatter(inert);
        for (name, text) in TEMPLATES {
            environment.add_template(name, text)?;
        }
        let context = context! {
            page => Value::from(Serde(page)),
            style => STYLE,
            script => SCRIPT,
            style_hash => hash(STYLE),
            script_hash => hash(SCRIPT),
        };
        Ok(environment.get_template("page.html")?.render(context)?)
    }
}

/// As a Content-Security-Policy names it. Source: <https://www.w3.org/TR/CSP3/#grammardef-hash-source>.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// Writes a value into the page. What the template calls safe (its own style and script, paths, numbers) is written as
/// it is.
fn inert(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match value.as_str().filter(|_| !value.is_safe()) {
        Some(text) => escape_formatter(out, state, &Value::from(bounded(text))),
        None => escape_formatter(out, state, value),
    }
}

/// A text of at most [`LENGTH`] characters (as they came), in which everything can be seen. Line breaks become spaces.
fn bounded(text: &str) -> String {
    let mut begin: String = text.chars().take(LENGTH).collect();
    begin = begin.replace(['\n', '\t'], " ");
    let shown = plain(&begin);
    let length = text.chars().count();
    if length > LENGTH {
        let length = grouped(u64::try_from(length).unwrap_or(u64::MAX));
        return format!("{shown}… ({length} characters)");
    }
    shown
}
