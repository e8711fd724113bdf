//! A strict reader of the OpenMetrics text format, as far as lbtest writes it. What it does not know is a mistake.
//! Source: <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>.

use std::collections::{BTreeMap, BTreeSet};

pub type Labels = BTreeMap<String, String>;

/// Everything that was exposed.
#[derive(Debug, Default)]
pub struct Exposed {
    /// Type by family.
    pub families: BTreeMap<String, String>,
    /// By sample name and labels.
    pub samples: BTreeMap<(String, Labels), f64>,
}

/// Suffixes of the samples of a type.
fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "counter" => &["_total"],
        "gauge" => &[""],
        "info" => &["_info"],
        "histogram" => &["_bucket", "_sum", "_count"],
        other => panic!("type {other}"),
    }
}

impl Exposed {
    pub fn read(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
        let mut exposed = Self::default();
        let (mut family, mut helped) = (String::new(), String::new());
        for line in body.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                helped = help.split_once(' ').unwrap().0.to_owned();
            } else if let Some(typed) = line.strip_prefix("# TYPE ") {
                let (name, kind) = typed.split_once(' ').unwrap();
                assert_eq!(name, helped, "help and type belong together");
                suffixes(kind);
                let before = exposed.families.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "{name} is declared twice");
                family = name.to_owned();
            } else if let Some(unit) = line.strip_prefix("# UNIT ") {
                let (name, unit) = unit.split_once(' ').unwrap();
                assert!(
                    name == family && name.ends_with(&format!("_{unit}")),
                    "{line}"
                );
            } else {
                exposed.sample(line, &family);
            }
        }
        exposed.histograms();
        exposed
    }

    fn sample(&mut self, line: &str, family: &str) {
        let (name, labels, value) = parts(line);
        let kind = &self.families[family];
        let suffix = name
            .strip_prefix(family)
            .expect("it stands under its family");
        assert!(suffixes(kind).contains(&suffix), "{line} under {family}");
        let value: f64 = value.parse().unwrap();
        assert!(value >= 0.0, "{line}");
        let before = self.samples.insert((name, labels), value);
        assert_eq!(before, None, "twice: {line}");
    }

    fn histograms(&self) {
        for (name, _) in self
            .families
            .iter()
            .filter(|(_, kind)| *kind == "histogram")
        {
            let mut buckets: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
            for (labels, n) in self.all(&format!("{name}_bucket")) {
                let mut labels = labels.clone();
                let le = labels.remove("le").unwrap();
                buckets
                    .entry(labels)
                    .or_default()
                    .push((le.parse().unwrap(), n));
            }
            for (labels, mut buckets) in buckets {
                buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(buckets.windows(2).all(|w| w[0].1 <= w[1].1), "{buckets:?}");
                let (last, n) = *buckets.last().unwrap();
                assert!(last.is_infinite());
                let count = (format!("{name}_count"), labels.clone());
                assert_eq!(self.samples[&count], n);
                assert!(self.samples.contains_key(&(format!("{name}_sum"), labels)));
            }
        }
    }

    /// All samples of this name.
    pub fn all(&self, name: &str) -> Vec<(&Labels, f64)> {
        let of = self.samples.iter().filter(|((n, _), _)| n == name);
        of.map(|((_, labels), value)| (labels, *value)).collect()
    }

    /// The one sample that has these labels, and no others.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Labels = labels
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        *self
            .samples
            .get(&(name.to_owned(), labels.clone()))
            .unwrap_or_else(|| panic!("no {name} {labels:?}"))
    }

    pub fn names(&self) -> BTreeSet<&str> {
        self.samples.keys().map(|(name, _)| &**name).collect()
    }

    /// No counter has fallen since.
    pub fn assert_only_rose_since(&self, earlier: &Self) {
        for ((name, labels), before) in &earlier.samples {
            let rises = ["_total", "_bucket", "_count", "_sum"]
                .iter()
                .any(|s| name.ends_with(s));
            if rises {
                let now = self.samples[&(name.clone(), labels.clone())];
                assert!(
                    now >= *before,
                    "{name} {labels:?} fell from {before} to {now}"
                );
            }
        }
    }
}

/// Name, labels and value of a line.
fn parts(line: &str) -> (String, Labels, String) {
    let end = line.find(['{', ' ']).expect("a value");
    let (name, mut rest) = line.split_at(end);
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    assert!(!name.is_empty() && name.chars().all(legal), "{line}");
    let mut labels = Labels::new();
    if let Some(mut inner) = rest.strip_prefix('{') {
        while !inner.starts_with('}') {
            let (key, quoted) = inner.split_once("=\"").expect("a quoted value");
            assert!(!key.is_empty() && key.chars().all(legal), "{line}");
            let (value, after) = unquoted(quoted);
            assert_eq!(labels.insert(key.to_owned(), value), None, "{line}");
            inner = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &inner[1..];
    }
    let value = rest.strip_prefix(' ').expect("a value");
    assert!(
        !value.contains(' '),
        "neither timestamp nor exemplar: {line}"
    );
    (name.to_owned(), labels, value.to_owned())
}

/// A label's value up to its closing quote, and what comes after that.
fn unquoted(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, c @ ('\\' | '"'))) => value.push(c),
                other => panic!("escape {other:?}"),
            },
            c => {
                assert!(!c.is_control(), "{quoted:?}");
                value.push(c);
            }
        }
    }
    panic!("no closing quote in {quoted:?}")
}
