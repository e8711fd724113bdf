//! An lbtest that runs: what it has said so far, and signals to it at the moment that it says something.

use super::{Place, Ran, until};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// For anything that lbtest is waited for to say or do.
const PATIENCE: Duration = Duration::from_secs(90);

pub struct Running {
    child: Child,
    said: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Running {
    pub fn start(place: &Place, args: &[&str]) -> Self {
        Self::of(place.lbtest(args))
    }

    pub fn of(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let line = line.unwrap();
                println!("{line}");
                *heard.lock().unwrap() += &format!("{line}\n");
            }
        });
        Self {
            child,
            said,
            reader,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub fn until_it_says(&self, words: &str) {
        until(&format!("lbtest says {words:?}"), PATIENCE, || {
            self.said().contains(words)
        });
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, at most so long.
    pub fn ends_within(mut self, place: &Place, limit: Duration) -> Ran {
        let started = Instant::now();
        until("lbtest ends", limit, || {
            self.child.try_wait().unwrap().is_some()
        });
        println!("it ended after {:?}", started.elapsed());
        self.reader.join().unwrap();
        let mut ran = place.ended(self.child);
        ran.stderr = self.said.lock().unwrap().clone();
        ran
    }
}
