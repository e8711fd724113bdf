//! `lbtest compare` as a user sees it, on stored results.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails; clippy's own exception covers #[test] functions only"
)]

use assert_cmd::Command;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn history() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kill-slave.history.ndjson")
}

fn lbtest(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("lbtest").unwrap();
    command.current_dir(folder).env("NO_COLOR", "1");
    command
}

fn outcome(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// `before` is the stored run; in `after` the reads came back a second later.
fn two_runs() -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in ["before", "after"] {
        let run = folder.path().join(name);
        std::fs::create_dir(&run).unwrap();
        let written = run.join("run.json");
        let mut command = lbtest(folder.path());
        command.arg("report").arg(history());
        command.args(["--format", "json", "--out"]).arg(&written);
        command.assert().success();
    }
    let after = folder.path().join("after/run.json");
    let mut run: Value = serde_json::from_str(&std::fs::read_to_string(&after).unwrap()).unwrap();
    let impacts = run["impacts"].as_array_mut().unwrap();
    let reads = impacts
        .iter_mut()
        .find(|i| i["load"] == "reads" && i["edge"] == "inject")
        .unwrap();
    assert_eq!(reads["time_to_recover_ms"], 3350.0);
    reads["time_to_recover_ms"] = 4350.0.into();
    std::fs::write(&after, run.to_string()).unwrap();
    folder
}

#[test]
fn what_got_worse_is_said_in_every_form() {
    let folder = two_runs();
    let compare = |format: &str| {
        let (code, out, err) =
            outcome(lbtest(folder.path()).args(["compare", "before", "after", "--format", format]));
        assert_eq!(code, 0, "{err}");
        out
    };
    let name = "time_to_recover of reads after slave 1 stops (inject)";
    let compared: Value = serde_json::from_str(&compare("json")).unwrap();
    let figures = compared["figures"].as_array().unwrap();
    let judged = |f: &&Value| f["sides"][1]["difference"]["judgement"] != "same";
    let differing: Vec<_> = figures
        .iter()
        .filter(judged)
        .filter(|f| f["metric"] != "max_latency")
        .collect();
    assert_eq!(differing.len(), 1, "{differing:?}");
    assert_eq!(differing[0]["name"], name);
    let difference = &differing[0]["sides"][1]["difference"];
    assert_eq!(
        (&difference["judgement"], &difference["by"]),
        (&"worse".into(), &1000.0.into())
    );
    // 50 ms of resolution on either side.
    assert_eq!(difference["interval"]["low"], 900.0);
    for format in ["terminal", "markdown"] {
        let shown = compare(format);
        assert!(shown.contains("1 worse, 0 better"), "{shown}");
        assert!(shown.contains("+1.000 s worse"), "{shown}");
    }
}

#[test]
fn a_history_and_a_folder_are_compared_alike_and_one_run_is_not_enough() {
    let folder = two_runs();
    let (code, out, err) = outcome(
        lbtest(folder.path())
            .arg("compare")
            .arg("before")
            .arg(history()),
    );
    assert!(code == 0 && out.contains("0 worse, 0 better"), "{out}{err}");
    assert_eq!(
        outcome(lbtest(folder.path()).args(["compare", "before"])).0,
        2
    );
    let (code, out, err) = outcome(lbtest(folder.path()).args(["compare", "before", "/dev/zero"]));
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("not a regular file"), "{err}");
}
