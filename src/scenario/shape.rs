//! Holds a parsed file against the JSON Schema of its types: every unknown key, wrong type and missing key at
//! once, each at its own place. serde would stop at the first, and explain an alternative not at all.

use super::origin::Origin;
use crate::source::{Mistake, nearest};
use serde_json::Value;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// All mistakes of form.
pub fn mistakes(schema: &Value, root: &Spanned<DeTable<'_>>, origin: &Origin) -> Vec<Mistake> {
    let mut walk = Walk {
        origin,
        found: Vec::new(),
    };
    walk.table(schema, root.get_ref(), 0..0, "the scenario");
    walk.found
}

struct Walk<'a> {
    origin: &'a Origin,
    found: Vec<Mistake>,
}

impl Walk<'_> {
    fn value(&mut self, schema: &Value, value: &Spanned<DeValue<'_>>, key: &str, place: &str) {
        self.explained(schema, value, key, place, help_of(schema));
    }

    /// Holds a value against its schema; `help` is what its key says of itself, for its items too.
    fn explained(
        &mut self,
        schema: &Value,
        value: &Spanned<DeValue<'_>>,
        key: &str,
        place: &str,
        help: Option<String>,
    ) {
        let alternatives = alternatives(schema);
        let have = type_of(value.get_ref());
        let fitting = alternatives
            .iter()
            .find(|s| types(s).any(|t| t == have || (t == "number" && have == "integer")));
        let Some(schema) = fitting else {
            let wanted: Vec<_> = alternatives
                .iter()
                .flat_map(|s| types(s))
                .filter(|t| *t != "null")
                .map(name_of)
                .collect();
            let message = format!(
                "`{key}` in {place} must be {}, not {}",
                join(&wanted),
                name_of(have)
            );
            self.tell(value.span(), message, help);
            return;
        };
        let inner = || {
            if is_list_entry(place, key) {
                format!("`[[{key}]]`")
            } else {
                format!("`{key}`")
            }
        };
        match value.get_ref() {
            DeValue::Table(table) => {
                let place = if place == "the scenario" {
                    format!("`[{key}]`")
                } else {
                    inner()
                };
                self.table(schema, table, value.span(), &place);
            }
            DeValue::Array(items) => {
                for item in items {
                    match (schema.get("items"), item.get_ref()) {
                        (Some(of), DeValue::Table(table)) if types(of).any(|t| t == "object") => {
                            self.table(of, table, item.span(), &inner());
                        }
                        (Some(of), _) => {
                            let own = help_of(of).or_else(|| help.clone());
                            self.explained(of, item, key, place, own);
                        }
                        (None, _) => {}
                    }
                }
            }
            DeValue::Integer(number) => {
                self.bounds(schema, &number.to_string(), value.span(), key, place)
            }
            DeValue::String(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
            }
        }
    }

    fn bounds(&mut self, schema: &Value, number: &str, span: Range<usize>, key: &str, place: &str) {
        let parsed = number.parse::<i64>();
        let least = schema.get("minimum").and_then(Value::as_i64);
        match (parsed, least) {
            (Ok(n), Some(least)) if n < least => {
                self.tell(
                    span,
                    format!("`{key}` in {place} must be at least {least}, not {n}"),
                    help_of(schema),
                );
            }
            (Ok(_), _) => {}
            (Err(_), _) => self.tell(
                span,
                format!("`{key}` in {place} is out of range"),
                help_of(schema),
            ),
        }
    }

    fn table(&mut self, schema: &Value, table: &DeTable<'_>, span: Range<usize>, place: &str) {
        let none = serde_json::Map::new();
        let known = schema
            .get("properties")
            .and_then(Value::as_object)
            .unwrap_or(&none);
        let free = schema.get("additionalProperties").filter(|s| s.is_object());
        let mut meant = Vec::new();
        for (key, value) in table {
            let name: &str = key.get_ref().as_ref();
            match (known.get(name), free) {
                (Some(of), _) | (None, Some(of)) => self.value(of, value, name, place),
                (None, None) => meant.extend(self.unknown(known, name, key.span(), place)),
            }
        }
        let required = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for key in required
            .filter_map(Value::as_str)
            .filter(|k| !table.contains_key(*k) && !meant.iter().any(|m| m == k))
        {
            let help = known.get(key).and_then(help_of);
            self.tell(span.clone(), format!("{place} lacks `{key}`"), help);
        }
    }

    /// Reports an unknown key; returns the key that was probably meant.
    fn unknown(
        &mut self,
        known: &serde_json::Map<String, Value>,
        name: &str,
        span: Range<usize>,
        place: &str,
    ) -> Option<String> {
        let near = nearest(name, known.keys().map(String::as_str)).map(str::to_owned);
        let help = match &near {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("{place} takes no keys"),
            None => format!(
                "known keys: {}",
                known
                    .keys()
                    .map(|k| format!("`{k}`"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        };
        self.tell(
            span,
            format!("unknown key `{}` in {place}", name.escape_debug()),
            Some(help),
        );
        near
    }

    fn tell(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        let mistake = self.origin.mistake(span, message);
        self.found.push(match help {
            Some(help) => mistake.with_help(help),
            None => mistake,
        });
    }
}

fn is_list_entry(place: &str, key: &str) -> bool {
    place == "the scenario" && matches!(key, "load" | "fault")
}

fn alternatives(schema: &Value) -> Vec<&Value> {
    match schema.get("anyOf").and_then(Value::as_array) {
        Some(many) => many.iter().flat_map(alternatives).collect(),
        None => vec![schema],
    }
}

fn types(schema: &Value) -> impl Iterator<Item = &str> {
    let of = schema.get("type");
    let many = of
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    of.and_then(Value::as_str).into_iter().chain(many)
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "string",
        DeValue::Integer(_) => "integer",
        DeValue::Float(_) => "number",
        DeValue::Boolean(_) => "boolean",
        DeValue::Datetime(_) => "date",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
    }
}

fn name_of(kind: &str) -> &'static str {
    match kind {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        _ => "a date",
    }
}

fn join(names: &[&str]) -> String {
    match names {
        [] => "something else".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The first paragraph of the key's description, and examples where it has some.
fn help_of(schema: &Value) -> Option<String> {
    let text = schema
        .get("description")
        .and_then(Value::as_str)
        .map(|d| d.lines().next().unwrap_or(d).to_owned());
    let examples = alternatives(schema)
        .iter()
        .find_map(|s| s.get("examples").and_then(Value::as_array));
    let examples = examples.map(|e| {
        e.iter()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    });
    match (text, examples) {
        (Some(text), Some(examples)) => Some(format!("{text} For example: {examples}")),
        (Some(text), None) => Some(text),
        (None, Some(examples)) => Some(format!("for example: {examples}")),
        (None, None) => None,
    }
}
