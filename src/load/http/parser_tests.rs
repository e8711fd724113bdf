use super::*;
use proptest::prelude::*;

#[derive(Debug, Default, PartialEq, Eq)]
struct Collected {
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Sink for Collected {
    fn header(&mut self, name: &str, value: &[u8]) {
        self.headers
            .push((name.to_ascii_lowercase(), value.to_vec()));
    }
    fn body(&mut self, piece: &[u8]) {
        self.body.extend_from_slice(piece);
    }
    fn repeated(&mut self) {
        panic!("the first response on a connection");
    }
}

/// What is collected of a response after another on the same connection.
#[derive(Debug, Default)]
struct Next {
    before: Vec<(String, Vec<u8>)>,
    read: Collected,
    repeated: bool,
}

impl Sink for Next {
    fn header(&mut self, name: &str, value: &[u8]) {
        self.read.header(name, value);
    }
    fn body(&mut self, piece: &[u8]) {
        self.read.body(piece);
    }
    fn repeated(&mut self) {
        self.repeated = true;
        self.read.headers.clone_from(&self.before);
    }
}

/// Status, whether the connection may be kept, what was collected, and what was left over.
type Read = Result<(u16, bool, Collected, usize), Malformed>;

/// Reads a response that comes in pieces ending at `cuts`, and then the end of the stream.
fn read(bytes: &[u8], cuts: &[usize], head_only: bool) -> Read {
    let mut parser = Parser::new(head_only);
    read_next(&mut parser, Collected::default(), bytes, cuts)
}

fn read_next<S: Sink>(
    parser: &mut Parser,
    mut sink: S,
    bytes: &[u8],
    cuts: &[usize],
) -> Result<(u16, bool, S, usize), Malformed> {
    let mut buf = BytesMut::new();
    let mut from = 0;
    for to in cuts
        .iter()
        .copied()
        .filter(|c| *c < bytes.len())
        .chain([bytes.len()])
    {
        if to >= from {
            buf.extend_from_slice(&bytes[from..to]);
            from = to;
            if parser.advance(&mut buf, &mut sink)? == Progress::Done {
                let left = buf.len() + bytes.len() - from;
                return Ok((parser.status(), parser.keep_alive(), sink, left));
            }
        }
    }
    parser.end()?;
    Ok((parser.status(), parser.keep_alive(), sink, 0))
}

fn whole(text: &str) -> Read {
    read(text.as_bytes(), &[], false)
}

#[test]
fn framing_follows_length_chunks_or_the_end_of_the_stream() {
    let body = |text: &str| whole(text).map(|(status, keep, c, left)| (status, keep, c.body, left));
    let ok = |keep, text: &str, left| Ok((200, keep, text.as_bytes().to_vec(), left));
    assert_eq!(
        body("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcde"),
        ok(true, "abc", 2)
    );
    assert_eq!(
        body("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
        ok(true, "abc", 0)
    );
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n";
    assert_eq!(body(chunked), ok(true, "ab0123456789", 0));
    assert_eq!(
        body("HTTP/1.1 200 OK\r\n\r\nall of it"),
        ok(false, "all of it", 0)
    );
    assert_eq!(
        body("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na"),
        ok(false, "a", 0)
    );
    let kept = "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\na";
    assert_eq!(body(kept), ok(true, "a", 0));
    let closed = "HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 1\r\n\r\na";
    assert_eq!(body(closed), ok(false, "a", 0));
}

#[test]
fn answers_without_body_are_complete_with_their_head() {
    assert_eq!(
        whole("HTTP/1.1 204 No\r\n\r\n").map(|r| (r.0, r.3)),
        Ok((204, 0))
    );
    assert_eq!(
        whole("HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n").map(|r| r.0),
        Ok(304)
    );
    let head = read(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", &[], true);
    assert_eq!(head.map(|r| (r.0, r.1, r.3)), Ok((200, true, 0)));
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        whole(interim).map(|r| (r.0, r.2.headers.len())),
        Ok((201, 1))
    );
}

#[test]
fn ambiguous_and_broken_responses_are_refused() {
    let cases = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            Malformed::Framing,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\nabcd",
            Malformed::Framing,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
            Malformed::Framing,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
            Malformed::Framing,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            Malformed::Framing,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
            Malformed::TooLarge,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Malformed::Framing,
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Malformed::Framing,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            Malformed::Chunk,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            Malformed::Chunk,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: v\n\r\n",
            Malformed::Chunk,
        ),
        ("HTTP/1.1 101 Switching\r\n\r\n", Malformed::Interim),
        ("HTTP/1.1 20 OK\r\n\r\n", Malformed::Head),
        ("SSH-2.0-x\r\n", Malformed::Head),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            Malformed::Truncated,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
            Malformed::Truncated,
        ),
        ("", Malformed::Truncated),
    ];
    for (text, expected) in cases {
        assert_eq!(whole(text), Err(expected), "{text:?}");
    }
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(MAX_HEAD));
    assert_eq!(whole(&long), Err(Malformed::TooLarge));
    let interims = "HTTP/1.1 100 C\r\n\r\n".repeat(20);
    assert_eq!(whole(&interims), Err(Malformed::Interim));
    let endless = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;{}",
        "x".repeat(MAX_CHUNK_LINE)
    );
    assert_eq!(whole(&endless), Err(Malformed::TooLarge));
}

