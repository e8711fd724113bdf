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
        .replace("GH-", "GH\u{2060}-")
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

/// A rate: `51 234/s`, `48.2/s`, `0.1/s`.
#[must_use]
pub fn per_second(rate: f64) -> String {
    format!("{}/s", rounded(rate))
}

/// A cost: `6.3 µs`, `1 250 µs`.
#[must_use]
pub fn microseconds(us: f64) -> String {
    format!("{} µs", rounded(us))
}

/// Whole from a hundred on, with one digit after the point below, where that is not zero.
fn rounded(value: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast saturates; what is negative or no number is shown as it is"
    )]
    if value.round() >= 100.0 && value < 1e15 {
        grouped(value.round() as u64)
    } else {
        let text = format!("{value:.1}");
        text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
    }
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
    fn rates_and_costs_are_as_exact_as_a_reader_needs_them() {
        let shown = [0.1, 48.24, 99.97, 100.0, 51_234.4, 1e6].map(per_second);
        let expected = [
            "0.1/s",
            "48.2/s",
            "100/s",
            "100/s",
            "51 234/s",
            "1 000 000/s",
        ];
        assert_eq!(shown, expected);
        assert_eq!([6.34, 1249.6].map(microseconds), ["6.3 µs", "1 250 µs"]);
        assert_eq!(per_second(f64::NAN), "NaN/s");
    }

    #[test]
    fn a_long_line_is_broken_between_words_and_indented() {
        assert_eq!(wrapped("  - one two three", 11), "  - one two\n    three");
        assert_eq!(wrapped("abcdefgh ij", 4), "abcdefgh\n  ij");
        assert_eq!(wrapped("fits", 4), "fits");
        assert_eq!(wrapped("", 4), "");
    }
}
