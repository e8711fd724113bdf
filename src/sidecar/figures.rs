//! Amounts and errors as a sidecar's answers give them.

use std::error::Error;

/// `89.1 MB`; a megabyte is a million bytes.
pub fn megabytes(bytes: u64) -> String {
    #[expect(
        clippy::cast_precision_loss,
        reason = "shown with one decimal of a megabyte"
    )]
    let millions = bytes as f64 / 1e6;
    format!("{millions:.1} MB")
}

/// `1 process`, `2 processes`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// An error with its causes.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        let more = e.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = e.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_in_millions_of_bytes() {
        assert_eq!(megabytes(89_100_000), "89.1 MB");
        assert_eq!(megabytes(0), "0.0 MB");
        assert_eq!(counted(1, "process", "processes"), "1 process");
        assert_eq!(counted(2, "process", "processes"), "2 processes");
    }
}
