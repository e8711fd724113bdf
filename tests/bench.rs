//! `lbtest bench` as a user and a script see it: its figures against targets that count for themselves, exit codes,
//! streams, and what is left on disk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test: clippy exempts only its #[test] functions by itself"
)]

#[path = "load_truth/servers.rs"]
mod servers;
mod support;

use rustix::process::Signal;
use serde_json::Value;
use servers::{Failure, Postgres, Server};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use support::running::Running;
use support::{Place, Ran, code_unless_starved};

/// An empty folder that is everything to a command: where it stands, where temporary files go, where state goes.
struct Empty(PathBuf);

impl Empty {
    fn in_place(place: &Place) -> Self {
        let folder = place.path("empty");
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn confine(&self, mut command: Command) -> Command {
        command.current_dir(&self.0).env("TMPDIR", &self.0);
        command.env("XDG_STATE_HOME", &self.0).env("NO_COLOR", "1");
        command
    }

    fn assert_still_empty(&self) {
        let left: Vec<_> = std::fs::read_dir(&self.0).unwrap().collect();
        assert!(left.is_empty(), "left on disk: {left:?}");
    }
}

fn bench(place: &Place, args: &[&str]) -> Ran {
    let mut all = vec!["bench"];
    all.extend(args);
    place.does(&all)
}

fn url(server: &Server) -> String {
    format!("http://127.0.0.1:{}/", server.port())
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).expect("stdout holds run.json and nothing else")
}

fn only_load(result: &Value) -> &Value {
    let loads = result["loads"].as_array().unwrap();
    assert_eq!(loads.len(), 1);
    let load = &loads[0];
    let n = |key: &str| load[key].as_u64().unwrap();
    assert_eq!(
        n("requests"),
        n("ok") + n("failed") + n("unknown") + n("dropped")
    );
    assert_eq!(n("lost"), 0);
    load
}

#[test]
fn a_closed_loop_counts_exactly_what_its_target_served() {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let args = [
        &url(&server),
        "-c",
        "8",
        "-d",
        "2s",
        "--format",
        "json",
        "-q",
    ];
    let ran = bench(&place, &args);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let result = json(&ran);
    let load = only_load(&result);
    let ok = load["ok"].as_u64().unwrap();
    assert!(ok > 100, "{ok} in two seconds");
    assert_eq!(load["requests"], load["ok"], "everything was answered");
    // The readiness probe is a request too, and no part of the load.
    assert_eq!(server.arrivals().len() as u64, ok + 1);
    // Nothing is left out: without a warm-up every operation is among the figures, and so is its price.
    let health = &result["generator"];
    assert_eq!(health["operations"], load["ok"]);
    let (cpu, rate) = (
        health["cpu_ms"].as_f64().unwrap(),
        load["achieved_rate"].as_f64().unwrap(),
    );
    let workers = health["workers"].as_f64().unwrap();
    let share = health["cpu_ratio"].as_f64().unwrap();
    assert!(cpu > 0.0, "{health}");
    assert!((cpu - share * 2000.0 * workers).abs() < 1e-6, "{health}");
    assert!((rate - ok as f64 / 2.0).abs() < 1e-6, "{rate}");
}

#[test]
fn an_open_loop_makes_every_arrival_and_its_target_sees_each_once() {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let ran = bench(
        &place,
        &[
            &url(&server),
            "-r",
            "200",
            "-d",
            "1s",
            "-q",
            "--format",
            "json",
        ],
    );
    assert_eq!(ran.code, Some(0));
    let result = json(&ran);
    assert_eq!(only_load(&result)["ok"], 200);
    assert_eq!(server.arrivals().len(), 201, "and the probe");
}

#[test]
fn a_warm_up_is_left_out_of_the_figures_and_not_of_the_price() {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let args = [
        "-r", "100", "-d", "2s", "--warmup", "1s", "-q", "--format", "json",
    ];
    let ran = bench(&place, &[&[&*url(&server)], &args[..]].concat());
    let result = json(&ran);
    assert_eq!(only_load(&result)["requests"], 100);
    assert_eq!(result["generator"]["operations"], 200);
}

#[test]
fn the_report_says_rate_and_price_and_nothing_is_left_on_disk() {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let empty = Empty::in_place(&place);
    let command = place.lbtest(&["bench", &url(&server), "-c", "4", "-d", "1s"]);
    let ran = place.ended(empty.confine(command).spawn().unwrap());
    assert_eq!(ran.code, Some(0));
    let lines: Vec<_> = ran.stdout.lines().collect();
    let line = |start: &str| {
        let found = lines.iter().find(|l| l.starts_with(start));
        *found.unwrap_or_else(|| panic!("no line {start:?}"))
    };
    let number = |text: &str| -> f64 {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    };
    // Of a load of a second, the number and the rate are the same.
    let achieved = line("achieved: bench ");
    assert!(achieved.ends_with("/s"), "{achieved}");
    assert_eq!(number(achieved), (server.arrivals().len() - 1) as f64);
    assert!(line("generator: ").contains("µs of CPU per operation"));
    assert!(!ran.stdout.contains("results:"));
    empty.assert_still_empty();
}

