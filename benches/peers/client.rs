//! One run of one client: pinned, and accounted as a whole process, from its start to its end.

use crate::children::{Guard, bound, pinned};
use crate::error::BenchError;
use crate::stop::Stop;
use crate::tools::{Load, Report, Tool};
use rustix::process::Signal;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// A run may take so much longer than its load.
const SLACK: Duration = Duration::from_secs(30);

/// A client that is installed here.
pub struct Client {
    /// How it is used.
    pub tool: Box<dyn Tool>,
    /// Its executable.
    pub program: PathBuf,
    /// What it says it is.
    pub version: String,
}

/// What a run of it cost, and what it said.
#[derive(Debug, Clone)]
pub struct Ran {
    /// What it says about its load, where that can be read.
    pub report: Result<Report, String>,
    /// Processor time of the whole process, user and system.
    pub cpu: Duration,
    /// Its largest resident set.
    pub memory_kib: u64,
    /// Its exit code; none: a signal ended it.
    pub code: Option<i32>,
    /// The last of what it wrote.
    said: String,
}

impl Client {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.tool.name()
    }

    /// Runs it on some processors until it ends. `place` is for its output.
    ///
    /// # Errors
    /// Where it cannot be run, or does not come to its end.
    pub fn run(
        &self,
        load: &Load,
        cpus: &str,
        place: &Path,
        stop: Stop,
    ) -> Result<Ran, BenchError> {
        let arguments = self.tool.arguments(load).unwrap_or_default();
        let (out, err, usage) = (place.join("out"), place.join("err"), place.join("usage"));
        // GNU time accounts its child and nothing else; where it is ended itself, so is its child.
        let mut command = pinned(Path::new("/usr/bin/time"), "KILL", cpus);
        command.args(["-q", "-f", "%U %S %M", "-o"]).arg(&usage);
        let inner = bound(&self.program, "KILL");
        command
            .arg(inner.get_program())
            .args(inner.get_args())
            .args(&arguments);
        command
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?);
        command.current_dir(place);
        let within = Duration::from_secs(u64::from(load.seconds())) + SLACK;
        let status = Guard::start(&mut command, self.name(), Signal::KILL)?.wait(within, stop)?;
        let output = std::fs::read_to_string(&out).unwrap_or_default();
        let errors = std::fs::read_to_string(&err).unwrap_or_default();
        let (cpu, memory_kib) = usage_of(&std::fs::read_to_string(&usage)?)
            .ok_or_else(|| BenchError::Nothing(format!("the processor time of {}", self.name())))?;
        Ok(Ran {
            report: self.tool.read(&output).map_err(|e| e.to_string()),
            cpu,
            memory_kib,
            code: status.code(),
            said: end_of(&format!("{output}\n{errors}")),
        })
    }

    /// Runs it where nothing is wrong: it must end well, with a report and good answers in it.
    ///
    /// # Errors
    /// As `run`, and where there are none.
    pub fn run_well(
        &self,
        load: &Load,
        cpus: &str,
        place: &Path,
        stop: Stop,
    ) -> Result<(Ran, Report), BenchError> {
        let ran = self.run(load, cpus, place, stop)?;
        let client = self.name().to_owned();
        if ran.code != Some(0) {
            return Err(BenchError::Client {
                client,
                code: ran.code,
                said: ran.said,
            });
        }
        match &ran.report {
            Ok(report) if report.good > 0 => {
                let report = report.clone();
                Ok((ran, report))
            }
            Ok(_) => Err(BenchError::Nothing(client)),
            Err(why) => Err(BenchError::Unreadable {
                client,
                why: why.clone(),
                said: ran.said,
            }),
        }
    }

    /// Its command line as it is shown: no path, no port of this machine.
    pub fn shown(&self, load: &Load) -> Option<String> {
        let quoted = |word: &String| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+?&".contains(c);
            if word.chars().all(plain) {
                word.clone()
            } else {
                format!("'{word}'")
            }
        };
        let arguments = self.tool.arguments(&load.symbolic())?;
        let words: Vec<String> = arguments.iter().map(quoted).collect();
        Some(format!("{} {}", self.tool.program(), words.join(" ")))
    }
}

/// `1.20 3.40 5120`: user and system seconds, KiB. GNU time cuts to hundredths; the middle of what was cut is added.
fn usage_of(text: &str) -> Option<(Duration, u64)> {
    let mut words = text.split_whitespace();
    let mut seconds = || words.next()?.parse::<f64>().ok();
    let cpu = seconds()? + seconds()? + 0.01;
    Some((
        Duration::try_from_secs_f64(cpu).ok()?,
        words.next()?.parse().ok()?,
    ))
}

/// The last few lines.
fn end_of(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(6)..].join(" | ")
}
