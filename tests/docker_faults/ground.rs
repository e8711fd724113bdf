//! The topology, the runs on it, and what it looked like before and after.

use crate::support::tiny::free_port;
use crate::support::{Place, Ran, lbtest_processes, left_in_docker, until};
use lbtest::engine::docker::Docker;
use lbtest::engine::{Endpoint, Engine, Limits};
use lbtest::verdict::trust::{MAX_CPU_RATIO, MAX_LATE_P99_MS, MIN_HOST_IDLE_RATIO};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

pub const PROJECT: &str = "lbtest-t-faults";

/// All that was run, once for all tests.
pub struct Ground {
    pub network: Ran,
    /// What `lbtest plan` says of the scenario of the network.
    pub network_plan: Value,
    /// Size of the answer that a slow link has to carry.
    pub answer_bytes: f64,
    pub resources: Ran,
    pub application: Ran,
    pub order: Ran,
    pub unseen: Ran,
    pub before: Vec<Seen>,
    pub after: Vec<Seen>,
    /// Containers, networks, volumes, processes and journals, once it was taken down.
    pub left: Vec<String>,
}

/// What is seen of a container that faults may have changed.
#[derive(Debug, PartialEq)]
pub struct Seen {
    pub service: String,
    pub limits: Limits,
    pub endpoints: Vec<Endpoint>,
    /// Those that stand still, and those that are not its own.
    pub odd_processes: Vec<String>,
    /// Files in the folder that was filled.
    pub files: Option<String>,
}

pub static GROUND: LazyLock<Ground> = LazyLock::new(run_all);

fn run_all() -> Ground {
    let place = Place::new();
    let ports = Ports::free();
    let compose = ports.file(&place, "compose.yaml", include_str!("compose.yaml"));
    let up = place.does(&["up", compose.to_str().unwrap()]);
    assert_eq!(up.code, Some(0));
    let answer_bytes = ports.size_of_the_large_answer();
    let before = looked();
    let run = |name: &str, text: &str| {
        let scenario = ports.file(&place, &format!("{name}.toml"), text);
        steady(&place, name, &scenario)
    };
    let network = run("network", include_str!("network.toml"));
    let scenario = place.path("network.toml");
    let plan = place.does(&["plan", scenario.to_str().unwrap(), "--format", "json"]);
    let resources = run("resources", include_str!("resources.toml"));
    let application = run("application", include_str!("application.toml"));
    let order = run("order", include_str!("order.toml"));
    let unseen = run("unseen", include_str!("unseen.toml"));
    let after = looked();
    assert_eq!(place.does(&["down", "-p", PROJECT]).code, Some(0));
    Ground {
        left: left(&place),
        network,
        network_plan: serde_json::from_str(&plan.stdout).unwrap(),
        answer_bytes,
        resources,
        application,
        order,
        unseen,
        before,
        after,
    }
}

/// As `assert_nothing_left` looks, kept for a test of its own: what is wrong with it says nothing of the faults.
fn left(place: &Place) -> Vec<String> {
    let processes = lbtest_processes().into_iter().map(|(_, line)| line);
    let journals = place.journals().into_iter();
    let journals = journals.map(|path| path.display().to_string());
    let docker = left_in_docker().into_iter();
    docker.chain(processes).chain(journals).collect()
}

/// Runs a scenario, again where the machine was starved.
fn steady(place: &Place, name: &str, scenario: &std::path::Path) -> Ran {
    let out = place.path(name);
    let args = [
        "run",
        scenario.to_str().unwrap(),
        "--attach",
        PROJECT,
        "--out",
        out.to_str().unwrap(),
    ];
    for attempt in 1.. {
        let mut ran = place.does(&args);
        let result = std::fs::read_to_string(out.join("run.json"));
        ran.result = result.ok().map(|text| serde_json::from_str(&text).unwrap());
        if ran.code != Some(4) || attempt == 3 || !is_starved(&ran) {
            return ran;
        }
        println!("attempt {attempt} is repeated: the machine was starved");
    }
    unreachable!("the third attempt is the last")
}

