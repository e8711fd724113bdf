//! What becomes of an operation whose answer is framed in this or that way, or broken: through the whole client, over
//! real sockets. Where time matters, the bounds are such that it needs no quiet machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test: clippy exempts only its #[test] functions by itself"
)]

#[path = "load_framing/server.rs"]
mod server;

use lbtest::clock::Clock;
use lbtest::history::Class;
use lbtest::load::{self, LoadSpec};
use lbtest::plan::Recovery;
use lbtest::scenario::{Arrivals, ClientSpec, HttpRequest, HttpSpec, StatusSet, Workload};
use server::{Server, Step};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

const LENGTH: Duration = Duration::from_millis(900);
/// One user, who waits after each answer: what comes after it is there before the next request is.
const THINK: Duration = Duration::from_millis(200);
/// The pause of what comes after an answer, in milliseconds.
const LATER: u64 = 20;
/// Far beyond what any of this takes: an answer that is awaited for so long is missing.
const TIMEOUT: Duration = Duration::from_secs(10);

fn workload(method: &str, port: u16, timeout: Duration) -> Workload {
    let request = HttpRequest {
        method: method.into(),
        url: format!("http://127.0.0.1:{port}/"),
        headers: vec![],
        body: None,
        weight: 1,
        write: false,
        expect_status: StatusSet(vec![(200, 399)]),
        // An answer to another request has another body.
        expect_body: (method == "GET").then(|| "answer".into()),
    };
    let client = ClientSpec::Http(HttpSpec {
        requests: vec![request],
        timeout,
        connect_timeout: timeout,
        keep_alive: true,
        http2: false,
        ca_file: None,
        instance_header: "x-instance".into(),
        traceparent: false,
        variables: vec![],
    });
    Workload {
        name: "w".into(),
        arrivals: Arrivals::Closed {
            users: 1,
            think: THINK,
        },
        max_in_flight: 1000,
        client,
        recovery: Recovery {
            max_error_ratio: 0.01,
            stable_for: Duration::from_secs(1),
            p99_limit: None,
        },
        span: 0..0,
    }
}

/// How many operations of each workload came to which end: `ok`, or the name of a class.
async fn outcomes(loads: Vec<Workload>) -> Vec<BTreeMap<String, u64>> {
    let clock = Clock::starting_at(Instant::now() + Duration::from_millis(300));
    let (tx, mut rx) = unbounded_channel();
    let mut all = vec![BTreeMap::new(); loads.len()];
    let spec = LoadSpec {
        loads,
        duration: LENGTH,
        seed: 5,
        workers: 1,
    };
    let summary = load::start(spec, clock, tx).unwrap().join().await;
    assert_eq!(summary.workers, 1);
    while let Some(flush) = rx.recv().await {
        let counts: &mut BTreeMap<String, u64> = &mut all[flush.load];
        for slot in flush.delta.slots.values() {
            let bad = |classes: &BTreeMap<Class, u64>| -> Vec<(String, u64)> {
                classes.iter().map(|(c, n)| (c.to_string(), *n)).collect()
            };
            let ended = bad(&slot.failed).into_iter().chain(bad(&slot.unknown));
            let bad_in_all: u64 = slot.bad();
            for (class, n) in ended.chain([("ok".to_owned(), slot.total() - bad_in_all)]) {
                if n > 0 {
                    *counts.entry(class).or_default() += n;
                }
            }
        }
    }
    all
}

/// All operations ended alike, and each was one request.
fn all(class: &str, server: &Server) -> BTreeMap<String, u64> {
    BTreeMap::from([(class.to_owned(), server.requests())])
}

struct Case {
    method: &'static str,
    answer: Vec<Step>,
    /// The outcome of every operation; `protocol` also where something comes after the end of an answer, and the
    /// machine is so busy that both are there when the client looks.
    becomes: &'static str,
    /// Whether one connection serves all operations.
    kept: bool,
}

fn case(method: &'static str, answer: Vec<Step>, becomes: &'static str, kept: bool) -> Case {
    Case {
        method,
        answer,
        becomes,
        kept,
    }
}

