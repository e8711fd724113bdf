//! Targets with known behaviour: an HTTP server, a proxy in front of PostgreSQL, PostgreSQL itself.

#![allow(dead_code, reason = "every test target uses a part of it")]

use rustix::net::sockopt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How a target fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The listener is closed, connections are cut.
    Refuse,
    /// Connections are accepted and reset (SO_LINGER 0).
    Reset,
    /// Connections are accepted, nothing is answered, not even later.
    Hang,
    /// Status 500.
    Answer500,
}

struct Shared {
    failure: Mutex<Option<Failure>>,
    open: Mutex<Vec<TcpStream>>,
    arrivals: Mutex<Vec<Instant>>,
    stall: Mutex<Option<(Instant, Duration)>>,
    stall_length: Duration,
    delay: Mutex<Duration>,
    close_after_each: AtomicBool,
    ended: AtomicBool,
}

impl Shared {
    fn failure(&self) -> Option<Failure> {
        *self.failure.lock().unwrap()
    }

    /// Waits while the server stalls.
    fn stall(&self) {
        let stall = *self.stall.lock().unwrap();
        if let Some((from, length)) = stall
            && (from..from + length).contains(&Instant::now())
        {
            std::thread::sleep((from + length).saturating_duration_since(Instant::now()));
        }
    }
}

/// Reset instead of an orderly close.
fn reset(stream: &TcpStream) {
    let _ = sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

type Serve = fn(TcpStream, &Shared, u16);

/// A listener that can be taken away and brought back on its port.
struct Target {
    port: u16,
    shared: Arc<Shared>,
}

impl Target {
    fn start(serve: Serve, upstream: u16, stall_length: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            failure: Mutex::default(),
            open: Mutex::default(),
            arrivals: Mutex::default(),
            stall: Mutex::default(),
            stall_length,
            delay: Mutex::default(),
            close_after_each: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accept(listener, port, &accepting, serve, upstream));
        Self { port, shared }
    }

    fn switch(&self) -> impl Fn(Option<Failure>) + Send + 'static {
        let (shared, port) = (Arc::clone(&self.shared), self.port);
        move |failure| {
            let before = std::mem::replace(&mut *shared.failure.lock().unwrap(), failure);
            // What is open is cut, but for an orderly 500; and what hangs is left alone until it is over.
            let orderly = |f: Option<Failure>| matches!(f, None | Some(Failure::Answer500));
            if failure != Some(Failure::Hang) && !(orderly(before) && orderly(failure)) {
                for stream in shared.open.lock().unwrap().drain(..) {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            }
            // Wakes the accepting thread, so that it can close its listener.
            let _ = TcpStream::connect(("127.0.0.1", port));
            // For a refusing target the switch is complete when nothing listens any more.
            while failure == Some(Failure::Refuse)
                && TcpStream::connect(("127.0.0.1", port)).is_ok()
            {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn accept(listener: TcpListener, port: u16, shared: &Arc<Shared>, serve: Serve, upstream: u16) {
    let mut listener = Some(listener);
    while !shared.ended.load(Ordering::SeqCst) {
        if shared.failure() == Some(Failure::Refuse) {
            listener = None;
            std::thread::sleep(Duration::from_micros(500));
            continue;
        }
        let listening = match &listener {
            Some(listening) => listening,
            None => {
                // std sets SO_REUSEADDR, so that the port can be had again at once.
                listener = TcpListener::bind(("127.0.0.1", port)).ok();
                continue;
            }
        };
        let Ok((stream, _)) = listening.accept() else {
            continue;
        };
        match shared.failure() {
            Some(Failure::Refuse) => {}
            Some(Failure::Reset) => reset(&stream),
            Some(Failure::Hang | Failure::Answer500) | None => {
                let _ = stream.set_nodelay(true);
                if let Ok(copy) = stream.try_clone() {
                    shared.open.lock().unwrap().push(copy);
                }
                let shared = Arc::clone(shared);
                std::thread::spawn(move || serve(stream, &shared, upstream));
            }
        }
    }
}

/// An HTTP server.
pub struct Server(Target);

impl Server {
    pub fn start(stall: Duration) -> Self {
        Self(Target::start(serve_http, 0, stall))
    }

    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Sets how it fails; none: it does not.
    pub fn switch(&self) -> impl Fn(Option<Failure>) + Send + 'static {
        self.0.switch()
    }

    pub fn stall_at(&self, at: Instant) {
        *self.0.shared.stall.lock().unwrap() = Some((at, self.0.shared.stall_length));
    }

    /// Answers so much later from now on.
    pub fn slow(&self) -> impl Fn(Duration) + Send + 'static {
        let shared = Arc::clone(&self.0.shared);
        move |delay| *shared.delay.lock().unwrap() = delay
    }

    /// Says keep-alive and closes nevertheless.
    pub fn close_after_each(&self) {
        self.0.shared.close_after_each.store(true, Ordering::SeqCst);
    }

    pub fn arrivals(&self) -> Vec<Instant> {
        self.0.shared.arrivals.lock().unwrap().clone()
    }
}

fn serve_http(stream: TcpStream, shared: &Shared, _: u16) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        loop {
            line.clear();
            match reader.read_line(&mut line) {
                Ok(n) if n > 0 && line == "\r\n" => break,
                Ok(n) if n > 0 => {}
                _ => return,
            }
        }
        shared.arrivals.lock().unwrap().push(Instant::now());
        shared.stall();
        let delay = *shared.delay.lock().unwrap();
        std::thread::sleep(delay);
        let status = match shared.failure() {
            None => "200 OK",
            Some(Failure::Answer500) => "500 Broken",
            Some(Failure::Hang) => {
                // Never answered, also not when the failure is over.
                while shared.failure() == Some(Failure::Hang)
                    && !shared.ended.load(Ordering::SeqCst)
                {
                    std::thread::sleep(Duration::from_millis(5));
                }
                let mut rest = Vec::new();
                let _ = reader.read_to_end(&mut rest);
                return;
            }
            Some(Failure::Refuse | Failure::Reset) => {
                reset(reader.get_ref());
                return;
            }
        };
        let answer =
            format!("HTTP/1.1 {status}\r\nX-Instance: known-truth\r\nContent-Length: 2\r\n\r\nok");
        if reader.get_mut().write_all(answer.as_bytes()).is_err()
            || shared.close_after_each.load(Ordering::SeqCst)
        {
            // The switch keeps a copy of the stream, so that dropping it closes nothing.
            let _ = reader.get_ref().shutdown(Shutdown::Both);
            return;
        }
    }
}

