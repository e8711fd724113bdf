//! `lbtest report`, `lbtest list`, and what a run tells a CI system, as a user and a job see them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails; clippy's own exception covers #[test] functions only"
)]

use assert_cmd::Command;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

fn history() -> PathBuf {
    Path::new(REPOSITORY).join("tests/fixtures/kill-slave.history.ndjson")
}

fn document(name: &str) -> String {
    std::fs::read_to_string(Path::new(REPOSITORY).join("docs").join(name)).unwrap()
}

fn lbtest(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("lbtest").unwrap();
    command
        .current_dir(folder)
        .env_remove("LBTEST_LOG")
        .env_remove("GITHUB_ACTIONS")
        .env_remove("GITHUB_STEP_SUMMARY")
        .env_remove("GITHUB_WORKSPACE")
        .env("XDG_STATE_HOME", folder)
        .env("NO_COLOR", "1");
    command
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

fn report(folder: &Path, path: &Path, format: &str) -> String {
    let (code, out, err) = outcome(
        lbtest(folder)
            .arg("report")
            .arg(path)
            .args(["--format", format]),
    );
    assert_eq!(code, 0, "{format}: {err}");
    out
}

/// A folder with the run.json of the stored history in `reports/kill-slave/<name>/`.
fn stored(names: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in names {
        let run = folder.path().join("reports/kill-slave").join(name);
        std::fs::create_dir_all(&run).unwrap();
        let out = run.join("run.json");
        lbtest(folder.path())
            .arg("report")
            .arg(history())
            .args(["--format", "json", "--out"])
            .arg(&out)
            .assert()
            .success();
    }
    folder
}

#[test]
fn every_form_is_printed_and_written_alike() {
    let folder = TempDir::new().unwrap();
    for format in [
        "terminal",
        "json",
        "markdown",
        "junit",
        "csv",
        "ndjson",
        "openmetrics",
    ] {
        let shown = report(folder.path(), &history(), format);
        assert!(shown.contains("kill-slave"), "{format}");
        let (code, out, _) = outcome(
            lbtest(folder.path())
                .arg("report")
                .arg(history())
                .args(["--format", format, "--out", "written"]),
        );
        assert_eq!((code, out.as_str()), (0, ""), "{format}");
        let written = std::fs::read_to_string(folder.path().join("written")).unwrap();
        assert_eq!(written, shown, "{format}");
    }
    let names = std::fs::read_dir(folder.path()).unwrap();
    assert_eq!(names.count(), 1, "no temporary file is left");
}

#[test]
fn what_is_no_regular_file_or_no_result_is_refused_at_once() {
    let folder = TempDir::new().unwrap();
    let sparse = folder.path().join("huge.json");
    std::fs::File::create(&sparse)
        .unwrap()
        .set_len(300 << 20)
        .unwrap();
    std::fs::write(folder.path().join("nonsense.json"), "{}").unwrap();
    for (path, words) in [
        ("/dev/zero", "not a regular file"),
        ("huge.json", "larger than 256 MiB"),
        ("nonsense.json", "not the result of a run"),
        ("none.json", "No such file"),
        (".", "No such file"),
    ] {
        let (code, out, err) = outcome(
            lbtest(folder.path())
                .timeout(std::time::Duration::from_secs(20))
                .args(["report", path]),
        );
        assert_eq!((code, out.as_str()), (2, ""), "{path}: {err}");
        assert!(err.contains(words), "{path}: {err}");
    }
}

#[test]
fn a_list_shows_runs_newest_first_crashed_ones_too_and_names_what_is_broken() {
    let folder = stored(&["first", "second"]);
    let reports = folder.path().join("reports/kill-slave");
    let second = reports.join("second/run.json");
    let later = std::fs::read_to_string(&second)
        .unwrap()
        .replace("1970-01-01T00:00:00Z", "1980-05-05T00:00:00Z");
    std::fs::write(&second, later).unwrap();
    // A run that died: its history alone, cut off in the middle of a line.
    std::fs::create_dir_all(reports.join("crashed")).unwrap();
    let whole = std::fs::read(history()).unwrap();
    std::fs::write(
        reports.join("crashed/history.ndjson"),
        &whole[..whole.len() / 2],
    )
    .unwrap();
    std::fs::create_dir_all(reports.join("broken")).unwrap();
    std::fs::write(reports.join("broken/run.json"), "{").unwrap();
    let (code, out, err) = outcome(lbtest(folder.path()).args(["list", "--format", "json"]));
    assert_eq!(code, 0, "{err}");
    let runs: Vec<Value> = serde_json::from_str(&out).unwrap();
    let paths: Vec<_> = runs
        .iter()
        .map(|r| r["path"].as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    assert_eq!(paths[0], "second");
    assert_eq!(paths[3], "broken");
    assert_eq!(
        (runs[0]["verdict"].as_str(), runs[0]["bad"].as_u64()),
        (Some("fail"), Some(37))
    );
    assert_eq!(runs[0]["slowest_recovery_ms"].as_f64(), Some(3350.0));
    let crashed = runs
        .iter()
        .find(|r| r["path"].as_str().unwrap().ends_with("crashed"))
        .unwrap();
    assert_eq!(crashed["end"], "died");
    assert!(
        runs[3]["problem"]
            .as_str()
            .unwrap()
            .contains("not the result of a run")
    );
    let (_, table, _) = outcome(lbtest(folder.path()).arg("list"));
    for words in ["3.350 s", "inconclusive (died)", "broken", "1980-05-05"] {
        assert!(table.contains(words), "{words}: {table}");
    }
    let empty = TempDir::new().unwrap();
    assert_eq!(outcome(lbtest(empty.path()).arg("list")).0, 2);
    assert_eq!(
        outcome(lbtest(empty.path()).args(["list", "."])).1,
        "no runs in .\n"
    );
}

#[test]
fn a_list_does_not_follow_links_that_go_in_circles() {
    let folder = stored(&["one"]);
    std::os::unix::fs::symlink(".", folder.path().join("reports/again")).unwrap();
    let (code, out, _) = outcome(lbtest(folder.path()).args(["list", "--format", "json"]));
    let runs: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!((code, runs.len()), (0, 1));
}

fn keys(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            into.push(key.clone());
            // What is inside of these has names of its own.
            let own_names = ["errors", "configuration"].contains(&key.as_str())
                || (key == "instances" && value.is_object());
            if !own_names {
                keys(value, into);
            }
        }),
        Value::Array(items) => items.iter().for_each(|item| keys(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_reference_of_results_names_every_field_column_and_metric() {
    let folder = TempDir::new().unwrap();
    let reference = document("results.md");
    let mut named = Vec::new();
    let result: Value = serde_json::from_str(&report(folder.path(), &history(), "json")).unwrap();
    keys(&result, &mut named);
    let csv = report(folder.path(), &history(), "csv");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    named.extend(reader.headers().unwrap().iter().map(str::to_owned));
    for record in reader.records().map(Result::unwrap) {
        named.push(record[0].to_owned());
        named.push(record[5].to_owned());
    }
    let metrics = report(folder.path(), &history(), "openmetrics");
    let types = metrics.lines().filter_map(|l| l.strip_prefix("# TYPE "));
    named.extend(types.map(|l| match l.split_once(' ').unwrap() {
        (name, "info") => format!("{name}_info"),
        (name, _) => name.to_owned(),
    }));
    named.sort();
    named.dedup();
    assert!(named.len() > 120, "{}", named.len());
    let missing: Vec<_> = named
        .iter()
        .filter(|name| !name.is_empty() && !reference.contains(&format!("`{name}`")))
        .filter(|name| !reference.contains(&format!("`{name}[]`")))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/results.md does not mention {missing:?}"
    );
}

#[test]
fn the_workflows_of_the_documentation_are_yaml_and_run_what_there_is() {
    let text = document("ci.md");
    let blocks: Vec<&str> = text
        .split("```yaml\n")
        .skip(1)
        .map(|b| b.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 2);
    for block in &blocks {
        let read: Value = serde_saphyr::from_str(block).unwrap();
        assert!(read.is_object());
    }
    let github: Value = serde_saphyr::from_str(blocks[0]).unwrap();
    let steps = github["jobs"]["failover"]["steps"].as_array().unwrap();
    assert!(
        steps.len() > 5
            && steps
                .iter()
                .all(|s| s["uses"].is_string() || s["run"].is_string())
    );
    let gitlab: Value = serde_saphyr::from_str(blocks[1]).unwrap();
    assert_eq!(
        gitlab["failover"]["artifacts"]["reports"]["junit"],
        "results/junit.xml"
    );
    for word in text
        .split_whitespace()
        .filter(|w| w.starts_with("scenarios/") && !w.contains('*'))
    {
        let name = word.trim_end_matches(['`', ',', '.']);
        assert!(Path::new(REPOSITORY).join(name).exists(), "{name}");
    }
}

/// Answers everything with 200 until the test is over.
fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|n| n > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                    if stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

fn scenario(folder: &Path, gates: &str) {
    let port = server();
    let text = format!(
        "name = \"against\"\n[run]\nduration = \"2s\"\nwarmup = \"500ms\"\n[[load]]\nname = \"web\"\nrate = 50\n\
         http = {{ url = \"http://127.0.0.1:{port}/\" }}\n[gate]\n{gates}\n"
    );
    std::fs::write(folder.join("against.toml"), text).unwrap();
}

fn result(folder: &Path, out: &str) -> Value {
    let text = std::fs::read_to_string(folder.join(out).join("run.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn repeated_measurements_are_each_compared_with_the_baseline() {
    let folder = TempDir::new().unwrap();
    scenario(folder.path(), "error_rate = \"<= 100%\"");
    let run = |args: &[&str]| {
        let mut lbtest = lbtest(folder.path());
        outcome(
            lbtest
                .args(["run", "against.toml", "--quiet", "--no-faults"])
                .args(args),
        )
    };
    run(&["--out", "first"]);
    let (_, out, err) = run(&["--out", "more", "--repeat", "2", "--baseline", "first"]);
    let compared = out.split_once("Against the baseline").expect(&err).1;
    for name in ["the baseline", "measurement 1", "measurement 2"] {
        assert!(compared.contains(name), "{out}");
    }
}

#[test]
fn a_gate_against_a_baseline_is_judged_with_one_and_inconclusive_without() {
    let folder = TempDir::new().unwrap();
    scenario(
        folder.path(),
        "error_rate = \"<= baseline + 1%\"\np50 = \"<= baseline * 0.0001\"",
    );
    let run = |args: &[&str]| {
        outcome(
            lbtest(folder.path())
                .args(["run", "against.toml", "--quiet"])
                .args(args),
        )
    };
    let (code, out, err) = run(&["--out", "first"]);
    assert_eq!(code, 4, "{err}");
    assert!(
        err.contains("without --baseline PATH it cannot be judged"),
        "{err}"
    );
    assert!(out.contains("no baseline was given"), "{out}");
    let names: Vec<_> = ["run.json", "report.md", "junit.xml", "history.ndjson"]
        .iter()
        .filter(|name| folder.path().join("first").join(name).exists())
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
    // The first run's own verdict is inconclusive for lack of a baseline, and its measurement is not in doubt.
    let (_, out, err) = run(&["--out", "second", "--baseline", "first"]);
    assert!(
        out.contains("Against the baseline") && out.contains("error_rate of web"),
        "{out}{err}"
    );
    let second = result(folder.path(), "second");
    let reasons = second["verdict_reasons"].to_string();
    assert!(!reasons.contains("no baseline"), "{reasons}");
    if !second["gates"][0]["judged"].as_bool().unwrap() {
        // A machine that is overloaded makes no baseline; that is said, too.
        assert!(reasons.contains("the baseline proves nothing"), "{reasons}");
        return;
    }
    assert_eq!(second["gates"][0]["passed"], true, "{reasons}");
    assert_eq!(second["gates"][0]["limit"], "<= baseline + 1% (1 %)");
    assert_eq!(
        second["gates"][1]["passed"], false,
        "nothing is ten thousand times as fast"
    );
    // A stored run is judged again without its baseline.
    std::fs::remove_dir_all(folder.path().join("first")).unwrap();
    let history = folder.path().join("second/history.ndjson");
    let again: Value = serde_json::from_str(&report(folder.path(), &history, "json")).unwrap();
    assert_eq!(again["gates"], second["gates"]);
    let (code, _, err) = run(&["--out", "third", "--baseline", "nowhere"]);
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("nowhere") && !folder.path().join("third").exists(),
        "{err}"
    );
}

#[test]
fn a_mistake_in_a_limit_from_a_baseline_has_its_place_and_help() {
    let folder = TempDir::new().unwrap();
    for (limit, help) in [
        ("<= baseline + 20%", "baseline * 1.2"),
        ("<= baseline * fast", "baseline + 500ms"),
        ("baseline * 2", "say how it is compared"),
    ] {
        scenario(folder.path(), &format!("p99 = \"{limit}\""));
        let (code, _, err) = outcome(lbtest(folder.path()).args(["check", "against.toml"]));
        assert_eq!(code, 2, "{limit}");
        assert!(err.contains("against.toml:10:7:"), "{err}");
        let words = err
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .replace("│ ", "");
        assert!(words.contains(help), "{help}: {err}");
    }
}

#[test]
fn in_a_job_of_github_actions_a_run_is_summarized_and_annotated() {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("tests")).unwrap();
    scenario(&folder.path().join("tests"), "p50 = \"<= 0\"");
    let summary = folder.path().join("summary.md");
    std::fs::write(&summary, "before\n").unwrap();
    let (_, out, err) = outcome(
        lbtest(&folder.path().join("tests"))
            .args(["run", "against.toml", "--quiet", "--out", "out"])
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_STEP_SUMMARY", &summary)
            .env("GITHUB_WORKSPACE", folder.path()),
    );
    let commands: Vec<_> = out
        .lines()
        .filter(|l| l.trim_start().starts_with("::"))
        .collect();
    assert!(
        commands[0].starts_with(
            "::error file=tests/against.toml,line=10,title=against%3A gate failed::p50 <= 0: "
        ),
        "{commands:?} {err}"
    );
    assert!(
        commands.iter().any(|c| c.starts_with("::notice ")),
        "{commands:?}"
    );
    let summary = std::fs::read_to_string(summary).unwrap();
    let report = std::fs::read_to_string(folder.path().join("tests/out/report.md")).unwrap();
    assert!(
        summary.starts_with("before\n## ") && summary.contains(&report),
        "{summary}"
    );
    // Elsewhere nothing of it is printed.
    let (_, out, _) = outcome(lbtest(&folder.path().join("tests")).args([
        "run",
        "against.toml",
        "--quiet",
        "--out",
        "out",
    ]));
    assert!(!out.contains("::error"), "{out}");
}

#[test]
fn in_a_job_of_github_actions_a_stored_result_issues_no_command() {
    let folder = stored(&["one"]);
    let path = folder.path().join("reports/kill-slave/one/run.json");
    let mut run: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let evil = "a ::error::owned ::error::owned ::error::owned ::error::owned ::error::owned ##[error]owned";
    run["faults"][0]["name"] = evil.into();
    run["loads"][0]["name"] = evil.into();
    run["loads"][0]["instances"][0]["name"] = evil.into();
    run["verdict_reasons"][0] = evil.into();
    run["events"][0]["what"] = evil.into();
    std::fs::write(&path, run.to_string()).unwrap();
    for format in [
        "terminal",
        "json",
        "markdown",
        "junit",
        "csv",
        "ndjson",
        "openmetrics",
    ] {
        let (code, out, err) = outcome(
            lbtest(folder.path())
                .env("GITHUB_ACTIONS", "true")
                .env("COLUMNS", "40")
                .arg("report")
                .arg(&path)
                .args(["--format", format]),
        );
        assert_eq!(code, 0, "{format}: {err}");
        assert!(out.contains("owned"), "{format}");
        assert!(
            !out.split(['\n', '\r'])
                .any(|l| l.trim_start().starts_with("::")),
            "{format}: {out}"
        );
        assert!(!out.contains("##["), "{format}: {out}");
    }
}
