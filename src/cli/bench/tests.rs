#![allow(clippy::float_cmp, reason = "the number that was typed")]

use super::args::Bench;
use super::options::{COMMAND_LINE, failure};
use super::{document, spec};
use crate::cli::failure::Failure;
use crate::run::Spec;
use crate::scenario::{self, Arrivals, ClientSpec, HttpSpec, Overrides, PostgresSpec};
use crate::source::SourceFile;
use clap::Parser;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    bench: Bench,
}

type Env<'a> = &'a [(&'a str, &'a str)];

fn environment(env: Env<'_>) -> BTreeMap<String, String> {
    let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
    env.iter().map(owned).collect()
}

fn typed(args: &[&str]) -> Bench {
    let line = std::iter::once(&"bench").chain(args);
    Line::try_parse_from(line).ok().unwrap().bench
}

fn made(args: &[&str], env: Env<'_>) -> Result<Spec, Failure> {
    let (args, env) = (typed(args), environment(env));
    let text = document::text(&args, &env)?;
    spec(&args, &SourceFile::new(COMMAND_LINE, text), &env)
}

fn said(args: &[&str]) -> String {
    match made(args, &[]) {
        Err(Failure::Usage { message, .. }) => message,
        Err(other) => format!("{other:?}"),
        Ok(_) => "nothing wrong".to_owned(),
    }
}

fn http_of(spec: &Spec) -> &HttpSpec {
    match &spec.scenario.loads[0].client {
        ClientSpec::Http(http) => http,
        ClientSpec::Postgres(_) => panic!("not HTTP"),
    }
}

fn postgres_of(spec: &Spec) -> &PostgresSpec {
    match &spec.scenario.loads[0].client {
        ClientSpec::Postgres(postgres) => postgres,
        ClientSpec::Http(_) => panic!("not PostgreSQL"),
    }
}

#[test]
fn fifty_users_for_ten_seconds_without_warm_up_unless_said_otherwise() {
    let spec = made(&["http://h/"], &[]).unwrap();
    let fifty = Arrivals::Closed {
        users: 50,
        think: Duration::ZERO,
    };
    assert_eq!(spec.scenario.loads[0].arrivals, fifty);
    let run = &spec.scenario.run;
    assert_eq!(
        (run.duration, run.warmup, run.observe),
        (Duration::from_secs(10), Duration::ZERO, true)
    );
    assert_eq!(spec.out, None);
    let gated = made(&["http://h/", "--gate", "p99 <= 1s"], &[]).unwrap();
    assert!(!gated.scenario.run.observe && gated.plan.gates.len() == 1);
}

#[test]
fn every_option_of_an_url_reaches_the_workload_as_it_was_typed() {
    let hostile = "\"\"\"\n'''\\ [[fault]]\nname = \"x\" # é\u{7}";
    let args = [
        "https://h:8/a?b=c",
        "-r",
        "12.5",
        "--poisson",
        "--max-in-flight",
        "7",
        "-d",
        "3s",
        "--warmup",
        "1s",
        "-w",
        "3",
        "--timeout",
        "2s",
        "--connect-timeout",
        "500ms",
        "--seed",
        "9",
        "-X",
        "PUT",
        "-H",
        "A: b: c",
        "-H",
        "X-Quote:\"'",
        "--body",
        hostile,
        "--expect-status",
        "200,4xx",
        "--expect-body",
        hostile,
        "--http2",
        "--no-keep-alive",
        "--write",
    ];
    let spec = made(&args, &[]).unwrap();
    let (load, http) = (&spec.scenario.loads[0], http_of(&spec));
    assert!(
        matches!(&load.arrivals, Arrivals::Open { stages, poisson: true } if stages[0].to == 12.5)
    );
    assert_eq!(load.max_in_flight, 7);
    let run = &spec.scenario.run;
    assert_eq!((run.workers, run.seed), (Some(3), 9));
    assert_eq!(
        (run.duration, run.warmup),
        (Duration::from_secs(3), Duration::from_secs(1))
    );
    assert_eq!(
        (http.timeout, http.connect_timeout),
        (Duration::from_secs(2), Duration::from_millis(500))
    );
    assert!(http.http2 && !http.keep_alive);
    let request = &http.requests[0];
    assert_eq!(
        (request.method.as_str(), request.url.as_str()),
        ("PUT", "https://h:8/a?b=c")
    );
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(request.headers, [pair("A", "b: c"), pair("X-Quote", "\"'")]);
    assert_eq!(request.body.as_deref(), Some(hostile));
    assert_eq!(request.expect_body.as_deref(), Some(hostile));
    assert!(request.write && request.expect_status.contains(404));
    assert!(!request.expect_status.contains(201));
}