/// A certificate for `localhost` that signs itself, and its key in DER.
pub fn certificate() -> (rcgen::Certificate, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert, made.signing_key.serialize_der())
}

/// An HTTP server over TLS that ends with the process: its port and its certificate in PEM.
pub fn start_tls() -> (u16, String) {
    let (certificate, key) = certificate();
    let pem = certificate.pem();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            std::thread::spawn(move || serve_tls(rustls::StreamOwned::new(session, stream)));
        }
    });
    (port, pem)
}

fn serve_tls(stream: rustls::StreamOwned<rustls::ServerConnection, TcpStream>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|n| n > 0) {
        if line == "\r\n" {
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            if reader.get_mut().write_all(answer).is_err() {
                return;
            }
        }
        line.clear();
    }
}

/// A TCP proxy.
pub struct Proxy(Target);

impl Proxy {
    pub fn start(upstream: u16) -> Self {
        Self(Target::start(serve_proxy, upstream, Duration::ZERO))
    }

    pub fn port(&self) -> u16 {
        self.0.port
    }

    pub fn switch(&self) -> impl Fn(Option<Failure>) + Send + 'static {
        self.0.switch()
    }
}

fn serve_proxy(client: TcpStream, shared: &Shared, upstream: u16) {
    if shared.failure() == Some(Failure::Hang) {
        // Nothing of it reaches the server behind: a database begins and ends a process for each connection, and is slow
        // for as long as that takes when all of them end together.
        let _ = (&client).read(&mut [0; 4096]);
        hang(shared);
        let _ = client.shutdown(Shutdown::Both);
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)) else {
        return;
    };
    let _ = server.set_nodelay(true);
    let (Ok(from), Ok(to)) = (server.try_clone(), client.try_clone()) else {
        return;
    };
    std::thread::scope(|scope| {
        scope.spawn(|| copy(from, to, shared));
        copy(client, server, shared);
    });
}

