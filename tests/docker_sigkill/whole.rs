//! A run that brings its project up, breaks it and takes it down.

use super::eyes::Eyes;
use super::patient::{ended, journals_of, lbtest, processes_of, read};
use super::series::GUARDED;
use super::support::tiny::free_port;
use super::support::{Place, until};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A run that brings its project up and takes it down.
pub struct Whole<'a> {
    place: &'a Place,
    number: usize,
    eyes: Eyes,
    line: [String; 4],
}

impl<'a> Whole<'a> {
    pub fn new(place: &'a Place, number: usize) -> Self {
        let project = format!("lbtest-t-whole-{number}");
        let port = free_port();
        let folder = place.path(&format!("whole-{number}"));
        std::fs::create_dir(&folder).unwrap();
        let compose = whole_compose(&project, port);
        std::fs::write(folder.join("compose.yaml"), compose).unwrap();
        std::fs::write(folder.join("whole.toml"), whole_scenario(port)).unwrap();
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let line = [
            "run".to_owned(),
            text(folder.join("whole.toml")),
            "--out".to_owned(),
            text(folder.join("out")),
        ];
        Self {
            place,
            number,
            eyes: Eyes::new(&project, port, 1),
            line,
        }
    }

    /// How long until nothing was left; none where it did not die.
    pub fn dies_at(&self, step: usize) -> Option<Duration> {
        let (child, said) = lbtest(self.place, self.number, &self.line, Some(step));
        let status = ended(child);
        let died = Instant::now();
        if status.signal() != Some(9) {
            assert!(
                matches!(status.code(), Some(0 | 4)),
                "{status:?} {}",
                read(&said)
            );
            return None;
        }
        until("the guardian is done", GUARDED, || {
            processes_of(self.place, self.number).is_empty()
        });
        let left: Vec<_> = self.eyes.containers().into_iter().map(|c| c.name).collect();
        assert_eq!(left, Vec::<String>::new(), "step {step}: {}", read(&said));
        assert_eq!(
            journals_of(self.place, self.number),
            Vec::<PathBuf>::new(),
            "step {step}"
        );
        Some(died.elapsed())
    }
}

fn whole_compose(project: &str, port: u16) -> String {
    format!(
        r#"name: {project}
services:
  api:
    image: lbtest:self
    init: true
    command: sample-app --listen 0.0.0.0:3025 --instance api
    environment: {{ READ_DSN: "postgres://app@127.0.0.1:1/app", WRITE_DSN: "postgres://app@127.0.0.1:1/app" }}
    ports: ["127.0.0.1:{port}:3025"]
"#
    )
}

fn whole_scenario(port: u16) -> String {
    format!(
        r#"name = "whole"
topology = "compose.yaml"

[run]
warmup = "100ms"
duration = "1s"
observe = true

[[load]]
name = "web"
rate = 50
http = {{ url = "http://127.0.0.1:{port}/api/status", timeout = "500ms" }}

[[fault]]
name = "frozen"
at = "150ms"
heal_after = "150ms"
pause = {{ target = "api" }}

[[fault]]
name = "slow"
at = "400ms"
heal_after = "300ms"
delay = {{ target = "api", time = "5ms" }}
"#
    )
}
