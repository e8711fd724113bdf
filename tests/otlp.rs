//! `--otlp`: a run as one trace, as a collector receives it.

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

use server::{Server, Speaks};
use std::path::PathBuf;
use support::Place;

fn scenario(place: &Place, server: &Server) -> PathBuf {
    let text = format!(
        r#"
name = "traced"
[run]
warmup = "500ms"
duration = "3s"
seed = 7
observe = true
[recovery]
stable_for = "300ms"
[[load]]
name = "web"
rate = 50
http = {{ url = "{}" }}
[[fault]]
name = "from outside"
at = "1s"
heal_after = "500ms"
external = {{}}
"#,
        server.url()
    );
    place.file("scenario.toml", &text)
}

#[cfg(not(feature = "otlp"))]
#[test]
fn a_build_without_the_feature_says_how_to_get_it_and_starts_nothing() {
    let (place, server) = (Place::new(), Server::start(Speaks::Http1));
    let ran = place.run(
        &scenario(&place, &server),
        &["--otlp", "http://127.0.0.1:4318"],
    );
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("--features otlp"), "{}", ran.stderr);
    assert!(server.seen().is_empty());
}

#[cfg(feature = "otlp")]
mod exported {
    use super::*;
    use lbtest::history::trace::RunTraces;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
    use opentelemetry_proto::tonic::trace::v1::Span;
    use prost::Message;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};

    /// A collector: its URL, and what was posted to it: the request line and fields, and the body.
    fn collector(status: &'static str) -> (String, Receiver<(String, Vec<u8>)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (posted, received) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let (mut head, mut line) = (String::new(), String::new());
                while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                    head += &line.to_ascii_lowercase();
                    line.clear();
                }
                let length = head.split("content-length: ").nth(1).unwrap();
                let mut body = vec![0; length.lines().next().unwrap().parse().unwrap()];
                reader.read_exact(&mut body).unwrap();
                let answer =
                    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                reader.get_mut().write_all(answer.as_bytes()).unwrap();
                let _ = posted.send((head, body));
            }
        });
        (url, received)
    }

    fn text(attributes: &[KeyValue], key: &str) -> String {
        let found = attributes.iter().find(|a| a.key == key);
        let value = found.and_then(|a| a.value.clone()?.value);
        match value {
            Some(Value::StringValue(text)) => text,
            other => panic!("{key}: {other:?}"),
        }
    }

    #[test]
    fn a_collector_gets_the_run_its_phases_faults_and_outages_at_their_times() {
        let (place, server) = (Place::new(), Server::start(Speaks::Http1));
        let (url, received) = collector("200 OK");
        let ran = place.run(&scenario(&place, &server), &["--otlp", &url]);
        let result = ran.result.unwrap();
        let (head, body) = received.recv().unwrap();
        assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
        assert!(
            head.contains("content-type: application/x-protobuf"),
            "{head}"
        );
        let request = ExportTraceServiceRequest::decode(&*body).unwrap();
        let of = &request.resource_spans[0];
        let resource = of.resource.as_ref().unwrap();
        assert_eq!(text(&resource.attributes, "service.name"), "lbtest");
        let spans = &of.scope_spans[0].spans;

        let started_at: jiff::Timestamp = result["started_at"].as_str().unwrap().parse().unwrap();
        let zero = u64::try_from(started_at.as_nanosecond()).unwrap();
        let nanos = |ms: &serde_json::Value| zero + (ms.as_f64().unwrap() * 1e6) as u64;
        let one = |name: &str| -> &Span {
            let named: Vec<_> = spans.iter().filter(|s| s.name == name).collect();
            assert_eq!(named.len(), 1, "{name}");
            named[0]
        };
        let at = |span: &Span, from: u64, to: u64| {
            let near = |a: u64, b: u64| a.abs_diff(b) < 2000;
            let (starts, ends) = (span.start_time_unix_nano, span.end_time_unix_nano);
            assert!(
                near(starts, from) && near(ends, to),
                "{}: {starts} to {ends}",
                span.name
            );
        };
        let end = &result["end"];
        at(one("warm_up"), zero, nanos(&end["measured_from_ms"]));
        at(
            one("measuring"),
            nanos(&end["measured_from_ms"]),
            nanos(&end["measured_to_ms"]),
        );
        let fault = &result["faults"][0];
        let span = one("fault from outside");
        at(
            span,
            nanos(&fault["injected_at_ms"]),
            nanos(&fault["healed_at_ms"]),
        );
        assert_eq!(text(&span.attributes, "lbtest.fault.kind"), "external");
        let outages = result["outages"].as_array().unwrap();
        assert!(!outages.is_empty(), "every tenth answer is a 503");
        let told = spans.iter().filter(|s| s.name == "outage web").count();
        assert_eq!(told, outages.len());

        let root = one("run traced");
        assert_eq!(
            text(&root.attributes, "lbtest.run"),
            result["run"].as_str().unwrap()
        );
        assert_eq!(
            text(&root.attributes, "lbtest.verdict"),
            result["verdict"].as_str().unwrap()
        );
        assert!(root.parent_span_id.is_empty() || root.parent_span_id.iter().all(|b| *b == 0));
        let trace = RunTraces::of(started_at, 7).run().to_bytes();
        for span in spans {
            assert_eq!(span.trace_id, trace, "{}", span.name);
            assert!(
                span.start_time_unix_nano >= root.start_time_unix_nano,
                "{}",
                span.name
            );
            assert!(
                span.end_time_unix_nano <= root.end_time_unix_nano,
                "{}",
                span.name
            );
            assert!(span.name == root.name || span.parent_span_id == root.span_id);
        }
        let ids: std::collections::BTreeSet<_> = spans.iter().map(|s| &s.span_id).collect();
        assert_eq!(ids.len(), spans.len());
    }

    #[test]
    fn an_export_that_fails_is_a_warning_and_no_verdict() {
        let (place, server) = (Place::new(), Server::start(Speaks::Http1));
        let (refuses, _received) = collector("400 Bad Request");
        let nobody = format!("http://127.0.0.1:{}", support::tiny::free_port());
        for url in [refuses, nobody] {
            let ran = place.run(&scenario(&place, &server), &["--otlp", &url]);
            let said = format!("the run was not exported to {url}: ");
            assert!(ran.stderr.contains(&said), "{}", ran.stderr);
            // Every tenth answer is a 503: what the figures are worth is another question, and the only one.
            let code = match ran.result.unwrap()["verdict"].as_str().unwrap() {
                "pass" => 0,
                "inconclusive" => 4,
                other => panic!("{other}"),
            };
            assert_eq!(ran.code, Some(code));
        }
    }
}
