//! What /proc says of a process.

use std::fs;

/// A second of CPU has so many ticks in /proc, on every architecture that Docker runs on. Source: proc(5), USER_HZ.
const TICKS_PER_SECOND: u64 = 100;

/// One line of /proc/PID/stat, as far as it is of use here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its name (comm).
    pub name: String,
    /// `R`, `S`, `T` (stopped by a signal), `t` (by a tracer), `Z`, ….
    pub state: char,
    /// Milliseconds of CPU that it used.
    pub cpu_ms: u64,
    /// When it was started, in ticks since boot. With the id it tells a process from a later one of the same id.
    pub started: u64,
}

impl Stat {
    /// Of a process; none where there is no such process.
    pub fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name is in parentheses and may hold any character, a closing parenthesis too. Source: proc(5).
    fn parse(line: &str) -> Option<Self> {
        let (head, tail) = line.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        // The fields from the third one on.
        let fields: Vec<&str> = tail.split_whitespace().collect();
        let number = |at: usize| -> Option<u64> { fields.get(at)?.parse().ok() };
        Some(Self {
            name,
            state: fields.first()?.chars().next()?,
            cpu_ms: (number(11)? + number(12)?) * 1000 / TICKS_PER_SECOND,
            started: number(19)?,
        })
    }

    /// It is there and can still do something.
    pub fn lives(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// The state in a word.
    pub fn state_in_words(&self) -> &'static str {
        match self.state {
            'T' => "stopped",
            't' => "stopped by a tracer",
            'Z' | 'X' | 'x' => "dead",
            'R' => "running",
            'D' => "waiting for a disk",
            _ => "sleeping",
        }
    }
}

/// The whole command line with spaces between its words; empty for a process that has none (a zombie).
pub fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text: Vec<String> = bytes
        .split(|b| *b == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    text.join(" ").trim_end().to_owned()
}

/// The ids of all processes of the namespace whose /proc this is, in order.
pub fn pids() -> std::io::Result<Vec<u32>> {
    let mut pids: Vec<u32> = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    Ok(pids)
}

/// Bytes that are the process's own, in memory or swapped out.
pub fn own_memory(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    field(&text, "RssAnon:") * 1024 + field(&text, "VmSwap:") * 1024
}

/// Bytes that the process gave to a disk.
pub fn written(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    field(&text, "write_bytes:")
}

fn field(text: &str, name: &str) -> u64 {
    text.lines()
        .find_map(|line| {
            line.strip_prefix(name)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_spaces_and_parentheses() {
        let line = "42 (a) (b) S 1 42 42 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 777 1 1";
        let expected = Stat {
            name: "a) (b".into(),
            state: 'S',
            cpu_ms: 2000,
            started: 777,
        };
        assert_eq!(Stat::parse(line), Some(expected));
        assert_eq!(Stat::parse("42 (sh"), None);
        assert_eq!(Stat::parse("42 (sh) S"), None);
    }

    #[test]
    fn this_process_is_seen() {
        let pid = std::process::id();
        assert!(Stat::of(pid).is_some_and(|s| s.lives()));
        assert!(pids().expect("a /proc").contains(&pid));
        assert!(!command_line(pid).is_empty() && own_memory(pid) > 0);
        assert_eq!(Stat::of(u32::MAX), None);
    }

    #[test]
    fn a_field_that_is_missing_is_zero() {
        assert_eq!(field("VmSwap:\t  12 kB\n", "VmSwap:"), 12);
        assert_eq!(field("", "VmSwap:"), 0);
    }
}
