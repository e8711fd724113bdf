//! Faults of a whole container: stop, kill, pause, restart, start; and `external`, which is none of ours.

use super::super::FaultKind;
use super::super::at::At;
use super::super::check::{Check, suggestion};
use super::super::file::{FaultTable, PauseKey};
use super::Breakage;
use super::target::target;

/// Signals that a container can be sent.
const SIGNALS: [&str; 15] = [
    "SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGSTOP", "SIGCONT", "SIGUSR1",
    "SIGUSR2", "SIGABRT", "SIGSEGV", "SIGBUS", "SIGPIPE", "SIGALRM", "SIGWINCH",
];

/// Reads the kind if it is one of these.
pub fn read(check: &mut Check<'_>, fault: &FaultTable) -> Option<Breakage> {
    if let Some(stop) = &fault.stop {
        let grace = check.duration(stop.grace.as_ref());
        let target = target(check, &stop.target)?;
        return Some(Breakage::of(FaultKind::Stop { grace }, Some(target)));
    }
    if let Some(restart) = &fault.restart {
        let grace = check.duration(restart.grace.as_ref());
        let target = target(check, &restart.target)?;
        return Some(Breakage::of(FaultKind::Restart { grace }, Some(target)));
    }
    if let Some(kill) = &fault.kill {
        let signal = signal(check, kill.signal.as_ref());
        let target = target(check, &kill.target);
        let kind = FaultKind::Kill { signal: signal? };
        return Some(Breakage::of(kind, Some(target?)));
    }
    if let Some(PauseKey::Containers(pause)) = fault.pause.as_ref().map(|p| &p.value) {
        let target = target(check, &pause.target)?;
        return Some(Breakage::of(FaultKind::Pause, Some(target)));
    }
    if let Some(start) = &fault.start {
        let target = target(check, &start.target)?;
        return Some(Breakage::of(FaultKind::Start, Some(target)));
    }
    fault
        .external
        .as_ref()
        .map(|_| Breakage::of(FaultKind::External, None))
}

fn signal(check: &mut Check<'_>, signal: Option<&At<String>>) -> Option<String> {
    let Some(signal) = signal else {
        return Some("SIGKILL".to_owned());
    };
    let upper = signal.to_ascii_uppercase();
    let name = if upper.starts_with("SIG") {
        upper
    } else {
        format!("SIG{upper}")
    };
    if SIGNALS.contains(&name.as_str()) {
        return Some(name);
    }
    check.wrong(
        &signal.span,
        format!("`{}` is not a signal", signal.escape_debug()),
        suggestion(&name, SIGNALS),
    );
    None
}
