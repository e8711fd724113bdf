//! From a place in the scenario's text back to the option that was typed there.

use super::document::NAME;
use crate::cli::failure::Failure;
use crate::source::Mistake;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What the text of the options is called where it needs a name.
pub const COMMAND_LINE: &str = "<command line>";

/// Keys of the scenario with the options that set them.
const OPTIONS: [(&[&str], &str); 26] = [
    (&["run", "duration"], "--duration"),
    (&["run", "warmup"], "--warmup"),
    (&["run", "workers"], "--workers"),
    (&["run", "seed"], "--seed"),
    (&["load", "users"], "--users"),
    (&["load", "rate"], "--rate"),
    (&["load", "arrivals"], "--poisson"),
    (&["load", "max_in_flight"], "--max-in-flight"),
    (&["http", "url"], "TARGET"),
    (&["http", "method"], "--method"),
    (&["http", "headers"], "--header"),
    (&["http", "body"], "--body"),
    (&["http", "write"], "--write"),
    (&["http", "timeout"], "--timeout"),
    (&["http", "connect_timeout"], "--connect-timeout"),
    (&["http", "ca"], "--ca-file"),
    (&["expect", "status"], "--expect-status"),
    (&["expect", "body"], "--expect-body"),
    (&["postgres", "dsn"], "TARGET"),
    (&["postgres", "query"], "--query"),
    (&["postgres", "params"], "--parameter"),
    (&["postgres", "expect_rows"], "--expect-rows"),
    (&["postgres", "timeout"], "--timeout"),
    (&["postgres", "connect_timeout"], "--connect-timeout"),
    (
        &["postgres", "connection_lifetime"],
        "--connection-lifetime",
    ),
    (&["postgres", "instance_query"], "--instance-query"),
];

/// A mistake as the command line's user knows it: the option in front, no excerpt of a text that nobody wrote. One in a
/// `--set` option stays as it is.
#[must_use]
pub fn failure(mistake: &Mistake) -> Failure {
    if mistake.file.path != Path::new(COMMAND_LINE) {
        return Failure::Mistakes(vec![mistake.clone()]);
    }
    let option = option_at(&mistake.file.text, &mistake.span);
    let message = option.map_or_else(
        || in_options(&mistake.message),
        |option| format!("{option}: {}", in_options(&mistake.message)),
    );
    let help = mistake.help.as_deref().map(in_options).unwrap_or_default();
    Failure::Usage { message, help }
}

/// Names of keys in a text as names of options; how a variable is defined, too.
fn in_options(text: &str) -> String {
    if let Some(definition) = text.strip_prefix("define it: vars = ") {
        return format!(
            "define it: --set 'load.{NAME}.http.vars={definition}' (or load.{NAME}.postgres.vars)"
        );
    }
    [
        ("connection_lifetime", "--connection-lifetime"),
        ("connect_timeout", "--connect-timeout"),
        ("max_in_flight", "--max-in-flight"),
        ("params", "--parameter"),
        ("reconnect", "--reconnect"),
        ("timeout", "--timeout"),
        ("duration", "--duration"),
        ("workers", "--workers"),
        ("users", "--users"),
        ("rate", "--rate"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (key, option)| {
        text.replace(&format!("`{key}`"), &format!("`{option}`"))
    })
}

/// The option whose value stands at a place of the text.
fn option_at(text: &str, span: &Range<usize>) -> Option<&'static str> {
    let root = DeTable::parse(text).ok()?;
    let mut path = Vec::new();
    if !find(root.get_ref(), span.start, &mut path) {
        return None;
    }
    if path.first().is_some_and(|key| key == "gate") {
        return Some("--gate");
    }
    let holds = |keys: &[&str]| {
        let pairs = path.windows(2);
        pairs.rev().any(|pair| pair == keys)
    };
    // The inner key first: `expect.body` is not `http.body`.
    OPTIONS
        .iter()
        .find(|(keys, _)| holds(keys))
        .map(|(_, option)| *option)
}

/// The path to the value, no table, at a place.
fn find(table: &DeTable<'_>, at: usize, path: &mut Vec<String>) -> bool {
    table.iter().any(|(key, value)| {
        path.push(key.get_ref().to_string());
        let found = key.span().contains(&at) || within(value, at, path);
        if !found {
            path.pop();
        }
        found
    })
}

fn within(value: &Spanned<DeValue<'_>>, at: usize, path: &mut Vec<String>) -> bool {
    let mut table = |value: &Spanned<DeValue<'_>>| {
        let table = value.get_ref().as_table();
        table.is_some_and(|table| find(table, at, path))
    };
    match value.get_ref() {
        DeValue::Table(_) => table(value),
        DeValue::Array(items) if items.iter().any(|i| i.get_ref().is_table()) => {
            items.iter().any(table)
        }
        DeValue::Array(_)
        | DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => value.span().contains(&at),
    }
}
