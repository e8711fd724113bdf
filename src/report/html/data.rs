//! What the script needs of the plots: moments and numbers, and not one word from outside.

use super::plot::Plot;
use super::thin::short;
use serde::Serialize;

/// Moments of a series.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Times {
    /// Intervals of one length, from zero on.
    Regular {
        /// Length of an interval, milliseconds.
        step: f64,
        /// How many.
        n: usize,
    },
    /// Moments, milliseconds, ascending.
    Listed(Vec<f64>),
}

impl Times {
    /// Intervals of one length, from zero on.
    pub fn regular(step: f64, n: usize) -> Self {
        Self::Regular { step, n }
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Regular { n, .. } => *n,
            Self::Listed(at) => at.len(),
        }
    }

    /// The moment of a value: an interval's middle.
    pub fn at_index(&self, i: usize) -> f64 {
        match self {
            Self::Regular { step, .. } => self.begin_of(i) + step / 2.0,
            Self::Listed(at) => at.get(i).copied().unwrap_or(0.0),
        }
    }

    /// Where an interval begins; a moment is its own begin.
    pub fn begin_of(&self, i: usize) -> f64 {
        match self {
            Self::Regular { step, .. } => step * u32::try_from(i).map_or(f64::MAX, f64::from),
            Self::Listed(at) => at.get(i).copied().unwrap_or(0.0),
        }
    }

    /// Only these of them.
    pub fn at(&self, indices: &[usize]) -> Self {
        if indices.len() == self.len() {
            return self.clone();
        }
        Self::Listed(indices.iter().map(|i| self.at_index(*i)).collect())
    }
}

/// What one plot shows.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// How its values are written.
    pub unit: &'static str,
    /// The values.
    pub values: Values,
}

/// Values of one plot.
#[derive(Debug, Clone)]
pub enum Values {
    /// Lines or areas.
    Lines(Vec<(Times, Vec<Option<f64>>)>),
    /// A heat map: columns of equal length, the upper ends of the buckets, and per column the counts.
    Heat {
        /// The columns.
        times: Times,
        /// Upper ends of the buckets, milliseconds.
        bounds_ms: Vec<f64>,
        /// Operations per column and bucket.
        counts: Vec<Vec<u64>>,
    },
}

#[derive(Serialize)]
struct Data<'a> {
    end: f64,
    width: f64,
    times: Vec<Times>,
    plots: Vec<Shown<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Lines {
        unit: &'static str,
        lines: Vec<Line<'a>>,
    },
    Heat {
        unit: &'static str,
        t: usize,
        bounds: Vec<f64>,
        counts: &'a [Vec<u64>],
    },
}

#[derive(Serialize)]
struct Line<'a> {
    t: usize,
    v: &'a [Option<f64>],
}

/// The JSON that the script reads, by the plots' numbers. It can stand in a script element: no `<`, no line separator.
pub fn embedded(plots: &[&Plot], end_ms: f64) -> Result<String, serde_json::Error> {
    let mut times = Vec::new();
    let mut number = |of: &Times| {
        let of = match of {
            Times::Listed(at) => Times::Listed(at.iter().map(|ms| ms.round()).collect()),
            Times::Regular { .. } => of.clone(),
        };
        let known = times.iter().position(|t| *t == of);
        known.unwrap_or_else(|| {
            times.push(of);
            times.len() - 1
        })
    };
    let plots = plots.iter().map(|plot| match &plot.drawn.values {
        Values::Lines(lines) => Shown::Lines {
            unit: plot.drawn.unit,
            lines: lines
                .iter()
                .map(|(t, v)| Line { t: number(t), v })
                .collect(),
        },
        Values::Heat {
            times,
            bounds_ms,
            counts,
        } => Shown::Heat {
            unit: plot.drawn.unit,
            t: number(times),
            bounds: bounds_ms.iter().copied().map(short).collect(),
            counts,
        },
    });
    let plots = plots.collect();
    let data = Data {
        end: end_ms,
        width: super::plot::WIDTH,
        times,
        plots,
    };
    serde_json::to_string(&data).map(|json| inert(&json))
}

/// JSON that no parser of HTML or of older JavaScript takes for anything else.
fn inert(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            // Outside of strings JSON has none of these.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)))
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_json_cannot_end_its_element_and_means_the_same() {
        let hostile = "</script><!--\u{2028}&\u{2029}";
        let json = serde_json::to_string(hostile).unwrap();
        let safe = inert(&json);
        assert!(
            !safe.contains(['<', '>', '&', '\u{2028}', '\u{2029}']),
            "{safe}"
        );
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), hostile);
    }

    #[test]
    fn an_interval_is_read_in_its_middle_and_a_moment_where_it_is() {
        let regular = Times::regular(1000.0, 3);
        assert_eq!((regular.at_index(1), regular.begin_of(1)), (1500.0, 1000.0));
        assert_eq!(regular.at(&[0, 1, 2]), regular);
        assert_eq!(regular.at(&[0, 2]), Times::Listed(vec![500.0, 2500.0]));
    }
}
