//! What is under way, in the order in which it began.
//!
//! Operations come in order and leave in any. The first that is left is asked for often (the oldest open operation, the
//! next deadline); what is kept must not grow with all that came and went while one hangs.

use slab::Slab;
use std::collections::VecDeque;

/// Things in the order in which they came.
#[derive(Debug)]
pub struct Order<T> {
    things: Slab<(u64, T)>,
    /// Every thing that is there, and some that have left after the first that is there.
    queue: VecDeque<Key>,
    turn: u64,
}

/// The place of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    at: usize,
    /// Tells it from others that had the same place before.
    turn: u64,
}

impl<T> Default for Order<T> {
    fn default() -> Self {
        Self {
            things: Slab::new(),
            queue: VecDeque::new(),
            turn: 0,
        }
    }
}

impl<T> Order<T> {
    /// Adds a thing after all others.
    pub fn push(&mut self, thing: T) -> Key {
        let turn = self.turn;
        self.turn += 1;
        let at = self.things.insert((turn, thing));
        let key = Key { at, turn };
        self.queue.push_back(key);
        key
    }

    /// Takes a thing out.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        if !self.holds(key) {
            return None;
        }
        let (_, thing) = self.things.try_remove(key.at)?;
        while self.queue.front().is_some_and(|key| !self.holds(*key)) {
            self.queue.pop_front();
        }
        if self.queue.len() > 4 * self.things.len() + 64 {
            let things = &self.things;
            self.queue.retain(|key| {
                things
                    .get(key.at)
                    .is_some_and(|(turn, _)| *turn == key.turn)
            });
        }
        Some(thing)
    }

    /// A thing that is there.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let (turn, thing) = self.things.get_mut(key.at)?;
        (*turn == key.turn).then_some(thing)
    }

    /// The first of those that are there.
    #[must_use]
    pub fn first(&self) -> Option<(Key, &T)> {
        let key = *self.queue.front()?;
        self.things.get(key.at).map(|(_, thing)| (key, thing))
    }

    /// How many are there.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.things.len()
    }

    fn holds(&self, key: Key) -> bool {
        self.things
            .get(key.at)
            .is_some_and(|(turn, _)| *turn == key.turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_that_stays_does_not_keep_the_places_of_those_that_passed_it() {
        let mut order = Order::default();
        let stays = order.push(0);
        for i in 1..10_000 {
            let passes = order.push(i);
            assert_eq!(order.remove(passes), Some(i));
            assert_eq!(order.remove(passes), None, "it has left");
        }
        assert!(order.queue.len() < 100, "{}", order.queue.len());
        assert_eq!(order.first(), Some((stays, &0)));
    }

    proptest! {
        #[test]
        fn it_is_a_sequence_from_which_any_may_be_taken(takes in prop::collection::vec(prop::option::of(0..40usize), 0..400)) {
            let (mut order, mut model) = (Order::default(), Vec::new());
            for (i, take) in takes.into_iter().enumerate() {
                match take {
                    Some(at) if at < model.len() => {
                        let (key, thing) = model.remove(at);
                        prop_assert_eq!(order.remove(key), Some(thing));
                    }
                    _ => model.push((order.push(i), i)),
                }
                prop_assert_eq!(order.first().map(|(key, thing)| (key, *thing)), model.first().copied());
                prop_assert_eq!(order.len(), model.len());
                prop_assert!(model.iter().all(|(key, thing)| order.get_mut(*key) == Some(&mut thing.clone())));
            }
        }
    }
}
