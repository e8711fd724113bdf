//! What reading a response costs, beside httparse alone, which only splits the head: it neither frames a body nor
//! refuses one. Every figure includes the copy into the buffer, as of a read.
//!
//! ```text
//! cargo bench --bench parser
//! ```

#![allow(
    missing_docs,
    clippy::panic,
    reason = "criterion's macros make functions; a response that is not understood measures nothing"
)]

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lbtest::load::http::parser::{Parser, Progress, Sink};
use std::hint::black_box;
use std::time::Duration;

const HEAD: &str = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 08:00:00 GMT\r\n\
    Content-Type: text/html\r\n";

/// As nginx answers for a file.
fn with_length(body: usize) -> Vec<u8> {
    let head = format!(
        "{HEAD}Content-Length: {body}\r\nLast-Modified: Tue, 13 Dec 2022 15:53:53 GMT\r\nConnection: keep-alive\r\n\
         ETag: \"6398a011-267\"\r\nAccept-Ranges: bytes\r\n\r\n"
    );
    [head.into_bytes(), vec![b'x'; body]].concat()
}

/// As nginx passes on what a service behind it makes.
fn chunked(chunks: usize, size: usize) -> Vec<u8> {
    let head = format!("{HEAD}Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n");
    let chunk = format!("{size:x}\r\n{}\r\n", "x".repeat(size));
    [head, chunk.repeat(chunks), "0\r\n\r\n".to_owned()]
        .concat()
        .into_bytes()
}

/// Looks at what it is given as little as a workload without checks does.
#[derive(Default)]
struct Seen {
    headers: usize,
    body: usize,
}

impl Sink for Seen {
    fn header(&mut self, name: &str, value: &[u8]) {
        self.headers += usize::from(!name.is_empty() || !value.is_empty());
    }
    fn body(&mut self, piece: &[u8]) {
        self.body += piece.len();
    }
    fn repeated(&mut self) {
        self.headers += 1;
    }
}

fn read(buf: &mut BytesMut, pieces: &[&[u8]]) -> usize {
    let (mut parser, mut seen) = (Parser::new(false), Seen::default());
    let mut progress = Ok(Progress::More);
    for piece in pieces {
        buf.extend_from_slice(black_box(piece));
        progress = parser.advance(buf, &mut seen);
    }
    assert!(
        progress == Ok(Progress::Done) && buf.is_empty() && parser.keep_alive(),
        "{progress:?}"
    );
    seen.headers + seen.body
}

fn httparse_alone(buf: &mut BytesMut, response: &[u8]) -> usize {
    buf.extend_from_slice(black_box(response));
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut head = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = head.parse(buf) else {
        panic!("httparse does not understand the response");
    };
    let fields = head.headers.len();
    buf.clear();
    length + fields
}

fn responses(c: &mut Criterion) {
    let kinds = [
        ("nginx, 615 bytes", with_length(615)),
        ("nginx, 64 KiB", with_length(64 * 1024)),
        ("chunked, 4 of 256 bytes", chunked(4, 256)),
    ];
    let mut group = c.benchmark_group("parser");
    for (name, response) in &kinds {
        group.throughput(Throughput::Bytes(
            u64::try_from(response.len()).unwrap_or(0),
        ));
        let mut buf = BytesMut::with_capacity(128 * 1024);
        group.bench_function(format!("{name}: whole"), |b| {
            b.iter(|| read(&mut buf, &[response]));
        });
        group.bench_function(format!("{name}: peer, httparse alone"), |b| {
            b.iter(|| httparse_alone(&mut buf, response));
        });
    }
    let response = with_length(615);
    let pieces: Vec<_> = response.chunks(100).collect();
    group.bench_function("nginx, 615 bytes: in pieces of 100", |b| {
        let mut buf = BytesMut::with_capacity(128 * 1024);
        b.iter(|| read(&mut buf, &pieces));
    });
    group.finish();
}

fn quick() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = quick(); targets = responses }
criterion_main!(benches);
