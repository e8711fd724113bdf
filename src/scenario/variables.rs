//! Variables: where their values come from, and whether every `{name}` has one and every one is used.

use super::at::At;
use super::check::{Check, suggestion};
use super::file::VariableTable;
use super::{ValueSource, Variable};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The variables of a workload while its texts are read.
pub struct Variables<'t> {
    tables: &'t BTreeMap<String, At<VariableTable>>,
    used: BTreeSet<String>,
}

/// The `{name}`s in a text, with the byte offset of each brace. A brace before anything that is not a name
/// stands for itself (JSON needs no escapes).
#[must_use]
pub fn references(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (open, _) in text.match_indices('{') {
        let rest = &text[open + 1..];
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let name = &rest[..end];
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if starts && rest[end..].starts_with('}') {
            found.push((open, name));
        }
    }
    found
}

impl<'t> Variables<'t> {
    /// The variables that the workload defines.
    pub fn new(tables: &'t BTreeMap<String, At<VariableTable>>) -> Self {
        Self {
            tables,
            used: BTreeSet::new(),
        }
    }

    /// Checks the references of one text.
    pub fn uses(&mut self, check: &mut Check<'_>, text: &At<String>) {
        self.refers(check, text, &references(text));
    }

    /// Checks the references of one text in which `${NAME}` is the environment's.
    pub fn uses_beside_environment(&mut self, check: &mut Check<'_>, text: &At<String>) {
        let mut found = references(text);
        // `$$` is a dollar sign.
        found.retain(|(open, _)| {
            let before = &text[..*open];
            (before.len() - before.trim_end_matches('$').len()).is_multiple_of(2)
        });
        self.refers(check, text, &found);
    }

    fn refers(&mut self, check: &mut Check<'_>, text: &At<String>, found: &[(usize, &str)]) {
        for &(open, name) in found {
            self.used.insert(name.to_owned());
            if self.tables.contains_key(name) {
                continue;
            }
            let exact = text.span.len() == text.value.len() + 2;
            let start = text.span.start + 1 + open;
            let span = if exact {
                start..start + name.len() + 2
            } else {
                text.span.clone()
            };
            let known = self.tables.keys().map(String::as_str);
            let help = if self.tables.is_empty() {
                format!("define it: vars = {{ {name} = {{ sequence = 1 }} }}")
            } else {
                suggestion(name, known)
            };
            check.wrong(&span, format!("the variable `{name}` is not defined"), help);
        }
    }

    /// Reads the sources, and warns of those that nothing uses.
    pub fn finish(self, check: &mut Check<'_>) -> Option<Vec<Variable>> {
        let mut found = Vec::new();
        for (name, table) in self.tables {
            let named = references(&format!("{{{name}}}")).len() == 1;
            if !named {
                let message = format!("`{}` is not a name for a variable", name.escape_debug());
                check.wrong(
                    &table.span,
                    message,
                    "letters, digits and `_`, not starting with a digit",
                );
            } else if !self.used.contains(name) {
                check.warn(
                    &table.span,
                    format!("the variable `{name}` is not used"),
                    format!("write {{{name}}} where it belongs"),
                );
            }
            found.push(source(check, name, table).map(|source| Variable {
                name: name.clone(),
                source,
            }));
        }
        found.into_iter().collect()
    }
}

fn source(check: &mut Check<'_>, name: &str, table: &At<VariableTable>) -> Option<ValueSource> {
    if let (Some(column), None) = (&table.column, &table.csv) {
        check.wrong(
            &column.span,
            "`column` means nothing without `csv`",
            "name the file: { csv = \"users.csv\", column = \"name\" }, or remove it",
        );
        return None;
    }
    let one_of = "exactly one of `sequence = 1`, `random = [1, 100]`, `choice = [\"a\", \"b\"]`, `csv = \"file.csv\"` with `column`";
    match (&table.sequence, &table.random, &table.choice, &table.csv) {
        (Some(start), None, None, None) => Some(ValueSource::Sequence { start: start.value }),
        (None, Some(range), None, None) => match range.as_slice() {
            [min, max] if min <= max => Some(ValueSource::RandomInt {
                min: *min,
                max: *max,
            }),
            _ => {
                let message = format!("the range of `{name}` is not [lowest, highest]");
                check.wrong(
                    &range.span,
                    message,
                    "two whole numbers, the lower one first: random = [1, 100]",
                );
                None
            }
        },
        (None, None, Some(values), None) if values.is_empty() => {
            check.wrong(
                &values.span,
                format!("`{name}` has nothing to choose from"),
                "give at least one value",
            );
            None
        }
        (None, None, Some(values), None) => Some(ValueSource::Choice {
            values: values.value.clone().into(),
        }),
        (None, None, None, Some(file)) => csv_column(check, table, file),
        _ => {
            check.wrong(
                &table.span,
                format!("the variable `{name}` needs one source of values"),
                one_of,
            );
            None
        }
    }
}

fn csv_column(
    check: &mut Check<'_>,
    table: &At<VariableTable>,
    file: &At<String>,
) -> Option<ValueSource> {
    let Some(column) = &table.column else {
        check.wrong(
            &table.span,
            "`csv` needs `column`",
            "name the column: { csv = \"users.csv\", column = \"name\" }",
        );
        return None;
    };
    let content = check.file(file)?;
    let mut reader = csv::ReaderBuilder::new()
        .flexible(false)
        .from_reader(content.as_bytes());
    let Ok(headers) = reader.headers().cloned() else {
        check.wrong(
            &file.span,
            "the CSV file has no header line",
            "its first line names the columns",
        );
        return None;
    };
    let Some(index) = headers.iter().position(|h| h == column.value) else {
        let message = format!(
            "`{}` has no column `{}`",
            file.escape_debug(),
            column.escape_debug()
        );
        check.wrong(&column.span, message, suggestion(column, headers.iter()));
        return None;
    };
    let mut values: Vec<String> = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => values.push(record.get(index).unwrap_or_default().to_owned()),
            Err(e) => {
                check.wrong(
                    &file.span,
                    format!("`{}` is not good CSV: {e}", file.escape_debug()),
                    "every line needs as many fields as the first",
                );
                return None;
            }
        }
    }
    if values.is_empty() {
        check.wrong(
            &file.span,
            format!("`{}` has no line below its header", file.escape_debug()),
            "give at least one",
        );
        return None;
    }
    Some(ValueSource::Choice {
        values: Arc::from(values),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_braces_around_a_name_are_references() {
        let names: Vec<_> = references("{\"a\":{x}} {1} { y } {z {_q2} {{n}} {")
            .into_iter()
            .map(|(_, n)| n)
            .collect();
        assert_eq!(names, ["x", "_q2", "n"]);
    }
}
