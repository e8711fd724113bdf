//! What commands that wait have in common: a runtime, progress on stderr, and interruptions.
//!
//! The first Ctrl-C (or SIGTERM, SIGHUP) asks the command to end in good order; the second one leaves at once. What is
//! left then is the guardian's, and `lbtest clean` does the same.

use super::args::{Common, LogFormat};
use super::exit::Exit;
use super::failure::Failure;
use super::output;
use crate::notice::{Notice, Notices};
use crate::ui::{self, UiMode};
use std::future::Future;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a command works with.
pub struct Session {
    /// Who is told.
    pub notices: Notices,
    /// Cancelled by the first interruption.
    pub stop: CancellationToken,
}

/// Runs a command to its end; its progress is shown until then.
pub fn run<F>(common: &Common, command: impl FnOnce(Session) -> F) -> Result<Exit, Failure>
where
    F: Future<Output = Result<Exit, Failure>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::environment(format!("cannot start: {e}"), ""))?;
    let result = runtime.block_on(async {
        let (notices, told) = Notices::channel();
        let json = common.log_format == LogFormat::Json;
        let view = ui::watch(UiMode::choose(common.quiet, json), told);
        let stop = CancellationToken::new();
        let signals = Signals::listen()
            .map_err(|e| Failure::environment(format!("cannot wait for signals: {e}"), ""))?;
        let watcher = tokio::spawn(signals.watch(stop.clone(), notices.clone()));
        let result = command(Session { notices, stop }).await;
        // The watcher holds the last sender of notices: the view ends with it.
        watcher.abort();
        let _ = watcher.await;
        let _ = view.await;
        result
    });
    // Nothing that still runs in the background is worth waiting for.
    runtime.shutdown_background();
    result
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }

    async fn watch(mut self, stop: CancellationToken, notices: Notices) {
        self.next().await;
        stop.cancel();
        notices.tell(Notice::Info(
            "interrupted: healing, reporting and taking down; once more to leave at once"
                .to_owned(),
        ));
        self.next().await;
        output::stderr(
            "lbtest: left at once; its guardian cleans up now, and `lbtest clean` does the same\n",
        );
        std::process::exit(i32::from(Exit::Interrupted.code()));
    }
}
