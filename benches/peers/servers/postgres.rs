//! PostgreSQL with a cluster of its own and pgbench's table.

use super::{free_port, listening};
use crate::children::{Guard, bound};
use crate::error::BenchError;
use crate::programs;
use crate::stop::Stop;
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Rows of pgbench's table at its smallest scale.
pub const KEYS: u32 = 100_000;

/// A running server.
pub struct Postgres {
    _server: Guard,
    _folder: tempfile::TempDir,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl Postgres {
    /// Makes a cluster, starts it on some processors and fills it.
    ///
    /// # Errors
    /// Where it is not installed, or one of the steps fails.
    pub fn start(cpus: &str, stop: Stop) -> Result<Self, BenchError> {
        let programs = programs::postgres().ok_or(BenchError::Missing("postgresql"))?;
        let folder = tempfile::tempdir()?;
        let owner = Owner::of_the_server();
        if owner == Owner::Postgres {
            done(
                "chown",
                Command::new("chown").arg("postgres").arg(folder.path()),
            )?;
        }
        let at = folder.path();
        let data = at.join("data");
        let mut initdb = owner.command(&programs.join("initdb"), None);
        initdb
            .args([
                "-U",
                "postgres",
                "-A",
                "trust",
                "--no-sync",
                "--locale=C",
                "-E",
                "UTF8",
                "-D",
            ])
            .arg(&data);
        done("initdb", initdb.current_dir(at))?;
        let port = free_port()?;
        let mut command = owner.command(&programs.join("postgres"), Some(cpus));
        let sockets = "unix_socket_directories=";
        for setting in [
            "fsync=off",
            "listen_addresses=127.0.0.1",
            "autovacuum=off",
            sockets,
        ] {
            command.args(["-c", setting]);
        }
        command
            .args(["-p", &port.to_string(), "-D"])
            .arg(&data)
            .current_dir(at);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // QUIT is its immediate shutdown: the processes of its connections end with it.
        let mut server = Guard::start(&mut command, "postgres", Signal::QUIT)?;
        listening(&mut server, port, "postgres", stop)?;
        fill(&programs, port, at)?;
        Ok(Self {
            _server: server,
            _folder: folder,
            port,
        })
    }
}

/// It may listen before it answers, therefore a few times.
fn fill(programs: &Path, port: u16, at: &Path) -> Result<(), BenchError> {
    let mut command = bound(&programs.join("pgbench"), "KILL");
    command.args([
        "-i",
        "-q",
        "-s",
        "1",
        "-h",
        "127.0.0.1",
        "-U",
        "postgres",
        "-p",
        &port.to_string(),
        "postgres",
    ]);
    command.current_dir(at);
    let mut last = done("pgbench -i", &mut command);
    for _ in 0..50 {
        if last.is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        last = done("pgbench -i", &mut command);
    }
    last
}

/// Who runs the server, which refuses to be run by root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Caller,
    Postgres,
}

impl Owner {
    fn of_the_server() -> Self {
        if rustix::process::geteuid().is_root() {
            Self::Postgres
        } else {
            Self::Caller
        }
    }

    fn command(self, program: &Path, cpus: Option<&str>) -> Command {
        let taskset = PathBuf::from("taskset");
        let (outer, arguments) = match cpus {
            Some(cpus) => (taskset.as_path(), vec!["-c", cpus]),
            None => (program, vec![]),
        };
        let mut command = match self {
            Self::Caller => bound(outer, "QUIT"),
            Self::Postgres => {
                let mut command = Command::new("setpriv");
                command.args([
                    "--reuid=postgres",
                    "--regid=postgres",
                    "--init-groups",
                    "--pdeathsig=QUIT",
                    "--",
                ]);
                command.arg(outer);
                command
            }
        };
        command.args(arguments);
        if cpus.is_some() {
            command.arg(program);
        }
        command
    }
}

fn done(what: &'static str, command: &mut Command) -> Result<(), BenchError> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|source| BenchError::Start {
        program: what.to_owned(),
        source,
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(BenchError::Prepare { what, said })
}
