//! What it was measured on. No name, address or path of the machine is in it.

use std::fs::read_to_string;
use std::process::Command;

/// The machine and the software under test.
#[derive(Debug)]
pub struct Machine {
    /// Processors.
    pub cores: usize,
    cpu: String,
    kernel: String,
    commit: String,
}

impl Machine {
    /// Looks at it.
    pub fn look() -> Self {
        let cpuinfo = read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu: model
                .and_then(|line| line.split(": ").nth(1))
                .unwrap_or("unknown")
                .to_owned(),
            kernel: kernel.trim().to_owned(),
            commit: said("git", &["describe", "--always", "--dirty", "--abbrev=10"])
                .unwrap_or_else(|| "unknown".to_owned()),
        }
    }

    /// In a sentence.
    pub fn sentence(&self) -> String {
        let Self {
            cores,
            cpu,
            kernel,
            commit,
        } = self;
        format!("{cores} cores ({cpu}), Linux {kernel}; lbtest at commit {commit}")
    }
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}
