//! Faults of a container's resources: CPU, memory, disk, and processes that stand still.

use super::super::at::At;
use super::super::check::Check;
use super::super::file::{
    CpuTable, FaultTable, FillDiskTable, FreezeProcessTable, MemoryTable, SizeText, StressTable,
};
use super::super::{FaultKind, FillDisk, StressSpec};
use super::Breakage;
use super::target::{pattern, target};

/// Without `size`, so much is written at most.
const DISK: u64 = 10_000_000_000;
/// Source: Docker, "Minimum memory limit allowed is 6MB" (powers of two).
const LEAST_MEMORY: u64 = 6 << 20;
/// Source: the kernel's shortest CFS quota (1 ms) in the engine's period (100 ms).
const LEAST_CPU: f64 = 0.01;

/// Reads the kind if it is one of these.
pub fn read(check: &mut Check<'_>, fault: &FaultTable) -> Option<Breakage> {
    if let Some(table) = &fault.cpu {
        return cpu(check, table);
    }
    if let Some(table) = &fault.memory {
        return memory(check, table);
    }
    if let Some(table) = &fault.stress {
        return stress(check, table);
    }
    if let Some(table) = &fault.fill_disk {
        return fill_disk(check, table);
    }
    freeze_process(check, fault.freeze_process.as_ref()?)
}

fn cpu(check: &mut Check<'_>, table: &CpuTable) -> Option<Breakage> {
    let target = target(check, &table.target);
    if !(LEAST_CPU..=1024.0).contains(&table.limit.value) {
        check.wrong(
            &table.limit.span,
            format!("`limit` is {}", table.limit.value),
            "so many CPUs, 0.01 to 1024: limit = 0.5 is half of one",
        );
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within 10 to 1024000"
    )]
    let millicpus = (table.limit.value * 1000.0).round() as u64;
    Some(Breakage::of(FaultKind::Cpu { millicpus }, Some(target?)))
}

fn memory(check: &mut Check<'_>, table: &MemoryTable) -> Option<Breakage> {
    let target = target(check, &table.target);
    let bytes = check.size(Some(&table.limit))?;
    if bytes < LEAST_MEMORY {
        check.wrong(
            &table.limit.span,
            "no container can be given so little memory",
            "the engine takes 6MiB or more",
        );
        return None;
    }
    Some(Breakage::of(FaultKind::Memory { bytes }, Some(target?)))
}

fn stress(check: &mut Check<'_>, table: &At<StressTable>) -> Option<Breakage> {
    let target = target(check, &table.target);
    if table.cpu.is_none() && table.memory.is_none() && table.io.is_none() {
        check.wrong(
            &table.span,
            "`stress` uses nothing up",
            "give at least one of `cpu`, `memory`, `io`: cpu = 2",
        );
        return None;
    }
    let cpu = workers(check, "cpu", table.cpu.as_ref());
    let io = workers(check, "io", table.io.as_ref());
    let memory = amount(check, "memory", table.memory.as_ref());
    let spec = StressSpec {
        cpu: cpu?,
        memory: memory?.unwrap_or(0),
        io: io?,
    };
    Some(Breakage::of(FaultKind::Stress(spec), Some(target?)))
}

fn workers(check: &mut Check<'_>, key: &str, number: Option<&At<u64>>) -> Option<u32> {
    match number {
        None => Some(0),
        given => u32::try_from(check.within(key, given, 1, 1024)?).ok(),
    }
}

/// A size above zero, if it is given; the outer `None` is a mistake.
#[expect(clippy::option_option, reason = "wrong, absent and given differ")]
fn amount(check: &mut Check<'_>, key: &str, text: Option<&At<SizeText>>) -> Option<Option<u64>> {
    let Some(text) = text else { return Some(None) };
    let bytes = check.size(Some(text))?;
    if bytes == 0 {
        let message = format!("`{key}` is zero");
        check.wrong(
            &text.span,
            message,
            "give a size above zero, or leave it out",
        );
        return None;
    }
    Some(Some(bytes))
}

fn fill_disk(check: &mut Check<'_>, table: &At<FillDiskTable>) -> Option<Breakage> {
    let target = target(check, &table.target);
    if table.size.is_none() && table.leave.is_none() {
        check.wrong(
            &table.span,
            "`fill_disk` does not say how much",
            "give `size` (write so much), `leave` (leave so much free), or both",
        );
        return None;
    }
    let size = amount(check, "size", table.size.as_ref());
    let leave = match &table.leave {
        None => Some(0),
        given => check.size(given.as_ref()),
    };
    let up = table.path.split('/').any(|part| part == "..");
    if !table.path.starts_with('/') || up || table.path.chars().any(char::is_control) {
        check.wrong(
            &table.path.span,
            format!("`{}` is not an absolute path", table.path.escape_debug()),
            "a folder as the container sees it: path = \"/var/lib/postgresql/data\"",
        );
        return None;
    }
    let kind = FaultKind::FillDisk(FillDisk {
        path: table.path.value.clone(),
        size: size?.unwrap_or(DISK),
        leave: leave?,
    });
    Some(Breakage::of(kind, Some(target?)))
}

fn freeze_process(check: &mut Check<'_>, table: &FreezeProcessTable) -> Option<Breakage> {
    let target = target(check, &table.target);
    if table.process.trim().is_empty() {
        check.wrong(
            &table.process.span,
            "`process` names no process",
            "a pattern over its name or its command line: process = \"postgres: walreceiver*\"",
        );
        return None;
    }
    pattern(check, &table.process, &table.process.span)?;
    let kind = FaultKind::FreezeProcess {
        pattern: table.process.value.clone(),
    };
    Some(Breakage::of(kind, Some(target?)))
}
