//! Which module may use which. Data flows downward only; an edge that is not in this list fails here, so that it is
//! made on purpose or not at all.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot read the sources fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Module → the modules it may use.
const ALLOWED: [(&str, &[&str]); 23] = [
    // The words everyone shares.
    ("source", &[]),
    ("clock", &[]),
    ("notice", &["clock"]),
    ("control", &[]),
    // What was asked for.
    ("compose", &["source"]),
    ("plan", &["clock", "compose", "load", "scenario", "source"]),
    ("scenario", &["clock", "plan", "source"]),
    // What happens.
    ("sidecar", &[]),
    ("engine", &["compose", "notice", "sidecar"]),
    ("load", &["clock", "history", "scenario"]),
    (
        "fault",
        &[
            "clock", "engine", "history", "notice", "plan", "scenario", "sidecar",
        ],
    ),
    ("observe", &["clock", "engine", "history", "notice"]),
    (
        "run",
        &[
            "analysis", "clock", "compose", "control", "engine", "fault", "history", "load",
            "notice", "observe", "plan", "report", "scenario", "sidecar", "source",
        ],
    ),
    // What is left of it, and what it means: none of these knows of run, load, fault or engine.
    ("history", &["clock", "notice", "plan"]),
    ("analysis", &["clock", "history", "plan", "verdict"]),
    ("verdict", &["analysis", "clock", "history", "plan"]),
    ("compare", &["analysis", "history", "plan", "verdict"]),
    (
        "report",
        &["analysis", "clock", "compare", "history", "plan", "verdict"],
    ),
    // The edge.
    ("ui", &["clock", "control", "notice"]),
    (
        "telemetry",
        &["analysis", "clock", "history", "notice", "verdict"],
    ),
    ("sample_app", &[]),
    (
        "cli",
        &[
            "analysis",
            "clock",
            "compare",
            "compose",
            "control",
            "engine",
            "fault",
            "history",
            "load",
            "notice",
            "plan",
            "report",
            "run",
            "sample_app",
            "scenario",
            "sidecar",
            "source",
            "telemetry",
            "ui",
            "verdict",
        ],
    ),
    ("main", &["cli"]),
];

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Names after `crate::` (`crate::{a, b}` included), outside of comments and of test modules.
fn uses(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code: String = code
        .lines()
        .filter(|l| !l.trim_start().starts_with("//"))
        .map(|l| format!("{l}\n"))
        .collect();
    let mut found = BTreeSet::new();
    for (at, prefix) in code.match_indices("crate::") {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let mut depth = 0;
                let mut name = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    if depth == 0 && (c.is_alphanumeric() || c == '_') {
                        name.push(c);
                    } else if depth == 0 && (c == ':' || c == ',') && !name.is_empty() {
                        found.insert(std::mem::take(&mut name));
                    } else if depth == 0 && c == ':' {
                        name.clear();
                    }
                }
                found.insert(name);
            }
            None => {
                found.insert(
                    rest.chars()
                        .take_while(|c| c.is_alphanumeric() || *c == '_')
                        .collect(),
                );
            }
        }
    }
    found.remove("");
    found
}

fn module_of(path: &Path) -> String {
    let below = path.strip_prefix("src").unwrap();
    below
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_string_lossy()
        .trim_end_matches(".rs")
        .to_owned()
}

#[test]
fn no_module_uses_one_that_stands_above_it() {
    let allowed: BTreeMap<_, BTreeSet<&str>> = ALLOWED
        .iter()
        .map(|(m, uses)| (*m, uses.iter().copied().collect()))
        .collect();
    let mut files = Vec::new();
    rust_files(Path::new("src"), &mut files);
    assert!(files.len() > 30, "the sources were not found");
    let mut wrong = Vec::new();
    let tests = |f: &Path| f.iter().any(|part| part == "tests.rs" || part == "tests");
    for file in files
        .iter()
        .filter(|f| !f.ends_with("src/lib.rs") && !tests(f))
    {
        let module = module_of(file);
        let may = allowed
            .get(&*module)
            .unwrap_or_else(|| panic!("module `{module}` is not in the list"));
        let text = fs::read_to_string(file).unwrap();
        for used in uses(&text) {
            if used != module && allowed.contains_key(&*used) && !may.contains(&*used) {
                wrong.push(format!("{}: `{module}` uses `{used}`", file.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "edges that are not in the list:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn what_is_judged_never_reaches_what_happens() {
    let reach = |from: &'static str| {
        let mut seen = BTreeSet::from([from]);
        loop {
            let more: Vec<&str> = ALLOWED
                .iter()
                .filter(|(m, _)| seen.contains(m))
                // The plan counts arrivals with the load's pure schedule; that is its only way there.
                .flat_map(|(m, uses)| {
                    uses.iter()
                        .copied()
                        .filter(move |u| !(*m == "plan" && *u == "load"))
                })
                .filter(|u| !seen.contains(u))
                .collect();
            if more.is_empty() {
                return seen;
            }
            seen.extend(more);
        }
    };
    for pure in ["analysis", "verdict", "compare", "report"] {
        for above in [
            "run",
            "load",
            "engine",
            "fault",
            "observe",
            "cli",
            "ui",
            "telemetry",
        ] {
            assert!(!reach(pure).contains(above), "`{pure}` reaches `{above}`");
        }
    }
}

#[test]
fn the_reader_of_uses_sees_groups_and_paths_and_skips_comments() {
    let text = "use crate::{clock::{Clock, Offset}, plan};\n// crate::run\nfn f() { crate::load::start() }\n#[cfg(test)]\nuse crate::engine;";
    assert_eq!(
        uses(text),
        ["clock", "load", "plan"].map(String::from).into()
    );
}
