//! Mappings read field by field: wrong types and unknown keys are reported at their place.
//!
//! A field that nobody asked for is unknown; so no list of known names can get out of date.

use std::collections::BTreeMap;
use std::time::Duration;

use super::node::{Entry, Meaning, Node, Value};
use super::report::Report;
use super::values;
use crate::source::{Mistake, nearest};

/// The fields of one mapping.
pub struct Fields<'a> {
    /// Where it is: `services.web.build`.
    pub path: String,
    entries: BTreeMap<&'a str, &'a Entry>,
    asked: Vec<&'static str>,
    /// Where mistakes go.
    pub report: &'a Report,
}

/// A wrong type, with what was expected.
pub fn expected(node: &Node, path: &str, what: &str) -> Mistake {
    let help = match &node.value {
        Value::Scalar(s) if what == "text" && s.plain => format!("quote it: \"{}\"", s.text),
        Value::Scalar(_) | Value::List(_) | Value::Map(_) => format!("write {what} here"),
    };
    node.mistake(format!("{path} must be {what}, not {}", node.kind()))
        .with_help(help)
}

impl<'a> Fields<'a> {
    /// The fields of a mapping; nothing written has none. Anything else is a mistake.
    pub fn of(node: &'a Node, path: impl Into<String>, report: &'a Report) -> Option<Self> {
        let path = path.into();
        let entries = match node.entries() {
            Some(entries) => entries.iter().map(|e| (e.key.text.as_str(), e)).collect(),
            None if node.is_null() => BTreeMap::new(),
            None => {
                report.mistake(expected(node, &path, "a mapping"));
                return None;
            }
        };
        Some(Self {
            path,
            entries,
            asked: Vec::new(),
            report,
        })
    }

    /// Path of a field.
    pub fn path_of(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// The entry of a field, whatever it holds.
    pub fn entry(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.asked.push(key);
        self.entries.remove(key)
    }

    /// The value of a field; null counts as not written.
    pub fn take(&mut self, key: &'static str) -> Option<&'a Node> {
        self.entry(key).map(|e| &e.value).filter(|n| !n.is_null())
    }

    /// Text; numbers and booleans need quotes.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let node = self.take(key)?;
        strict_text(node, &self.path_of(key), self.report)
    }

    /// Text, a number or a boolean, as it is written.
    pub fn loose(&mut self, key: &'static str) -> Option<String> {
        let node = self.take(key)?;
        loose_text(node, &self.path_of(key), self.report)
    }

    /// True or false.
    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        let node = self.take(key)?;
        let flag = match &node.value {
            Value::Scalar(s) => match (s.meaning(), s.text.as_str()) {
                (Meaning::Bool(flag), _) => Some(flag),
                (Meaning::Text, "true") if !s.plain => Some(true),
                (Meaning::Text, "false") if !s.plain => Some(false),
                _ => None,
            },
            Value::List(_) | Value::Map(_) => None,
        };
        if flag.is_none() {
            self.report
                .mistake(expected(node, &self.path_of(key), "true or false"));
        }
        flag
    }

    /// A value that is written as one scalar and read by `read`; `what` names it in a mistake.
    pub fn read<T>(
        &mut self,
        key: &'static str,
        what: &str,
        help: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let node = self.take(key)?;
        let path = self.path_of(key);
        let text = loose_text(node, &path, self.report)?;
        let value = read(&text);
        if value.is_none() {
            self.report.mistake(
                node.mistake(format!("{path}: `{text}` is not {what}"))
                    .with_help(help),
            );
        }
        value
    }

    /// A whole number.
    pub fn integer<T: std::str::FromStr>(&mut self, key: &'static str) -> Option<T> {
        self.read(
            key,
            "a whole number that fits here",
            "write digits only",
            |t| t.parse().ok(),
        )
    }

    /// A duration.
    pub fn duration(&mut self, key: &'static str) -> Option<Duration> {
        let help = "write a number with a unit: 500ms, 10s, 1m30s";
        self.read(key, "a duration", help, values::duration)
    }

    /// Bytes.
    pub fn bytes(&mut self, key: &'static str) -> Option<u64> {
        let help = "write bytes, or a number with a unit: 64k, 512m, 1.5g";
        self.read(key, "a size", help, values::bytes)
    }

    /// A list of texts; one text is a list of one where `single` allows it.
    pub fn texts(&mut self, key: &'static str, single: bool) -> Vec<String> {
        let Some(node) = self.take(key) else {
            return Vec::new();
        };
        let path = self.path_of(key);
        match &node.value {
            Value::List(items) => items
                .iter()
                .filter_map(|i| loose_text(i, &format!("{path}[]"), self.report))
                .collect(),
            Value::Scalar(_) if single => {
                loose_text(node, &path, self.report).into_iter().collect()
            }
            Value::Scalar(_) | Value::Map(_) => {
                self.report.mistake(expected(node, &path, "a list"));
                Vec::new()
            }
        }
    }

    /// A mapping of names to scalars; null is blank.
    pub fn pairs(&mut self, key: &'static str) -> BTreeMap<String, String> {
        let Some(node) = self.take(key) else {
            return BTreeMap::new();
        };
        let path = self.path_of(key);
        let Some(entries) = node.entries() else {
            self.report
                .mistake(expected(node, &path, "a mapping or a list of NAME=value"));
            return BTreeMap::new();
        };
        let value = |e: &Entry| match e.value.is_null() {
            true => Some(String::new()),
            false => loose_text(&e.value, &format!("{path}.{}", e.key.text), self.report),
        };
        entries
            .iter()
            .filter_map(|e| Some((e.key.text.clone(), value(e)?)))
            .collect()
    }

    /// Keys that compose knows and lbtest does not carry out: each one written is a warning.
    pub fn not_carried_out(&mut self, keys: &[&'static str]) {
        for key in keys {
            if let Some(entry) = self.entry(key) {
                let message = format!("{} is not carried out", self.path_of(key));
                self.report.warn(
                    entry
                        .key
                        .mistake(message)
                        .with_help("lbtest starts the topology without it"),
                );
            }
        }
    }

    /// Keys that mean nothing to an engine.
    pub fn ignore(&mut self, keys: &[&'static str]) {
        for key in keys {
            self.entry(key);
        }
    }

    /// What is left is unknown. Returns the `x-` extensions.
    pub fn finish(self) -> Vec<&'a Entry> {
        let mut extensions = Vec::new();
        for (name, entry) in self.entries {
            if name.starts_with("x-") {
                extensions.push(entry);
                continue;
            }
            let help = match nearest(name, self.asked.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => "own keys start with `x-`".into(),
            };
            let message = match self.path.is_empty() {
                true => format!("unknown key `{name}`"),
                false => format!("{}: unknown key `{name}`", self.path),
            };
            self.report
                .mistake(entry.key.mistake(message).with_help(help));
        }
        extensions
    }
}

/// Text; numbers and booleans need quotes.
pub fn strict_text(node: &Node, path: &str, report: &Report) -> Option<String> {
    match &node.value {
        Value::Scalar(s) if s.meaning() == Meaning::Text => Some(s.text.clone()),
        Value::Scalar(_) | Value::List(_) | Value::Map(_) => {
            report.mistake(expected(node, path, "text"));
            None
        }
    }
}

/// Text, a number or a boolean, as it is written.
pub fn loose_text(node: &Node, path: &str, report: &Report) -> Option<String> {
    let text = node.text().map(str::to_owned);
    if text.is_none() {
        report.mistake(expected(node, path, "one value"));
    }
    text
}
