//! Label values that come from the system under test: harmless in every output, and few.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

/// The name under which everything is counted that is beyond the bound.
pub const OTHER: &str = "other";

/// A text without control characters; quotes and backslashes are escaped where it is written.
#[must_use]
pub fn inert(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

/// The names that have a series of their own: the first ones that were seen. A name keeps its series for the whole run, so
/// that no counter ever falls.
#[derive(Debug, Clone)]
pub struct Names {
    most: usize,
    seen: BTreeSet<String>,
}

impl Names {
    /// At most so many.
    #[must_use]
    pub fn at_most(most: usize) -> Self {
        Self {
            most,
            seen: BTreeSet::new(),
        }
    }

    /// Sums by name, and under [`OTHER`] what has no series of its own. Two names that look the same once they are
    /// [`inert`] are one.
    pub fn sums<'n, N: AddAssign + Default>(
        &mut self,
        counted: impl IntoIterator<Item = (&'n str, N)>,
    ) -> BTreeMap<String, N> {
        let mut sums: BTreeMap<String, N> = BTreeMap::new();
        for (name, n) in counted {
            let name = inert(name);
            let known = self.seen.contains(&name);
            let name = if known {
                name
            } else if self.seen.len() < self.most {
                self.seen.insert(name.clone());
                name
            } else {
                OTHER.to_owned()
            };
            *sums.entry(name).or_default() += n;
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_bound_is_summed_and_no_sum_ever_falls() {
        let mut names = Names::at_most(2);
        let first = names.sums([("b", 1), ("c", 2)]);
        assert_eq!(first, BTreeMap::from([("b".into(), 1), ("c".into(), 2)]));
        let then = names.sums([("a", 7), ("b", 1), ("c", 3), ("d", 1)]);
        let expected = [("b", 1), ("c", 3), (OTHER, 8)].map(|(n, v)| (n.to_owned(), v));
        assert_eq!(then, BTreeMap::from(expected));
    }

    #[test]
    fn names_that_look_alike_are_one_series() {
        let mut names = Names::at_most(9);
        let sums = names.sums([("a\n", 1), ("a\u{1b}", 2)]);
        assert_eq!(sums, BTreeMap::from([("a\u{fffd}".to_owned(), 3)]));
    }
}
