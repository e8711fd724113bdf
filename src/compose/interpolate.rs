//! `$VAR`, `${VAR}`, `${VAR:-default}` and their relatives, as the Compose specification has them.

use super::node::{Env, Node, Value};
use super::report::Report;

/// Defaults within defaults.
const MAX_NESTING: usize = 32;
/// Bytes that one text may grow to.
const MAX_TEXT: usize = 1 << 20;
/// Bytes that the variables of one file may add up to.
const MAX_FILE: usize = 16 << 20;

/// A text with its variables filled in.
#[derive(Debug, PartialEq, Eq)]
pub struct Expanded {
    /// The text.
    pub text: String,
    /// Variables that are not set and had no default: blank in the text.
    pub unset: Vec<String>,
}

/// An expression that cannot be filled in.
#[derive(Debug, PartialEq, Eq)]
pub struct BadExpression {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
    /// The expression as written.
    pub expression: String,
    /// The expression is well formed: its variable is missing.
    pub required: bool,
}

/// Fills in the variables of one text.
///
/// # Errors
/// A required variable that is not set, or an expression that is none.
pub fn expand(text: &str, env: &Env) -> Result<Expanded, BadExpression> {
    let mut unset = Vec::new();
    let text = expand_at(text, env, &mut unset, 0)?;
    Ok(Expanded { text, unset })
}

/// Fills in the variables of every value of a tree, keys left as they are.
pub fn interpolate(node: &mut Node, report: &Report) {
    let mut left = MAX_FILE;
    walk(node, report, &mut left);
}

fn walk(node: &mut Node, report: &Report, left: &mut usize) {
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|i| walk(i, report, left)),
        Value::Map(entries) => entries
            .iter_mut()
            .for_each(|e| walk(&mut e.value, report, left)),
        Value::Scalar(scalar) if scalar.text.contains('$') => {
            let expanded = expand(&scalar.text, &node.origin.env);
            match expanded {
                Ok(done) if done.text.len() <= *left => {
                    *left -= done.text.len();
                    scalar.text = done.text;
                    // `${PORT}` may stand for a number: the field that reads it decides.
                    scalar.plain = false;
                    for name in done.unset {
                        let at = place(node, &format!("${{{name}}}"), &format!("${name}"));
                        report.warn(
                            at.mistake(format!("the variable {name} is not set: blank is used"))
                                .with_help(format!(
                                    "set {name}, or give a default: ${{{name}:-value}}"
                                )),
                        );
                    }
                }
                Ok(_) => report.mistake(
                    node.mistake("too much text once the variables are filled in")
                        .with_help("use shorter values"),
                ),
                Err(bad) => {
                    let at = place(node, &bad.expression, &bad.expression);
                    report.mistake(at.mistake(bad.message).with_help(bad.help));
                }
            }
        }
        Value::Scalar(_) => {}
    }
}

/// The node narrowed to an expression, where it stands in the source as it is.
fn place(node: &Node, expression: &str, other: &str) -> Node {
    let mut narrowed = node.null_beside();
    if let Some(written) = node.origin.file.text.get(node.span.clone()) {
        let found = written
            .find(expression)
            .map(|at| (at, expression.len()))
            .or_else(|| written.find(other).map(|at| (at, other.len())));
        if let Some((at, length)) = found {
            narrowed.span = node.span.start + at..node.span.start + at + length;
        }
    }
    narrowed
}

