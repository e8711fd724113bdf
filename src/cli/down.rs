//! `lbtest down`: takes down what `up` (or `run --keep`) left up.

use super::args::{Common, Down};
use super::exit::Exit;
use super::failure::Failure;
use super::{output, session, topology};
use crate::engine::docker::{Docker, Removed};
use crate::notice::{Notice, Phase};

/// Takes a project down. Nothing there is no error.
pub fn run(args: &Down, common: &Common) -> Result<Exit, Failure> {
    let project = match &args.project {
        Some(project) => project.clone(),
        None => {
            topology::read(&topology::named(&args.files, &[], None)?)?
                .topology
                .project
        }
    };
    session::run(common, async |session| {
        session.notices.tell(Notice::Phase(Phase::TearingDown));
        let removed = Docker::connect()
            .await?
            .down(&project, &session.notices)
            .await?;
        session.notices.settle().await;
        output::stdout(&format!("project `{project}`: {}\n", summary(&removed)));
        Ok(Exit::Pass)
    })
}

/// What was removed, in words.
pub fn summary(removed: &Removed) -> String {
    if removed.is_empty() {
        "nothing was there".to_owned()
    } else {
        format!("removed {}", counted(removed))
    }
}

/// `3 containers, 1 network`.
pub fn counted(removed: &Removed) -> String {
    let counted = [
        (removed.containers.len(), "container"),
        (removed.networks.len(), "network"),
        (removed.volumes.len(), "volume"),
        (removed.images.len(), "image"),
    ];
    let parts: Vec<_> = counted
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}{}", if *n == 1 { "" } else { "s" }))
        .collect();
    parts.join(", ")
}
