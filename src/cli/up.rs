//! `lbtest up`: a topology, brought up and left up.

use super::args::{Common, Up};
use super::exit::Exit;
use super::failure::Failure;
use super::{diagnostics, output, session, topology};
use crate::engine::docker::UpError;
use crate::notice::{Notice, Notices, Phase};
use crate::run::ground::Ground;

/// Brings a topology up; what a failed or interrupted start left is taken down again.
pub fn run(args: &Up, common: &Common) -> Result<Exit, Failure> {
    let source = topology::named(&args.files, &args.profile, args.project.as_deref())?;
    let read = topology::read(&source)?;
    diagnostics::print_warnings(&read.warnings);
    let topology = read.topology;
    session::run(common, async |session| {
        let notices = &session.notices;
        let mut ground = Ground::for_up(&topology, notices).await?;
        let came_up = ground
            .up(&topology, source.ready_timeout, notices, &session.stop)
            .await;
        if came_up.is_ok() {
            ground.keep();
        } else {
            notices.tell(Notice::Phase(Phase::TearingDown));
        }
        let left = ground.leave(notices).await;
        tell_of(&left, notices);
        match came_up {
            Ok(()) => {
                session.notices.settle().await;
                let project = &topology.project;
                output::stdout(&format!(
                    "project `{project}` is up; take it down with: lbtest down -p {project}\n"
                ));
                Ok(Exit::Pass)
            }
            Err(UpError::Cancelled) => Ok(Exit::Interrupted),
            Err(error) => Err(error.into()),
        }
    })
}

fn tell_of(left: &[String], notices: &Notices) {
    for what in left {
        notices.tell(Notice::Warning(what.clone()));
    }
}
