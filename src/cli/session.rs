//! What commands that wait have in common: a runtime, progress on stderr, and interruptions.
//!
//! The first Ctrl-C (or SIGTERM, SIGHUP) asks the command to end in good order; the second one leaves at once. What is
//! left then is the guardian's, and `lbtest clean` does the same.

use super::args::{Common, LogFormat, Ui};
use super::exit::Exit;
use super::failure::Failure;
use super::follow::{Following, Telemetry};
use super::output;
use crate::control::{self, Commands, Control, Interrupts};
use crate::notice::{Notice, Notices};
use crate::ui::{self, UiMode};
use std::future::Future;
use std::io::{self, IsTerminal};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What a command works with.
pub struct Session {
    /// Who is told.
    pub notices: Notices,
    /// Cancelled by the first interruption.
    pub stop: CancellationToken,
    /// Who follows its runs.
    pub following: Following,
    /// What whoever is watching asks for.
    pub commands: Commands,
}

/// Runs a command to its end; its progress is shown until then.
pub fn run<F>(common: &Common, command: impl FnOnce(Session) -> F) -> Result<Exit, Failure>
where
    F: Future<Output = Result<Exit, Failure>>,
{
    watched(common, None, &Telemetry::default(), command)
}

/// As [`run`], with the progress shown as was asked for, and told to whoever follows the runs.
pub fn watched<F>(
    common: &Common,
    shown: Option<Ui>,
    telemetry: &Telemetry,
    command: impl FnOnce(Session) -> F,
) -> Result<Exit, Failure>
where
    F: Future<Output = Result<Exit, Failure>>,
{
    let shown = Shown::of(common, shown)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::environment(format!("cannot start: {e}"), ""))?;
    let result = runtime.block_on(async {
        let (notices, told) = Notices::channel();
        let following = Following::start(telemetry, &notices).await?;
        let (control, commands, interrupts) = control::channel();
        let stop = CancellationToken::new();
        let view = shown.watch(following.tap(told), control.of_run(stop.clone()));
        let signals = Signals::listen(interrupts)
            .map_err(|e| Failure::environment(format!("cannot wait for signals: {e}"), ""))?;
        let watcher = tokio::spawn(signals.watch(stop.clone(), notices.clone()));
        let session = Session {
            notices,
            stop,
            following,
            commands,
        };
        let result = command(session).await;
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

/// How progress is shown.
enum Shown {
    As(UiMode),
    WholeTerminal,
}

impl Shown {
    fn of(common: &Common, asked: Option<Ui>) -> Result<Self, Failure> {
        let json = common.log_format == LogFormat::Json;
        match asked {
            None => Ok(Self::As(UiMode::choose(common.quiet, json))),
            Some(_) if common.quiet => Err(Failure::Usage {
                message: "--ui and --quiet contradict each other".to_owned(),
                help: "leave one of them out".to_owned(),
            }),
            Some(Ui::Live) => Ok(Self::As(UiMode::Live)),
            Some(Ui::Plain) => Ok(Self::As(UiMode::Plain)),
            Some(Ui::Json) => Ok(Self::As(UiMode::Json)),
            Some(Ui::Tui) => whole_terminal(),
        }
    }

    fn watch(self, told: UnboundedReceiver<Notice>, control: Control) -> JoinHandle<()> {
        match self {
            Self::As(mode) => ui::watch(mode, told),
            Self::WholeTerminal => ui::tui::watch(told, control),
        }
    }
}

fn whole_terminal() -> Result<Shown, Failure> {
    let dumb = std::env::var_os("TERM").is_none_or(|t| t == "dumb" || t.is_empty());
    let what = match (io::stdin().is_terminal(), io::stderr().is_terminal()) {
        (false, _) => "stdin is none",
        (true, false) => "stderr is none",
        (true, true) if dumb => "TERM says that this one can do nothing",
        (true, true) => return Ok(Shown::WholeTerminal),
    };
    Err(Failure::Usage {
        message: format!("--ui tui needs a terminal, and {what}"),
        help: "start it in a terminal, or use --ui plain".to_owned(),
    })
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    /// What a view in raw mode gets instead of a signal.
    keys: Interrupts,
}

impl Signals {
    fn listen(keys: Interrupts) -> io::Result<Self> {
        Ok(Self {
            keys,
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
            () = self.keys.next() => {}
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
        ui::tui::screen::leave();
        output::stderr(
            "lbtest: left at once; its guardian cleans up now, and `lbtest clean` does the same\n",
        );
        std::process::exit(i32::from(Exit::Interrupted.code()));
    }
}
