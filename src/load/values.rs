//! Values of `{name}` in requests and parameters.
//!
//! A value depends on the run's seed, the workload, the variable and the global index of the arrival, and on
//! nothing else: the same run has the same values whatever the number of workers, and two workers never hand
//! out one number of a sequence twice. Text is split at its variables once, so that rendering only copies.

use crate::history::trace::mix;
use crate::scenario::{ValueSource, Variable};
use std::io::Write;
use std::sync::Arc;

/// The arrival that values are wanted for.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    /// Seed of the workload: see [`seed_of`].
    pub seed: u64,
    /// Global index of the arrival.
    pub index: u64,
}

/// Seed of workload `load` in a run with `seed`.
#[must_use]
pub fn seed_of(seed: u64, load: usize) -> u64 {
    mix(seed ^ mix(u64::try_from(load).unwrap_or(u64::MAX).wrapping_add(1)))
}

impl Draw {
    /// 64 random bits for one purpose of this arrival.
    #[must_use]
    pub fn bits(self, purpose: u64) -> u64 {
        mix(self.seed ^ mix(self.index) ^ mix(purpose).rotate_left(32))
    }

    /// Evenly from `0..n` (multiplication instead of division; its bias is below n/2⁶⁴). Zero for `n = 0`.
    #[must_use]
    pub fn below(self, purpose: u64, n: u64) -> u64 {
        let wide = u128::from(self.bits(purpose)) * u128::from(n);
        u64::try_from(wide >> 64).unwrap_or(0)
    }
}

/// Chooses among weighted alternatives; the weights' sum is prepared.
#[derive(Debug, Clone)]
pub struct Weights {
    /// Running sums.
    sums: Vec<u64>,
}

impl Weights {
    /// From the weights in order. All zero: only the first is ever chosen.
    pub fn new(weights: impl IntoIterator<Item = u32>) -> Self {
        let sums = weights
            .into_iter()
            .scan(0u64, |sum, w| {
                *sum += u64::from(w);
                Some(*sum)
            })
            .collect();
        Self { sums }
    }

    /// Index of the alternative for an arrival.
    #[must_use]
    pub fn choose(&self, draw: Draw) -> usize {
        let total = self.sums.last().copied().unwrap_or(0);
        if self.sums.len() < 2 || total == 0 {
            return 0;
        }
        let point = draw.below(0, total);
        self.sums.partition_point(|sum| *sum <= point)
    }
}

/// How a value is written into its surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// As it is.
    None,
    /// Percent-encoded for a path or a query (RFC 3986: all but the unreserved characters).
    Url,
}

#[derive(Debug, Clone)]
enum Part {
    Text(Vec<u8>),
    Value { purpose: u64, source: ValueSource },
}

/// A text with variables, split.
#[derive(Debug, Clone)]
pub struct Template {
    parts: Arc<[Part]>,
    escape: Escape,
}

impl Template {
    /// Splits a text at `{name}` for every known name. Other braces are text, so that JSON needs no escaping.
    #[must_use]
    pub fn new(text: &str, variables: &[Variable], escape: Escape) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let known = rest[open + 1..].find('}').and_then(|close| {
                let name = &rest[open + 1..open + 1 + close];
                variables
                    .iter()
                    .position(|v| v.name == name)
                    .map(|at| (at, open + close + 2))
            });
            match known {
                Some((at, end)) => {
                    plain.push_str(&rest[..open]);
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain).into_bytes()));
                    }
                    // Purpose 0 is the choice among requests.
                    let purpose = u64::try_from(at).unwrap_or(0) + 1;
                    parts.push(Part::Value {
                        purpose,
                        source: variables[at].source.clone(),
                    });
                    rest = &rest[end..];
                }
                None => {
                    plain.push_str(&rest[..=open]);
                    rest = &rest[open + 1..];
                }
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain.into_bytes()));
        }
        Self {
            parts: parts.into(),
            escape,
        }
    }

    /// Whether any value that a variable of it can take satisfies `test`.
    #[must_use]
    pub fn any_value(&self, test: impl Fn(&str) -> bool) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Value {
                source: ValueSource::Choice { values },
                ..
            } => values.iter().any(|v| test(v)),
            Part::Value { .. } | Part::Text(_) => false,
        })
    }

    /// Whether the text is the same for every arrival.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.all(|part| matches!(part, Part::Text(_)))
    }

    /// Appends the text for one arrival.
    pub fn render(&self, draw: Draw, out: &mut Vec<u8>) {
        for part in self.parts.iter() {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Value { purpose, source } => self.value(draw, *purpose, source, out),
            }
        }
    }

    fn value(&self, draw: Draw, purpose: u64, source: &ValueSource, out: &mut Vec<u8>) {
        match source {
            // Writing into a Vec cannot fail.
            ValueSource::Sequence { start } => {
                let _ = write!(out, "{}", start.wrapping_add(draw.index));
            }
            ValueSource::RandomInt { min, max } => {
                let _ = write!(out, "{}", random_int(draw, purpose, *min, *max));
            }
            ValueSource::Choice { values } => {
                let n = u64::try_from(values.len()).unwrap_or(0);
                let at = usize::try_from(draw.below(purpose, n)).unwrap_or(0);
                let value = values.get(at).map_or("", String::as_str);
                match self.escape {
                    Escape::None => out.extend_from_slice(value.as_bytes()),
                    Escape::Url => percent_encode(value, out),
                }
            }
        }
    }
}

