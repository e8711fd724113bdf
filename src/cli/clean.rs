//! `lbtest clean`: heals and removes what any run left, by journal and label. Runs that are alive are left alone.

use super::args::Common;
use super::exit::Exit;
use super::failure::Failure;
use super::{down, output, session};
use crate::engine::docker::{Docker, Scope};
use crate::fault::journal;
use crate::notice::Notice;
use crate::run::{ground, guardian};

/// Removes what any run left behind.
pub fn run(common: &Common) -> Result<Exit, Failure> {
    session::run(common, async |session| {
        let docker = Docker::connect().await?;
        let journals = || journal::all(&journal::default_folder()).into_iter();
        let is_alive = |j: &journal::Pending| ground::is_lbtest(j.header.pid);
        let dead: Vec<_> = journals().filter(|j| !is_alive(j)).collect();
        let mut exit = Exit::Pass;
        for left in &dead {
            if let Err(error) = guardian::recover(&docker, &left.path).await {
                session
                    .notices
                    .tell(Notice::Warning(format!("run {}: {error}", left.header.run)));
                exit = Exit::Environment;
            }
        }
        // Looked at only now: while the dead were buried, another run may have begun.
        let alive: Vec<_> = journals().filter(is_alive).collect();
        for running in &alive {
            let header = &running.header;
            let said = format!(
                "run {} is alive (process {}): left alone",
                header.run, header.pid
            );
            session.notices.tell(Notice::Info(said));
        }
        let removed = if alive.is_empty() {
            docker.clean(&Scope::Everything, &session.notices).await?
        } else {
            let spared = alive.iter().map(|j| j.header.run.clone()).collect();
            docker
                .clean(&Scope::AllBut(spared), &session.notices)
                .await?
        };
        session.notices.settle().await;
        output::stdout(&format!("{}\n", down::summary(&removed)));
        Ok(exit)
    })
}
