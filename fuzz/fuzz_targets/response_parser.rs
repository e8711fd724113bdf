//! What holds of the parser itself, whatever bytes come in whatever pieces.
#![no_main]

mod input;
#[path = "../../src/load/http/parser.rs"]
#[allow(dead_code)]
mod parser;

use bytes::BytesMut;
use parser::{MAX_BODY, MAX_HEAD, Malformed, Parser, Progress, Sink};

#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Sink for Seen {
    fn header(&mut self, name: &str, value: &[u8]) {
        assert!(self.body.is_empty(), "a header after the body");
        self.headers.push((name.to_owned(), value.to_vec()));
    }
    fn body(&mut self, piece: &[u8]) {
        assert!(!piece.is_empty(), "an empty piece");
        self.body.extend_from_slice(piece);
    }
    fn repeated(&mut self) {
        panic!("the first response of a parser");
    }
}

/// What became of a response.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Complete after so many bytes.
    Done(usize),
    /// Complete by the end of the stream.
    UntilClose,
    Malformed(Malformed),
}

#[derive(Debug, PartialEq, Eq)]
struct Read {
    end: End,
    status: u16,
    keep_alive: bool,
    seen: Seen,
}

fn read<'a>(bytes: &[u8], pieces: impl Iterator<Item = &'a [u8]>, head_only: bool) -> Read {
    let mut parser = Parser::new(head_only);
    let (mut buf, mut seen) = (BytesMut::new(), Seen::default());
    let (mut came, mut end) = (0, None);
    for piece in pieces {
        buf.extend_from_slice(piece);
        came += piece.len();
        let progress = parser.advance(&mut buf, &mut seen);
        assert!(
            bytes[..came].ends_with(&buf),
            "the buffer holds other bytes than those that came last"
        );
        match progress {
            // What waits to be understood is bounded; a body does not wait.
            Ok(Progress::More) => assert!(buf.len() <= MAX_HEAD),
            Ok(Progress::Done) => {
                let left = buf.clone();
                assert_eq!(parser.advance(&mut buf, &mut seen), Ok(Progress::Done));
                assert_eq!(buf, left, "bytes after the end were taken");
                assert!(parser.has_head());
                end = Some(End::Done(came - buf.len()));
                break;
            }
            Err(error) => {
                end = Some(End::Malformed(error));
                break;
            }
        }
    }
    let end = end.unwrap_or_else(|| match parser.end() {
        Ok(()) => End::UntilClose,
        Err(error) => End::Malformed(error),
    });
    let (status, keep_alive) = (parser.status(), parser.keep_alive());
    Read {
        end,
        status,
        keep_alive,
        seen,
    }
}

/// The body that a complete response of so many bytes holds: the bytes after the head, without chunks.
fn check_done(bytes: &[u8], head_only: bool, read: &Read) {
    assert!((200..1000).contains(&read.status));
    let lengths = || {
        read.seen
            .headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case("content-length"))
    };
    if head_only || matches!(read.status, 204 | 304) {
        assert!(read.seen.body.is_empty(), "a body where there is none");
    } else if let Some((_, value)) = lengths().next() {
        let first = value.split(|b| *b == b',').next().unwrap_or_default();
        let length: u64 = std::str::from_utf8(first).unwrap().trim().parse().unwrap();
        assert!(length <= MAX_BODY);
        assert_eq!(read.seen.body.len() as u64, length);
        assert!(bytes.ends_with(&read.seen.body));
    } else if matches!(read.end, End::Done(_)) {
        assert!(bytes.ends_with(b"\r\n"), "a last chunk without its end");
        let chunked = |(n, _): &&(String, Vec<u8>)| n.eq_ignore_ascii_case("transfer-encoding");
        assert!(
            read.seen.headers.iter().any(|h| chunked(&h)),
            "an end that nothing told"
        );
    } else {
        assert!(!read.keep_alive && bytes.ends_with(&read.seen.body));
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(input::Input {
        bytes,
        cuts,
        head_only,
    }) = input::Input::new(data)
    else {
        return;
    };
    let at_once = read(bytes, std::iter::once(bytes), head_only);
    let mut ends: Vec<usize> = cuts.into_iter().filter(|cut| *cut < bytes.len()).collect();
    ends.push(bytes.len());
    let froms = std::iter::once(0).chain(ends.iter().copied());
    let pieces = froms.zip(&ends).map(|(from, to)| &bytes[from..*to]);
    let others = [
        read(bytes, pieces, head_only),
        read(bytes, bytes.chunks(1), head_only),
    ];
    let broken = |read: &Read| matches!(read.end, End::Malformed(_));
    for other in others {
        // A broken response may be known as broken earlier or later, and so by another name.
        assert!(
            at_once == other || broken(&at_once) && broken(&other),
            "{at_once:?}\n{other:?}"
        );
    }
    let end = match at_once.end {
        End::Done(end) => end,
        End::UntilClose => return check_done(bytes, head_only, &at_once),
        End::Malformed(_) => return,
    };
    let response = &bytes[..end];
    check_done(response, head_only, &at_once);
    // The response is those bytes and no fewer.
    assert_eq!(
        at_once,
        read(response, std::iter::once(response), head_only)
    );
    let shorter = &response[..end - 1];
    let cut_short = read(shorter, std::iter::once(shorter), head_only);
    assert_eq!(cut_short.end, End::Malformed(Malformed::Truncated));
});
