//! What nobody looks after any more: lbtest and its guardian were killed together. In a project that lbtest did not
//! make, so that cleaning up means mending.

use super::eyes::Eyes;
use super::snapshot::{self, Snapshot};
use super::support::running::Running;
use super::support::tiny::free_port;
use super::support::{Place, lbtest_processes, until};
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
/// One of the network, two of limits and processes, three of containers, one of this machine.
const FAULTS: &str = r#"
[[fault]]
name = "slow"
at = "200ms"
delay = { target = "api", time = "5ms" }

[[fault]]
name = "frozen"
at = "200ms"
pause = { target = "paused" }

[[fault]]
name = "gone"
at = "200ms"
stop = { target = "stopped" }

[[fault]]
name = "less"
at = "200ms"
cpu = { target = "busy", limit = 0.5 }

[[fault]]
name = "still"
at = "200ms"
freeze_process = { target = "busy", process = "sleep*" }

[[fault]]
name = "mark"
at = "200ms"
command = { run = ["touch", "MARK"], heal = ["rm", "-f", "MARK"], confirm = ["test", "-e", "MARK"] }
"#;

/// A project of somebody else's.
pub struct Foreign<'a> {
    place: &'a Place,
    eyes: Eyes,
    marks: PathBuf,
    before: Snapshot,
}

impl<'a> Foreign<'a> {
    pub fn up(place: &'a Place) -> Self {
        // `up` of anything makes lbtest's image, which the application runs from.
        let project = "lbtest-t-foreign";
        let port = free_port();
        let marks = place.path("marks");
        std::fs::create_dir(&marks).unwrap();
        let eyes = Eyes::new(project, port, 1);
        eyes.make(
            "api",
            "lbtest:self",
            &["sample-app", "--listen", "0.0.0.0:3025"],
        );
        for service in ["paused", "stopped", "busy"] {
            eyes.make(
                service,
                "debian:bookworm-slim",
                &["sh", "-c", "sleep 100000; :"],
            );
        }
        until("the application answers", PATIENCE, || {
            eyes.application().starts_with("HTTP/1.1 200")
        });
        let before = snapshot::take(&eyes, &marks);
        Self {
            place,
            eyes,
            marks,
            before,
        }
    }

    fn scenario(&self) -> PathBuf {
        let mark = self.marks.join("mark");
        let faults = FAULTS.replace("MARK", mark.to_str().unwrap());
        let text = format!(
            "name = \"orphan\"\n[run]\nwarmup = \"100ms\"\nduration = \"60s\"\nobserve = true\n\n[[load]]\nname = \"web\"\nrate = 50\nhttp = {{ url = \"http://127.0.0.1:{}/api/status\" }}\n{faults}",
            self.eyes.port
        );
        self.place.file("orphan.toml", &text)
    }

    /// Breaks it in every way, and kills lbtest and its guardian.
    pub fn is_left_broken(&self) {
        let scenario = self.scenario();
        let out = self.place.out();
        let words = [
            "run",
            scenario.to_str().unwrap(),
            "--attach",
            &self.eyes.project,
            "--allow-faults",
            "--out",
            out.to_str().unwrap(),
        ];
        let running = Running::start(self.place, &words);
        until("six faults are on", PATIENCE, || {
            running.said().matches("fault at").count() == 6
        });
        let mine = |(pid, line): &(u32, String)| *pid != running.pid() && line.contains("orphan");
        let guardians: Vec<_> = lbtest_processes().into_iter().filter(mine).collect();
        let [(guardian, _)] = &guardians[..] else {
            panic!("one guardian: {guardians:?}")
        };
        // The guardian first: it must have no chance.
        let guardian = Pid::from_raw(i32::try_from(*guardian).unwrap()).unwrap();
        kill_process(guardian, Signal::KILL).unwrap();
        running.signal(Signal::KILL);
        let _ = running.ends_within(self.place, PATIENCE);
        let broken = snapshot::take(&self.eyes, &self.marks);
        for what in [
            "paused: state",
            "stopped: state",
            "busy: limits",
            "files of commands",
        ] {
            assert_ne!(broken[what], self.before[what], "{what}");
        }
        assert_eq!(self.place.journals().len(), 1);
    }

    /// As after a restart of the daemon.
    pub fn is_stopped(&self) {
        for service in ["api", "paused", "busy"] {
            self.eyes.stop(service);
        }
    }

    pub fn starts_again(&self) {
        for service in ["api", "paused", "busy"] {
            self.eyes.start(service);
        }
    }

    pub fn is_as_before(&self) {
        until("the application answers", PATIENCE, || {
            self.eyes.application() == self.before["application"]
        });
        assert_eq!(snapshot::take(&self.eyes, &self.marks), self.before);
    }
}

impl Drop for Foreign<'_> {
    fn drop(&mut self) {
        self.eyes.remove_all();
    }
}
