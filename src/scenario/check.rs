//! What every part of the reading shares: where to report, where paths start, the environment.

use super::at::At;
use super::file::{DurationText, SizeText};
use super::origin::Origin;
use super::{interpolate, quantity};
use crate::source::{Mistake, nearest};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Collects mistakes, so that one reading reports as many as it can.
pub struct Check<'a> {
    /// Which text a range belongs to.
    pub origin: &'a Origin,
    /// The folder that relative paths start at.
    pub folder: &'a Path,
    /// The environment.
    pub env: &'a BTreeMap<String, String>,
    /// What was found so far.
    pub mistakes: Vec<Mistake>,
    /// What the user should know, and that is not wrong.
    pub warnings: Vec<Mistake>,
}

impl Check<'_> {
    /// Reports a mistake.
    pub fn wrong(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.mistakes
            .push(self.origin.mistake(span.clone(), message).with_help(help));
    }

    /// Reports a warning.
    pub fn warn(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.warnings
            .push(self.origin.mistake(span.clone(), message).with_help(help));
    }

    /// A length of time; one that is wrong is reported and counts as not given.
    pub fn duration(&mut self, text: Option<&At<DurationText>>) -> Option<Duration> {
        let text = text?;
        self.quantity(&text.span, quantity::duration(&text.value.0))
    }

    /// A length of time that must be more than zero.
    pub fn positive(&mut self, key: &str, text: Option<&At<DurationText>>) -> Option<Duration> {
        let length = self.duration(text)?;
        if let (true, Some(text)) = (length.is_zero(), text) {
            self.wrong(
                &text.span,
                format!("`{key}` is zero"),
                "give a length of time above zero: \"5s\"",
            );
            return None;
        }
        Some(length)
    }

    /// An amount of memory or disk, in bytes; one that is wrong is reported and counts as not given.
    pub fn size(&mut self, text: Option<&At<SizeText>>) -> Option<u64> {
        let text = text?;
        self.quantity(&text.span, quantity::size(&text.value.0))
    }

    /// A quantity, or a report of what is wrong with it.
    pub fn quantity<T>(
        &mut self,
        span: &Range<usize>,
        read: Result<T, quantity::NotAQuantity>,
    ) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(e) => {
                self.wrong(span, e.message, e.help);
                None
            }
        }
    }

    /// One of some words; left out, it is the first one.
    pub fn word<T: Copy>(
        &mut self,
        key: &str,
        text: Option<&At<String>>,
        words: &[(&str, T)],
    ) -> Option<T> {
        let Some(text) = text else {
            return words.first().map(|(_, meaning)| *meaning);
        };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(*meaning);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.wrong(
            &text.span,
            format!("`{}` is not a `{key}`", text.escape_debug()),
            suggestion(text, known),
        );
        None
    }

    /// A whole number within bounds.
    pub fn within(
        &mut self,
        key: &str,
        number: Option<&At<u64>>,
        least: u64,
        most: u64,
    ) -> Option<u64> {
        let number = number?;
        if (least..=most).contains(&number.value) {
            return Some(number.value);
        }
        self.wrong(
            &number.span,
            format!("`{key}` is {}", number.value),
            format!("it must be {least} to {most}"),
        );
        None
    }

    /// A text with the environment's values in it.
    pub fn interpolated(&mut self, text: &At<String>) -> Option<String> {
        match interpolate::interpolate(text, self.env) {
            Ok(text) => Some(text),
            Err(e) => {
                // Escapes in the TOML string would shift the place; then the whole value is marked.
                let start = text.span.start + 1 + e.span.start;
                let exact = text.span.len() == text.value.len() + 2;
                let span = if exact {
                    start..start + e.span.len()
                } else {
                    text.span.clone()
                };
                self.wrong(&span, e.message, e.help);
                None
            }
        }
    }

    /// A path, relative to the scenario's folder.
    pub fn path(&self, text: &str) -> PathBuf {
        self.folder.join(text)
    }

    /// A file's content.
    pub fn file(&mut self, text: &At<String>) -> Option<String> {
        let path = self.path(text);
        match crate::source::read_text(&path) {
            Ok(content) => Some(content),
            Err(e) => {
                let help = format!(
                    "paths are relative to the scenario's folder; looked at {}",
                    path.display()
                );
                self.wrong(
                    &text.span,
                    format!("cannot read `{}`: {e}", text.escape_debug()),
                    help,
                );
                None
            }
        }
    }

    /// Names that must not be empty, not hold control characters, and not be given twice.
    pub fn names<'n>(&mut self, what: &str, names: impl Iterator<Item = &'n At<String>>) {
        let mut seen: Vec<&At<String>> = Vec::new();
        for name in names {
            if name.trim().is_empty()
                || name.chars().count() > 80
                || name.chars().any(char::is_control)
            {
                let message = format!("`{}` is not a name for a {what}", name.escape_debug());
                self.wrong(
                    &name.span,
                    message,
                    "a name has 1 to 80 characters, none of them a control character",
                );
            }
            if let Some(first) = seen.iter().find(|s| s.value == name.value) {
                let (line, _) = self.origin.mistake(first.span.clone(), "").line_column();
                let message = format!("two {what}s are called `{}`", name.escape_debug());
                self.wrong(
                    &name.span,
                    message,
                    format!("the first one is on line {line}; every {what} needs its own name"),
                );
            }
            seen.push(name);
        }
    }
}

/// `did you mean …?`, or what there is.
pub fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = nearest(name, known.clone()) {
        return format!("did you mean `{near}`?");
    }
    let all: Vec<&str> = known.into_iter().collect();
    if all.is_empty() {
        "there are none".to_owned()
    } else {
        format!("there are: {}", all.join(", "))
    }
}
