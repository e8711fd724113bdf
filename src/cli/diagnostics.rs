//! Mistakes as the user sees them: one message each, with file, line, column, excerpt and help.

use super::failure::Failure;
use super::output;
use crate::source::Mistake;
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Severity,
};
use std::io::IsTerminal;

/// Prints why a command failed, to stderr.
pub fn print_failure(failure: &Failure) {
    match failure {
        Failure::Mistakes(mistakes) => mistakes
            .iter()
            .for_each(|m| output::stderr(&render(m, Severity::Error))),
        Failure::Usage { message, help } | Failure::Environment { message, help } => {
            let text = if help.is_empty() {
                format!("error: {message}\n")
            } else {
                format!("error: {message}\n  help: {help}\n")
            };
            output::stderr(&output::inert(&text));
        }
    }
}

/// Prints warnings, to stderr.
pub fn print_warnings(warnings: &[Mistake]) {
    warnings
        .iter()
        .for_each(|w| output::stderr(&render(w, Severity::Warning)));
}

fn render(mistake: &Mistake, severity: Severity) -> String {
    let (line, column) = mistake.line_column();
    let path = output::inert(&mistake.file.path.display().to_string());
    let kind = match severity {
        Severity::Error => "error",
        Severity::Warning | Severity::Advice => "warning",
    };
    let headline = format!(
        "{kind}: {path}:{line}:{column}: {}\n",
        output::inert(&mistake.message)
    );
    let help = mistake.help.as_deref().map(output::inert);
    let plain = || {
        help.as_ref()
            .map_or_else(|| headline.clone(), |h| format!("{headline}  help: {h}\n"))
    };
    if mistake.file.text.is_empty() {
        return plain();
    }
    let name = mistake.file.path.to_string_lossy();
    let hidden = match name.ends_with(".env") || name.contains(".env.") {
        true => without_values(&mistake.file.text),
        false => without_passwords(&mistake.file.text),
    };
    let text = inert_keeping_length(&hidden);
    let start = boundary(&text, mistake.span.start);
    let end = boundary(&text, mistake.span.end).max(start);
    // A mistake in a whole table marks its first line: what is wrong is said in words.
    let end = text[start..end].find('\n').map_or(end, |i| start + i);
    let mut diagnostic =
        MietteDiagnostic::new(output::inert(&mistake.message)).with_severity(severity);
    diagnostic.labels = Some(vec![LabeledSpan::new_primary_with_span(None, start..end)]);
    diagnostic.help = help.clone();
    let report = miette::Report::new(diagnostic).with_source_code(NamedSource::new(&path, text));
    let theme = if output::colour(std::io::stderr().is_terminal()) {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let mut out = String::new();
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(output::width())
        .with_context_lines(1)
        .with_links(false);
    match handler.render_report(&mut out, report.as_ref()) {
        // The graphical report says line and column of the excerpt; the first line says those of the mistake,
        // in the form that editors and CI systems make a link of.
        Ok(()) => format!("{headline}{}\n", excerpt(&out)),
        Err(_) => plain(),
    }
}

/// The start of the character that holds this byte; the text's end where it is past that.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}

/// The report without its own first line, which the headline replaces.
fn excerpt(report: &str) -> String {
    match report.find('╭') {
        Some(at) => {
            let start = report[..at].rfind('\n').map_or(0, |i| i + 1);
            report[start..].trim_end().to_owned() + "\n"
        }
        None => report.trim_end().to_owned() + "\n",
    }
}

/// Ends of names whose values are secrets: `POSTGRES_PASSWORD: …`, `Authorization = "…"`.
const SECRETS: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "authorization",
    "api_key",
    "api-key",
    "access_key",
];

/// Passwords in URLs, and values of names that sound secret, as stars, byte for byte, so that places stay true.
fn without_passwords(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut line = line.to_owned();
        let mut from = 0;
        while let Some(at) = line[from..].find("://").map(|i| from + i + 3) {
            let end = line[at..]
                .find(['"', '\'', ' ', '\n'])
                .map_or(line.len(), |i| at + i);
            if let (Some(at_sign), Some(colon)) =
                (line[at..end].rfind('@'), line[at..end].find(':'))
                && colon < at_sign
            {
                line = starred(&line, at + colon + 1, at + at_sign);
            }
            from = at;
        }
        for key in SECRETS {
            let lower = line.to_ascii_lowercase();
            for (at, _) in lower.match_indices(key) {
                if let Some((from, to)) = value_of(&line, at, at + key.len()) {
                    line = starred(&line, from, to);
                }
            }
        }
        out.push_str(&line);
    }
    out
}

/// Every value of a file of variables as stars: which of them are secret, their names need not say.
fn without_values(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    let hidden = lines.map(|line| match line.split_once('=') {
        Some((name, _)) => starred(line, name.len() + 1, line.trim_end().len()),
        None => line.to_owned(),
    });
    hidden.collect()
}

