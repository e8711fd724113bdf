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

/// Breaks a line between words so that it fits a width; what follows is indented two columns deeper than the line
/// itself. A word that is too long for a line stays whole.
#[must_use]
pub fn wrapped(line: &str, width: usize) -> String {
    let indent = line.chars().take_while(|c| *c == ' ').count();
    let mut out = " ".repeat(indent);
    let mut column = indent;
    for (i, word) in line.split_whitespace().enumerate() {
        let length = word.chars().count();
        if i > 0 && column + 1 + length > width {
            out.push('\n');
            out.push_str(&" ".repeat(indent + 2));
            column = indent + 2;
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_broken_between_words_and_indented() {
        assert_eq!(wrapped("  - one two three", 11), "  - one two\n    three");
        assert_eq!(wrapped("abcdefgh ij", 4), "abcdefgh\n  ij");
        assert_eq!(wrapped("fits", 4), "fits");
        assert_eq!(wrapped("", 4), "");
    }
}
