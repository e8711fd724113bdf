//! `run.json`: the whole result, for programs.

use super::{ReportError, Reporter};
use crate::analysis::result::RunResult;
use crate::history::SCHEMA_VERSION;
use serde::Serialize;
use serde_json::ser::Formatter;
use std::io::{self, Write};

/// Renders the result as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl Reporter for Json {
    fn file_name(&self) -> &'static str {
        "run.json"
    }

    fn render(&self, result: &RunResult) -> Result<String, ReportError> {
        pretty(result)
    }
}

/// Indented JSON with a line's end behind it. Numbers of an array stand on one line: one line for each would be most of
/// the file.
///
/// # Errors
/// A figure that JSON does not know.
pub fn pretty(value: &impl Serialize) -> Result<String, ReportError> {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, Lines::default());
    value
        .serialize(&mut serializer)
        .map_err(ReportError::Write)?;
    text.push(b'\n');
    // What serde_json writes is UTF-8.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Reads a result back.
///
/// # Errors
/// The text is not a result, or one of a newer form.
pub fn read(text: &str) -> Result<RunResult, ReportError> {
    let result: RunResult = serde_json::from_str(text).map_err(ReportError::Read)?;
    if result.schema_version > SCHEMA_VERSION {
        return Err(ReportError::Newer(result.schema_version));
    }
    Ok(result)
}

/// What is open: an object or an array, and whether it goes over several lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Object { filled: bool },
    Array { of_objects: bool },
}

/// Every member of an object, and every object of an array, begins a line; all else of an array stays on one.
#[derive(Debug, Default)]
struct Lines {
    open: Vec<Open>,
}

impl Lines {
    fn new_line<W: ?Sized + Write>(&self, writer: &mut W, depth: usize) -> io::Result<()> {
        writer.write_all(b"\n")?;
        (0..depth).try_for_each(|_| writer.write_all(b"  "))
    }

    fn close<W: ?Sized + Write>(&mut self, writer: &mut W, with: &[u8]) -> io::Result<()> {
        let lines = match self.open.pop() {
            Some(Open::Object { filled }) => filled,
            Some(Open::Array { of_objects }) => of_objects,
            None => false,
        };
        if lines {
            self.new_line(writer, self.open.len())?;
        }
        writer.write_all(with)
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open.push(Open::Array { of_objects: false });
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first {
            return Ok(());
        }
        // Before an object a line ends here, and no space stays at its end.
        match self.open.last() {
            Some(Open::Array { of_objects: true }) => writer.write_all(b","),
            Some(_) | None => writer.write_all(b", "),
        }
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        let depth = self.open.len();
        if let Some(Open::Array { of_objects }) = self.open.last_mut() {
            *of_objects = true;
            self.new_line(writer, depth)?;
        }
        self.open.push(Open::Object { filled: false });
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if let Some(open) = self.open.last_mut() {
            *open = Open::Object { filled: true };
        }
        if !first {
            writer.write_all(b",")?;
        }
        self.new_line(writer, self.open.len())
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn numbers_share_a_line_and_objects_have_their_own() {
        let value = json!({
            "a": [1, 2, null], "b": [{"x": [[1, 2], [3]]}, {}], "c": [], "d": {}, "e": "text",
        });
        let text = pretty(&value).unwrap();
        let expected = r#"{
  "a": [1, 2, null],
  "b": [
    {
      "x": [[1, 2], [3]]
    },
    {}
  ],
  "c": [],
  "d": {},
  "e": "text"
}
"#;
        assert_eq!(text, expected);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..5)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_reads_back_as_it_was(value in any_json()) {
            let text = pretty(&value).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), &value);
        }
    }
}
