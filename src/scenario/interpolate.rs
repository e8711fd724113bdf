//! `${NAME}` and `${NAME:-default}` in DSNs and headers, so that a secret need not stand in the file.

use std::collections::BTreeMap;
use std::ops::Range;

/// A reference that cannot be resolved: its place in the text, what is wrong, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unresolved {
    /// Byte range within the text.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// Puts the environment's values in; `$$` is a dollar sign, and a `$` before anything else stands for itself.
///
/// # Errors
/// A variable that is not set and has no default; a reference that does not end.
pub fn interpolate(text: &str, env: &BTreeMap<String, String>) -> Result<String, Unresolved> {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(dollar) = text[at..].find('$').map(|i| at + i) {
        out.push_str(&text[at..dollar]);
        let rest = &text[dollar + 1..];
        if let Some(body) = rest.strip_prefix('{') {
            let Some(end) = body.find('}') else {
                let help =
                    "close it: `${NAME}` or `${NAME:-default}`; a dollar sign is `$$`".to_owned();
                return Err(Unresolved {
                    span: dollar..text.len(),
                    message: "`${` is not closed".to_owned(),
                    help,
                });
            };
            let span = dollar..dollar + end + 3;
            out.push_str(&resolve(&body[..end], env, span.clone())?);
            at = span.end;
        } else {
            out.push('$');
            at = dollar + if rest.starts_with('$') { 2 } else { 1 };
        }
    }
    out.push_str(&text[at..]);
    Ok(out)
}

fn resolve(
    body: &str,
    env: &BTreeMap<String, String>,
    span: Range<usize>,
) -> Result<String, Unresolved> {
    let (name, default) = body
        .split_once(":-")
        .map_or((body, None), |(n, d)| (n, Some(d)));
    let valid = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !valid {
        let message = format!(
            "`{}` is not the name of an environment variable",
            name.escape_debug()
        );
        return Err(Unresolved {
            span,
            message,
            help: "write `${NAME}` or `${NAME:-default}`".to_owned(),
        });
    }
    match (
        env.get(name).filter(|v| default.is_none() || !v.is_empty()),
        default,
    ) {
        (Some(value), _) => Ok(value.clone()),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Unresolved {
            span,
            message: format!("the environment variable `{name}` is not set"),
            help: format!("set it, or give a default: `${{{name}:-…}}`"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_come_from_the_environment_or_their_default() {
        let env = BTreeMap::from([
            ("PW".to_owned(), "x".to_owned()),
            ("EMPTY".to_owned(), String::new()),
        ]);
        let ok = |t| interpolate(t, &env).unwrap();
        assert_eq!(ok("a:${PW}@b"), "a:x@b");
        assert_eq!(ok("${NONE:-d}${EMPTY:-e}${EMPTY}"), "de");
        assert_eq!(ok("$$1 $1 é$"), "$1 $1 é$");
        assert_eq!(interpolate("a ${NONE} b", &env).unwrap_err().span, 2..9);
        assert!(interpolate("${PW", &env).is_err());
        assert!(interpolate("${}", &env).is_err());
    }
}
