//! `lbtest clean`: heals and removes what any run left, by journal and label. Runs that are alive are left alone.

use super::args::Common;
use super::exit::Exit;
use super::failure::Failure;
use super::{down, output, session};
use crate::engine::docker::{Docker, Removed, Scope};
use crate::fault::journal;
use crate::notice::Notice;
use crate::run::{ground, guardian};

/// Removes what any run left behind.
pub fn run(common: &Common) -> Result<Exit, Failure> {
    session::run(common, async |session| {
        let docker = Docker::connect().await?;
        let (alive, dead): (Vec<_>, Vec<_>) = journal::all(&journal::default_folder())
            .into_iter()
            .partition(|j| ground::is_lbtest(j.header.pid));
        let mut exit = Exit::Pass;
        let mut removed = Removed::default();
        for left in &dead {
            match guardian::recover(&docker, left).await {
                Ok(more) => {
                    removed.extend(more);
                    drop(std::fs::remove_file(&left.path));
                }
                Err(error) => {
                    session
                        .notices
                        .tell(Notice::Warning(format!("run {}: {error}", left.header.run)));
                    exit = Exit::Environment;
                }
            }
        }
        for running in &alive {
            let header = &running.header;
            let said = format!(
                "run {} is alive (process {}): left alone",
                header.run, header.pid
            );
            session.notices.tell(Notice::Info(said));
        }
        let scope = if alive.is_empty() {
            Scope::Everything
        } else {
            Scope::AllBut(alive.iter().map(|j| j.header.run.clone()).collect())
        };
        removed.extend(docker.clean(&scope, &session.notices).await?);
        session.notices.settle().await;
        output::stdout(&format!("{}\n", down::summary(&removed)));
        Ok(exit)
    })
}