async fn check(cases: Vec<Case>) {
    let servers: Vec<Server> = cases.iter().map(|c| Server::start(&c.answer)).collect();
    let loads = cases.iter().zip(&servers);
    let loads = loads.map(|(c, s)| workload(c.method, s.port(), TIMEOUT));
    let outcomes = outcomes(loads.collect()).await;
    for ((case, server), mut outcome) in cases.iter().zip(&servers).zip(outcomes) {
        let what = format!("{} {:?}", case.method, case.answer);
        let after_the_end = matches!(
            case.answer[..],
            [Step::Send(_), Step::Pause(_), Step::Send(_)]
        );
        if after_the_end && let Some(n) = outcome.remove("protocol") {
            *outcome.entry(case.becomes.to_owned()).or_default() += n;
        }
        assert_eq!(outcome, all(case.becomes, server), "{what}");
        assert!(server.requests() > 1, "{what}");
        let connections = if case.kept { 1 } else { server.requests() };
        assert_eq!(server.used(), connections, "connections: {what}");
    }
}

fn send(text: &str) -> Step {
    Step::Send(text.as_bytes().to_vec())
}

fn get(text: &str, then_close: bool, becomes: &'static str, kept: bool) -> Case {
    let mut answer = vec![send(text)];
    if then_close {
        answer.push(Step::Close);
    }
    case("GET", answer, becomes, kept)
}

#[tokio::test]
async fn every_framing_is_read_and_tells_whether_the_connection_is_kept() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nans\r\n3\r\nwer\r\n0\r\nT: v\r\n\r\n";
    let mut cases = vec![
        get(
            "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer",
            false,
            "ok",
            true,
        ),
        get(
            "HTTP/1.1 200 OK\r\nContent-Length: 6, 6\r\nConnection: close\r\n\r\nanswer",
            false,
            "ok",
            false,
        ),
        get(
            "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nanswer",
            false,
            "ok",
            false,
        ),
        get(
            "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 6\r\n\r\nanswer",
            false,
            "ok",
            true,
        ),
        get(chunked, false, "ok", true),
        get("HTTP/1.1 200 OK\r\n\r\nanswer", true, "ok", false),
        get(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nanswer",
            true,
            "ok",
            false,
        ),
        get(
            "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 H\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer",
            false,
            "ok",
            true,
        ),
        get(
            "HTTP/1.1 503 No\r\nContent-Length: 6\r\n\r\nanswer",
            false,
            "http_503",
            true,
        ),
        get(
            "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nansxer",
            false,
            "unexpected_body",
            true,
        ),
    ];
    let bytewise = chunked
        .bytes()
        .flat_map(|b| [Step::Send(vec![b]), Step::Pause(1)]);
    cases.push(case("GET", bytewise.collect(), "ok", true));
    check(cases).await;
}

#[tokio::test]
async fn answers_without_a_body_are_over_with_their_head_whatever_it_says_of_a_body() {
    let mut cases = Vec::new();
    for field in ["Content-Length: 6", "Transfer-Encoding: chunked", "X: y"] {
        for (method, status) in [("HEAD", 200), ("DELETE", 204), ("POST", 304)] {
            let head = format!("HTTP/1.1 {status} X\r\n{field}\r\n\r\n");
            cases.push(case(method, vec![send(&head)], "ok", true));
            // A body nevertheless: with the head it is an error, later the connection is left.
            let body = send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            let Step::Send(bytes) = &body else {
                unreachable!()
            };
            let at_once = [head.as_bytes(), bytes].concat();
            cases.push(case(method, vec![Step::Send(at_once)], "protocol", false));
            let later = vec![send(&head), Step::Pause(LATER), body];
            cases.push(case(method, later, "ok", false));
        }
    }
    check(cases).await;
}

#[tokio::test]
async fn broken_and_ambiguous_answers_are_protocol_errors_and_cut_ones_end_of_stream() {
    let protocol = [
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Length: 7\r\n\r\nanswer!",
        "HTTP/1.1 200 OK\r\nContent-Length: -6\r\n\r\nanswer",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nanswer\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nanswer\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n6\r\nanswer\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nanswer!\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nanswer\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nanswer\r\n0\r\nHTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 6\r\n\r\nanswer",
        "HTTP/1.1 200 OK\r\nContent-Length : 6\r\n\r\nanswer",
        "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        "HTTP/2.0 200 OK\r\nContent-Length: 6\r\n\r\nanswer",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer",
        "SSH-2.0-x\r\n",
        // Something after the end, in the same packet.
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nanswerHTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nanswer\r\n0\r\n\r\n0\r\n\r\n",
    ];
    let end_of_stream = [
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nanswer",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nanswer\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nanswer\r\n0\r\n",
    ];
    let protocol = protocol.map(|text| get(text, false, "protocol", false));
    let end = end_of_stream.map(|text| get(text, true, "end_of_stream", false));
    check(protocol.into_iter().chain(end).collect()).await;
}

