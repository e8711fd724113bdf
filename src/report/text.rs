//! Text from outside, made inert; and numbers for people.

/// Makes a text harmless on a terminal: control characters (escape sequences begin with one) and characters that
/// turn the direction of writing are shown as their code.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || turns_direction(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

fn turns_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Makes a text harmless in Markdown: punctuation that Markdown gives a meaning is escaped, links, mentions and
/// references to issues are broken up.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '!' | '$' => {
                out.extend(['\\', c])
            }
            '&' => out.push_str("&amp;"),
            // Renderers find these after Markdown is done, so that no escape helps: a word joiner does.
            '@' | '#' => out.extend([c, '\u{2060}']),
            c => out.push(c),
        }
    }
    out.replace("://", ":\u{2060}//")
        .replace("www.", "www\u{2060}.")
}

/// A count with thin groups: `6 000`.
#[must_use]
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// A ratio as a percentage: `0.05 %`.
#[must_use]
pub fn percent(ratio: f64) -> String {
    crate::verdict::gate::written(crate::plan::Metric::ErrorRate, ratio)
}

/// Milliseconds as seconds: `10.000 s`.
#[must_use]
pub fn seconds(ms: f64) -> String {
    format!("{:.3} s", ms / 1e3)
}
