//! `lbtest clean`: heals and removes what any run left, by journal and label. Runs that are alive are left alone.

use super::args::Common;
use super::exit::Exit;
use super::failure::Failure;
use super::{down, output, session};
use crate::engine::docker::{Docker, Removed, Scope};
use crate::fault::journal;
use crate::notice::Notice;
use crate::run::{ground, guardian};
use std::collections::BTreeSet;

/// Removes what any run left behind.
pub fn run(common: &Common) -> Result<Exit, Failure> {
    session::run(common, async |session| {
        let docker = Docker::connect().await;
        let journals = || journal::all(&journal::default_folder()).into_iter();
        let is_alive = |j: &journal::Pending| ground::is_lbtest(j.header.pid);
        let dead: Vec<_> = journals().filter(|j| !is_alive(j)).collect();
        let mut exit = Exit::Pass;
        let mut removed = Removed::default();
        for left in &dead {
            let within = match &docker {
                Ok(docker) => Some(docker),
                // What is in no container can be healed without an engine.
                Err(_) if left.header.project.is_empty() => None,
                Err(_) => continue,
            };
            match guardian::recover(within, &left.path).await {
                Ok(more) => removed.extend(more),
                Err(error) => {
                    session
                        .notices
                        .tell(Notice::Warning(format!("run {}: {error}", left.header.run)));
                    exit = Exit::Environment;
                }
            }
        }
        for (path, run) in journal::stillborn(&journal::default_folder()) {
            if ground::living([&run]).next().is_none() {
                let _ = std::fs::remove_file(path);
            }
        }
        let docker = docker?;
        // Looked at only now: while the dead were buried, another run may have begun.
        let mut spared: BTreeSet<String> =
            journals().filter(is_alive).map(|j| j.header.run).collect();
        // Another user's, or one with another state folder: known by their labels alone.
        let labelled = docker.runs(None).await?;
        spared.extend(
            labelled
                .into_iter()
                .filter(|run| ground::living([run]).next().is_some()),
        );
        for run in &spared {
            let said = format!("run {run} is alive: left alone");
            session.notices.tell(Notice::Info(said));
        }
        let in_use = journals().filter(is_alive).map(|j| j.header.project);
        let projects: Vec<String> = in_use.filter(|name| !name.is_empty()).collect();
        let scope = if spared.is_empty() {
            Scope::Everything
        } else {
            Scope::AllBut {
                runs: spared.into_iter().collect(),
                projects,
            }
        };
        removed.extend(docker.clean(&scope, &session.notices).await?);
        session.notices.settle().await;
        output::stdout(&format!("{}\n", down::summary(&removed)));
        Ok(exit)
    })
}