fn expand_at(
    text: &str,
    env: &Env,
    unset: &mut Vec<String>,
    nesting: usize,
) -> Result<String, BadExpression> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(next) = after.strip_prefix('$') {
            out.push('$');
            rest = next;
        } else if let Some(inner) = after.strip_prefix('{') {
            let end = closing(inner).ok_or_else(|| invalid(&rest[at..], "has no closing brace"))?;
            let whole = &rest[at..at + 2 + end + 1];
            out.push_str(&braced(&inner[..end], whole, env, unset, nesting)?);
            rest = &inner[end + 1..];
        } else {
            let name = &after[..name_length(after)];
            if name.is_empty() {
                let shown: String = rest[at..].chars().take(2).collect();
                return Err(invalid(&shown, "is no variable"));
            }
            out.push_str(&value(name, env, unset));
            rest = &after[name.len()..];
        }
        if out.len() > MAX_TEXT {
            return Err(invalid(
                &text.chars().take(40).collect::<String>(),
                "grows too long",
            ));
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The expression between `${` and `}`.
fn braced(
    inner: &str,
    whole: &str,
    env: &Env,
    unset: &mut Vec<String>,
    nesting: usize,
) -> Result<String, BadExpression> {
    if nesting >= MAX_NESTING {
        return Err(invalid(whole, "is nested too deep"));
    }
    let name = &inner[..name_length(inner)];
    let operation = &inner[name.len()..];
    if name.is_empty() {
        return Err(invalid(whole, "has no variable name"));
    }
    let (colon, operation) = match operation.strip_prefix(':') {
        Some(operation) => (true, operation),
        None => (false, operation),
    };
    let set = env.get(name).filter(|v| !(colon && v.is_empty()));
    let argument = operation.get(1..).unwrap_or_default();
    match (operation.chars().next(), set) {
        (None, _) if !colon => Ok(value(name, env, unset)),
        (Some('-' | '?'), Some(set)) => Ok(set.clone()),
        (Some('-'), None) | (Some('+'), Some(_)) => expand_at(argument, env, unset, nesting + 1),
        (Some('+'), None) => Ok(String::new()),
        (Some('?'), None) => {
            let why = expand_at(argument, env, unset, nesting + 1)?;
            let how = if colon && env.contains_key(name) {
                "empty"
            } else {
                "not set"
            };
            let message = match why.is_empty() {
                true => format!("the required variable {name} is {how}"),
                false => format!("the required variable {name} is {how}: {why}"),
            };
            Err(BadExpression {
                message,
                help: format!(
                    "set {name} in the environment or in a .env file beside the compose file"
                ),
                expression: whole.to_owned(),
                required: true,
            })
        }
        (None | Some(_), _) => Err(invalid(whole, "is no expression")),
    }
}

fn value(name: &str, env: &Env, unset: &mut Vec<String>) -> String {
    env.get(name).cloned().unwrap_or_else(|| {
        unset.push(name.to_owned());
        String::new()
    })
}

fn invalid(expression: &str, what: &str) -> BadExpression {
    BadExpression {
        message: format!("`{expression}` {what}"),
        help: "write `$$` for a dollar sign, `${NAME}` or `${NAME:-default}` for a variable".into(),
        expression: expression.to_owned(),
        required: false,
    }
}

fn name_length(text: &str) -> usize {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

/// Where the brace closes that was opened before `text`.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (1, 0);
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'$', Some(b'{')) => {
                depth += 1;
                at += 1;
            }
            (b'$', Some(b'$')) => at += 1,
            (b'}', _) => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env() -> Env {
        [("A", "one"), ("EMPTY", "")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into()
    }

    #[test]
    fn every_form_of_the_specification_is_filled_in() {
        for (text, expected) in [
            ("$A", "one"),
            ("${A}/x", "one/x"),
            ("$A-b", "one-b"),
            ("a$$b$$$$", "a$b$$"),
            ("$${A}", "${A}"),
            ("${NO:-d}", "d"),
            ("${NO-d}", "d"),
            ("${EMPTY:-d}", "d"),
            ("${EMPTY-d}", ""),
            ("${A:-d}", "one"),
            ("${A:+alt}", "alt"),
            ("${A+alt}", "alt"),
            ("${EMPTY:+alt}", ""),
            ("${EMPTY+alt}", "alt"),
            ("${NO:+alt}", ""),
            ("${A:?m}", "one"),
            ("${EMPTY?m}", ""),
            ("${NO:-${ALSO_NO:-${A}}}-", "one-"),
            ("${NO:-a:b=c}", "a:b=c"),
            ("${NO:-}", ""),
            ("${NO:-$$5}", "$5"),
            ("ä${A}ö", "äoneö"),
        ] {
            assert_eq!(
                expand(text, &env()).map(|e| e.text),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_required_variable_that_is_missing_or_empty_is_an_error_with_its_message() {
        for (text, expected) in [
            (
                "${NO:?say so}",
                "the required variable NO is not set: say so",
            ),
            ("${NO?}", "the required variable NO is not set"),
            ("${EMPTY:?}", "the required variable EMPTY is empty"),
            (
                "${NO:?see ${A}}",
                "the required variable NO is not set: see one",
            ),
        ] {
            assert_eq!(expand(text, &env()).unwrap_err().message, expected);
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in [
            "$", "$ ", "${", "${}", "${A", "${A!}", "${A:}", "${1}", "$1", "${A:=x}", "${ä}",
        ] {
            assert!(expand(text, &env()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_unset_variable_is_blank_and_named() {
        let done = expand("a${NO}b$NO2", &env()).unwrap();
        assert_eq!(
            (done.text.as_str(), done.unset),
            ("ab", vec!["NO".into(), "NO2".into()])
        );
    }

    #[test]
    fn defaults_nested_without_end_are_refused_not_followed() {
        let text = "${A1:-".repeat(10_000) + &"}".repeat(10_000);
        assert!(expand(&text, &env()).is_err());
    }
}
