//! A project that stays up while lbtest dies again and again, and a run that takes its project down.

use super::eyes::{Eyes, ask};
use super::series::{Deaths, GUARDED, Series};
use super::snapshot::{self, Snapshot};
use super::support::tiny::free_port;
use super::support::{Place, until};
use lbtest::fault::failpoint::DIE_AT;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// For one run of lbtest that does not die.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two requests that give the packet rules something to do.
const PULSE: Duration = Duration::from_millis(15);

/// Where a series finds things.
pub struct Addresses {
    pub project: String,
    pub port: u16,
    pub database: u16,
    /// A file that a command makes.
    pub mark: String,
    pub scenario: String,
    pub out: String,
}

pub struct Patient<'a> {
    place: &'a Place,
    number: usize,
    at: Addresses,
    compose: PathBuf,
    marks: PathBuf,
    eyes: Eyes,
    pulse: Option<Pulse>,
}

/// Requests without end.
struct Pulse {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Pulse {
    fn of(port: u16) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let _ = ask(port, "/api/data", Duration::from_millis(200));
                std::thread::sleep(PULSE);
            }
        });
        Self { ends, thread }
    }
}

fn compose(project: &str, number: usize, port: u16, database: u16) -> String {
    let build = concat!(env!("CARGO_MANIFEST_DIR"), "/compose/postgres/database");
    format!(
        r#"name: {project}
services:
  api:
    image: lbtest:self
    init: true
    command: sample-app --listen 0.0.0.0:3025 --instance api
    environment:
      READ_DSN: postgres://app:app@db:5432/app
      WRITE_DSN: postgres://app:app@db:5432/app
    tmpfs: ["/data:size=8m", "/tmp:size=1m"]
    ports: ["127.0.0.1:{port}:3025"]
    networks: {{ default: {{ aliases: [front] }}, back: {{ ipv4_address: 10.213.{number}.77 }} }}
  db:
    build: {build}
    image: lbtest/postgres-database
    init: true
    stop_signal: SIGINT
    environment: {{ ROLE: master, APP_PASSWORD: app, REPLICATION_PASSWORD: replicator }}
    ports: ["127.0.0.1:{database}:5432"]
  idle:
    image: debian:bookworm-slim
    init: true
    command: ["sleep", "100000"]
  asleep:
    image: debian:bookworm-slim
    init: true
    command: ["sleep", "100000"]
  deaf:
    image: debian:bookworm-slim
    command: ["sleep", "100000"]
networks:
  back:
    ipam: {{ config: [{{ subnet: 10.213.{number}.0/24 }}] }}
"#
    )
}

fn scenario(port: u16) -> String {
    format!(
        r#"name = "dies"

[run]
warmup = "100ms"
duration = "3s"
observe = true

[[load]]
name = "web"
rate = 50
http = {{ url = "http://127.0.0.1:{port}/api/status", timeout = "500ms" }}

[[fault]]
name = "one after the other"
heal_after = "100ms"
rolling = {{}}
pause = {{ target = ["idle", "deaf"] }}

[[fault]]
name = "slow"
heal_after = "100ms"
delay = {{ target = "api", time = "5ms" }}

[[fault]]
name = "all"
at = "200ms"
sequence = ["one after the other", "slow"]
"#
    )
}

impl<'a> Patient<'a> {
    pub fn up(place: &'a Place, number: usize) -> Self {
        let project = format!("lbtest-t-dies-{number}");
        let (port, database) = (free_port(), free_port());
        let marks = place.path(&format!("marks-{number}"));
        std::fs::create_dir(&marks).unwrap();
        let scenario = place.file(&format!("dies-{number}.toml"), &scenario(port));
        let compose = compose(&project, number, port, database);
        let compose = place.file(&format!("compose-{number}.yaml"), &compose);
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let at = Addresses {
            mark: text(&marks.join("mark")),
            scenario: text(&scenario),
            out: text(&place.path(&format!("out-{number}"))),
            project: project.clone(),
            port,
            database,
        };
        let eyes = Eyes::new(&project, port, database);
        let mut patient = Self {
            place,
            number,
            at,
            compose,
            marks,
            eyes,
            pulse: None,
        };
        let up = ["up", patient.compose.to_str().unwrap()].map(str::to_owned);
        let (child, said) = patient.lbtest(&up, None);
        assert!(ended(child).success(), "{}", read(&said));
        patient.eyes.stop("asleep");
        until("the application answers", PATIENCE, || {
            patient.eyes.application().matches("200 OK").count() == 2
        });
        patient.pulse = Some(Pulse::of(port));
        patient
    }

    pub fn down(mut self) {
        if let Some(Pulse { ends, thread }) = self.pulse.take() {
            ends.store(true, Ordering::Relaxed);
            thread.join().unwrap();
        }
        let down = ["down", self.compose.to_str().unwrap()].map(str::to_owned);
        let (child, said) = self.lbtest(&down, None);
        assert!(ended(child).success(), "{}", read(&said));
    }

