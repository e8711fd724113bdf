//! nginx with a configuration of its own: one worker, a small constant answer, nothing written down.

use super::{free_port, listening};
use crate::children::{Guard, pinned};
use crate::error::BenchError;
use crate::programs;
use crate::stop::Stop;
use rustix::process::Signal;
use std::process::Stdio;

/// A running nginx.
pub struct Nginx {
    _server: Guard,
    _folder: tempfile::TempDir,
    port: u16,
}

impl Nginx {
    /// Starts it on some processors.
    ///
    /// # Errors
    /// Where it is not installed or does not start.
    pub fn start(workers: u32, cpus: &str, stop: Stop) -> Result<Self, BenchError> {
        let program = programs::find("nginx").ok_or(BenchError::Missing("nginx"))?;
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, configuration(workers, port))?;
        // Its master process ends its workers, but only where it is asked to end and not killed.
        let mut command = pinned(&program, "TERM", cpus);
        command
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&file)
            .args(["-e", "stderr"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut server = Guard::start(&mut command, "nginx", Signal::TERM)?;
        listening(&mut server, port, "nginx", stop)?;
        Ok(Self {
            _server: server,
            _folder: folder,
            port,
        })
    }

    /// What is asked for.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

/// What it is told. Its folders are relative to its prefix.
fn configuration(workers: u32, port: u16) -> String {
    format!(
        r#"daemon off;
worker_processes {workers};
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    default_type text/plain;
    keepalive_requests 1000000000;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ return 200 "ok\n"; }}
    }}
}}
"#
    )
}
