//! What Prometheus sees of a run: the same totals as its results, in a form that a strict reader takes, under the names
//! that the dashboard asks for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::float_cmp,
    clippy::cast_precision_loss,
    reason = "a test: clippy exempts only its #[test] functions by itself; counts are exact as f64"
)]

#[path = "telemetry/openmetrics.rs"]
mod openmetrics;
#[path = "traceparent/server.rs"]
mod server;
mod support;

use lbtest::analysis::result::RunResult;
use lbtest::notice::{Notice, Notices};
use lbtest::run::Spec;
use lbtest::scenario::{self, Overrides};
use lbtest::source::SourceFile;
use lbtest::telemetry::{Follower, RunInfo, Server as Metrics};
use openmetrics::Exposed;
use server::{Server, Speaks};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use support::Place;
use support::dashboard::expressions;
use support::plain_http::get;
use support::running::Running;
use tokio_util::sync::CancellationToken;

fn scenario_text(server: &Server, seconds: u32) -> String {
    format!(
        r#"
name = "followed"
[run]
warmup = "0s"
duration = "{seconds}s"
workers = 2
observe = true
[[load]]
name = "web"
rate = 150
http = {{ url = "{url}" }}
[[load]]
name = "gone"
rate = 20
max_in_flight = 1
http = {{ url = "{url}" }}
[[fault]]
name = "from outside"
at = "500ms"
heal_after = "300ms"
external = {{}}
"#,
        url = server.url()
    )
}

/// Status line and header fields in small letters, and the body, of `GET /metrics`.
fn scrape(url: &str) -> (String, String) {
    let (head, body) = get(url, None);
    assert!(head.contains(" 200 OK"), "{head}");
    (head.to_ascii_lowercase(), body)
}

