//! `lbtest sidecar-worker` (hidden).

use super::args::{SidecarWorker, WorkerTask};
use super::exit::Exit;
use super::failure::Failure;
use crate::sidecar::worker::{self, Task};

/// Uses something up until its input ends.
pub fn run(args: &SidecarWorker) -> Result<Exit, Failure> {
    let task = match &args.task {
        WorkerTask::Cpu => Task::Cpu,
        WorkerTask::Memory { bytes } => Task::Memory(*bytes),
        WorkerTask::Io { folder } => Task::Io(folder.clone()),
    };
    worker::run(&task).map_err(|e| Failure::environment(format!("worker: {e}"), ""))?;
    Ok(Exit::Pass)
}
