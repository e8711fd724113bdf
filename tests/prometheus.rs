//! A real Prometheus follows a run: it takes every scrape, has the run's own totals and rates, and answers each question
//! of the dashboard.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a test: clippy exempts only its #[test] functions by itself; counts are exact as f64"
)]

#[path = "traceparent/server.rs"]
mod server;
mod support;

use serde_json::Value;
use server::{Server, Speaks};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::dashboard::expressions;
use support::plain_http::get;
use support::running::Running;
use support::tiny::free_port;
use support::{Place, until};

const RATE: u64 = 150;
/// Prometheus asks so often.
const INTERVAL: Duration = Duration::from_millis(500);

/// Ends it, whatever becomes of the test.
struct Prometheus {
    process: Child,
    api: String,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Prometheus {
    fn follow(place: &Place, port: u16) -> Self {
        let config = format!(
            "global:\n  scrape_interval: {0}ms\n  scrape_timeout: {0}ms\nscrape_configs:\n  \
             - job_name: lbtest\n    static_configs:\n      - targets: ['127.0.0.1:{port}']\n",
            INTERVAL.as_millis()
        );
        let config = place.file("prometheus.yml", &config);
        let address = format!("127.0.0.1:{}", free_port());
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--web.listen-address={address}"))
            .arg(format!(
                "--storage.tsdb.path={}",
                place.path("tsdb").display()
            ))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus is not installed: .ci/prerequisites test");
        let this = Self {
            process,
            api: format!("http://{address}/api/v1"),
        };
        until("prometheus is ready", Duration::from_secs(30), || {
            TcpStream::connect(&address).is_ok()
                && get(&format!("http://{address}/-/ready"), None)
                    .0
                    .contains(" 200 ")
        });
        // It looks for what it shall scrape every five seconds.
        until("prometheus scrapes", Duration::from_secs(30), || {
            let targets = this.ask("targets", &[]);
            let active = targets["activeTargets"].as_array().unwrap();
            active.iter().any(|target| target["health"] != "unknown")
        });
        this
    }

    fn ask(&self, what: &str, with: &[(&str, &str)]) -> Value {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(with)
            .finish();
        let (_, answer) = get(&format!("{}/{what}?{query}", self.api), None);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["status"], "success", "{what} {with:?}: {answer}");
        answer["data"].clone()
    }

    /// What an expression of one series is now.
    fn value(&self, expression: &str) -> f64 {
        let data = self.ask("query", &[("query", expression)]);
        let of = data["result"][0]["value"][1].as_str();
        of.unwrap_or_else(|| panic!("{expression}: {data}"))
            .parse()
            .unwrap()
    }
}

#[test]
fn it_has_the_runs_own_figures_and_an_answer_to_every_question_of_the_dashboard() {
    let (place, server) = (Place::new(), Server::start(Speaks::Http1));
    let scenario = format!(
        "name = \"followed\"\n[run]\nwarmup = \"0s\"\nduration = \"10s\"\nobserve = true\n\
         [[load]]\nname = \"web\"\nrate = {RATE}\nhttp = {{ url = \"{url}\" }}\n\
         [[fault]]\nname = \"from outside\"\nat = \"2s\"\nheal_after = \"4s\"\nexternal = {{}}\n",
        url = server.url()
    );
    let scenario = place.file("scenario.toml", &scenario);
    let port = free_port();
    let prometheus = Prometheus::follow(&place, port);
    let (out, address) = (place.out(), format!("127.0.0.1:{port}"));
    let args = [
        "run",
        scenario.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    let running = Running::start(&place, &[&args[..], &["--metrics", &address]].concat());
    running.until_it_says("measuring");
    let from = jiff::Timestamp::now();
    std::thread::sleep(Duration::from_secs(8));

    until("the last scrape was good", Duration::from_secs(5), || {
        let targets = prometheus.ask("targets", &[]);
        let target = &targets["activeTargets"][0];
        target["health"] == "up" && target["lastError"] == ""
    });
    // A busy machine may miss one.
    let missed = prometheus.value("sum(count_over_time(up[7s]) - sum_over_time(up[7s]))");
    assert!(missed <= 1.0, "{missed} of some 14 scrapes failed");
    let rate = prometheus.value("sum(rate(lbtest_operations_total{load=\"web\"}[7s]))");
    // Both ends of the seven seconds are those of a scrape, of a tick a quarter of a second old, of a flush of 200 ms.
    assert!(
        (rate - RATE as f64).abs() < RATE as f64 * 0.15,
        "{rate}/s of {RATE}/s"
    );
    let p50 = "histogram_quantile(0.5, sum by (le) (rate(lbtest_latency_seconds_bucket[5s])))";
    let p50 = prometheus.value(p50);
    assert!(
        p50 > 0.0 && p50 < 0.1,
        "{p50} s of a server that answers at once"
    );

    let ran = running.ends_within(&place, Duration::from_secs(60));
    // Every tenth answer is a 503, so that there is no steady state: inconclusive.
    assert!(matches!(ran.code, Some(0 | 4)), "{:?}", ran.code);
    let total = ran.load("web")["requests"].as_u64().unwrap();
    let seen = "sum(last_over_time(lbtest_operations_total{load=\"web\"}[1m]))";
    let seen = prometheus.value(seen);
    // What came after its last scrape it cannot have: an interval, and what was not yet in the tick that it saw.
    let late = (INTERVAL.as_secs_f64() + 0.75) * RATE as f64;
    assert!(
        seen <= total as f64 && seen >= total as f64 - late,
        "{seen} of {total}"
    );

    let (start, end) = (from.to_string(), jiff::Timestamp::now().to_string());
    for expression in expressions() {
        let query = expression
            .replace("$__rate_interval", "4s")
            .replace("$load", ".*");
        assert!(!query.contains('$'), "{query}");
        let with = [
            ("query", &*query),
            ("start", &start),
            ("end", &end),
            ("step", "1"),
        ];
        let data = prometheus.ask("query_range", &with);
        let points = data["result"].as_array().unwrap().iter();
        let points = points.flat_map(|series| series["values"].as_array().unwrap());
        let numbers = points.filter(|point| point[1] != "NaN").count();
        assert!(numbers > 2, "{query}: {data}");
    }
}