/// Where the value stands that belongs to a name with a secret's word in it: after `=` or `:`, in quotes or to the end
/// of the line; of a variable that is referred to, its default. None where the word is only the beginning of a name
/// (`PASSWORD_FILE`), or no name at all.
fn value_of(line: &str, word: usize, word_end: usize) -> Option<(usize, usize)> {
    let before = line[..word].trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    if before.ends_with("${") {
        let operation = &line[word_end..];
        let default = operation
            .strip_prefix(":-")
            .or(operation.strip_prefix('-'))?;
        let from = line.len() - default.len();
        return Some((from, from + default.find('}')?));
    }
    let skip = |at: usize, what: &[char]| {
        line[at..]
            .find(|c| !what.contains(&c))
            .map_or(line.len(), |i| at + i)
    };
    let sign = skip(word_end, &['"', '\'', ' ', '\t']);
    if !line[sign..].starts_with(['=', ':']) {
        return None;
    }
    let from = skip(sign + 1, &[' ', '\t']);
    let quote = line[from..].chars().next().filter(|c| "\"'".contains(*c));
    match quote.and_then(|q| line[from + 1..].find(q)) {
        Some(length) => Some((from + 1, from + 1 + length)),
        None => Some((from, line.trim_end().len())),
    }
}

fn starred(line: &str, from: usize, to: usize) -> String {
    if from >= to {
        return line.to_owned();
    }
    let secret = &line[from..to];
    // The name of an environment variable is no secret; its default may be one.
    let name_alone = secret.starts_with("${") && secret.find('}') == Some(secret.len() - 1);
    if name_alone && !secret.contains(":-") {
        return line.to_owned();
    }
    format!(
        "{}{}{}",
        &line[..from],
        "*".repeat(secret.len()),
        &line[to..]
    )
}

/// Control characters as `?`, byte for byte.
fn inert_keeping_length(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let hostile = c.is_control() && c != '\n' && c != '\t' && c != '\r';
            let (c, n) = if hostile { ('?', c.len_utf8()) } else { (c, 1) };
            std::iter::repeat_n(c, n)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceFile;

    #[test]
    fn an_excerpt_shows_no_password_and_no_escape_sequence() {
        let text = "dsn = \"postgres://u:s3cr/et@h:1/d\"\nheaders = { Authorization = \"Bearer tok\" }\nx = \u{1b}[31m";
        let file = SourceFile::new("s.toml", text);
        for start in [0, 40, text.len()] {
            let shown = render(
                &Mistake::new(&file, start..start + 1, "wrong").with_help("right"),
                Severity::Error,
            );
            assert!(
                !shown.contains("s3cr") && !shown.contains("tok\"") && !shown.contains('\u{1b}'),
                "{shown}"
            );
            assert!(
                shown.starts_with("error: s.toml:") && shown.contains("right"),
                "{shown}"
            );
        }
        assert_eq!(without_passwords(text).len(), text.len());
    }

    #[test]
    fn an_excerpt_of_a_compose_file_shows_no_secret_and_all_else() {
        let text = "a:\n  POSTGRES_PASSWORD: s3cret # x\n  MY_TOKEN: 's3cret'\n  - API_KEY=s3cret\n  \"db-secret\": s3cret\n  B: x${DB_PASSWORD:-s3cret}y\n";
        let hidden = without_passwords(text);
        assert!(!hidden.contains("s3cret"), "{hidden}");
        assert_eq!(hidden.len(), text.len());
        for plain in [
            "POSTGRES_PASSWORD_FILE: /run/secrets/pw\n",
            "secrets: [pw]\n",
            "  PASSWORD: ${PASSWORD:?set it}\n",
            "  password: \"${PW}\"\n",
            "tokens: 5\n",
            "a: ${PASSWORD:?set PASSWORD}\n",
        ] {
            assert_eq!(without_passwords(plain), plain);
        }
    }

    #[test]
    fn an_excerpt_of_a_file_of_variables_shows_no_value() {
        for name in [".env", "db.env", ".env.local"] {
            let file = SourceFile::new(name, "DB_PW=\"s3cret\"x\nnonsense here\nOTHER=s3cret\n");
            let shown = render(&Mistake::new(&file, 17..20, "wrong"), Severity::Error);
            assert!(
                shown.contains("DB_PW=") && !shown.contains("s3cret"),
                "{shown}"
            );
        }
    }

    #[test]
    fn no_place_makes_the_renderer_panic() {
        let file = SourceFile::new("s.toml", "äöü\r\n\u{9f}€");
        for start in 0..20 {
            for end in 0..20 {
                let _ = render(&Mistake::new(&file, start..end, "wrong"), Severity::Error);
            }
        }
    }
}
