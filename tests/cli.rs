//! The command line as a user and a CI job see it: exit codes, streams, and what is said about bad input.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails; clippy's own exception covers #[test] functions only"
)]

use assert_cmd::Command;
use std::path::Path;
use tempfile::TempDir;

const GOOD: &str = r#"name = "marks"

[run]
duration = "30s"

[[load]]
name = "web"
rate = 100
http = { url = "http://127.0.0.1:1/" }

[[fault]]
name = "somebody pulls the plug"
at = "10s"
external = {}

[gate]
error_rate = "<= 1%"
"#;

fn lbtest(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("lbtest").unwrap();
    command
        .current_dir(folder)
        .env_remove("LBTEST_LOG")
        .env("NO_COLOR", "1");
    command
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Exit code, stdout, stderr.
fn outcome(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn check_says_ok_of_a_good_scenario() {
    let folder = folder(&[("s.toml", GOOD)]);
    let (code, out, err) = outcome(lbtest(folder.path()).args(["check", "s.toml"]));
    assert_eq!((code, out.as_str(), err.as_str()), (0, "s.toml: ok\n", ""));
}

#[test]
fn every_mistake_has_exit_code_2_a_place_and_help() {
    for (from, to, place, help) in [
        (
            "duration",
            "duratoin",
            "s.toml:4:1:",
            "did you mean `duration`?",
        ),
        (
            "rate = 100",
            "rate = \"fast\"",
            "s.toml:8:8:",
            "arrivals per second",
        ),
        ("\"30s\"", "\"30\"", "s.toml:4:12:", "give a unit: \"30s\""),
        (
            "\"30s\"",
            "\"soon\"",
            "s.toml:4:12:",
            "write a number and a unit",
        ),
        (
            "at = \"10s\"",
            "at = \"40s\"",
            "s.toml:13:6:",
            "raise `run.duration`",
        ),
        (
            "external = {}",
            "stop = { target = \"db\" }",
            "s.toml:14:19:",
            "external = {}",
        ),
        (
            "\"<= 1%\"",
            "\"1%\"",
            "s.toml:17:14:",
            "say how it is compared",
        ),
        (
            "error_rate = \"<= 1%\"",
            "",
            "s.toml:16:1:",
            "error_rate = \"<= 0.5%\"",
        ),
        (
            "name = \"web\"\n",
            "name = \"web\"\nusers = 3\n",
            "s.toml:9:8:",
            "keep one",
        ),
        (
            "[gate]",
            "[[load]]\nname = \"web\"\nrate = 1\nhttp = { url = \"http://h/\" }\n[gate]",
            "s.toml:17:8:",
            "needs its own name",
        ),
        ("name = \"marks\"", "name = \"marks", "s.toml:1:", "TOML"),
        (
            "name = \"marks\"",
            "name = \"marks\"\ntopology = \"none.yaml\"",
            "s.toml:2:12:",
            "looked at none.yaml",
        ),
    ] {
        let folder = folder(&[("s.toml", &GOOD.replacen(from, to, 1))]);
        for command in ["check", "plan", "run"] {
            let (code, out, err) = outcome(lbtest(folder.path()).args([command, "s.toml"]));
            assert_eq!(code, 2, "{command} with `{to}`: {err}");
            assert!(out.is_empty(), "nothing on stdout: {out}");
            assert!(
                err.contains(place),
                "{command} with `{to}` at {place}: {err}"
            );
            assert!(
                err.to_lowercase()
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ")
                    .replace("│ ", "")
                    .contains(&help.to_lowercase()),
                "`{help}` for `{to}`: {err}"
            );
        }
    }
}

#[test]
fn an_excerpt_shows_the_line() {
    let folder = folder(&[("s.toml", &GOOD.replacen("duration", "duratoin", 1))]);
    let (_, _, err) = outcome(lbtest(folder.path()).args(["check", "s.toml"]));
    insta::assert_snapshot!(err);
}

#[test]
fn all_files_are_checked_and_all_mistakes_reported() {
    let bad = GOOD.replacen("duration", "duratoin", 1);
    let folder = folder(&[
        ("a.toml", &bad),
        ("b.toml", GOOD),
        ("c.toml", &bad),
        ("d.txt", ""),
    ]);
    let (code, out, err) = outcome(lbtest(folder.path()).args([
        "check",
        "a.toml",
        "b.toml",
        "c.toml",
        "d.txt",
        "none.toml",
    ]));
    assert_eq!((code, out.as_str()), (2, "b.toml: ok\n"));
    for part in [
        "a.toml:4:1",
        "c.toml:4:1",
        "d.txt is neither",
        "none.toml:1:1: cannot read the scenario",
    ] {
        assert!(err.contains(part), "{part}: {err}");
    }
}

#[test]
fn a_mistake_in_an_option_names_the_option() {
    let folder = folder(&[("s.toml", GOOD)]);
    let (code, _, err) =
        outcome(lbtest(folder.path()).args(["plan", "s.toml", "--set", "load.wbe.rate=5"]));
    assert_eq!(code, 2);
    assert!(
        err.contains("--set:1:6: no `load` is called `wbe`") && err.contains("did you mean `web`?"),
        "{err}"
    );
}

#[test]
fn wrong_usage_has_exit_code_2_and_help_0() {
    let folder = folder(&[]);
    for args in [
        &["bogus"][..],
        &[],
        &["run"],
        &["plan", "a", "--set", "x"],
        &["run", "x", "--seed", "-1"],
    ] {
        let (code, out, err) = outcome(lbtest(folder.path()).args(args));
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}");
        assert!(!err.is_empty());
    }
    for args in [&["--help"][..], &["run", "--help"], &["--version"]] {
        let (code, out, err) = outcome(lbtest(folder.path()).args(args));
        assert_eq!((code, err.as_str()), (0, ""), "{args:?}");
        assert!(!out.is_empty());
    }
}

#[test]
fn a_plan_is_a_table_or_json_and_the_options_change_it() {
    let folder = folder(&[("s.toml", GOOD)]);
    let (code, out, _) = outcome(lbtest(folder.path()).args(["plan", "s.toml"]));
    assert_eq!(code, 0);
    insta::assert_snapshot!(out);
    let args = [
        "plan",
        "s.toml",
        "--format",
        "json",
        "--set",
        "load.web.rate=7",
        "--seed",
        "9",
        "--no-faults",
    ];
    let (code, out, _) = outcome(lbtest(folder.path()).args(args));
    let plan: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert_eq!(
        (&plan["seed"], &plan["loads"][0]["scheduled"]),
        (&9.into(), &210.into())
    );
    assert_eq!(plan["faults"], serde_json::json!([]));
}

#[test]
fn a_password_is_shown_nowhere() {
    let text = GOOD.replace(
        "http = { url = \"http://127.0.0.1:1/\" }",
        "postgres = { dsn = \"postgres://u:tops3cret@h/d\", query = \"SELECT 1\" }",
    );
    for text in [
        text.clone(),
        text.replace("query", "qeury"),
        text.replace("@h/d", "@h:x/d"),
    ] {
        let folder = folder(&[("s.toml", &text)]);
        for args in [
            &["plan", "s.toml"][..],
            &["plan", "s.toml", "--format", "json"],
            &["check", "s.toml", "-vvv"],
        ] {
            let (_, out, err) = outcome(lbtest(folder.path()).args(args));
            assert!(
                !out.contains("s3cret") && !err.contains("s3cret"),
                "{out}{err}"
            );
        }
    }
}

#[test]
fn targets_are_held_against_the_compose_file() {
    let text = GOOD
        .replace(
            "name = \"marks\"",
            "name = \"marks\"\ntopology = \"compose.yaml\"",
        )
        .replace("external = {}", "stop = { target = \"postgres-slave\" }");
    let compose = "services:\n  postgres-slave1: { image: x }\n";
    let folder = folder(&[
        ("s.toml", &text),
        ("compose.yaml", compose),
        ("bad.yaml", "services:\n  a: { imgae: x }\n b\n"),
    ]);
    let (code, out, err) = outcome(lbtest(folder.path()).args(["check", "s.toml", "compose.yaml"]));
    assert_eq!((code, out.as_str()), (2, "compose.yaml: ok\n"), "{err}");
    assert!(err.contains("s.toml:15:19: fault `somebody pulls the plug`: the topology has no service `postgres-slave`"), "{err}");
    assert!(err.contains("did you mean `postgres-slave1`?"), "{err}");
    for command in ["check", "up", "down"] {
        let (code, _, err) = outcome(lbtest(folder.path()).args([command, "bad.yaml"]));
        assert_eq!(code, 2, "{err}");
        assert!(err.contains("bad.yaml:"), "{err}");
    }
}

#[test]
fn every_shell_gets_its_completions() {
    let folder = folder(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, _) = outcome(lbtest(folder.path()).args(["completions", shell]));
        assert!(code == 0 && out.contains("no-faults"), "{shell}");
    }
}

