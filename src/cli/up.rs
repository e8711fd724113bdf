//! `lbtest up`: a topology, brought up and left up.

use super::args::{Common, Up};
use super::exit::Exit;
use super::failure::Failure;
use super::{check, diagnostics, output, session, topology};
use crate::engine::docker::UpError;
use crate::notice::{Notice, Notices, Phase};
use crate::run::ground::Ground;
use crate::scenario::{self, Overrides, TopologySource};
use std::path::{Path, PathBuf};

/// Brings a topology up; what a failed or interrupted start left is taken down again.
pub fn run(args: &Up, common: &Common) -> Result<Exit, Failure> {
    let mut source = source(&args.files)?;
    source.profiles.extend(args.profile.clone());
    if args.project.is_some() {
        source.project.clone_from(&args.project);
    }
    let read = topology::read(&source)?;
    diagnostics::print_warnings(&read.warnings);
    let topology = read.topology;
    session::run(common, async |session| {
        let notices = &session.notices;
        let mut ground = Ground::for_up(&topology, notices).await?;
        let came_up = ground.up(&topology, source.ready_timeout, notices, &session.stop).await;
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
                output::stdout(&format!("project `{project}` is up; take it down with: lbtest down -p {project}\n"));
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

/// One scenario, or compose files.
pub fn source(files: &[PathBuf]) -> Result<TopologySource, Failure> {
    let is_scenario = |f: &Path| f.extension().is_some_and(|e| e == "toml");
    if !files.iter().any(|f| is_scenario(f)) {
        return Ok(check::compose_files(&files.iter().map(PathBuf::as_path).collect::<Vec<_>>()));
    }
    let [file] = files else {
        return Err(Failure::Usage {
            message: "a scenario stands alone here".to_owned(),
            help: "give one scenario, or any number of compose files".to_owned(),
        });
    };
    let scenario = scenario::read(file, &Overrides::default())?;
    scenario.topology.ok_or_else(|| Failure::Usage {
        message: format!("scenario `{}` has no topology", scenario.name),
        help: "there is nothing to bring up or to take down".to_owned(),
    })
}
