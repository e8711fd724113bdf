//! Workers of a stress, in a tree of files that looks like one of control groups: no engine is needed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use lbtest::sidecar::act::Act;
use lbtest::sidecar::protocol::{Done, Stress};
use lbtest::sidecar::stress::{Ground, begin_on};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const ID: &str = "0123456789abcdef0123456789abcdef";
const MEMORY: u64 = 20_000_000;

/// Folders as cgroup v1 has them: two trees that meter, and one whose folder shows that the container runs.
fn ground() -> (TempDir, Ground) {
    let root = tempfile::tempdir().expect("a folder");
    for tree in ["cpu", "memory", "freezer"] {
        let folder = root.path().join(tree).join("docker").join(ID);
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join("cgroup.procs"), "").expect("written");
    }
    let ground = Ground {
        cgroups: root.path().to_owned(),
        executable: env!("CARGO_BIN_EXE_lbtest").into(),
        // Of a disk: what is written to memory counts as written to nowhere.
        folder: env!("CARGO_TARGET_TMPDIR").into(),
    };
    (root, ground)
}

fn stress() -> Stress {
    Stress {
        container: ID.to_owned(),
        cpu: 1,
        memory: MEMORY,
        io: 1,
    }
}

fn members(root: &Path) -> Vec<u32> {
    let file = root.join("memory/docker").join(ID).join("cgroup.procs");
    let text = fs::read_to_string(file).expect("read");
    text.lines().map(|l| l.parse().expect("a pid")).collect()
}

fn live(pid: u32) -> bool {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = line.rsplit(')').next().unwrap_or_default().trim_start();
    line.contains("(lbtest)") && !state.starts_with('Z')
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn begun(ground: &Ground) -> Box<dyn Act> {
    let (mut act, done) = begin_on(ground, &stress()).await.expect("begun");
    assert!(done.from_ns > 0 && done.from_ns <= done.until_ns);
    assert_eq!(done.mechanism, "cgroup v1");
    until("all in place", async || {
        act.look().await.expect("a look").count == 3
    })
    .await;
    act
}

#[tokio::test]
async fn workers_use_up_what_they_are_told_until_they_are_mended_however_often() {
    let (root, ground) = ground();
    let mut act = begun(&ground).await;
    let seen = act.look().await.expect("a look").seen;
    assert!(
        seen.starts_with("3 workers in the target's cgroup: ")
            && seen.contains(" s of CPU, ")
            && seen.contains(" MB held, ")
            && seen.ends_with(" MB written"),
        "{seen}"
    );
    let pids = members(root.path());
    assert_eq!(pids.len(), 3);
    for ended in [3, 0] {
        let done: Done = act.mend().await.expect("mended");
        assert_eq!(done.count, ended);
        assert!(!pids.iter().any(|pid| live(*pid)));
    }
    let done = act.look().await.expect("a look");
    assert_eq!((done.count, done.seen.as_str()), (0, "no workers any more"));
}

#[tokio::test]
async fn a_worker_that_was_killed_is_said() {
    let (root, ground) = ground();
    let mut act = begun(&ground).await;
    // They are started in order: CPU, memory, I/O.
    let pid = members(root.path())[0].to_string();
    assert!(Command::new("kill").args(["-9", &pid]).status().is_ok());
    until("it is gone", async || {
        act.look().await.expect("a look").count == 2
    })
    .await;
    let seen = act.look().await.expect("a look").seen;
    assert!(seen.ends_with("; CPU worker was killed"), "{seen}");
    act.mend().await.expect("mended");
}

#[tokio::test]
async fn workers_end_with_the_target() {
    let (root, ground) = ground();
    let mut act = begun(&ground).await;
    let pids = members(root.path());
    fs::remove_dir_all(root.path().join("freezer/docker").join(ID)).expect("removed");
    until("they end", async || !pids.iter().any(|pid| live(*pid))).await;
    let done = act.look().await.expect("a look");
    assert_eq!(done.count, 0);
    assert!(done.seen.contains("the target has ended"), "{}", done.seen);
    act.mend().await.expect("mended");
}

#[tokio::test]
async fn workers_that_nobody_holds_any_more_end() {
    let (root, ground) = ground();
    drop(begun(&ground).await);
    let pids = members(root.path());
    until("they end", async || !pids.iter().any(|pid| live(*pid))).await;
}

#[tokio::test]
async fn what_cannot_begin_leaves_no_worker() {
    let (root, ground) = ground();
    // The second tree cannot be entered.
    let file = root.path().join("memory/docker").join(ID);
    fs::remove_file(file.join("cgroup.procs")).expect("removed");
    let said = begin_on(&ground, &stress()).await.err().expect("an error");
    assert!(said.starts_with("cannot put a process into "), "{said}");
    let file = root.path().join("cpu/docker").join(ID).join("cgroup.procs");
    let pid = fs::read_to_string(file).expect("read");
    let pid = pid.trim().parse().expect("a pid");
    until("it ends", async || !live(pid)).await;

    let nothing = Stress {
        cpu: 0,
        memory: 0,
        io: 0,
        ..stress()
    };
    assert!(begin_on(&ground, &nothing).await.is_err());
}

fn worker(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_lbtest"))
        .arg("sidecar-worker")
        .args(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .expect("started")
}

#[test]
fn a_worker_ends_with_its_input_before_and_after_it_began() {
    for arguments in [&["cpu"][..], &["memory", "1000000"], &["io", "/tmp"]] {
        for begins in [false, true] {
            let mut child = worker(arguments);
            let mut input = child.stdin.take().expect("an input");
            if begins {
                input.write_all(b"\n").expect("told");
            }
            drop(input);
            let deadline = Instant::now() + Duration::from_secs(20);
            while child.try_wait().expect("a child").is_none() {
                assert!(Instant::now() < deadline, "{arguments:?} goes on");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}