/// A body in chunks.
fn chunked(chunks: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
}

#[test]
fn a_chunk_without_a_size_is_not_the_last_chunk() {
    for line in ["", ";x", " ", " 0"] {
        let text = chunked(&format!("2\r\nok\r\n{line}\r\n\r\n"));
        assert_eq!(whole(&text), Err(Malformed::Chunk), "{line:?}");
    }
}

#[test]
fn a_chunk_extension_holds_no_line_feed() {
    let text = chunked("2;a\nb\r\nok\r\n0\r\n\r\n");
    assert_eq!(whole(&text), Err(Malformed::Chunk));
}

#[test]
fn the_limit_of_a_chunk_line_holds_in_whatever_pieces_it_comes() {
    let line = |length: usize| chunked(&format!("0;{}\r\n\r\n", "x".repeat(length - 4)));
    for (length, fits) in [(MAX_CHUNK_LINE, true), (MAX_CHUNK_LINE + 1, false)] {
        let text = line(length);
        let bytewise: Vec<usize> = (1..text.len()).collect();
        for cuts in [&[][..], &bytewise] {
            let read = read(text.as_bytes(), cuts, false);
            assert_eq!(
                read.is_ok(),
                fits,
                "{length} bytes in {} pieces",
                cuts.len() + 1
            );
        }
    }
}

#[test]
fn a_body_over_the_limit_is_refused_by_its_announcement_or_where_it_passes_it() {
    assert_eq!(
        whole(&chunked("ffffffffffffffff\r\n")),
        Err(Malformed::TooLarge)
    );
    assert_eq!(
        whole(&chunked("2\r\nok\r\n3fffffff\r\n")),
        Err(Malformed::TooLarge)
    );
    assert_eq!(
        whole(&chunked("2\r\nok\r\n3ffffffe\r\n")),
        Err(Malformed::Truncated)
    );
    struct Nothing;
    impl Sink for Nothing {
        fn header(&mut self, _: &str, _: &[u8]) {}
        fn body(&mut self, _: &[u8]) {}
        fn repeated(&mut self) {}
    }
    let (mut parser, mut buf) = (
        Parser::new(false),
        BytesMut::from("HTTP/1.1 200 OK\r\n\r\n"),
    );
    let piece = vec![0; 1 << 22];
    for _ in 0..MAX_BODY >> 22 {
        buf.extend_from_slice(&piece);
        assert_eq!(parser.advance(&mut buf, &mut Nothing), Ok(Progress::More));
    }
    buf.extend_from_slice(b"x");
    assert_eq!(
        parser.advance(&mut buf, &mut Nothing),
        Err(Malformed::TooLarge)
    );
}

#[test]
fn a_trailer_section_holds_fields_only() {
    let read = |trailers: &str| whole(&chunked(&format!("0\r\n{trailers}\r\n"))).map(|r| r.3);
    for fine in ["", "T: v\r\n", "T:\r\nX-Y:\ta, \u{e9}\r\n"] {
        assert_eq!(read(fine), Ok(0), "{fine:?}");
    }
    let next = "HTTP/1.1 200 OK\r\n";
    for broken in [
        next,
        "T\r\n",
        ": v\r\n",
        "T : v\r\n",
        "T: v\r\n folded\r\n",
        "T: a\rb\r\n",
        "T: \0\r\n",
    ] {
        assert_eq!(read(broken), Err(Malformed::Chunk), "{broken:?}");
    }
}