/// A whole run in this process, followed: its results, and what is scraped once it is over.
async fn followed(text: String) -> (RunResult, String, String) {
    let file = SourceFile::new("scenario.toml", text);
    let scenario = scenario::parse(&file, &Overrides::default(), &BTreeMap::new()).unwrap();
    let plan = lbtest::plan::resolve(&scenario, None, true).unwrap().plan;
    let spec = Spec {
        scenario,
        topology: None,
        plan,
        out: None,
        keep: false,
        attach: false,
        ready_within: Some(Duration::from_secs(10)),
    };
    let follower = Follower::default();
    let metrics = Metrics::listen("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let url = metrics.url();
    metrics.serve(follower.exposition.clone());
    let (notices, told) = Notices::channel();
    let mut passed = follower.tap(told);
    let watcher = tokio::spawn(async move {
        while let Some(notice) = passed.recv().await {
            if let Notice::Settle(settle) = notice {
                settle.done();
            }
        }
    });
    follower.begins(RunInfo {
        scenario: "followed".to_owned(),
        seed: 1,
        version: "test".to_owned(),
    });
    let stop = CancellationToken::new();
    let finished = lbtest::run::run(&spec, &notices, &stop).await.unwrap();
    // Everything that was told is seen.
    drop(notices);
    watcher.await.unwrap();
    let scraped = tokio::task::spawn_blocking(move || scrape(&url))
        .await
        .unwrap();
    (finished.result, scraped.0, scraped.1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_after_a_run_shows_the_totals_of_its_results() {
    let server = Server::start(Speaks::Http1);
    let (result, head, body) = followed(scenario_text(&server, 2)).await;
    let media = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(head.contains(media), "{head}");
    let exposed = Exposed::read(&body);
    for load in &result.loads {
        let name = ("load", &*load.name);
        let n = |outcome| exposed.value("lbtest_operations_total", &[name, ("outcome", outcome)]);
        let told = [n("ok"), n("failed"), n("unknown"), n("dropped")].map(|n| n as u64);
        assert_eq!(
            told,
            [load.ok, load.failed, load.unknown, load.dropped],
            "{}",
            load.name
        );
        for (class, count) in &load.errors {
            let labels = [name, ("class", class)];
            assert_eq!(exposed.value("lbtest_errors_total", &labels), *count as f64);
        }
        for share in &load.instances {
            let of = |outcome| {
                let labels = [name, ("server", &*share.name), ("outcome", outcome)];
                exposed.value("lbtest_instance_operations_total", &labels) as u64
            };
            assert_eq!(
                (of("ok") + of("bad"), of("bad")),
                (share.requests, share.bad)
            );
        }
        assert_eq!(
            exposed.value("lbtest_latency_seconds_count", &[name]),
            load.ok as f64
        );
        let histogram = load.histogram.upper_ms.iter().zip(&load.histogram.counts);
        let sum: f64 = histogram.map(|(ms, n)| ms * *n as f64).sum::<f64>() / 1e3;
        let told = exposed.value("lbtest_latency_seconds_sum", &[name]);
        assert!(
            (told - sum).abs() <= sum * 0.02,
            "{told} s, and {sum} s in the results"
        );
        assert_eq!(exposed.value("lbtest_in_flight", &[name]), 0.0);
    }
    let web = &result.loads[0];
    assert!(
        web.requests == 300 && web.failed > 10 && web.instances.len() == 2,
        "{web:?}"
    );
    let labels = [("fault", "from outside"), ("kind", "external")];
    assert_eq!(exposed.value("lbtest_fault_active", &labels), 0.0);
    let phases: f64 = exposed.all("lbtest_phase").iter().map(|(_, n)| n).sum();
    assert_eq!(phases, 1.0);
    assert_eq!(
        exposed.value("lbtest_phase", &[("phase", "tearing_down")]),
        1.0
    );
    assert_dashboard_is_fed(&exposed);
}

/// Every metric that the dashboard asks for was exposed, and every label that it groups by.
fn assert_dashboard_is_fed(exposed: &Exposed) {
    let asked = expressions();
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let names = exposed.names();
    let mut used = BTreeSet::new();
    for expression in &asked {
        let of = expression.split(word).filter(|w| w.starts_with("lbtest_"));
        let of: Vec<&str> = of.collect();
        assert!(!of.is_empty(), "{expression}");
        for name in of {
            assert!(names.contains(name), "{name} of {expression}");
            used.insert(name.to_owned());
        }
        for grouped in expression.split(" by (").skip(1) {
            let list = grouped.split(')').next().unwrap();
            for label in list.split(',').map(str::trim) {
                let known = exposed
                    .samples
                    .keys()
                    .any(|(_, labels)| labels.contains_key(label));
                assert!(known, "label {label} of {expression}");
            }
        }
    }
    assert!(used.contains("lbtest_latency_seconds_bucket") && used.contains("lbtest_fault_active"));
    let documented = std::fs::read_to_string("docs/metrics.md").unwrap();
    for family in exposed.families.keys() {
        assert!(documented.contains(&**family), "{family} is not documented");
    }
}

#[test]
fn a_run_can_be_scraped_while_it_lasts_and_its_counters_only_rise() {
    let (place, server) = (Place::new(), Server::start(Speaks::Http1));
    let scenario = place.file("scenario.toml", &scenario_text(&server, 4));
    let out = place.out();
    let args = [
        "run",
        scenario.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    let running = Running::start(&place, &[&args[..], &["--metrics", "127.0.0.1:0"]].concat());
    running.until_it_says("measuring");
    let said = running.said();
    let url = said
        .split_whitespace()
        .find(|w| w.ends_with("/metrics"))
        .unwrap();
    let mut last = Exposed::read(&scrape(url).1);
    for _ in 0..8 {
        std::thread::sleep(Duration::from_millis(250));
        let now = Exposed::read(&scrape(url).1);
        now.assert_only_rose_since(&last);
        last = now;
    }
    let ok = last.value(
        "lbtest_operations_total",
        &[("load", "web"), ("outcome", "ok")],
    );
    assert!(ok > 100.0, "{ok} after two seconds at 150/s");
    assert_eq!(last.value("lbtest_phase", &[("phase", "measuring")]), 1.0);
    let run = last.all("lbtest_run_info");
    assert_eq!(run[0].0["scenario"], "followed");
    let code = running.ends_within(&place, Duration::from_secs(60)).code;
    // Every tenth answer is a 503, so that there is no steady state: inconclusive.
    assert!(matches!(code, Some(0 | 4)), "{code:?}");
    assert!(
        TcpStream::connect(&url[7..url.len() - 8]).is_err(),
        "it ended with the process"
    );
}

#[tokio::test]
async fn who_asks_under_a_name_that_may_be_anybodys_learns_nothing() {
    let metrics = Metrics::listen("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let url = metrics.url();
    metrics.serve(Follower::default().exposition);
    for (host, status) in [
        (None, "200 OK"),
        (Some("localhost:9464"), "200 OK"),
        (Some("rebound.example"), "421 "),
    ] {
        let url = url.clone();
        let answer = tokio::task::spawn_blocking(move || get(&url, host));
        let (head, body) = answer.await.unwrap();
        assert!(head.contains(status), "{host:?}: {head}");
        assert_eq!(body.contains("lbtest_"), status == "200 OK", "{body}");
    }
}

#[test]
fn an_address_that_cannot_be_had_ends_the_command_before_anything_is_sent() {
    let (place, server) = (Place::new(), Server::start(Speaks::Http1));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let target = server.url();
    for (address, code, why) in [
        (&*taken, 3, "in use"),
        ("0.0.0.0:0", 2, "loopback"),
        ("9464", 2, "127.0.0.1:9464"),
    ] {
        let ran = place.does(&["bench", &target, "-d", "1s", "--metrics", address]);
        assert_eq!((ran.code, &*ran.stdout), (Some(code), ""), "{address}");
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
    assert!(server.seen().is_empty());
}
