//! A command that cannot outlive lbtest: it is run by a child of lbtest's that kills the command, with all of its
//! process group, as soon as its own input ends.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

/// Runs a command to its end, or to the end of our input. Its exit code; 128 and the signal that ended it.
///
/// # Errors
/// It cannot be started.
pub fn hold(command: &[std::ffi::OsString]) -> io::Result<i32> {
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no command"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        // A group of its own: what it starts goes with it.
        .process_group(0)
        .spawn()?;
    let group = Pid::from_child(&child);
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
        // Gone already is as good.
        let _ = kill_process_group(group, Signal::KILL);
    });
    let status = child.wait()?;
    let signalled = status.signal().map(|s| 128 + s);
    Ok(status.code().or(signalled).unwrap_or(1))
}