#[test]
fn the_reference_mentions_every_key_of_the_schema() {
    let folder = folder(&[]);
    let (code, out, _) = outcome(lbtest(folder.path()).arg("schema"));
    assert_eq!(code, 0);
    let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
    let mut keys = Vec::new();
    collect_keys(&schema, &mut keys);
    assert!(keys.len() > 60, "the schema was walked: {}", keys.len());
    let reference =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scenario.md")).unwrap();
    let missing: Vec<_> = keys
        .iter()
        .filter(|k| !reference.contains(&format!("`{k}`")))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/scenario.md does not mention {missing:?}"
    );
}

fn collect_keys(schema: &serde_json::Value, keys: &mut Vec<String>) {
    match schema {
        serde_json::Value::Object(map) => {
            if let Some(properties) = map.get("properties").and_then(|p| p.as_object()) {
                keys.extend(properties.keys().cloned());
            }
            map.values().for_each(|v| collect_keys(v, keys));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|v| collect_keys(v, keys)),
        _ => {}
    }
}

#[test]
fn the_examples_of_the_reference_are_good_scenarios() {
    let reference =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scenario.md")).unwrap();
    let whole: Vec<&str> = reference
        .split("```toml\n")
        .skip(1)
        .filter_map(|b| b.split("```").next())
        .filter(|b| b.starts_with("name ="))
        .collect();
    assert!(!whole.is_empty());
    for text in whole {
        let folder = folder(&[("s.toml", text), ("users.csv", "name,age\nada,36\n")]);
        let (code, _, err) = outcome(lbtest(folder.path()).args(["plan", "s.toml", "--no-faults"]));
        assert_eq!(code, 0, "{err}");
    }
}

/// A topology and a fault of the network.
fn slow_link() -> TempDir {
    let scenario = GOOD
        .replacen(
            "name = \"marks\"",
            "name = \"marks\"\ntopology = \"compose.yaml\"",
            1,
        )
        .replace(
            "external = {}",
            "heal_after = \"5s\"\ndelay = { target = \"app\", time = \"50ms\" }",
        );
    let compose = "services:\n  app:\n    image: lbtest:self\n    command: sample-app\n";
    folder(&[("slow.toml", &scenario), ("compose.yaml", compose)])
}

#[test]
fn without_an_engine_a_plan_says_what_it_did_not_look_at_and_a_run_ends_with_3() {
    let folder = slow_link();
    let nowhere = |subcommand: &str| {
        let mut command = lbtest(folder.path());
        command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
        outcome(command.args([subcommand, "slow.toml"]))
    };
    for subcommand in ["plan", "check"] {
        let (code, _, said) = nowhere(subcommand);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("was not looked at"), "{subcommand}: {said}");
    }
    let (code, _, said) = nowhere("run");
    assert_eq!(code, 3, "{said}");
}
