//! HTTP/2: one connection carries everything; its limits and its end.

use crate::engine::{http, open, over_http2, start};
use crate::namespace::inside;
use crate::upstreams::{self, Http2};
use std::sync::atomic::Ordering;
use std::time::Duration;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn a_server_that_says_go_away_costs_no_request() {
    inside(
        "streams::a_server_that_says_go_away_costs_no_request",
        |_| {
            let (port, connections) = upstreams::http2(Http2 {
                streams: 200,
                delay: ms(5),
                lifetime: Some(ms(100)),
            });
            let load = http("h2", open(500.0), ("127.0.0.1", port), ms(1000));
            let run = start(vec![over_http2(load)], ms(2000), 1);
            let (all, _) = run.finish();
            let connections = connections.load(Ordering::Relaxed);
            println!("{}: {connections} connections", all[0]);
            assert_eq!((all[0].total(), all[0].bad()), (1000, 0), "{}", all[0]);
            // One every 100 ms.
            assert!(
                (10..=24).contains(&connections),
                "{connections} connections"
            );
        },
    );
}

#[test]
fn more_requests_than_streams_wait_and_are_not_lost() {
    inside(
        "streams::more_requests_than_streams_wait_and_are_not_lost",
        |_| {
            let (port, connections) = upstreams::http2(Http2 {
                streams: 10,
                delay: ms(100),
                lifetime: None,
            });
            // Ten streams of 100 ms are 100 requests a second: 150 a second for a second are a queue of half a second.
            let load = http("h2", open(150.0), ("127.0.0.1", port), ms(2000));
            let run = start(vec![over_http2(load)], ms(1000), 1);
            let (all, _) = run.finish();
            println!(
                "{}: {} connections",
                all[0],
                connections.load(Ordering::Relaxed)
            );
            assert_eq!((all[0].total(), all[0].bad()), (150, 0), "{}", all[0]);
        },
    );
}
