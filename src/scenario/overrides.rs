//! `--set key.path=value`: puts a value into the parsed file, as if it had been written there.

use super::origin::Origin;
use crate::source::{Mistake, nearest};
use std::borrow::Cow;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What the command line changes of a scenario.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--set`: paths such as `run.duration`, `load.web.rate` (by name) or `load[0].rate`, and values in TOML
    /// (what is not TOML is taken as a text).
    pub set: Vec<(String, String)>,
    /// `--seed`.
    pub seed: Option<u64>,
}

/// Applies one option; `base` is where its text begins in the origin.
pub fn apply<'i>(
    root: &mut DeTable<'i>,
    origin: &Origin,
    base: usize,
    path: &'i str,
    value: &'i str,
) -> Result<(), Mistake> {
    let whole = base..base + path.len() + 1 + value.len();
    let segments = segments(path).map_err(|at| {
        origin
            .mistake(base + at..base + path.len(), format!("`{}` is not a path", path.escape_debug()))
            .with_help("write it like `run.duration`, `load.web.rate`, `load[0].rate` or `fault.\"slave 1\".at`")
    })?;
    let value_at = base + path.len() + 1;
    let value = match DeValue::parse(value) {
        Ok(parsed) => shift(parsed, value_at),
        Err(_) => Spanned::new(
            value_at..value_at + value.len(),
            DeValue::String(Cow::Borrowed(value)),
        ),
    };
    let place = Place {
        origin,
        base,
        whole,
    };
    place.set_in_table(root, &segments, value)
}

struct Segment<'i> {
    name: Cow<'i, str>,
    span: Range<usize>,
}

/// Splits `a.b[0]."c d"`; the error is the offset of what does not belong there.
fn segments(path: &str) -> Result<Vec<Segment<'_>>, usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < path.len() {
        let rest = &path[at..];
        let (name, length) = match rest.chars().next() {
            Some(open @ ('"' | '[')) => {
                let close = if open == '"' { '"' } else { ']' };
                let end = rest[1..].find(close).ok_or(at)?;
                (&rest[1..=end], end + 2)
            }
            _ => {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                (&rest[..end], end)
            }
        };
        if name.is_empty() {
            return Err(at);
        }
        found.push(Segment {
            name: Cow::Borrowed(name),
            span: at..at + length,
        });
        at += length;
        match path[at..].chars().next() {
            None | Some('[') => {}
            Some('.') if at + 1 < path.len() => at += 1,
            Some(_) => return Err(at),
        }
    }
    if found.is_empty() { Err(0) } else { Ok(found) }
}

fn shift(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = value.span();
    let moved = match value.into_inner() {
        DeValue::Array(items) => DeValue::Array(items.into_iter().map(|v| shift(v, by)).collect()),
        DeValue::Table(table) => DeValue::Table(
            table
                .into_iter()
                .map(|(k, v)| {
                    (
                        Spanned::new(k.span().start + by..k.span().end + by, k.into_inner()),
                        shift(v, by),
                    )
                })
                .collect(),
        ),
        scalar @ (DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)) => scalar,
    };
    Spanned::new(span.start + by..span.end + by, moved)
}

struct Place<'a> {
    origin: &'a Origin,
    base: usize,
    whole: Range<usize>,
}

impl Place<'_> {
    fn set_in_table<'i>(
        &self,
        table: &mut DeTable<'i>,
        path: &[Segment<'i>],
        value: Spanned<DeValue<'i>>,
    ) -> Result<(), Mistake> {
        let Some((first, rest)) = path.split_first() else {
            return Ok(());
        };
        let key = Spanned::new(
            self.base + first.span.start..self.base + first.span.end,
            first.name.clone(),
        );
        if rest.is_empty() {
            // The new key comes with its own place, so that an unknown one is reported at the option.
            table.remove(first.name.as_ref());
            table.insert(key, value);
            return Ok(());
        }
        let name: &str = first.name.as_ref();
        if !table.contains_key(name) {
            let empty = Spanned::new(self.whole.clone(), DeValue::Table(DeTable::default()));
            table.insert(key, empty);
        }
        match table.get_mut(name) {
            Some(inner) => self.set_in_value(inner, first, rest, value),
            None => Ok(()),
        }
    }

    fn set_in_value<'i>(
        &self,
        inner: &mut Spanned<DeValue<'i>>,
        above: &Segment<'i>,
        path: &[Segment<'i>],
        value: Spanned<DeValue<'i>>,
    ) -> Result<(), Mistake> {
        match inner.get_mut() {
            DeValue::Table(table) => self.set_in_table(table, path, value),
            DeValue::Array(items) => {
                let Some((which, rest)) = path.split_first() else {
                    return Ok(());
                };
                let index = items
                    .iter()
                    .position(|i| name_of(i) == Some(which.name.as_ref()));
                let index = index.or_else(|| which.name.parse().ok().filter(|n| *n < items.len()));
                let Some(index) = index else {
                    return Err(self.no_entry(items, above, which));
                };
                match (items.get_mut(index), rest) {
                    (Some(item), []) => *item = value,
                    (Some(item), rest) => return self.set_in_value(item, which, rest, value),
                    (None, _) => {}
                }
                Ok(())
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {
                let span = self.base + above.span.start..self.base + above.span.end;
                let message = format!(
                    "`{}` is not a table in this scenario",
                    above.name.escape_debug()
                );
                Err(self
                    .origin
                    .mistake(span, message)
                    .with_help("set it whole, or a key of a table"))
            }
        }
    }

    fn no_entry(
        &self,
        items: &[Spanned<DeValue<'_>>],
        above: &Segment<'_>,
        which: &Segment<'_>,
    ) -> Mistake {
        let names: Vec<&str> = items.iter().filter_map(name_of).collect();
        let message = format!(
            "no `{}` is called `{}`",
            above.name.escape_debug(),
            which.name.escape_debug()
        );
        let help = match nearest(&which.name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => {
                format!("there are {} of them, counted from 0", items.len())
            }
            None => format!("there are: {}", names.join(", ")),
        };
        let span = self.base + which.span.start..self.base + which.span.end;
        self.origin.mistake(span, message).with_help(help)
    }
}

fn name_of<'a>(item: &'a Spanned<DeValue<'_>>) -> Option<&'a str> {
    item.get_ref().as_table()?.get("name")?.get_ref().as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_split_at_dots_brackets_and_quotes() {
        let names = |p| {
            segments(p).map(|s| {
                s.into_iter()
                    .map(|s| s.name.into_owned())
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(
            names("run.duration"),
            Ok(vec!["run".into(), "duration".into()])
        );
        assert_eq!(
            names("load[0].rate"),
            Ok(vec!["load".into(), "0".into(), "rate".into()])
        );
        assert_eq!(
            names("fault.\"a.b c\".at"),
            Ok(vec!["fault".into(), "a.b c".into(), "at".into()])
        );
        for wrong in [
            "",
            ".",
            "a..b",
            "a.",
            "a[0",
            "a[]",
            "\"",
            "a\"b\"c]x[",
            "é\"é",
        ] {
            let _ = names(wrong);
        }
        assert_eq!(names("a."), Err(1));
    }
}