#[test]
fn chunked_is_the_last_coding_and_there_once_in_one_field_as_in_two() {
    let read = |codings: &str| {
        whole(&format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: {codings}\r\n\r\n0\r\n\r\n"
        ))
        .map(|r| r.2.body.len())
    };
    for chunks in [
        "chunked",
        "gzip, chunked",
        ",chunked",
        "gzip\r\nTransfer-Encoding: Chunked",
    ] {
        assert_eq!(read(chunks), Ok(0), "{chunks:?}");
    }
    for until_close in ["gzip", "", "gzip,", "xchunked", "x;chunked"] {
        assert_eq!(read(until_close), Ok(5), "{until_close:?}");
    }
    for odd in [
        "chunked, chunked",
        "chunked, gzip",
        "chunked,",
        "chunked;q=1",
        "CHUNKED ; q",
        "\u{e9}, chunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: gzip",
    ] {
        assert_eq!(read(odd), Err(Malformed::Framing), "{odd:?}");
    }
}

#[test]
fn nothing_stands_before_a_status_line() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for before in [
        "\r\n",
        "\n",
        "\r\n\r\n",
        "HTTP/1.1 100 C\r\n\r\n\r\n",
        " ",
        "x\r\n",
    ] {
        assert_eq!(
            whole(&format!("{before}{ok}")),
            Err(Malformed::Head),
            "{before:?}"
        );
    }
}

fn corpus() -> Vec<String> {
    let statuses = [
        "HTTP/1.1 200 OK",
        "HTTP/1.0 200 OK",
        "HTTP/1.1 404",
        "HTTP/1.1 204 No",
        "HTTP/1.1 304 Not",
        "HTTP/1.1 503 \u{e9}",
    ];
    let framings = [
        "Content-Length: 5\r\n\r\nhello",
        "content-length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "Content-Length: 0\r\n\r\n",
        "Content-Length: 9\r\n\r\nshort",
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        "Content-Length: -1\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nT: v\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "Transfer-Encoding: chunked\r\n\r\nz\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip\r\n\r\nuntil the end",
        "\r\nuntil the end",
        "Connection: close\r\n\r\n",
    ];
    let mut all = Vec::new();
    for status in statuses {
        all.extend(framings.iter().map(|framing| {
            format!("{status}\r\nX: y\r\n{framing}").replace("\r\n\r\n\r\n", "\r\n\r\n")
        }));
    }
    all.push("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".into());
    all.push("HTTP/1.1 200 OK\r\nA : b\r\n\r\n".into());
    all.push("HTTP/2.0 200 OK\r\n\r\n".into());
    all.push("garbage\r\n\r\n".into());
    all
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_pieces_do_not_matter(
        prefix in prop::sample::select(corpus()), keep in 0..120usize, noise in prop::collection::vec(any::<u8>(), 0..60),
        mut cuts in prop::collection::vec(0..180usize, 0..12), head_only: bool,
    ) {
        let mut bytes = prefix.into_bytes();
        bytes.truncate(keep);
        bytes.extend(noise);
        cuts.sort_unstable();
        // Whether a broken head at the end of the stream counts as broken or as cut short may differ.
        let at_once = read(&bytes, &[], head_only).ok();
        let pieces = read(&bytes, &cuts, head_only).ok();
        prop_assert_eq!(&at_once, &pieces);
        let bytewise: Vec<usize> = (1..bytes.len()).collect();
        prop_assert_eq!(&at_once, &read(&bytes, &bytewise, head_only).ok());
    }
}

/// Heads that begin alike, so that one of them follows another that is nearly it.
const HEADS: [&str; 8] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nx-\r\n0\r\n\r\n",
    "HTTP/1.1 204 OK\r\nContent-Length: 2\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n",
];

proptest! {
    #[test]
    fn a_response_reads_after_another_as_it_does_alone(
        first in 0..HEADS.len(), second in 0..HEADS.len(),
        heads_only in (any::<bool>(), any::<bool>()), cuts in prop::collection::vec(0..80usize, 0..4),
    ) {
        let text = |i: usize| format!("{}ab", HEADS[i]);
        let mut cuts = cuts;
        cuts.sort_unstable();
        let mut parser = Parser::new(heads_only.0);
        let before = read_next(&mut parser, Collected::default(), text(first).as_bytes(), &[]);
        prop_assume!(before.is_ok());
        let next = Next { before: before.unwrap().2.headers, ..Next::default() };
        parser.next(heads_only.1);
        let after = read_next(&mut parser, next, text(second).as_bytes(), &cuts);
        let alone = read(text(second).as_bytes(), &cuts, heads_only.1);
        if cuts.is_empty() && first == second && first != 5 {
            prop_assert!(after.as_ref().is_ok_and(|(_, _, next, _)| next.repeated));
        }
        prop_assert_eq!(after.map(|(status, keep, next, left)| (status, keep, next.read, left)), alone);
    }
}
