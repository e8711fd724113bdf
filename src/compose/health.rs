//! `healthcheck`.

use super::fields::{Fields, expected, strict_text};
use super::node::{Node, Value};
use super::report::Report;
use super::topology::Healthcheck;

/// Reads a healthcheck.
pub fn read(node: &Node, path: &str, report: &Report) -> Option<Healthcheck> {
    let mut fields = Fields::of(node, path, report)?;
    let disabled = fields.flag("disable").unwrap_or(false);
    let test = fields
        .take("test")
        .map(|n| test(n, &format!("{path}.test"), report));
    let check = Healthcheck::Test {
        test: test.clone().unwrap_or_default(),
        interval: fields.duration("interval"),
        timeout: fields.duration("timeout"),
        retries: fields.integer("retries"),
        start_period: fields.duration("start_period"),
        start_interval: fields.duration("start_interval"),
    };
    fields.finish();
    let none = test.is_some_and(|t| t.first().is_some_and(|w| w == "NONE"));
    Some(if disabled || none {
        Healthcheck::Disabled
    } else {
        check
    })
}

fn test(node: &Node, path: &str, report: &Report) -> Vec<String> {
    match &node.value {
        Value::Scalar(_) => match strict_text(node, path, report) {
            Some(text) => vec!["CMD-SHELL".into(), text],
            None => Vec::new(),
        },
        Value::List(items) => {
            let words: Vec<String> = items
                .iter()
                .filter_map(|i| strict_text(i, &format!("{path}[]"), report))
                .collect();
            let first = words.first().map(String::as_str);
            let fits = match first {
                Some("NONE") => words.len() == 1,
                Some("CMD") => words.len() > 1,
                Some("CMD-SHELL") => words.len() == 2,
                Some(_) => false,
                None => true,
            };
            if !fits && words.len() == items.len() {
                report.mistake(
                    node.mistake(format!(
                        "{path} must begin with NONE, CMD or CMD-SHELL and its command"
                    ))
                    .with_help(
                        "write [\"CMD\", \"program\", \"argument\"] or one text for a shell",
                    ),
                );
            }
            words
        }
        Value::Map(_) => {
            report.mistake(expected(node, path, "text or a list"));
            Vec::new()
        }
    }
}
