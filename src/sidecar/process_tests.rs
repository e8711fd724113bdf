use super::*;
use std::process::{Child, Command};

/// A process with an argument of its own.
struct Sleeper {
    child: Child,
    argument: String,
}

impl Sleeper {
    fn start(test: u32) -> Self {
        let argument = format!("{}.{test}", 100_000 + std::process::id());
        let child = Command::new("sleep").arg(&argument).spawn();
        let child = child.expect("sleep is there");
        Self { child, argument }
    }

    fn pattern(&self) -> ProcessMatch {
        let pattern = format!("*sleep {}", self.argument);
        // Until it has become `sleep`, it has our own command line.
        while !procfs::command_line(self.child.id()).ends_with(&self.argument) {
            std::thread::yield_now();
        }
        ProcessMatch { pattern }
    }

    fn state(&self) -> Option<char> {
        Stat::of(self.child.id()).map(|s| s.state)
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_process_stands_still_until_it_is_mended_however_often() {
    let sleeper = Sleeper::start(1);
    let (mut act, done) = freeze(sleeper.pattern()).await.expect("frozen");
    assert_eq!((done.count, sleeper.state()), (1, Some('T')));
    assert_eq!(done.seen, "1 process stopped");
    assert!(done.from_ns > 0 && done.from_ns <= done.until_ns);
    assert_eq!(act.look().await.expect("a look").count, 1);
    for _ in 0..2 {
        let done = act.mend().await.expect("mended");
        assert_eq!(done.count, 1);
        assert_ne!(sleeper.state(), Some('T'));
    }
    let done = act.look().await.expect("a look");
    assert_eq!(done.count, 0);
    assert!(done.seen.contains(" (sleep) is "), "{}", done.seen);
}

#[tokio::test]
async fn what_somebody_left_stopped_goes_on() {
    let sleeper = Sleeper::start(2);
    let (act, _) = freeze(sleeper.pattern()).await.expect("frozen");
    drop(act);
    assert_eq!(sleeper.state(), Some('T'));
    let first = mend_leftover(&sleeper.pattern()).await.expect("mended");
    assert_eq!(first.count, 1);
    assert_ne!(sleeper.state(), Some('T'));
    let again = mend_leftover(&sleeper.pattern()).await.expect("mended");
    assert_eq!(again.count, 0);
}

#[tokio::test]
async fn a_process_that_is_gone_is_said_and_mended() {
    let mut sleeper = Sleeper::start(3);
    let (mut act, _) = freeze(sleeper.pattern()).await.expect("frozen");
    sleeper.child.kill().expect("killed");
    sleeper.child.wait().expect("reaped");
    let done = act.look().await.expect("a look");
    assert_eq!(done.count, 0);
    assert!(done.seen.contains("is gone"), "{}", done.seen);
    let done = act.mend().await.expect("nothing left");
    assert!(done.seen.contains("1 gone"), "{}", done.seen);
}

#[tokio::test]
async fn a_pattern_that_matches_nothing_names_what_there_is() {
    let pattern = "no such process 17".to_owned();
    let said = freeze(ProcessMatch { pattern }).await.err();
    let said = said.expect("an error");
    assert!(
        said.contains("no process matches `no such process 17`; there are: "),
        "{said}"
    );
    let pattern = "[".to_owned();
    let said = freeze(ProcessMatch { pattern }).await.err();
    assert!(said.is_some_and(|s| s.starts_with("process pattern `[`: ")));
}

#[test]
fn the_first_process_alone_is_an_error_that_says_what_to_do() {
    let first = Process {
        pid: 1,
        name: "postgres".into(),
        started: 5,
    };
    let found = Found {
        first: Some(first),
        ..Found::default()
    };
    assert!(found.remark().contains("PID 1 (postgres) matches too"));
    let of = ProcessMatch {
        pattern: "postgres".into(),
    };
    let said = found.into_processes(&of).expect_err("nothing to stop");
    assert!(
        said.contains("only PID 1 (postgres)") && said.ends_with("use `pause`"),
        "{said}"
    );
}

#[test]
fn a_pattern_is_held_against_the_name_and_the_whole_command_line() {
    let glob = |pattern: &str| Glob::new(pattern).expect("a glob").compile_matcher();
    let command = "/usr/sbin/nginx -g daemon off;";
    assert!(matches(&glob("nginx"), "nginx", command));
    assert!(matches(&glob("*daemon*"), "nginx", command));
    assert!(!matches(&glob("daemon"), "nginx", command));
    assert!(!matches(&glob("*x*"), "", ""));
}

#[test]
fn other_sidecars_are_not_the_targets() {
    assert!(is_sidecar("/usr/local/bin/lbtest sidecar"));
    assert!(!is_sidecar("/usr/local/bin/lbtest sample-app --port 80"));
    assert!(!is_sidecar("sidecar"));
}