/// Waits as long as it hangs.
fn hang(shared: &Shared) {
    while shared.failure() == Some(Failure::Hang) && !shared.ended.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        match shared.failure() {
            None | Some(Failure::Answer500) => {
                if to.write_all(&bytes[..n]).is_err() {
                    break;
                }
            }
            // Swallowed: and a stream with a hole is not gone on with.
            Some(Failure::Hang) => {
                hang(shared);
                break;
            }
            Some(Failure::Refuse | Failure::Reset) => {
                reset(&to);
                reset(&from);
                break;
            }
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// A PostgreSQL server of its own, gone with this value.
pub struct Postgres {
    server: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Postgres {
    /// Refuses to run as root: then it runs as the user `postgres`.
    pub fn start() -> Self {
        let bin =
            installed().expect("a PostgreSQL server is needed: .ci/prerequisites test installs it");
        let folder = tempfile::tempdir().unwrap();
        let as_root = rustix::process::geteuid().is_root();
        if as_root {
            assert!(
                Command::new("chown")
                    .arg("postgres")
                    .arg(folder.path())
                    .status()
                    .unwrap()
                    .success()
            );
        }
        let data = folder.path().join("data");
        let command = |program: &str| {
            let mut command = if as_root {
                let mut command = Command::new("setpriv");
                command
                    .args([
                        "--reuid=postgres",
                        "--regid=postgres",
                        "--init-groups",
                        "--pdeathsig=KILL",
                        "--",
                    ])
                    .arg(bin.join(program));
                command
            } else {
                Command::new(bin.join(program))
            };
            command
                .current_dir(folder.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command
        };
        let made = command("initdb")
            .args(["-U", "postgres", "-A", "trust", "--no-sync", "-D"])
            .arg(&data)
            .status();
        assert!(made.unwrap().success(), "initdb failed");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = command("postgres")
            .args([
                "-c",
                "fsync=off",
                "-c",
                "max_connections=150",
                "-c",
                "listen_addresses=127.0.0.1",
            ])
            .args([
                "-c",
                "unix_socket_directories=",
                "-p",
                &port.to_string(),
                "-D",
            ])
            .arg(&data)
            .spawn()
            .unwrap();
        let this = Self {
            server,
            port,
            folder,
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !this.run("CREATE TABLE t (a int8, b text)") {
            assert!(Instant::now() < deadline, "PostgreSQL did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        this
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// A DSN by way of some port.
    pub fn dsn(&self, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable")
    }

    fn psql(&self, query: &str) -> Command {
        let mut command = Command::new("psql");
        command
            .args(["-X", "-q", "-t", "-A", "-d"])
            .arg(self.dsn(self.port))
            .args(["-c", query]);
        command
            .current_dir(self.folder.path())
            .stderr(Stdio::null());
        command
    }

    fn run(&self, query: &str) -> bool {
        self.psql(query)
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    }

    /// The number that a query gives.
    pub fn count(&self, query: &str) -> u64 {
        let output = self.psql(query).output().unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Immediate shutdown: SIGQUIT also ends the server's children.
        if let Some(pid) = i32::try_from(self.server.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        }
        let _ = self.server.wait();
    }
}

/// The newest installed server's programs.
fn installed() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut bins: Vec<PathBuf> = versions.flatten().map(|v| v.path().join("bin")).collect();
    bins.retain(|bin| bin.join("initdb").exists() && bin.join("postgres").exists());
    bins.sort();
    bins.pop()
}
