//! `lbtest run --ui tui` in a real terminal (tmux): what the screen shows, what keys do, and that the terminal is as it was
//! however it ends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test: clippy exempts only its #[test] functions by itself"
)]

#[path = "load_truth/servers.rs"]
mod servers;
mod support;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use servers::{Failure, Server};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use support::{Place, until};

/// For anything that the screen is waited for to show, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// A terminal in which lbtest runs.
struct Pane<'a> {
    place: &'a Place,
    socket: PathBuf,
}

/// How a test differs from the usual.
struct Shape<'a> {
    duration: u32,
    fault_at: u32,
    /// Before the command: `NAME=value`.
    environment: &'a str,
    size: (u16, u16),
}

impl Default for Shape<'_> {
    fn default() -> Self {
        Self {
            duration: 30,
            fault_at: 20,
            environment: "",
            size: (80, 24),
        }
    }
}

impl<'a> Pane<'a> {
    /// Starts lbtest; how the terminal was before and is after, and the exit code, are written to files.
    fn start(place: &'a Place, server: &Server, shape: &Shape<'_>) -> Self {
        let port = server.port();
        let (duration, at) = (shape.duration, shape.fault_at);
        let scenario = place.file(
            "s.toml",
            &format!(
                "name = \"seen\"\n[run]\nduration = \"{duration}s\"\nwarmup = \"1s\"\nobserve = true\n\
                 [[load]]\nname = \"web\"\nrate = 50\n\
                 http = {{ url = \"http://127.0.0.1:{port}/\", timeout = \"2s\" }}\n\
                 [[fault]]\nname = \"the plug\"\nat = \"{at}s\"\nheal_after = \"2s\"\nexternal = {{}}\n"
            ),
        );
        let path = |name: &str| place.path(name).display().to_string();
        let lbtest = env!("CARGO_BIN_EXE_lbtest");
        let script = format!(
            "stty -a > {before}\n\
             sh -c 'echo $$ > {pid}; exec env XDG_STATE_HOME={state} {environment} {lbtest} run {scenario} --out {out} --ui tui'\n\
             code=$?\nstty -a > {after}\necho $code > {code}.part\nmv {code}.part {code}\nexec sleep 600\n",
            before = path("before"),
            after = path("after"),
            pid = path("pid"),
            code = path("code"),
            state = path("state"),
            out = path("out"),
            environment = shape.environment,
            scenario = scenario.display(),
        );
        let script = place.file("script", &script);
        let pane = Self {
            place,
            socket: place.path("tmux"),
        };
        let (width, height) = (shape.size.0.to_string(), shape.size.1.to_string());
        let shell = format!("sh {}", script.display());
        pane.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &width,
            "-y",
            &height,
            &shell,
        ]);
        pane
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command
            .arg("-S")
            .arg(&self.socket)
            .args(args)
            .env_remove("TMUX");
        let output = command
            .output()
            .expect("these tests need tmux: make test-prerequisites");
        assert!(output.status.success(), "tmux {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// What is on the screen, and what was scrolled out of it.
    fn all(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-J", "-S", "-"])
    }

    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    fn until_it_shows(&self, words: &str) -> String {
        let mut last = String::new();
        let deadline = Instant::now() + PATIENCE;
        while !last.contains(words) {
            assert!(Instant::now() < deadline, "{words:?} is not shown:\n{last}");
            std::thread::sleep(Duration::from_millis(50));
            last = self.screen();
        }
        println!("{last}");
        last
    }

    fn until_it_does_not_show(&self, words: &str) {
        until(&format!("{words:?} is gone"), PATIENCE, || {
            !self.screen().contains(words)
        });
    }

    fn signal(&self, signal: Signal) {
        let pid = self.read("pid").trim().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    fn on_the_other_screen(&self) -> bool {
        self.tmux(&["display-message", "-p", "#{alternate_on}"])
            .trim()
            == "1"
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.place.path(name)).unwrap()
    }

    /// Waits for the end, and looks whether the terminal is as it was. The exit code, and what is to be read.
    fn ended(&self) -> (i32, String) {
        let code = self.place.path("code");
        until("lbtest ends", PATIENCE, || code.exists());
        // Its size is not lbtest's: a test changes it.
        let settings = |name: &str| {
            let settings = self.read(name);
            let (size, rest) = settings.split_once('\n').unwrap();
            assert!(size.contains("rows"), "{size}");
            rest.to_owned()
        };
        assert_eq!(
            settings("before"),
            settings("after"),
            "the terminal is as it was"
        );
        assert!(!self.on_the_other_screen());
        let all = self.all();
        println!("{all}");
        (self.read("code").trim().parse().unwrap(), all)
    }

    fn result(&self) -> Value {
        serde_json::from_str(&self.read("out/run.json")).unwrap()
    }
}

