//! Looking for a text in a body that comes in pieces, without keeping the body.

/// Looks for one text.
#[derive(Debug)]
pub struct Search<'a> {
    needle: &'a [u8],
    /// The end of what was seen, one byte shorter than the needle at most.
    tail: Vec<u8>,
    found: bool,
}

impl<'a> Search<'a> {
    /// For a text; an empty one is found at once.
    #[must_use]
    pub fn new(needle: &'a [u8]) -> Self {
        Self {
            needle,
            tail: Vec::new(),
            found: needle.is_empty(),
        }
    }

    /// Whether it was there.
    #[must_use]
    pub fn found(&self) -> bool {
        self.found
    }

    /// Looks at the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        if self.found {
            return;
        }
        let keep = self.needle.len() - 1;
        if !self.tail.is_empty() {
            // Only what straddles the boundary: the tail and as much of the piece as a match could reach.
            let reach = piece.len().min(keep);
            self.tail.extend_from_slice(&piece[..reach]);
            self.found = contains(&self.tail, self.needle);
        }
        self.found = self.found || contains(piece, self.needle);
        if piece.len() >= keep {
            self.tail.clear();
            self.tail.extend_from_slice(&piece[piece.len() - keep..]);
        } else {
            if self.tail.is_empty() {
                self.tail.extend_from_slice(piece);
            }
            let surplus = self.tail.len().saturating_sub(keep);
            self.tail.drain(..surplus);
        }
    }
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else {
        return true;
    };
    let mut rest = text;
    while let Some(at) = rest.iter().position(|b| b == first) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_is_found_however_the_body_is_cut(
            body in "[ab]{0,40}", needle in "[ab]{0,6}", cuts in prop::collection::vec(0..7usize, 0..40),
        ) {
            let mut search = Search::new(needle.as_bytes());
            let mut rest = body.as_bytes();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                search.feed(piece);
                rest = after;
            }
            search.feed(rest);
            prop_assert_eq!(search.found(), body.contains(&needle));
        }
    }
}
