//! What whoever is watching asks of a run: the other direction of [`crate::notice`].
//!
//! A view holds a [`Control`], the run its [`Commands`], and whoever waits for signals the [`Interrupts`]. Nothing here
//! blocks, and nothing happens where the other side is gone.

use std::future::pending;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// One thing asked of a run whose load runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The next planned fault takes place now.
    InjectNext,
    /// Edges that are still to come wait.
    Hold,
    /// What was held goes on, later by the length of the hold.
    Resume,
    /// A fault that was not planned takes place now, until it is healed or the load ends.
    Break(Deed),
    /// One fault is healed now: its index in [`crate::notice::Tick::faults`].
    Heal(usize),
    /// All faults that are on are healed now.
    HealAll,
}

/// A fault by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// What is done.
    pub kind: DeedKind,
    /// To whom: one of [`Offer::targets`]; none for [`DeedKind::Mark`].
    pub target: Option<String>,
}

/// The kinds of faults by hand: those that need no more than a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeedKind {
    /// `stop`
    Stop,
    /// `kill`, with SIGKILL
    Kill,
    /// `pause`
    Pause,
    /// `restart`
    Restart,
    /// `disconnect` from one network, by its key in the topology
    Disconnect(String),
    /// `partition`: cut off from everybody
    Isolate,
    /// `delay` of 100 ms
    Delay,
    /// `loss` of 10 %
    Loss,
    /// `reset_connections`
    ResetConnections,
    /// `cpu`, limited to a tenth of one
    Cpu,
    /// `external`: something else breaks something, and the moment is marked
    Mark,
}

/// What can be asked of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// The scenario that runs.
    pub scenario: String,
    /// Who can be broken by hand; empty: nobody.
    pub targets: Vec<Target>,
}

/// Who can be broken by hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// A service, or `service.number`.
    pub name: String,
    /// The networks it can be taken off, by their keys in the topology.
    pub networks: Vec<String>,
}

/// The side of whoever is watching; cheap to clone.
#[derive(Debug, Clone)]
pub struct Control {
    commands: UnboundedSender<Command>,
    interrupts: UnboundedSender<()>,
    offer: watch::Receiver<Offer>,
    stop: CancellationToken,
}

/// The side of the run.
#[derive(Debug)]
pub struct Commands {
    asked: Mutex<UnboundedReceiver<Command>>,
    offer: watch::Sender<Offer>,
    may_break: bool,
}

/// The side of whoever waits for signals.
#[derive(Debug)]
pub struct Interrupts(UnboundedReceiver<()>);

/// The three sides of one connection.
#[must_use]
pub fn channel() -> (Control, Commands, Interrupts) {
    let (commands, asked) = unbounded_channel();
    let (interrupts, interrupted) = unbounded_channel();
    let (told, offer) = watch::channel(Offer::default());
    let control = Control {
        commands,
        interrupts,
        offer,
        stop: CancellationToken::new(),
    };
    let commands = Commands {
        asked: Mutex::new(asked),
        offer: told,
        may_break: true,
    };
    (control, commands, Interrupts(interrupted))
}

impl Control {
    /// Asks for something.
    pub fn ask(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Does what Ctrl-C does: the first time the run ends in good order, the second time it is left at once.
    pub fn interrupt(&self) {
        let _ = self.interrupts.send(());
    }

    /// The same of a run that ends once this is cancelled.
    #[must_use]
    pub fn of_run(self, stop: CancellationToken) -> Self {
        Self { stop, ..self }
    }

    /// The run was interrupted, by whomever.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// What can be asked for now.
    #[must_use]
    pub fn offer(&self) -> Offer {
        self.offer.borrow().clone()
    }
}

impl Commands {
    /// Commands of nobody.
    #[must_use]
    pub fn none() -> Self {
        channel().1
    }

    /// Nothing may be broken by hand.
    #[must_use]
    pub fn without_breaking(mut self) -> Self {
        self.may_break = false;
        self
    }

    /// Whether something may be broken by hand.
    #[must_use]
    pub fn may_break(&self) -> bool {
        self.may_break
    }

    /// Says what can be asked for.
    pub fn offer(&self, offer: Offer) {
        self.offer.send_replace(offer);
    }

    /// Forgets what was asked for before it could be done.
    pub async fn clear(&self) {
        let mut asked = self.asked.lock().await;
        while asked.try_recv().is_ok() {}
    }

    /// The next command; waits for ever where nobody can ask. Dropping the wait loses nothing.
    pub async fn next(&self) -> Command {
        let asked = self.asked.lock().await.recv().await;
        match asked {
            Some(command) => command,
            None => pending().await,
        }
    }
}

impl Interrupts {
    /// Those of nobody.
    #[must_use]
    pub fn none() -> Self {
        channel().2
    }

    /// The next one; waits for ever where nobody can interrupt.
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_asked_before_there_was_anything_to_do_is_forgotten() {
        let (control, commands, _interrupts) = channel();
        control.ask(Command::Hold);
        commands.clear().await;
        control.ask(Command::Resume);
        assert_eq!(commands.next().await, Command::Resume);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_asks_for_anything() {
        let wait = std::time::Duration::from_secs(3600);
        assert!(
            tokio::time::timeout(wait, Commands::none().next())
                .await
                .is_err()
        );
        assert!(
            tokio::time::timeout(wait, Interrupts::none().next())
                .await
                .is_err()
        );
    }
}