/// The second answer comes while nothing is asked. The requests that follow it go over another connection, and get
/// their own answers.
#[tokio::test]
async fn an_answer_that_nobody_asked_for_never_answers_the_next_request() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer";
    let later = |text: &str| {
        case(
            "GET",
            vec![send(answer), Step::Pause(LATER), send(text)],
            "ok",
            false,
        )
    };
    check(vec![
        later("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale"),
        later("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        later("\r\n"),
        later("x"),
    ])
    .await;
}

#[tokio::test]
async fn what_has_no_end_is_cut_off_at_a_limit() {
    const MIB: u64 = 1 << 20;
    let endless = |before: &str, again: &str| {
        let again = again.repeat(8192 / again.len());
        case(
            "GET",
            vec![send(before), Step::Endless(again.into_bytes())],
            "protocol",
            false,
        )
    };
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let cases = vec![
        endless("HTTP/1.1 200 OK\r\n", "X: y\r\n"),
        endless("HTTP/1.1 200 OK\r\nX: ", "y"),
        endless("HTTP/1.1 200 ", "O"),
        endless("", "x"),
        endless("", "HTTP/1.1 100 Continue\r\n\r\n"),
        endless("", "\r\n"),
        endless(&format!("{chunked}6;"), "x"),
        endless(chunked, "0"),
        endless(&format!("{chunked}6\r\nanswer\r\n0\r\n"), "X: y\r\n"),
        endless(&format!("{chunked}0\r\nX: "), "y"),
        endless("HTTP/1.1 200 OK\r\nContent-Length: 1073741825\r\n\r\n", "x"),
        endless(&format!("{chunked}40000001\r\n"), "x"),
    ];
    let servers: Vec<Server> = cases.iter().map(|c| Server::start(&c.answer)).collect();
    let loads = servers.iter().map(|s| workload("GET", s.port(), TIMEOUT));
    let outcomes = outcomes(loads.collect()).await;
    for ((case, server), outcome) in cases.iter().zip(&servers).zip(outcomes) {
        assert_eq!(
            outcome,
            all("protocol", server),
            "{:?}",
            case.answer.first()
        );
        // The limit, and what both kernels hold.
        let each = server.written() / server.requests();
        assert!(each < 16 * MIB, "{each} bytes, {:?}", case.answer.first());
    }
}

/// A body below its limit is read to its end or to the time-out, and is not kept. It stops at 128 MiB, well below the
/// limit of 1 GiB, which a fast machine would reach before the time-out.
#[tokio::test]
async fn a_body_without_an_end_ends_by_the_timeout_and_takes_no_memory() {
    const TIMES: usize = (128 << 20) / 8192;
    let head = "HTTP/1.1 200 OK\r\n";
    let chunk = format!("2000\r\n{}\r\n", "x".repeat(8192));
    let body = |before: &str, again: Vec<u8>| {
        [
            send(head),
            send(before),
            Step::Repeated(again, TIMES),
            Step::Pause(10_000),
        ]
    };
    let bodies = [
        body("\r\n", vec![b'x'; 8192]),
        body("Transfer-Encoding: chunked\r\n\r\n", chunk.into_bytes()),
    ];
    let servers = bodies.map(|body| Server::start(&body));
    let before = server::peak_memory();
    let timeout = Duration::from_secs(2);
    let loads = servers.iter().map(|s| workload("GET", s.port(), timeout));
    for (outcome, server) in outcomes(loads.collect()).await.into_iter().zip(&servers) {
        assert_eq!(outcome, all("timeout", server));
    }
    let written: u64 = servers.iter().map(Server::written).sum();
    let grown = server::peak_memory() - before;
    assert!(written > 32 << 20, "only {written} bytes were sent");
    assert!(grown < written / 3, "{grown} bytes more for {written}");
}