    fn lbtest(&self, line: &[String], dies_at: Option<usize>) -> (Child, PathBuf) {
        lbtest(self.place, self.number, line, dies_at)
    }

    /// Dies at each step until there is none.
    pub fn dies_at_every_step_of(&self, series: &Series) -> Deaths {
        let mut deaths = Deaths::default();
        let before = self.look();
        let began = Instant::now();
        loop {
            let line = (series.line)(&self.at);
            let (child, said) = self.lbtest(&line, Some(deaths.count));
            let status = ended(child);
            let died = Instant::now();
            if status.signal() != Some(9) {
                let code = status.code();
                if !matches!(code, Some(0 | 4)) || self.leaks(&before).is_some() {
                    let leak = self.leaks(&before);
                    deaths.leaks.push(format!(
                        "{} alive: {code:?} {leak:?} {}",
                        series.name,
                        read(&said)
                    ));
                }
                break;
            }
            while !processes_of(self.place, self.number).is_empty() && died.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(20));
            }
            if died.elapsed() > GUARDED {
                let step = deaths.count;
                deaths
                    .leaks
                    .push(format!("{} at {step}: {:?}", series.name, died.elapsed()));
            }
            deaths.longest = deaths.longest.max(died.elapsed());
            if let Some(leak) = self.leaks(&before) {
                let step = deaths.count;
                deaths
                    .leaks
                    .push(format!("{} at {step}: {leak} {}", series.name, read(&said)));
                break;
            }
            deaths.count += 1;
        }
        println!(
            "{}: {} deaths, mended after {:?} at most, in {:?} {:?}",
            series.name,
            deaths.count,
            deaths.longest,
            began.elapsed(),
            deaths.leaks
        );
        if deaths.leaks.is_empty() {
            assert!(
                deaths.count >= series.steps,
                "{}: {} steps",
                series.name,
                deaths.count
            );
        }
        deaths
    }

    fn look(&self) -> Snapshot {
        let mut seen = snapshot::take(&self.eyes, &self.marks);
        let journals: Vec<_> = journals_of(self.place, self.number);
        seen.insert("journals".to_owned(), format!("{journals:?}"));
        seen
    }

    /// What is otherwise than before.
    fn leaks(&self, before: &Snapshot) -> Option<String> {
        let mut now = self.look();
        let deadline = Instant::now() + Duration::from_millis(1500);
        // A container that was started again is up before what it runs listens.
        while now != *before
            && now["application"] != before["application"]
            && Instant::now() < deadline
        {
            now = self.look();
        }
        let keys: std::collections::BTreeSet<_> = before.keys().chain(now.keys()).collect();
        let other = keys.into_iter().filter(|k| before.get(*k) != now.get(*k));
        let said: Vec<_> = other
            .map(|k| format!("{k}: {:?} was {:?}", now.get(k), before.get(k)))
            .collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}

/// lbtest in the surroundings of one worker, by which its processes are known.
pub fn lbtest(
    place: &Place,
    number: usize,
    line: &[String],
    dies_at: Option<usize>,
) -> (Child, PathBuf) {
    let words: Vec<_> = line.iter().map(String::as_str).collect();
    let said = place.path(&format!("said-{number}"));
    let file = std::fs::File::create(&said).unwrap();
    let mut command: Command = place.lbtest(&words);
    command.env("XDG_STATE_HOME", state_of(place, number));
    command.stdout(file.try_clone().unwrap()).stderr(file);
    if let Some(step) = dies_at {
        command.env(DIE_AT, step.to_string());
    }
    (command.spawn().unwrap(), said)
}

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn state_of(place: &Place, number: usize) -> PathBuf {
    place.path(&format!("state-{number}"))
}

pub fn journals_of(place: &Place, number: usize) -> Vec<PathBuf> {
    let files = std::fs::read_dir(state_of(place, number).join("lbtest"));
    files.map_or_else(
        |_| Vec::new(),
        |all| all.flatten().map(|f| f.path()).collect(),
    )
}

pub fn ended(mut child: Child) -> std::process::ExitStatus {
    let mut status = None;
    until("lbtest ends", PATIENCE, || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

/// All that descends from an lbtest of this worker: guardian, leash, commands. They inherit its environment.
pub fn processes_of(place: &Place, number: usize) -> Vec<String> {
    let mark = format!("XDG_STATE_HOME={}", state_of(place, number).display());
    let lives = |entry: std::fs::DirEntry| {
        let environ = std::fs::read(entry.path().join("environ")).ok()?;
        let mine = environ.split(|b| *b == 0).any(|v| v == mark.as_bytes());
        mine.then(|| entry.file_name().to_string_lossy().into_owned())
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(lives).collect()
}
