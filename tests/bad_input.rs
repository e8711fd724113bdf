//! Bad input of every kind, through the executable and through what it calls: one message with its place and help,
//! exit code 2, nothing started; and never a panic.

#![allow(
    clippy::unwrap_used,
    reason = "a test: clippy exempts only its #[test] functions by itself"
)]

use lbtest::compose::{self, LoadRequest};
use lbtest::scenario::{self, Overrides};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

#[path = "bad_input/faults.rs"]
mod faults;

const SCENARIO: &str = r#"name = "s"
topology = "compose.yaml"

[run]
duration = "10s"

[[load]]
name = "web"
rate = 5
http = { url = "http://127.0.0.1:1/{who}", vars = { who = { csv = "people.csv", column = "name" } } }

[[fault]]
name = "db stops"
at = "6s"
stop = { target = "db" }

[gate]
error_rate = "<= 1%"
"#;
const COMPOSE: &str = r#"services:
  db:
    image: "db:${TAG:-1}"
    healthcheck: { test: [CMD, ready], interval: 1s }
  app:
    image: app
    depends_on: { db: { condition: service_healthy } }
    ports: ["127.0.0.1:8080:80"]
"#;
const PEOPLE: &str = "name,age\nada,36\n";

/// A folder with the good files, one of which may be another.
fn folder(name: &str, content: impl AsRef<[u8]>) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (good, text) in [
        ("s.toml", SCENARIO),
        ("compose.yaml", COMPOSE),
        ("people.csv", PEOPLE),
    ] {
        std::fs::write(folder.path().join(good), text).unwrap();
    }
    std::fs::write(folder.path().join(name), content).unwrap();
    folder
}