#[test]
fn results_are_written_where_they_are_wanted() {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let out = place.out();
    let args = ["-r", "50", "-d", "1s", "-q", "--format", "json", "--out"];
    let ran = bench(
        &place,
        &[&[&*url(&server)], &args[..], &[out.to_str().unwrap()]].concat(),
    );
    let mut files: Vec<_> = std::fs::read_dir(&out)
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let written = [
        "history.ndjson",
        "junit.xml",
        "report.html",
        "report.md",
        "run.json",
    ];
    assert_eq!(files, written);
    assert_eq!(&json(&ran), ran.json());
    let again = place.does(&[
        "report",
        out.join("history.ndjson").to_str().unwrap(),
        "--format",
        "json",
    ]);
    assert_eq!(json(&again), json(&ran));
}

fn code_of(ran: &Ran, otherwise: i32) {
    let result = json(ran);
    let expected = code_unless_starved(&result, otherwise);
    assert_eq!(ran.code, Some(expected), "{}", result["verdict_reasons"]);
}

#[test]
fn gates_decide_the_exit_code() {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let target = url(&server);
    let run = |gates: &[&str]| {
        let mut args = vec![&*target, "-r", "50", "-d", "1s", "-q", "--format", "json"];
        gates.iter().for_each(|g| args.extend(["--gate", *g]));
        bench(&place, &args)
    };
    let passes = run(&["error_rate <= 1%", "throughput >= 45/s", "dropped == 0"]);
    code_of(&passes, 0);
    assert_eq!(json(&passes)["gates"].as_array().unwrap().len(), 3);
    let fails = run(&["throughput >= 51/s"]);
    code_of(&fails, 1);
    assert_eq!(json(&fails)["gates"][0]["passed"], false);
}

#[test]
fn errors_fail_a_gate_on_them_and_nothing_else() {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let fail_soon = server.switch();
    let breaks = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(1500));
        fail_soon(Some(Failure::Answer500));
    });
    let args = [
        "-r",
        "50",
        "-d",
        "3s",
        "-q",
        "--format",
        "json",
        "--gate",
        "error_rate <= 1%",
    ];
    let ran = bench(&place, &[&[&*url(&server)], &args[..]].concat());
    breaks.join().unwrap();
    let result = json(&ran);
    let load = only_load(&result);
    assert!(load["failed"].as_u64().unwrap() > 10, "{load}");
    assert_eq!(load["errors"]["http_500"], load["failed"]);
    code_of(&ran, 1);
}

#[test]
fn wrong_usage_names_the_option_and_starts_nothing() {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let target = &*url(&server);
    let dsn = "postgres://app:s3cret@127.0.0.1:1/app";
    for (args, named) in [
        (&["http://:x/"][..], "TARGET"),
        (&["ftp://u:s3cret@h/"], "TARGET"),
        (&[target, "--query", "SELECT 1"], "--query"),
        (&[dsn], "--query"),
        (&[dsn, "--query", "SELECT $1"], "--query"),
        (
            &["postgres://u:s3cret@h:x/d", "--query", "SELECT 1"],
            "TARGET",
        ),
        (&[target, "--duration", "10"], "--duration"),
        (&[target, "--rate", "5", "--users", "3"], "--rate"),
        (&[target, "--poisson"], "--rate"),
        (&[target, "--gate", "p99 <= 5"], "--gate"),
        (&[target, "--set", "load.bench.tink=1s"], "--set"),
        (
            &[target, "-H", "Transfer-Encoding: chunked"],
            "Transfer-Encoding",
        ),
    ] {
        let ran = bench(&place, args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(ran.stderr.contains(named), "{args:?}");
        assert!(!ran.stderr.contains("s3cret"), "{args:?}");
    }
    assert_eq!(server.arrivals().len(), 0, "nothing was asked");
}

#[test]
fn a_target_that_gives_no_good_answer_is_an_error_of_the_environment() {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let empty = Empty::in_place(&place);
    let refused = format!(
        "http://user:s3cret@127.0.0.1:{}/",
        support::tiny::free_port()
    );
    let target = url(&server);
    for (args, why) in [
        (&[&*refused][..], "refused"),
        (
            &[&target, "--expect-status", "404"],
            "HTTP status 200 was not expected",
        ),
        (&[&target, "--expect-body", "no such text"], "body"),
    ] {
        let mut all = vec!["bench"];
        all.extend(args);
        let command = empty.confine(place.lbtest(&all));
        let ran = place.ended({ command }.spawn().unwrap());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""));
        assert!(ran.stderr.contains("gave no good answer within 5s"));
        assert!(ran.stderr.contains(why) && !ran.stderr.contains("s3cret"));
        empty.assert_still_empty();
    }
}