#[test]
fn every_option_of_a_dsn_reaches_the_workload_as_it_was_typed() {
    let args = [
        "postgres://app:pw@h:1/d",
        "--query",
        "SELECT $1::int, $2",
        "-p",
        "-5",
        "-p",
        "b'",
        "--expect-rows",
        "1",
        "--connection-lifetime",
        "4s",
        "--instance-query",
        "SELECT 2",
        "-c",
        "16",
    ];
    let spec = made(&args, &[]).unwrap();
    let postgres = postgres_of(&spec);
    assert_eq!(postgres.dsn, "postgres://app:pw@h:1/d");
    let statement = &postgres.statements[0];
    assert_eq!(statement.parameters, ["-5", "b'"]);
    assert_eq!(statement.expect_rows, Some(1));
    assert_eq!(postgres.connection_lifetime, Some(Duration::from_secs(4)));
    assert_eq!(postgres.instance_query.as_deref(), Some("SELECT 2"));
    let again = ["postgres://h/d", "--query", "SELECT 1", "--reconnect"];
    assert!(postgres_of(&made(&again, &[]).unwrap()).reconnect);
}

#[test]
fn a_dsn_without_a_password_takes_that_of_the_environment_whatever_it_is_made_of() {
    for password in ["s3same", "p@ss w/rd:&?#%+\"'${é}$$"] {
        for (dsn, expected) in [
            ("postgres://app@h:1/d", password),
            ("postgres://h/d?connect_timeout=3", password),
            ("postgres://app:own@h/d", "own"),
            ("postgres://app@h/d?password=own", "own"),
        ] {
            let args = [dsn, "--query", "SELECT 1"];
            let spec = made(&args, &[("PGPASSWORD", password)]).unwrap();
            let config: tokio_postgres::Config = postgres_of(&spec).dsn.parse().unwrap();
            assert_eq!(config.get_password(), Some(expected.as_bytes()), "{dsn}");
            assert!(!format!("{:?}", spec.plan).contains("own"));
        }
    }
    let args = typed(&["postgres://app@h/d", "--query", "SELECT 1"]);
    let text = document::text(&args, &environment(&[("PGPASSWORD", "s3same")])).unwrap();
    assert!(
        text.contains("${PGPASSWORD}") && !text.contains("s3same"),
        "{text}"
    );
}