/// With an engine that nobody can reach: what is wrong must be found before it is asked for anything.
fn lbtest(folder: &Path, args: &[&str]) -> Output {
    assert_cmd::Command::cargo_bin("lbtest")
        .unwrap()
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .env("XDG_STATE_HOME", folder.join("state"))
        .args(args)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every command that takes the scenario says the same, and starts nothing.
fn assert_refused(folder: &TempDir, place: &str, message: &str, help: &str) {
    for command in ["check", "plan", "run"] {
        let output = lbtest(folder.path(), &[command, "s.toml"]);
        let said = text(&output.stderr);
        let words = said.replace('│', " ");
        let words: Vec<_> = words.split_whitespace().collect();
        let words = words.join(" ");
        assert_eq!(output.status.code(), Some(2), "{command}: {said}");
        assert!(
            output.stdout.is_empty(),
            "{command}: {}",
            text(&output.stdout)
        );
        for part in [place, message, "help:", help] {
            assert!(words.contains(part), "{command}: no `{part}` in: {said}");
        }
        assert_eq!(said.matches("error:").count(), 1, "one message: {said}");
        assert!(said.contains('╭'), "an excerpt: {said}");
        assert!(!folder.path().join("reports").exists() && !folder.path().join("state").exists());
    }
}

#[test]
fn a_mistake_in_the_scenario_is_told_with_its_place_and_help() {
    let two = "[[load]]\nname = \"web\"\nrate = 1\nhttp = { url = \"http://h/\" }\n\n[[fault]]";
    for (from, to, place, message, help) in [
        (
            "rate = 5",
            "rtae = 5",
            "s.toml:9:1",
            "unknown key",
            "did you mean `rate`?",
        ),
        (
            "rate = 5",
            "rate = \"5\"",
            "s.toml:9:8",
            "rate",
            "arrivals per second",
        ),
        (
            "\"10s\"",
            "\"10 parsecs\"",
            "s.toml:5:12",
            "parsecs",
            "unit",
        ),
        (
            "compose.yaml",
            "none.yaml",
            "s.toml:2:12",
            "none.yaml",
            "looked at",
        ),
        (
            "people.csv",
            "none.csv",
            "s.toml:10:",
            "none.csv",
            "looked at",
        ),
        (
            "target = \"db\"",
            "target = \"bd\"",
            "s.toml:15:19",
            "no service `bd`",
            "did you mean `db`?",
        ),
        (
            "at = \"6s\"",
            "at = \"11s\"",
            "s.toml:14:6",
            "db stops",
            "raise `run.duration`",
        ),
        ("[[fault]]", two, "s.toml:13:8", "web", "needs its own name"),
        (
            "error_rate = \"<= 1%\"",
            "",
            "s.toml:17:1",
            "gate",
            "error_rate",
        ),
    ] {
        let changed = SCENARIO.replacen(from, to, 1);
        assert_ne!(changed, SCENARIO);
        assert_refused(&folder("s.toml", changed), place, message, help);
    }
    let nobody = SCENARIO.replacen(
        "stop = { target = \"db\" }",
        "external = {}\ngate = { p99 = \"<= 1s\" }",
        1,
    );
    assert_refused(&folder("s.toml", nobody), "s.toml:16:", "p99", "");
}

#[test]
fn a_mistake_in_the_compose_file_is_told_with_its_place_and_help() {
    for (from, to, place, message) in [
        (
            "image: app",
            "image: app\n    prots: []",
            "compose.yaml:7:5",
            "prots",
        ),
        ("image: app", "image: [app", "compose.yaml:", "YAML"),
        (
            "db:${TAG:-1}",
            "db:${TAG_THAT_NOBODY_SET:?say which}",
            "compose.yaml:3:",
            "say which",
        ),
        ("{ db: {", "{ bd: {", "compose.yaml:7:", "bd"),
        (
            "interval: 1s }",
            "interval: 1s }\n    depends_on: [app]",
            "compose.yaml:",
            "circle",
        ),
        (
            "127.0.0.1:8080:80",
            "127.0.0.1:8080:http",
            "compose.yaml:8:",
            "http",
        ),
    ] {
        let changed = COMPOSE.replacen(from, to, 1);
        assert_ne!(changed, COMPOSE);
        assert_refused(&folder("compose.yaml", changed), place, message, "");
    }
}

#[test]
fn files_that_are_no_texts_are_refused_in_words() {
    let folder = folder("binary.toml", b"name = \"\xff\xfe\"");
    let at = folder.path();
    std::fs::write(
        at.join("binary.yaml"),
        b"services:\n  a: { image: \"\xff\" }\n",
    )
    .unwrap();
    std::fs::create_dir(at.join("folder.toml")).unwrap();
    std::fs::create_dir(at.join("folder.yaml")).unwrap();
    std::fs::write(at.join("empty.toml"), "").unwrap();
    std::fs::write(at.join("empty.yaml"), "").unwrap();
    // Nested as deep as no stack is, or as wide as no screen.
    std::fs::write(at.join("deep.toml"), format!("a = {}", "[".repeat(200_000))).unwrap();
    std::fs::write(at.join("deep.yaml"), format!("a: {}", "[".repeat(200_000))).unwrap();
    std::fs::write(
        at.join("wide.toml"),
        format!("x = \"{}\"\n{SCENARIO}", "x".repeat(5_000_000)),
    )
    .unwrap();
    let mut endless = folder.path().join("endless.toml");
    std::os::unix::fs::symlink("/dev/zero", &endless).unwrap();
    endless.set_extension("yaml");
    std::os::unix::fs::symlink("/dev/zero", &endless).unwrap();
    let csv = SCENARIO.replacen("people.csv", "/dev/zero", 1);
    std::fs::write(at.join("csv.toml"), csv).unwrap();
    for (file, why) in [
        ("binary.toml", "UTF-8"),
        ("binary.yaml", "UTF-8"),
        ("folder.toml", "directory"),
        ("folder.yaml", "not a file"),
        ("empty.toml", "lacks `name`"),
        ("empty.yaml", "empty"),
        ("deep.toml", "recur"),
        ("deep.yaml", "recursion"),
        ("wide.toml", "unknown key `x`"),
        ("endless.toml", "larger than"),
        ("endless.yaml", "not a file"),
        ("csv.toml", "larger than"),
        ("/dev/null", "neither a scenario nor a compose file"),
        ("none.toml", "No such file"),
    ] {
        let output = lbtest(at, &["check", file]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{file}: {said}");
        assert!(
            said.contains(why),
            "{file}: {}",
            &said[..said.len().min(500)]
        );
        // Not the whole file, and no trace of a panic.
        assert!(
            said.len() < 5000 && !said.contains("panicked"),
            "{file}: {} bytes",
            said.len()
        );
    }
    // What is run is read in the same way, whatever it is called.
    let output = lbtest(at, &["run", "/dev/zero"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("larger than"));
}

#[test]
fn without_an_engine_the_exit_code_is_3_and_it_says_what_to_do() {
    let folder = folder("s.toml", SCENARIO);
    for args in [
        &["run", "s.toml"][..],
        &["up", "compose.yaml"],
        &["down", "compose.yaml"],
        &["doctor"],
    ] {
        let output = lbtest(folder.path(), args);
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(3), "{args:?}: {said}");
        assert!(
            said.contains("/nowhere/docker.sock"),
            "{args:?} names the socket: {said}"
        );
        assert!(
            said.contains("DOCKER_HOST"),
            "{args:?} says what to do: {said}"
        );
    }
}

/// What `lbtest check` does with a scenario.
fn check(scenario: &[u8], compose: &[u8], people: &[u8]) {
    let folder = folder("s.toml", scenario);
    std::fs::write(folder.path().join("compose.yaml"), compose).unwrap();
    std::fs::write(folder.path().join("people.csv"), people).unwrap();
    let topology = compose::load(&LoadRequest {
        files: vec![folder.path().join("compose.yaml")],
        profiles: Vec::new(),
        project: None,
        env: BTreeMap::new(),
    });
    let topology = topology
        .map(|loaded| loaded.topology)
        .map_err(|e| assert!(!e.mistakes().is_empty()));
    match scenario::read(&folder.path().join("s.toml"), &Overrides::default()) {
        Ok(scenario) => {
            let _ = lbtest::plan::resolve(&scenario, topology.as_ref().ok(), true);
        }
        Err(error) => assert!(!error.mistakes().is_empty()),
    }
}

/// A good text of which some bytes are others, missing, or twice there.
fn mutated(good: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((0..good.len(), 0..4u8, any::<u8>()), 1..6);
    changes.prop_map(move |changes| {
        let mut bytes = good.as_bytes().to_vec();
        for (at, how, byte) in changes {
            let at = at.min(bytes.len() - 1);
            match how {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at + 1),
                2 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                bytes.push(byte);
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(
        scenario in prop::collection::vec(any::<u8>(), 0..400),
        compose in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        check(&scenario, &compose, PEOPLE.as_bytes());
    }

    #[test]
    fn faults_of_every_kind_with_changed_bytes_never_make_it_panic(scenario in mutated(faults::EVERY_KIND)) {
        check(&scenario, COMPOSE.as_bytes(), PEOPLE.as_bytes());
    }

    #[test]
    fn good_files_with_changed_bytes_never_make_it_panic(
        scenario in mutated(SCENARIO), compose in mutated(COMPOSE), people in mutated(PEOPLE),
    ) {
        check(&scenario, COMPOSE.as_bytes(), &people);
        check(SCENARIO.as_bytes(), &compose, &people);
    }
}
