//! `traceparent = true`: every request names a trace of its own, in the form of W3C Trace Context, and what lbtest
//! tells of an operation is the trace that the server was told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test: clippy exempts only its #[test] functions by itself"
)]

#[path = "traceparent/server.rs"]
mod server;
mod support;

use lbtest::history::trace::RunTraces;
use serde_json::Value;
use server::{Server, Speaks};
use std::collections::BTreeSet;
use support::Place;

/// The trace id of a valid `traceparent` of version 00.
fn trace_id(value: &str) -> String {
    let parts: Vec<&str> = value.split('-').collect();
    let [version, trace, parent, flags] = parts[..] else {
        panic!("{value:?} has not four parts")
    };
    let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    assert!(parts.iter().all(|p| hex(p)), "{value}");
    assert_eq!((version, flags), ("00", "01"), "{value}");
    assert_eq!((trace.len(), parent.len()), (32, 16), "{value}");
    assert!(trace.bytes().any(|b| b != b'0'), "{value}");
    assert!(parent.bytes().any(|b| b != b'0'), "{value}");
    trace.to_owned()
}

/// Loads it for a second with these keys of `http`; the results, where the load ran to its end.
fn load(place: &Place, server: &Server, http: &str) -> Value {
    let ca = server.pem.as_ref().map(|pem| place.file("ca.pem", pem));
    let ca = ca.map_or_else(String::new, |path| format!("ca = {path:?}, "));
    let text = format!(
        r#"
name = "traces"
[run]
warmup = "0s"
duration = "1s"
workers = 2
seed = 7
observe = true
[[load]]
name = "first"
rate = 100
http = {{ url = "{url}", {ca}{http} }}
[[load]]
name = "second"
users = 2
think = "20ms"
http = {{ url = "{url}{{n}}", {ca}{http}, vars = {{ n = {{ sequence = 1 }} }} }}
"#,
        url = server.url()
    );
    let scenario = place.file("scenario.toml", &text);
    let ran = place.run(&scenario, &["-q"]);
    ran.result.expect("there are results")
}

#[test]
fn every_request_names_a_valid_trace_of_its_own_over_every_protocol() {
    for (speaks, http) in [
        (Speaks::Http1, "traceparent = true"),
        (Speaks::Http1OverTls, "traceparent = true"),
        (Speaks::Http2, "traceparent = true, http2 = true"),
        (Speaks::Http2OverTls, "traceparent = true, http2 = true"),
    ] {
        let (place, server) = (Place::new(), Server::start(speaks));
        let result = load(&place, &server, http);
        let requests = |load: usize| result["loads"][load]["requests"].as_u64().unwrap();
        let seen = server.seen();
        let traced = seen.iter().filter(|s| !s.traceparents.is_empty());
        assert!(
            traced.clone().all(|s| s.traceparents.len() == 1),
            "{speaks:?}"
        );
        let ids: BTreeSet<String> = traced.map(|s| trace_id(&s.traceparents[0])).collect();
        assert_eq!(
            ids.len() as u64,
            requests(0) + requests(1),
            "{speaks:?}: one each"
        );
        assert!(requests(0) == 100 && requests(1) > 20, "{speaks:?}");
        // All of them are of the one run, and of workload 1 or 2.
        let started_at = result["started_at"].as_str().unwrap().parse().unwrap();
        let run = RunTraces::of(started_at, 7).run().to_string();
        assert!(ids.iter().all(|id| id[..12] == run[..12]), "{speaks:?}");
        let of = |load: &str| ids.iter().filter(|id| &id[12..16] == load).count() as u64;
        assert_eq!((of("0001"), of("0002")), (requests(0), requests(1)));
    }
}

#[test]
fn the_operations_that_are_kept_bear_the_traces_that_the_server_saw() {
    let (place, server) = (Place::new(), Server::start(Speaks::Http1));
    let result = load(&place, &server, "traceparent = true");
    let seen: BTreeSet<String> = server
        .seen()
        .iter()
        .flat_map(|s| &s.traceparents)
        .map(|value| trace_id(value))
        .collect();
    let samples = result["samples"].as_array().unwrap();
    let bad = samples.iter().filter(|s| s["outcome"] == "http_503");
    // The first three of the one second, of each workload.
    assert_eq!(bad.count(), 6, "{samples:?}");
    assert!(samples.iter().any(|s| s["outcome"] == "ok"));
    for sample in samples {
        assert!(
            seen.contains(sample["trace_id"].as_str().unwrap()),
            "{sample}"
        );
        assert!(
            ["app1", "app2"].contains(&sample["instance"].as_str().unwrap()),
            "{sample}"
        );
    }
}

#[test]
fn nothing_is_sent_unless_it_is_asked_for() {
    let (place, server) = (Place::new(), Server::start(Speaks::Http1));
    let result = load(&place, &server, "timeout = \"1s\"");
    assert!(server.seen().len() > 100);
    assert!(server.seen().iter().all(|s| s.traceparents.is_empty()));
    let samples = result["samples"].as_array().unwrap();
    assert!(!samples.is_empty() && samples.iter().all(|s| s["trace_id"].is_null()));
}

#[test]
fn a_header_of_the_scenarios_own_beside_it_is_a_mistake_at_its_place() {
    let place = Place::new();
    let text = r#"
name = "two"
[run]
duration = "1s"
[[load]]
name = "web"
rate = 1
[load.http]
url = "http://127.0.0.1:1"
traceparent = true
requests = [{ url = "/", headers = { Traceparent = "00-1-2-00" } }]
"#;
    let scenario = place.file("scenario.toml", text);
    let ran = place.does(&["check", scenario.to_str().unwrap()]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("`traceparent` is set here"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains(":11:"), "its line: {}", ran.stderr);
}
