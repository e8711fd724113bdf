//! `.env` and `env_file`: lines of `NAME=value`, as compose reads them.

use std::sync::Arc;

use super::interpolate::expand;
use super::node::Env;
use super::report::Report;
use crate::source::{Mistake, SourceFile};

/// Bytes of values that one file may grow to by its own variables.
const MAX_VALUES: usize = 4 << 20;

/// Reads a file. A name without `=` takes its value from `outer`; values see `outer` before what
/// stands above them in the file.
pub fn read(file: &Arc<SourceFile>, outer: &Env, raw: bool, report: &Report) -> Env {
    let mut found = Env::new();
    let mut seen = outer.clone();
    let mut left = MAX_VALUES;
    let mut rest = Rest {
        text: &file.text,
        at: 0,
    };
    while let Some((start, line)) = rest.line() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let trimmed = match trimmed.strip_prefix("export ") {
            Some(exported) => exported.trim_start(),
            None => trimmed,
        };
        let (name, written) = match trimmed.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(value)),
            None => (trimmed, None),
        };
        let start = start + (line.len() - line.trim_start().len());
        let wrong = |message: String| {
            Mistake::new(file, start..start + line.trim().len(), message)
                .with_help("one `NAME=value` a line; text with spaces at its ends goes in quotes")
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            report.mistake(wrong(format!("`{name}` is no name of a variable")));
            continue;
        }
        let value = match written {
            None => match outer.get(name) {
                Some(value) => value.clone(),
                None => continue,
            },
            Some(written) if raw => written.to_owned(),
            Some(written) => match value(written.trim_start(), &mut rest, &seen) {
                Ok(value) => value,
                Err(message) => {
                    report.mistake(wrong(message));
                    continue;
                }
            },
        };
        if value.len() > left {
            report.mistake(wrong(
                "too much text once the variables are filled in".into(),
            ));
            break;
        }
        left -= value.len();
        seen.entry(name.to_owned()).or_insert_with(|| value.clone());
        found.insert(name.to_owned(), value);
    }
    found
}

/// The lines that are not yet read.
struct Rest<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    fn line(&mut self) -> Option<(usize, &'a str)> {
        let rest = self.text.get(self.at..).filter(|r| !r.is_empty())?;
        let start = self.at;
        let line = rest.split('\n').next().unwrap_or(rest);
        self.at += (line.len() + 1).min(rest.len());
        Some((start, line.strip_suffix('\r').unwrap_or(line)))
    }
}

fn value(written: &str, rest: &mut Rest<'_>, env: &Env) -> Result<String, String> {
    let quote = match written.chars().next() {
        Some(q @ ('"' | '\'')) => q,
        _ => {
            let bare = match written.find(" #") {
                Some(at) => &written[..at],
                None if written.starts_with('#') => "",
                None => written,
            };
            return filled(bare.trim_end(), env);
        }
    };
    let mut text = written[1..].to_owned();
    let end = loop {
        match closing(&text, quote) {
            Some(end) => break end,
            None => {
                let (_, line) = rest
                    .line()
                    .ok_or_else(|| format!("the quote {quote} is never closed"))?;
                text.push('\n');
                text.push_str(line);
            }
        }
    };
    let after = text[end + 1..].trim();
    if !after.is_empty() && !after.starts_with('#') {
        // Not the text itself: it may be a part of a password.
        return Err("unexpected text after the closing quote".into());
    }
    text.truncate(end);
    if quote == '\'' {
        Ok(text)
    } else {
        filled(&unescaped(&text), env)
    }
}

fn filled(text: &str, env: &Env) -> Result<String, String> {
    match expand(text, env) {
        Ok(done) => Ok(done.text),
        Err(bad) if bad.required => Err(bad.message),
        // Passwords hold dollar signs that begin no variable: compose leaves them as they are.
        Err(_) => Ok(text.to_owned()),
    }
}

fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('$')) => out.push_str("$$"),
            ('\\', Some(other)) => out.push(other),
            (c, _) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(text: &str) -> (Env, Vec<Mistake>) {
        let outer = [("OUTER".to_owned(), "o".to_owned())].into();
        let report = Report::default();
        let env = read(&SourceFile::new(".env", text), &outer, false, &report);
        (env, report.finish().0)
    }

    #[test]
    fn every_form_of_a_line_is_read() {
        let text = "# comment\n\nA=1\nexport B = two words # end\nC='$A #'\nD=\"x\\n${A}\"\nE=\nOUTER\n\
            NOWHERE\nF=\"several\nlines\"\nG=$OUTER-${A}\nH=a#b\r\nI=http://x/?a=b\nOUTER2=${OUTER:-d}\nP=pa$";
        let (env, mistakes) = env(text);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "$A #"),
            ("D", "x\n1"),
            ("E", ""),
            ("OUTER", "o"),
            ("F", "several\nlines"),
            ("G", "o-1"),
            ("H", "a#b"),
            ("I", "http://x/?a=b"),
            ("OUTER2", "o"),
            ("P", "pa$"),
        ];
        assert_eq!(
            env,
            expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
        );
    }

    #[test]
    fn a_bad_line_is_named_with_its_place() {
        for (text, place) in [
            ("A=1\n  =x", (2, 3)),
            ("A=\"open\nB=2", (1, 1)),
            ("a b=1", (1, 1)),
            ("A=${NO:?why}", (1, 1)),
            ("A='x' y", (1, 1)),
        ] {
            let (_, mistakes) = env(text);
            assert_eq!(mistakes.len(), 1, "{text}");
            assert_eq!(mistakes[0].line_column(), place, "{text}");
        }
    }

    #[test]
    fn values_that_double_each_other_are_cut_off() {
        let mut text = "A0=0123456789\n".to_owned();
        for i in 1..60 {
            text.push_str(&format!("A{i}=$A{0}$A{0}\n", i - 1));
        }
        assert_eq!(env(&text).1.len(), 1);
    }
}
