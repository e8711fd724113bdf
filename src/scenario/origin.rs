//! Which text a byte range belongs to: the scenario file, or a `--set` option.
//!
//! Values of options are given ranges past the end of the file, so that one range says where any value was
//! written, whatever it came from.

use crate::source::{Mistake, SourceFile};
use std::ops::Range;
use std::sync::Arc;

/// The scenario file and the options that override it.
#[derive(Debug, Clone)]
pub struct Origin {
    file: Arc<SourceFile>,
    options: Vec<(usize, Arc<SourceFile>)>,
}

impl Origin {
    /// A file without options.
    #[must_use]
    pub fn new(file: Arc<SourceFile>) -> Self {
        Self {
            file,
            options: Vec::new(),
        }
    }

    /// Adds an option's text; its first byte gets the returned offset.
    pub fn add_option(&mut self, path: &str, text: &str) -> usize {
        let end = self
            .options
            .last()
            .map_or(self.file.text.len(), |(start, f)| start + f.text.len());
        // One byte between two texts, so that an empty range at an end is not the next text's start.
        self.options.push((end + 1, SourceFile::new(path, text)));
        end + 1
    }

    /// The scenario file.
    #[must_use]
    pub fn file(&self) -> &Arc<SourceFile> {
        &self.file
    }

    /// A mistake at a range of the file or of an option.
    pub fn mistake(&self, span: Range<usize>, message: impl Into<String>) -> Mistake {
        match self
            .options
            .iter()
            .rev()
            .find(|(start, _)| *start <= span.start)
        {
            Some((start, option)) => {
                let shifted = span.start - start..span.end.saturating_sub(*start);
                Mistake::new(option, shifted, message)
            }
            None => Mistake::new(&self.file, span, message),
        }
    }
}