impl Drop for Pane<'_> {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        let _ = command
            .arg("-S")
            .arg(&self.socket)
            .arg("kill-server")
            .output();
    }
}

fn server() -> Server {
    Server::start(Duration::ZERO)
}

#[test]
fn the_screen_shows_the_figures_and_keys_steer_the_run() {
    let (place, server) = (Place::new(), server());
    let shape = Shape {
        duration: 20,
        fault_at: 17,
        ..Shape::default()
    };
    let pane = Pane::start(&place, &server, &shape);
    let screen = pane.until_it_shows("measuring");
    for words in ["seen", "web", "the plug", "schedule", "events", "hold"] {
        assert!(screen.contains(words), "{words} is not on\n{screen}");
    }
    pane.until_it_shows(" 50   0.00 %");
    pane.press("h");
    pane.until_it_shows("HELD");
    pane.press("Space");
    pane.until_it_does_not_show("HELD");
    pane.press("n");
    pane.until_it_shows("by hand: the plug: injected now");
    pane.until_it_shows("● the plug");
    pane.press("f");
    pane.until_it_shows("a fault by hand");
    pane.press("m");
    pane.until_it_shows("do it now?");
    pane.press("Enter");
    pane.until_it_shows("● by hand: mark");
    pane.press("u");
    pane.until_it_shows("✓ by hand: mark");
    let (code, all) = pane.ended();
    assert!(all.contains("results:"), "the report is there");
    let result = pane.result();
    let words = |e: &Value| e["what"].as_str().unwrap().to_owned();
    let events: Vec<_> = result["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(words)
        .collect();
    for what in [
        "by hand: held",
        "by hand: resumed after",
        "by hand: injected now",
        "by hand: not planned",
        "by hand: healed now",
    ] {
        assert!(
            events.iter().any(|e| e.starts_with(what)),
            "{what}: {events:?}"
        );
    }
    let faults = result["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 2);
    assert!(faults[0]["injected_at_ms"].as_f64().unwrap() < 17_000.0);
    assert_eq!(faults[1]["kind"], "external");
    let hints = result["hints"].as_array().unwrap();
    assert!(
        hints
            .iter()
            .any(|h| h.as_str().unwrap().contains("steered by hand")),
        "{hints:?}"
    );
    assert!([0, 4].contains(&code), "{code}");
}

#[test]
fn what_a_hold_left_no_time_for_is_said_again_when_the_screen_is_gone() {
    let (place, server) = (Place::new(), server());
    let shape = Shape {
        duration: 9,
        fault_at: 6,
        ..Shape::default()
    };
    let pane = Pane::start(&place, &server, &shape);
    pane.until_it_shows("measuring");
    pane.press("h");
    pane.until_it_shows("HELD");
    std::thread::sleep(Duration::from_secs(4));
    pane.press("h");
    let (code, all) = pane.ended();
    assert!(all.contains("warning: the plug: it would come at"), "{all}");
    assert_eq!(code, 4, "a fault that did not take place");
    assert_eq!(pane.result()["faults"][0]["injected_at_ms"], Value::Null);
}

#[test]
fn ctrl_c_ends_the_run_in_good_order_and_q_asks_first() {
    for keys in [&["C-c"][..], &["q", "y"]] {
        let (place, server) = (Place::new(), server());
        let pane = Pane::start(&place, &server, &Shape::default());
        pane.until_it_shows("measuring");
        keys.iter().for_each(|key| pane.press(key));
        let (code, all) = pane.ended();
        assert_eq!(code, 130);
        assert!(all.contains("results:"), "{keys:?}: {all}");
        assert_eq!(pane.result()["end"]["reason"], "interrupted");
    }
}

#[test]
fn a_second_ctrl_c_leaves_at_once_and_the_terminal_is_as_it_was() {
    let (place, server) = (Place::new(), server());
    let pane = Pane::start(&place, &server, &Shape::default());
    pane.until_it_shows("measuring");
    // What is under way is awaited for two seconds.
    (server.switch())(Some(Failure::Hang));
    std::thread::sleep(Duration::from_millis(500));
    pane.press("C-c");
    pane.until_it_shows("stopping");
    pane.press("C-c");
    let (code, all) = pane.ended();
    assert_eq!(code, 130);
    assert!(all.contains("left at once"), "{all}");
}

#[test]
fn a_panic_gives_the_terminal_back_and_the_run_goes_on() {
    let (place, server) = (Place::new(), server());
    let shape = Shape {
        duration: 6,
        fault_at: 3,
        environment: "LBTEST_TEST_VIEW_PANICS=1",
        ..Shape::default()
    };
    let pane = Pane::start(&place, &server, &shape);
    let (code, all) = pane.ended();
    assert!(all.contains("a test makes the view panic"), "{all}");
    assert!(
        all.contains("fault at 3.000 s"),
        "it is told in lines: {all}"
    );
    assert!(all.contains("results:"), "{all}");
    assert!([0, 4].contains(&code), "{code}");
}

#[test]
fn a_signal_ends_the_run_in_good_order_and_the_terminal_is_as_it_was() {
    for signal in [Signal::TERM, Signal::INT] {
        let (place, server) = (Place::new(), server());
        let pane = Pane::start(&place, &server, &Shape::default());
        pane.until_it_shows("measuring");
        pane.signal(signal);
        let (code, all) = pane.ended();
        assert_eq!(code, 130);
        assert!(all.contains("results:"), "{all}");
    }
}

#[test]
fn a_stop_from_outside_leaves_the_screen_and_a_continue_takes_it_again() {
    let (place, server) = (Place::new(), server());
    let pane = Pane::start(&place, &server, &Shape::default());
    pane.until_it_shows("measuring");
    pane.signal(Signal::TSTP);
    until("the screen is left", PATIENCE, || {
        !pane.on_the_other_screen()
    });
    pane.signal(Signal::CONT);
    until("the screen is taken again", PATIENCE, || {
        pane.on_the_other_screen()
    });
    pane.until_it_shows("measuring");
    pane.press("C-l");
    // Longer than a terminal is waited for that does not answer.
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        assert!(pane.on_the_other_screen(), "the view is closed");
        std::thread::sleep(Duration::from_millis(100));
    }
    pane.until_it_shows("measuring");
    pane.press("C-c");
    assert_eq!(pane.ended().0, 130);
}

#[test]
fn it_is_drawn_anew_when_the_terminal_changes_its_size() {
    let (place, server) = (Place::new(), server());
    let pane = Pane::start(&place, &server, &Shape::default());
    pane.until_it_shows("measuring");
    for (width, height) in [(120, 40), (80, 24)] {
        let (columns, rows) = (width.to_string(), height.to_string());
        pane.tmux(&["resize-window", "-x", &columns, "-y", &rows]);
        until("it fills the terminal", PATIENCE, || {
            let screen = pane.screen();
            let lines: Vec<_> = screen.lines().collect();
            // The phase ends one column before the edge.
            lines.len() == height
                && lines[0].chars().count() == width - 1
                && lines[height - 1].contains("heal all")
        });
    }
    pane.press("C-c");
    assert_eq!(pane.ended().0, 130);
}

#[test]
fn without_a_terminal_it_is_a_mistake_of_usage() {
    let place = Place::new();
    let scenario = place.file(
        "s.toml",
        "name = \"s\"\n[run]\nduration = \"10s\"\nwarmup = \"1s\"\nobserve = true\n\
         [[load]]\nname = \"web\"\nrate = 1\nhttp = { url = \"http://127.0.0.1:9/\" }\n",
    );
    let scenario = scenario.to_str().unwrap();
    let ran = place.does(&["run", scenario, "--ui", "tui"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("needs a terminal"), "{}", ran.stderr);
    let ran = place.does(&["run", scenario, "--ui", "plain", "--quiet"]);
    assert_eq!(ran.code, Some(2));
}
