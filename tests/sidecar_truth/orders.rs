//! A sidecar and what it is told.

use lbtest::sidecar::protocol::{Answer, Done, Match, Order, Request, Rules, Treatment};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

/// The real executable, in this namespace.
pub struct Sidecar {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    next: u64,
}

pub fn executable() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lbtest"));
    command.arg("sidecar");
    command
}

impl Sidecar {
    /// One that has said that it is ready.
    pub fn start() -> Self {
        let mut child = executable()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut sidecar = Self {
            child,
            orders,
            answers,
            next: 1,
        };
        let ready = sidecar.hear();
        assert_eq!((ready.id, ready.result), (0, Ok(Done::default())));
        sidecar
    }

    fn hear(&mut self) -> Answer {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?}: {e}"))
    }

    /// Tells it, and hears what came of it.
    pub fn tell(&mut self, order: Order) -> Result<Done, String> {
        let id = self.next;
        self.next += 1;
        let line = serde_json::to_string(&Request { id, order }).unwrap();
        writeln!(self.orders.as_mut().unwrap(), "{line}").unwrap();
        let answer = self.hear();
        assert_eq!(answer.id, id);
        answer.result
    }

    /// Treats all packets, both ways.
    pub fn treat(&mut self, treatment: Treatment) -> Done {
        self.treat_some(treatment, true, true, Match::default())
    }

    /// Treats some packets.
    pub fn treat_some(
        &mut self,
        treatment: Treatment,
        incoming: bool,
        outgoing: bool,
        of: Match,
    ) -> Done {
        let done = self.tell(Order::Rules(Rules {
            treatment,
            incoming,
            outgoing,
            of,
        }));
        let done = done.unwrap_or_else(|e| panic!("{treatment:?}: {e}"));
        assert!(0 < done.from_ns && done.from_ns <= done.until_ns);
        assert!(done.until_ns - done.from_ns < 1_000_000_000);
        println!(
            "{treatment:?}: {} in {} µs",
            done.mechanism,
            (done.until_ns - done.from_ns) / 1000
        );
        done
    }

    pub fn look(&mut self) -> Done {
        let done = self.tell(Order::Look).unwrap();
        println!("seen: {}", done.seen);
        done
    }

    /// Has everything undone, and sees that nothing is left.
    pub fn mend(&mut self) {
        self.tell(Order::Mend(None)).unwrap();
        assert_eq!(tables(), "");
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Closes its input.
    pub fn leave(&mut self) {
        self.orders = None;
    }

    pub fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `nft` says, which knows nothing of us.
pub fn nft(args: &[&str]) -> String {
    let output = Command::new("nft").args(args).output();
    let output = output.expect("`nft` of nftables is needed: .ci/prerequisites test installs it");
    assert!(
        output.status.success(),
        "nft {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// All tables here.
pub fn tables() -> String {
    nft(&["list", "tables"])
}
