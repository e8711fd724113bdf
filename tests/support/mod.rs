//! What the tests that run the real executable share: runs, their results, and the proof that nothing is left.
#![allow(dead_code, reason = "every test target uses a part of it")]
#![allow(missing_docs, reason = "its names say it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what a test cannot do fails the test"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub mod dashboard;
pub mod plain_http;
pub mod running;
pub mod tiny;

/// Tests that look for what was left must not see what another one is using.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A place of its own for one test: journals, results, scenario files.
pub struct Place {
    folder: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// What a run of lbtest left behind for the test to look at.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// `run.json`, where there is one.
    pub result: Option<Value>,
}

impl Place {
    pub fn new() -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            folder: tempfile::tempdir().unwrap(),
            _alone: alone,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn out(&self) -> PathBuf {
        self.path("out")
    }

    pub fn journals(&self) -> Vec<PathBuf> {
        let folder = self.path("state/lbtest");
        let Ok(files) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        files.map(|f| f.unwrap().path()).collect()
    }

    /// The executable, with this place's state folder.
    pub fn lbtest(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lbtest"));
        command
            .args(args)
            .env("XDG_STATE_HOME", self.path("state"))
            .stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn spawn_run(&self, scenario: &Path, more: &[&str]) -> Child {
        let out = self.out();
        let mut args = vec![
            "run",
            scenario.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ];
        args.extend(more);
        self.lbtest(&args).spawn().unwrap()
    }

    pub fn run(&self, scenario: &Path, more: &[&str]) -> Ran {
        self.ended(self.spawn_run(scenario, more))
    }

    /// Any command, to its end.
    pub fn does(&self, args: &[&str]) -> Ran {
        self.ended(self.lbtest(args).spawn().unwrap())
    }

    pub fn ended(&self, child: Child) -> Ran {
        let Output {
            status,
            stdout,
            stderr,
        } = child.wait_with_output().unwrap();
        let result = std::fs::read_to_string(self.out().join("run.json")).ok();
        let ran = Ran {
            code: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
            result: result.map(|text| serde_json::from_str(&text).unwrap()),
        };
        // Shown by the test runner where the test fails.
        println!("exit code {:?}\n{}\n{}", ran.code, ran.stderr, ran.stdout);
        ran
    }
}

impl Drop for Place {
    /// What a test left that failed must not fail the next one.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.lbtest(&["clean"]).status();
        }
    }
}

impl Ran {
    pub fn json(&self) -> &Value {
        self.result.as_ref().expect("run.json was written")
    }

    pub fn load(&self, name: &str) -> &Value {
        find(&self.json()["loads"], |l| l["name"] == name)
    }

    pub fn impact(&self, fault: &str, edge: &str, load: &str) -> &Value {
        find(&self.json()["impacts"], |i| {
            i["fault"] == fault && i["edge"] == edge && i["load"] == load
        })
    }

    pub fn outages(&self, load: &str) -> Vec<&Value> {
        let outages = self.json()["outages"].as_array().unwrap();
        outages.iter().filter(|o| o["load"] == load).collect()
    }

    /// Every scheduled arrival is accounted for, once.
    pub fn assert_accounted(&self) {
        for load in self.json()["loads"].as_array().unwrap() {
            let n = |key: &str| load[key].as_u64().unwrap();
            assert_eq!(
                n("requests"),
                n("ok") + n("failed") + n("unknown") + n("dropped"),
                "{load}"
            );
            assert_eq!(n("lost"), 0, "{load}");
            assert!(n("requests") > 0, "{load}");
        }
    }
}

fn find(list: &Value, wanted: impl Fn(&Value) -> bool) -> &Value {
    let found = list.as_array().unwrap().iter().find(|v| wanted(v));
    found.unwrap_or_else(|| panic!("not in {list:#}"))
}

pub fn ms(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("no number: {value}"))
}

/// Waits for a condition, never for a guess.
/// A starved machine makes a verdict inconclusive, whatever the gates say: exit code 4, and never the other one.
pub fn code_unless_starved(result: &Value, otherwise: i32) -> i32 {
    let reasons = result["verdict_reasons"].to_string();
    let starved = result["verdict"] == "inconclusive"
        && ["the machine was overloaded", "lbtest was the bottleneck"]
            .iter()
            .any(|why| reasons.contains(why));
    if starved { 4 } else { otherwise }
}

pub fn until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Processes of the executable under test.
pub fn lbtest_processes() -> Vec<(u32, String)> {
    let exe = std::fs::canonicalize(env!("CARGO_BIN_EXE_lbtest")).unwrap();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        // What runs in containers shows the same path in another root.
        if std::fs::read_link(entry.path().join("exe")).ok().as_deref() == Some(&exe) {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push((pid, String::from_utf8_lossy(&line).replace('\0', " ")));
        }
    }
    found
}

/// Names of the containers, networks and volumes that carry lbtest's label.
pub fn left_in_docker() -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let docker = lbtest::engine::docker::Docker::connect().await;
        let docker = docker.expect("these tests need a Docker engine: see `lbtest doctor`");
        let left = docker
            .leftovers(&lbtest::engine::docker::Scope::Everything)
            .await
            .unwrap();
        left.containers
            .into_iter()
            .chain(left.networks)
            .chain(left.volumes)
            .collect()
    })
}

/// No container, network, volume, process or journal is left.
pub fn assert_nothing_left(place: &Place) {
    assert_eq!(left_in_docker(), Vec::<String>::new(), "left in the engine");
    assert_eq!(lbtest_processes(), Vec::new(), "left processes");
    assert_eq!(place.journals(), Vec::<PathBuf>::new(), "left journals");
}

/// Service and state of each container of a project, sorted.
pub fn containers_of(project: &str) -> Vec<(String, String)> {
    let label = format!("com.docker.compose.project={project}");
    let listed = in_docker(&["label", &label]);
    let of = |c: &bollard::models::ContainerSummary| {
        let service = c
            .labels
            .as_ref()?
            .get("com.docker.compose.service")?
            .clone();
        Some((service, c.state.as_ref()?.to_string()))
    };
    let mut found: Vec<_> = listed.iter().filter_map(of).collect();
    found.sort();
    found
}

/// Containers whose command holds a text: those of a build are found by what they run.
pub fn builds_with(mark: &str) -> Vec<String> {
    let listed = in_docker(&[]);
    let commands = listed.into_iter().filter_map(|c| c.command);
    commands.filter(|line| line.contains(mark)).collect()
}

fn in_docker(filter: &[&str]) -> Vec<bollard::models::ContainerSummary> {
    let filters = match filter {
        [key, value] => [((*key).to_owned(), vec![(*value).to_owned()])].into(),
        _ => std::collections::HashMap::new(),
    };
    let options = bollard::query_parameters::ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let docker = bollard::Docker::connect_with_defaults().unwrap();
        let docker = docker.negotiate_version().await.unwrap();
        docker.list_containers(Some(options)).await.unwrap()
    })
}