fn random_int(draw: Draw, purpose: u64, min: i64, max: i64) -> i64 {
    // The width of the widest range is 2⁶⁴, which only fits the wider type.
    let width = i128::from(max) - i128::from(min) + 1;
    let offset = match u64::try_from(width) {
        Ok(width) => draw.below(purpose, width),
        Err(_) if width > 0 => draw.bits(purpose),
        Err(_) => 0,
    };
    i64::try_from(i128::from(min) + i128::from(offset)).unwrap_or(min)
}

/// Percent-encodes all but unreserved characters.
fn percent_encode(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn variables() -> Vec<Variable> {
        let choice = ["красный", "a b"].map(str::to_owned);
        vec![
            Variable {
                name: "id".into(),
                source: ValueSource::Sequence { start: 5 },
            },
            Variable {
                name: "n".into(),
                source: ValueSource::RandomInt { min: -2, max: 3 },
            },
            Variable {
                name: "colour".into(),
                source: ValueSource::Choice {
                    values: Arc::new(choice),
                },
            },
        ]
    }

    fn render(text: &str, escape: Escape, index: u64) -> String {
        let mut out = Vec::new();
        Template::new(text, &variables(), escape).render(Draw { seed: 1, index }, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_known_names_are_replaced_so_that_json_needs_no_escaping() {
        assert_eq!(
            render(r#"{"a":{id},"b":{"c":1},{x} {"#, Escape::None, 2),
            r#"{"a":7,"b":{"c":1},{x} {"#
        );
        assert_eq!(render("{{id}}", Escape::None, 0), "{5}");
    }

    #[test]
    fn values_in_an_url_are_percent_encoded() {
        let all: Vec<String> = (0..50)
            .map(|i| render("/s?q={colour}", Escape::Url, i))
            .collect();
        assert!(all.contains(&"/s?q=a%20b".to_owned()));
        assert!(all.contains(&"/s?q=%D0%BA%D1%80%D0%B0%D1%81%D0%BD%D1%8B%D0%B9".to_owned()));
        assert!(all.iter().all(|t| t.is_ascii()));
    }

    #[test]
    fn random_integers_reach_both_ends_evenly() {
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        (0..6000).for_each(|i| *seen.entry(render("{n}", Escape::None, i)).or_default() += 1);
        assert_eq!(
            seen.keys()
                .map(|k| k.parse().unwrap())
                .collect::<std::collections::BTreeSet<i64>>(),
            (-2..=3).collect()
        );
        // 1000 expected each, standard deviation 29.
        assert!(seen.values().all(|n| (850..1150).contains(n)), "{seen:?}");
    }

    #[test]
    fn the_widest_and_the_empty_range_do_not_overflow() {
        let draw = Draw { seed: 1, index: 1 };
        assert_ne!(
            random_int(draw, 1, i64::MIN, i64::MAX),
            random_int(draw, 2, i64::MIN, i64::MAX)
        );
        assert_eq!(random_int(draw, 1, 5, 5), 5);
        assert_eq!(
            random_int(draw, 1, 5, 4),
            5,
            "an empty range is its lower end"
        );
    }

    #[test]
    fn weights_hold_in_the_long_run() {
        let weights = Weights::new([1, 0, 3]);
        let mut seen = [0u32; 3];
        (0..8000).for_each(|index| seen[weights.choose(Draw { seed: 9, index })] += 1);
        assert_eq!(seen[1], 0);
        assert!((1800..2200).contains(&seen[0]), "{seen:?}");
        assert_eq!(Weights::new([0, 0]).choose(Draw { seed: 9, index: 1 }), 0);
    }

    #[test]
    fn workloads_and_arrivals_draw_differently() {
        assert_ne!(seed_of(1, 0), seed_of(1, 1));
        let draws: std::collections::BTreeSet<u64> = (0..1000)
            .map(|index| Draw { seed: 3, index }.bits(1))
            .collect();
        assert_eq!(draws.len(), 1000);
    }
}
