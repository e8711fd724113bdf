//! Mistakes and warnings, collected while a compose file is read, so that one run names them all.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::PathBuf;

use crate::source::Mistake;

/// More than anybody reads; a bound for hostile files.
const MOST: usize = 200;

/// What was found so far.
#[derive(Debug, Default)]
pub struct Report {
    mistakes: RefCell<Vec<Mistake>>,
    warnings: RefCell<Vec<Mistake>>,
    /// Aliases and `extends` show one line several times: it is named once.
    seen: RefCell<HashSet<(PathBuf, usize, String)>>,
}

impl Report {
    /// Notes a mistake: nothing can be loaded any more.
    pub fn mistake(&self, mistake: Mistake) {
        self.note(&self.mistakes, mistake);
    }

    /// Notes a warning: loaded, but not all of it is carried out.
    pub fn warn(&self, warning: Mistake) {
        self.note(&self.warnings, warning);
    }

    /// Something is wrong.
    pub fn failed(&self) -> bool {
        !self.mistakes.borrow().is_empty()
    }

    /// Mistakes and warnings.
    pub fn finish(self) -> (Vec<Mistake>, Vec<Mistake>) {
        (self.mistakes.into_inner(), self.warnings.into_inner())
    }

    fn note(&self, list: &RefCell<Vec<Mistake>>, mistake: Mistake) {
        let mut list = list.borrow_mut();
        let key = (
            mistake.file.path.clone(),
            mistake.span.start,
            mistake.message.clone(),
        );
        if list.len() < MOST && self.seen.borrow_mut().insert(key) {
            list.push(mistake);
        }
    }
}
