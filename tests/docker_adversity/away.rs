//! An engine that can go away: a socket between lbtest and the engine's own, whose connections are cut and whose door is
//! shut as by a restart of the daemon.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ENGINE: &str = "/var/run/docker.sock";

pub struct Door {
    path: PathBuf,
    open: Arc<Mutex<Option<Arc<AtomicBool>>>>,
    through: Arc<Mutex<Vec<UnixStream>>>,
}

impl Door {
    /// An open one.
    pub fn new(path: PathBuf) -> Self {
        let door = Self {
            path,
            open: Arc::default(),
            through: Arc::default(),
        };
        door.open();
        door
    }

    /// What lbtest takes for the engine.
    pub fn host(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// The engine is there again.
    pub fn open(&self) {
        let listener = UnixListener::bind(&self.path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let is_open = Arc::new(AtomicBool::new(true));
        *self.open.lock().unwrap() = Some(Arc::clone(&is_open));
        let through = Arc::clone(&self.through);
        std::thread::spawn(move || {
            while is_open.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((client, _)) => forward(client, &through),
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
    }

    /// The engine goes away: nobody gets in, and who is in is thrown out.
    pub fn shut(&self) {
        if let Some(is_open) = self.open.lock().unwrap().take() {
            is_open.store(false, Ordering::SeqCst);
        }
        std::fs::remove_file(&self.path).unwrap();
        for stream in self.through.lock().unwrap().drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn forward(client: UnixStream, through: &Mutex<Vec<UnixStream>>) {
    client.set_nonblocking(false).unwrap();
    let engine = UnixStream::connect(ENGINE).unwrap();
    let mut held = through.lock().unwrap();
    held.extend([client.try_clone().unwrap(), engine.try_clone().unwrap()]);
    let back = (engine.try_clone().unwrap(), client.try_clone().unwrap());
    for (from, to) in [(client, engine), back] {
        std::thread::spawn(move || pass_on(from, to));
    }
}

fn pass_on(mut from: UnixStream, mut to: UnixStream) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = match from.read(&mut buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => break,
            Ok(n) => n,
        };
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    // The end of one direction is passed on: the engine closes a container's input by it.
    let _ = to.shutdown(Shutdown::Write);
}