fn is_starved(ran: &Ran) -> bool {
    let health = &ran.json()["generator"];
    let is = |key: &str, starved: &dyn Fn(f64) -> bool| health[key].as_f64().is_some_and(starved);
    is("late_p99_ms", &|ms| ms > MAX_LATE_P99_MS)
        || is("cpu_ratio", &|ratio| ratio > MAX_CPU_RATIO)
        || is("host_idle_ratio", &|ratio| ratio < MIN_HOST_IDLE_RATIO)
}

/// The published ports, by the names that the files have for them.
struct Ports(Vec<(&'static str, u16)>);

impl Ports {
    fn free() -> Self {
        let names = ["@DB", "@REPLICA", "@APP1", "@APP2", "@APP3", "@WEB"];
        Self(names.map(|name| (name, free_port())).to_vec())
    }

    fn file(&self, place: &Place, name: &str, text: &str) -> PathBuf {
        let text = text.replace("@ROOT", env!("CARGO_MANIFEST_DIR"));
        let fill = |text: String, (name, port): &(&str, u16)| text.replace(name, &port.to_string());
        place.file(name, &self.0.iter().fold(text, fill))
    }

    fn size_of_the_large_answer(&self) -> f64 {
        let (_, port) = self.0.iter().find(|(name, _)| *name == "@APP2").unwrap();
        let mut body = String::new();
        until("app2 answers", Duration::from_secs(10), || {
            body = ask(*port, "/user/search").unwrap_or_default();
            !body.is_empty()
        });
        #[expect(clippy::cast_precision_loss, reason = "some 64 000")]
        let size = body.len() as f64;
        size
    }
}

/// The body of an answer.
fn ask(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    Ok(body.unwrap_or_default().to_owned())
}

fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}

/// Each container of the project, by its service's name.
fn looked() -> Vec<Seen> {
    in_runtime(async {
        let docker = Docker::connect().await.expect("a Docker engine");
        let mut all = Vec::new();
        for container in docker.containers(PROJECT).await.unwrap() {
            let id = &container.id;
            let list = ["ls", "-A", "/space"].map(str::to_owned);
            let mut endpoints = docker.endpoints(id).await.unwrap();
            // Given out by the engine, anew with each connection, unless a fixed one was asked for.
            endpoints.iter_mut().for_each(|e| e.addresses.clear());
            let files = docker.exec(id, &list, Duration::from_secs(10)).await;
            all.push(Seen {
                service: container.service.clone(),
                limits: docker.limits(id).await.unwrap(),
                endpoints,
                odd_processes: odd_processes(id),
                files: files.ok().filter(|ls| ls.code == 0).map(|ls| ls.output),
            });
        }
        all.sort_by(|a, b| a.service.cmp(&b.service));
        all
    })
}

/// As the kernel shows them, where engine and test share one.
fn odd_processes(container: &str) -> Vec<String> {
    let read = |pid: &str, file: &str| {
        let text = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        String::from_utf8_lossy(&text).replace('\0', " ")
    };
    let mut odd = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        if !read(&pid, "cgroup").contains(container) {
            continue;
        }
        let (status, line) = (read(&pid, "status"), read(&pid, "cmdline"));
        if status.contains("State:\tT") || line.contains("sidecar") {
            odd.push(line);
        }
    }
    odd
}

#[test]
fn what_was_attached_to_is_as_it_was_before() {
    let Ground { before, after, .. } = &*GROUND;
    assert_eq!(before.len(), 7);
    assert_eq!(before, after);
    assert!(before.iter().all(|seen| seen.odd_processes.is_empty()));
}

#[test]
fn nothing_is_left() {
    assert_eq!(GROUND.left, Vec::<String>::new());
}

#[test]
fn every_arrival_of_every_run_is_accounted_for() {
    let Ground {
        network,
        resources,
        application,
        order,
        unseen,
        ..
    } = &*GROUND;
    for ran in [network, resources, application, order, unseen] {
        ran.assert_accounted();
        assert_eq!(ran.json()["end"]["reason"], "completed");
    }
}