#[test]
fn an_interrupted_bench_reports_what_it_measured_and_leaves_nothing() {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let empty = Empty::in_place(&place);
    let args = [
        "bench",
        &url(&server),
        "-c",
        "2",
        "-d",
        "60s",
        "--format",
        "json",
    ];
    for (signal, code) in [(Signal::INT, Some(130)), (Signal::KILL, None)] {
        let before = server.arrivals().len();
        let running = Running::of(empty.confine(place.lbtest(&args)));
        running.until_it_says("measuring");
        support::until("the load is on", Duration::from_secs(30), || {
            server.arrivals().len() > before + 20
        });
        running.signal(signal);
        let ran = running.ends_within(&place, Duration::from_secs(20));
        assert_eq!(ran.code, code);
        if code.is_some() {
            let result = json(&ran);
            assert_eq!(result["end"]["reason"], "interrupted");
            let served = server.arrivals().len() as u64;
            let load = only_load(&result);
            assert_eq!(load["requests"].as_u64().unwrap() + 1, served);
        }
        empty.assert_still_empty();
    }
}

#[test]
fn the_scenario_that_is_printed_makes_the_same_load() {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let target = url(&server);
    let args = [
        &*target,
        "-r",
        "40",
        "--poisson",
        "-d",
        "2s",
        "--seed",
        "7",
        "-H",
        "X-Text: a \"b\" 'c' # d",
        "--expect-body",
        "ok",
        "--timeout",
        "900ms",
        "--set",
        "load.bench.http.method=POST",
        "--set",
        "run.seed=8",
        "--gate",
        "error_rate <= 1%",
    ];
    let printed = bench(&place, &[&args[..], &["--print-scenario"]].concat());
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    assert_eq!(server.arrivals().len(), 0, "nothing was started");
    let file = place.file("s.toml", &printed.stdout);
    let by_scenario = place.run(&file, &["-q"]);
    let by_bench = bench(&place, &[&args[..], &["-q", "--format", "json"]].concat());
    let (a, b) = (by_scenario.json(), &json(&by_bench));
    for key in ["scenario", "gates"] {
        assert_eq!(a[key], b[key], "{key}");
    }
    assert_eq!(a["scenario"]["seed"], 7, "the option is above what is set");
    for key in [
        "name",
        "kind",
        "target",
        "arrivals",
        "requests",
        "ok",
        "intended_rate",
    ] {
        assert_eq!(only_load(a)[key], only_load(b)[key], "{key}");
    }
    // Poisson arrivals of one seed: the same number of them in every second.
    assert_eq!(
        a["loads"][0]["series"]["requests"],
        b["loads"][0]["series"]["requests"]
    );
}

#[test]
fn a_password_is_shown_nowhere_but_in_the_scenario_that_is_printed() {
    let (place, database) = (Place::new(), Postgres::start());
    let dsn = format!(
        "postgres://postgres:s3cret@127.0.0.1:{}/postgres",
        database.port()
    );
    let out = place.out();
    let args = [
        &*dsn,
        "--query",
        "SELECT $1::int",
        "-p",
        "5",
        "--expect-rows",
        "1",
        "-c",
        "4",
        "-d",
        "1s",
        "--out",
        out.to_str().unwrap(),
        "-vvv",
    ];
    let ran = bench(&place, &args);
    assert_eq!(ran.code, Some(0));
    ran.assert_accounted();
    assert_eq!(ran.load("bench")["ok"], ran.load("bench")["requests"]);
    assert!(ran.stdout.contains("achieved: bench ") && ran.stdout.contains("CPU per operation"));
    for file in ["run.json", "report.md", "report.html", "history.ndjson"] {
        let text = std::fs::read_to_string(out.join(file)).unwrap();
        assert!(!text.contains("s3cret"), "{file}");
    }
    assert!(!ran.stdout.contains("s3cret") && !ran.stderr.contains("s3cret"));
    let printed = bench(&place, &[&args[..11], &["--print-scenario"]].concat());
    let lines = printed.stdout.lines().filter(|l| l.contains("s3cret"));
    assert_eq!(lines.collect::<Vec<_>>(), [format!("dsn = \"{dsn}\"")]);
    // The variable that PostgreSQL's own clients read is named, not shown.
    let bare = dsn.replace(":s3cret", "");
    let mut command = place.lbtest(&["bench", &bare, "--query", "SELECT 1", "--print-scenario"]);
    let printed = place.ended(command.env("PGPASSWORD", "s3cret").spawn().unwrap());
    assert!(printed.stdout.contains("${PGPASSWORD}") && !printed.stdout.contains("s3cret"));
}
