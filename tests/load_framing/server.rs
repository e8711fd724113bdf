//! A server that answers every request with the same steps, whatever they are.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// A part of an answer.
#[derive(Clone)]
pub enum Step {
    /// These bytes, in one write.
    Send(Vec<u8>),
    /// So many milliseconds.
    Pause(u64),
    /// These bytes again and again, until the client goes away.
    Endless(Vec<u8>),
    /// These bytes so many times.
    Repeated(Vec<u8>, usize),
    /// The connection's end, in good order.
    Close,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |bytes: &[u8]| bytes[..bytes.len().min(200)].escape_ascii().to_string();
        match self {
            Self::Send(bytes) => write!(f, "send {}", text(bytes)),
            Self::Pause(ms) => write!(f, "pause {ms} ms"),
            Self::Endless(bytes) => write!(f, "without end {}", text(bytes)),
            Self::Repeated(bytes, times) => write!(f, "{times} times {}", text(bytes)),
            Self::Close => f.write_str("close"),
        }
    }
}

#[derive(Default)]
struct Seen {
    requests: AtomicU64,
    /// Connections with at least one request.
    used: AtomicU64,
    written: AtomicU64,
    ended: AtomicBool,
}

pub struct Server {
    port: u16,
    seen: Arc<Seen>,
}

impl Server {
    pub fn start(steps: &[Step]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let (steps, counted): (Arc<[Step]>, _) = (steps.into(), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if counted.ended.load(SeqCst) {
                    return;
                }
                let (steps, counted) = (Arc::clone(&steps), Arc::clone(&counted));
                std::thread::spawn(move || serve(stream, &steps, &counted));
            }
        });
        Self { port, seen }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn requests(&self) -> u64 {
        self.seen.requests.load(SeqCst)
    }

    /// Connections over which a request came.
    pub fn used(&self) -> u64 {
        self.seen.used.load(SeqCst)
    }

    /// Bytes that the kernel took.
    pub fn written(&self) -> u64 {
        self.seen.written.load(SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.seen.ended.store(true, SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(stream: TcpStream, steps: &[Step], seen: &Seen) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream);
    let mut first = true;
    while read_request(&mut reader) {
        seen.requests.fetch_add(1, SeqCst);
        seen.used
            .fetch_add(u64::from(std::mem::take(&mut first)), SeqCst);
        for step in steps {
            let done = match step {
                Step::Send(bytes) => write(reader.get_mut(), bytes, seen),
                Step::Pause(ms) => {
                    std::thread::sleep(Duration::from_millis(*ms));
                    true
                }
                Step::Endless(bytes) => {
                    let mut taken = true;
                    while taken && !seen.ended.load(SeqCst) {
                        taken = write(reader.get_mut(), bytes, seen);
                    }
                    false
                }
                Step::Repeated(bytes, times) => {
                    (0..*times).all(|_| write(reader.get_mut(), bytes, seen))
                }
                Step::Close => false,
            };
            if !done {
                return;
            }
        }
    }
}

/// A request without a body; whether there was one.
fn read_request(reader: &mut BufReader<TcpStream>) -> bool {
    let mut line = String::new();
    loop {
        line.clear();
        match reader.read_line(&mut line) {
            Ok(1..) if line == "\r\n" => return true,
            Ok(1..) => {}
            _ => return false,
        }
    }
}

fn write(stream: &mut TcpStream, bytes: &[u8], seen: &Seen) -> bool {
    let written = stream.write_all(bytes).is_ok();
    if written {
        seen.written.fetch_add(bytes.len() as u64, SeqCst);
    }
    written
}

/// The most memory that this process ever had, in bytes.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.split_whitespace().next()).unwrap();
    kib.parse::<u64>().unwrap() * 1024
}