#[test]
fn a_mistake_is_told_of_the_option_that_was_typed() {
    let url = "http://127.0.0.1:1/";
    let dsn = "postgres://u:s3cret@h/d";
    for (args, start) in [
        (&["http://u:s3cret@"][..], "TARGET: the URL cannot be read"),
        (&["u:s3cret@h"], "TARGET is neither"),
        (&["http://h/{id}"], "TARGET: the variable `id`"),
        (&[url, "-d", "10"], "--duration: `10` has no unit"),
        (&[url, "--warmup", "x"], "--warmup: "),
        (
            &[url, "--warmup", "10s"],
            "--warmup: the warm-up is as long",
        ),
        (&[url, "-c", "0"], "--users: "),
        (&[url, "-w", "0"], "--workers: "),
        (&[url, "-r", "0"], "--rate: "),
        (&[url, "-r", "inf"], "--rate: "),
        (
            &[url, "-r", "1", "--max-in-flight", "0"],
            "--max-in-flight: ",
        ),
        (&[url, "--timeout", "0s"], "--timeout: `--timeout` is zero"),
        (
            &[url, "--connect-timeout", "6s"],
            "--connect-timeout: `--connect-timeout` is longer than `--timeout`",
        ),
        (&[url, "-X", "G T"], "--method: "),
        (&[url, "-H", "s3cret"], "--header: "),
        (
            &[url, "-H", "A: s3cret", "-H", "a: s3cret"],
            "--header: `a` is given twice",
        ),
        (&[url, "-H", "A B: s3cret"], "--header: `A B`"),
        (
            &[url, "-H", "A: ${NO_SUCH}"],
            "--header: the environment variable",
        ),
        (
            &[url, "--body", "@/none/such"],
            "--body: cannot read /none/such",
        ),
        (&[url, "--body", "{id}"], "--body: "),
        (&[url, "--expect-status", "20x"], "--expect-status: `20x`"),
        (&[url, "--ca-file", "/none/such"], "--ca-file: "),
        (
            &[url, "--query", "SELECT 1"],
            "--query means nothing for an URL",
        ),
        (
            &[url, "--reconnect"],
            "--reconnect means nothing for an URL",
        ),
        (&[dsn], "--query is missing"),
        (&[dsn, "--query", ""], "--query: "),
        (&[dsn, "--query", "SELECT $1"], "--query: "),
        (
            &[dsn, "--query", "SELECT $1", "-p", "1", "-p", "2"],
            "--parameter: the query uses 1 parameters, `--parameter` gives 2",
        ),
        (
            &[dsn, "--query", "x", "--http2"],
            "--http2 means nothing for a DSN",
        ),
        (
            &[dsn, "--query", "x", "--expect-status", "200"],
            "--expect-status means nothing",
        ),
        (
            &[dsn, "--query", "x", "--connection-lifetime", "1"],
            "--connection-lifetime: ",
        ),
        (
            &[dsn, "--query", "x", "--instance-query", " "],
            "--instance-query: ",
        ),
        (
            &["postgres://u:s3cret@h:x/d", "--query", "x"],
            "TARGET: the DSN cannot be read",
        ),
        (
            &[url, "--gate", "p98 <= 1s"],
            "--gate: there is no metric `p98`",
        ),
        (&[url, "--gate", "p99 <= 1"], "--gate: `1`"),
        (&[url, "--gate", "p99"], "--gate: "),
        (
            &[url, "--gate", "dropped <= 0"],
            "--gate: a gate on nothing",
        ),
        (
            &[url, "--gate", "p99 <= 1s", "--gate", "p99 >= 1ms"],
            "--gate: `p99` is limited twice",
        ),
    ] {
        let said = said(args);
        assert!(said.starts_with(start), "{args:?}: {said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_mistake_in_a_set_option_is_shown_there() {
    let args = typed(&["http://h/", "--set", "load.bench.thnik=1s"]);
    let text = document::text(&args, &BTreeMap::new()).unwrap();
    let file = SourceFile::new(COMMAND_LINE, text);
    let overrides = Overrides {
        set: args.set.clone(),
        seed: None,
    };
    let error = scenario::parse(&file, &overrides, &BTreeMap::new()).unwrap_err();
    let Failure::Mistakes(mistakes) = failure(&error.mistakes()[0]) else {
        panic!("told of another option")
    };
    assert_eq!(mistakes[0].file.path.to_str(), Some("--set"));
    assert_eq!(mistakes[0].help.as_deref(), Some("did you mean `think`?"));
}

#[test]
fn a_topology_is_refused() {
    let set = "topology=Cargo.toml";
    let failure = made(&["http://h/", "--set", set], &[]).err().unwrap();
    assert!(matches!(failure, Failure::Mistakes(m) if m[0].message.contains("topology")));
}
