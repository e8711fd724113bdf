//! One process that uses something up. It begins at the first byte on its input and ends when its input ends, so it
//! is in the right control group before it takes anything, and never outlives who started it.

use rustix::fs::{Mode, OFlags, fdatasync, ftruncate, open, unlink};
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

/// Memory is taken in pieces of this size, and disks are written to in them.
const PIECE: usize = 1 << 20;
/// No page is smaller.
const PAGE: usize = 4096;
/// Pages that nobody touches would be swapped out, and the pressure would be gone.
const TOUCH_EVERY: Duration = Duration::from_secs(1);

/// What it uses up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Computes.
    Cpu,
    /// Takes so many bytes, touches and holds them.
    Memory(u64),
    /// Writes to a file in this folder, syncs it, empties it.
    Io(PathBuf),
}

/// Waits for its first byte, then works until its input ends. Never returns but for an error, or where the input
/// ended before the first byte.
///
/// # Errors
/// The file cannot be written.
pub fn run(task: &Task) -> io::Result<()> {
    if io::stdin().read(&mut [0])? == 0 {
        return Ok(());
    }
    std::thread::Builder::new().spawn(|| {
        // Whatever is said further means nothing; the end of it, or an error, means that nobody is there any more.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    })?;
    match task {
        Task::Cpu => compute(),
        Task::Memory(bytes) => hold(*bytes),
        Task::Io(folder) => write(folder),
    }
}

fn compute() -> ! {
    let mut n = 0_u64;
    loop {
        n = std::hint::black_box(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}

fn hold(bytes: u64) -> ! {
    let mut left = bytes;
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let mut piece = vec![0; now];
        touch(&mut piece);
        pieces.push(piece);
        left -= now as u64;
    }
    loop {
        std::thread::sleep(TOUCH_EVERY);
        for piece in &mut pieces {
            touch(piece);
        }
    }
}

/// Writes to every page.
fn touch(piece: &mut [u8]) {
    for page in piece.chunks_mut(PAGE) {
        if let Some(first) = page.first_mut() {
            *first = std::hint::black_box(first.wrapping_add(1));
        }
    }
}

fn write(folder: &std::path::Path) -> io::Result<()> {
    let path = folder.join(format!("lbtest-io-{}", std::process::id()));
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = open(&path, flags, Mode::from_raw_mode(0o600))?;
    // The name is not needed any more: nothing is left however this process ends.
    unlink(&path)?;
    let piece = vec![0x5a_u8; PIECE];
    loop {
        let mut at = 0;
        while at < piece.len() {
            at += rustix::io::pwrite(&file, &piece[at..], at as u64)?;
        }
        fdatasync(&file)?;
        ftruncate(&file, 0)?;
    }
}
