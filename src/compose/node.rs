//! A YAML tree that remembers where everything was written.
//!
//! Each node knows its file, so that a mistake found after several files were merged still points at
//! the line that caused it, and its folder, so that a relative path means what its author meant.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::source::{Mistake, SourceFile};

/// Variables by name.
pub type Env = BTreeMap<String, String>;

/// What a file's nodes have in common.
#[derive(Debug)]
pub struct Origin {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The folder that its relative paths are resolved against, absolute.
    pub base: PathBuf,
    /// The variables that it sees.
    pub env: Arc<Env>,
}

/// One node of the tree.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it holds.
    pub value: Value,
    /// Bytes in the file.
    pub span: Range<usize>,
    /// Where it comes from.
    pub origin: Arc<Origin>,
    /// `!reset` or `!override`.
    pub directive: Directive,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub enum Value {
    /// A scalar, null among them.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
}

/// A scalar as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text.
    pub text: String,
    /// Not quoted: may mean null, a boolean or a number.
    pub plain: bool,
}

/// One key of a mapping with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value.
    pub value: Node,
}

/// A key.
#[derive(Debug, Clone)]
pub struct Key {
    /// The text.
    pub text: String,
    /// Bytes in the file.
    pub span: Range<usize>,
    /// Where it comes from.
    pub origin: Arc<Origin>,
}

/// How a node takes part in a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    /// By the rules of the key.
    Merge,
    /// `!reset`: the key is as if it had never been written.
    Reset,
    /// `!override`: replaces what was there.
    Override,
}

/// What a scalar means by YAML's core schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number,
    /// Text.
    Text,
}

impl Scalar {
    /// What it means.
    pub fn meaning(&self) -> Meaning {
        if !self.plain {
            return Meaning::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Meaning::Null,
            "true" | "True" | "TRUE" => Meaning::Bool(true),
            "false" | "False" | "FALSE" => Meaning::Bool(false),
            text if is_number(text) => Meaning::Number,
            _ => Meaning::Text,
        }
    }
}

/// Only what begins like a number is one: `inf` and `nan` are words here.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && (digits.parse::<f64>().is_ok()
            || digits
                .strip_prefix("0x")
                .is_some_and(|h| u64::from_str_radix(h, 16).is_ok())
            || digits
                .strip_prefix("0o")
                .is_some_and(|o| u64::from_str_radix(o, 8).is_ok()))
}

impl Node {
    /// A node that merges by the rules.
    pub fn new(value: Value, span: Range<usize>, origin: &Arc<Origin>) -> Self {
        Self {
            value,
            span,
            origin: Arc::clone(origin),
            directive: Directive::Merge,
        }
    }

    /// A node of the same place.
    pub fn beside(&self, value: Value) -> Self {
        Self::new(value, self.span.clone(), &self.origin)
    }

    /// Text at the place of this node.
    pub fn text_beside(&self, text: impl Into<String>) -> Self {
        self.beside(Value::Scalar(Scalar {
            text: text.into(),
            plain: false,
        }))
    }

    /// Null at the place of this node.
    pub fn null_beside(&self) -> Self {
        self.beside(Value::Scalar(Scalar {
            text: String::new(),
            plain: true,
        }))
    }

    /// A key at the place of this node.
    pub fn key_here(&self, text: impl Into<String>) -> Key {
        Key {
            text: text.into(),
            span: self.span.clone(),
            origin: Arc::clone(&self.origin),
        }
    }

    /// Nothing was written.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(s) if s.meaning() == Meaning::Null)
    }

    /// The scalar's text, whatever it means; none where it is null or not a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(s) if s.meaning() != Meaning::Null => Some(&s.text),
            Value::Scalar(_) | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The entries, where it is a mapping.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            Value::Scalar(_) | Value::List(_) => None,
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?
            .iter()
            .find(|e| e.key.text == key)
            .map(|e| &e.value)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.value {
            Value::Map(entries) => entries
                .iter_mut()
                .find(|e| e.key.text == key)
                .map(|e| &mut e.value),
            Value::Scalar(_) | Value::List(_) => None,
        }
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        match &mut self.value {
            Value::Map(entries) => {
                let at = entries.iter().position(|e| e.key.text == key)?;
                Some(entries.remove(at))
            }
            Value::Scalar(_) | Value::List(_) => None,
        }
    }

    /// What it is, for a message.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Scalar(s) => match s.meaning() {
                Meaning::Null => "nothing",
                Meaning::Bool(_) => "true or false",
                Meaning::Number => "a number",
                Meaning::Text => "text",
            },
        }
    }

    /// Equal in content, wherever it was written.
    pub fn same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Scalar(a), Value::Scalar(b)) => a == b,
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
            }
            (Value::Map(a), Value::Map(b)) => {
                let theirs: HashMap<&str, &Node> =
                    b.iter().map(|e| (e.key.text.as_str(), &e.value)).collect();
                a.len() == b.len()
                    && a.iter().all(|e| {
                        theirs
                            .get(e.key.text.as_str())
                            .is_some_and(|v| e.value.same(v))
                    })
            }
            _ => false,
        }
    }

    /// A mistake at this node.
    pub fn mistake(&self, message: impl Into<String>) -> Mistake {
        Mistake::new(&self.origin.file, self.span.clone(), message)
    }
}

impl Key {
    /// A mistake at this key.
    pub fn mistake(&self, message: impl Into<String>) -> Mistake {
        Mistake::new(&self.origin.file, self.span.clone(), message)
    }
}
