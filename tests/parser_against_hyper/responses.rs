//! Responses: valid ones of every framing with what they mean, and what breaks them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A valid response: its bytes, and what a reader must find in them.
#[derive(Debug, Clone)]
pub struct Valid {
    pub bytes: Vec<u8>,
    pub head_only: bool,
    pub status: u16,
    pub body: Vec<u8>,
    pub keep_alive: bool,
}

/// How the length of the body is told.
#[derive(Debug, Clone)]
pub enum Framing {
    /// By these fields, in which `#` stands for the length.
    Length(&'static [&'static str]),
    /// By chunks that end at some places, after these fields.
    Chunked(&'static [&'static str], Vec<Chunk>, Vec<(String, String)>),
    /// By the end of the connection, with these fields.
    UntilClose(&'static [&'static str]),
}

/// Where a chunk ends, and how its size is written.
#[derive(Debug, Clone)]
pub struct Chunk {
    end: Index,
    zeros: usize,
    upper: bool,
    extension: &'static str,
}

fn field() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        select(vec![
            "Server",
            "x-instance",
            "Set-Cookie",
            "set-cookie",
            "Date",
            "X_!#$%&'*+.^`|~9"
        ])
        .prop_map(str::to_owned),
        "X-[A-Za-z0-9]{1,8}",
    ];
    (name, "[!-~\u{e9}]{0,6}([ \t][!-~]{1,6}){0,2}")
}

fn chunk() -> impl Strategy<Value = Chunk> {
    let extension = select(vec![
        "",
        "",
        "",
        ";a=b",
        " ;a",
        ";q=\"x;\\\" y\"",
        "\t ; a = b;c",
        "  ",
    ]);
    (any::<Index>(), 0..4usize, any::<bool>(), extension).prop_map(
        |(end, zeros, upper, extension)| Chunk {
            end,
            zeros,
            upper,
            extension,
        },
    )
}

fn framing() -> impl Strategy<Value = Framing> {
    let length = select(vec![
        &["Content-Length: #"][..],
        &["content-length:#"],
        &["CONTENT-LENGTH: \t 00# \t"],
        &["Content-Length: #", "Content-Length: #"],
        &["Content-Length: # , #,#"],
    ]);
    let coding = select(vec![
        &["Transfer-Encoding: chunked"][..],
        &["transfer-encoding:CHUNKED "],
        &["Transfer-Encoding: gzip, chunked"],
        &["Transfer-Encoding: gzip", "Transfer-Encoding: \tchunked"],
        &["Transfer-Encoding: , chunked"],
    ]);
    let close = select(vec![
        &[][..],
        &["Transfer-Encoding: gzip"],
        &["Transfer-Encoding: identity"],
        &["Transfer-Encoding: xchunked"],
        &["Transfer-Encoding:"],
    ]);
    prop_oneof![
        3 => length.prop_map(Framing::Length),
        4 => (coding, vec(chunk(), 0..6), vec(field(), 0..3))
            .prop_map(|(fields, chunks, trailers)| Framing::Chunked(fields, chunks, trailers)),
        1 => close.prop_map(Framing::UntilClose),
    ]
}

/// What is said of the connection, and whether it is kept by that: in HTTP/1.1, in HTTP/1.0.
const CONNECTIONS: [(&[&str], bool, bool); 8] = [
    (&[], true, false),
    (&["Connection: keep-alive"], true, true),
    (&["Connection: x, Keep-Alive ,y"], true, true),
    (&["Connection: close"], false, false),
    (&["connection:\tx ,CLOSE"], false, false),
    (
        &["Connection: keep-alive", "Connection: close"],
        false,
        false,
    ),
    (&["Connection: close, keep-alive"], false, false),
    (
        &["Connection: closed", "Keep-Alive: timeout=5"],
        true,
        false,
    ),
];

const INTERIMS: [&str; 5] = [
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 102 \r\nX: y\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </s>\r\nLink: </t>\r\n\r\n",
    "HTTP/1.0 199\r\n\r\n",
    "HTTP/1.1 100 C\r\nContent-Length: 3\r\nConnection: close\r\n\r\n",
];

/// Writes a body in chunks.
fn write_chunks(into: &mut Vec<u8>, body: &[u8], chunks: &[Chunk], trailers: &[(String, String)]) {
    let line = |into: &mut Vec<u8>, size: usize, like: Option<&Chunk>| {
        let (zeros, upper, extension) =
            like.map_or((0, false, ""), |c| (c.zeros, c.upper, c.extension));
        let size = format!("{}{size:x}", "0".repeat(zeros));
        let size = if upper { size.to_uppercase() } else { size };
        into.extend(format!("{size}{extension}\r\n").bytes());
    };
    let mut ends: Vec<(usize, &Chunk)> = chunks
        .iter()
        .map(|c| (c.end.index(body.len() + 1), c))
        .collect();
    ends.sort_by_key(|(end, _)| *end);
    let mut from = 0;
    for (to, like) in ends
        .iter()
        .map(|(to, like)| (*to, Some(*like)))
        .chain([(body.len(), None)])
    {
        if to > from {
            line(into, to - from, like);
            into.extend_from_slice(&body[from..to]);
            into.extend_from_slice(b"\r\n");
            from = to;
        }
    }
    line(into, 0, chunks.first());
    trailers
        .iter()
        .for_each(|(name, value)| into.extend(format!("{name}: {value}\r\n").bytes()));
    into.extend_from_slice(b"\r\n");
}

/// Valid responses, for GET and for HEAD.
pub fn valid() -> impl Strategy<Value = Valid> {
    let status = prop_oneof![
        4 => Just(200u16), 1 => Just(204), 1 => Just(304), 2 => select(vec![201, 205, 206, 404, 503, 600, 999]),
    ];
    let reason = select(vec![" OK", " ", "", " Not  so\tgood", " \u{e9}t\u{e9}"]);
    let line = (any::<bool>(), status, reason);
    let body = prop_oneof![vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..700)];
    (
        vec(select(INTERIMS.to_vec()), 0..3),
        line,
        (
            vec((field(), any::<Index>()), 0..5),
            select(CONNECTIONS.to_vec()),
        ),
        framing(),
        body,
        prop::bool::weighted(0.15),
    )
        .prop_map(
            |(interims, (old, status, reason), (others, connection), framing, body, head_only)| {
                // HTTP/1.0 knows no transfer coding.
                let coded = match &framing {
                    Framing::Chunked(..) => true,
                    Framing::UntilClose(fields) => !fields.is_empty(),
                    Framing::Length(_) => false,
                };
                let old = old && !coded;
                let bodiless = head_only || matches!(status, 204 | 304);
                let (Framing::Length(fields)
                | Framing::Chunked(fields, ..)
                | Framing::UntilClose(fields)) = &framing;
                let length = body.len().to_string();
                let mut lines: Vec<String> =
                    fields.iter().map(|f| f.replace('#', &length)).collect();
                lines.extend(connection.0.iter().map(|f| (*f).to_owned()));
                for ((name, value), at) in &others {
                    lines.insert(at.index(lines.len() + 1), format!("{name}: {value}"));
                }
                let mut bytes = interims.concat().into_bytes();
                bytes.extend(format!("HTTP/1.{} {status:03}{reason}\r\n", u8::from(!old)).bytes());
                lines
                    .iter()
                    .for_each(|line| bytes.extend(format!("{line}\r\n").bytes()));
                bytes.extend_from_slice(b"\r\n");
                if !bodiless {
                    match &framing {
                        Framing::Chunked(_, chunks, trailers) => {
                            write_chunks(&mut bytes, &body, chunks, trailers)
                        }
                        Framing::Length(_) | Framing::UntilClose(_) => {
                            bytes.extend_from_slice(&body)
                        }
                    }
                }
                let kept = if old { connection.2 } else { connection.1 };
                let until_close = !bodiless && matches!(framing, Framing::UntilClose(_));
                Valid {
                    bytes,
                    head_only,
                    status,
                    body: if bodiless { Vec::new() } else { body },
                    keep_alive: kept && !until_close,
                }
            },
        )
}

/// One thing that is done to a response.
#[derive(Debug, Clone)]
pub enum Damage {
    Flip(Index, u8),
    Cut(Index, usize),
    Truncate(Index),
    Append(Vec<u8>),
    /// A line end loses its carriage return, or its line feed.
    LineEnd(Index, bool),
    /// Something is put at the beginning of a line.
    Insert(Index, &'static str),
    /// A digit becomes another one.
    Digit(Index, u8),
    /// A line is there twice.
    Twice(Index),
}

const INSERTED: [&str; 37] = [
    "Content-Length: 3\r\n",
    "Content-Length: 3, 4\r\n",
    "Content-Length: +3\r\n",
    "Content-Length: 0x3\r\n",
    "Content-Length: 3 3\r\n",
    "Content-Length: 3;\r\n",
    "Content-Length:\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Transfer-Encoding: chunked, chunked\r\n",
    "Transfer-Encoding: chunked, gzip\r\n",
    "Transfer-Encoding: chunked,\r\n",
    "Transfer-Encoding: chunked;q=1\r\n",
    "Transfer-Encoding: \u{b}chunked\r\n",
    "Transfer-Encoding: \u{e9}, chunked\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    " folded\r\n",
    "\tfolded: x\r\n",
    "X : y\r\n",
    ": y\r\n",
    "X\r\n",
    "X: \0\r\n",
    "X: a\rb\r\n",
    "\r\n",
    "\n",
    "\r",
    "0\r\n",
    "0\r\n\r\n",
    ";x\r\n",
    "5;a\n\r\n",
    "-1\r\n",
    "00000000000000000",
    "fffffffffffffff",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
];

pub fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        2 => (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        1 => (any::<Index>(), 1..9usize).prop_map(|(at, n)| Damage::Cut(at, n)),
        1 => any::<Index>().prop_map(Damage::Truncate),
        1 => vec(any::<u8>(), 1..9).prop_map(Damage::Append),
        2 => (any::<Index>(), any::<bool>()).prop_map(|(at, cr)| Damage::LineEnd(at, cr)),
        4 => (any::<Index>(), select(INSERTED.to_vec())).prop_map(|(at, what)| Damage::Insert(at, what)),
        1 => (any::<Index>(), b'0'..=b'9').prop_map(|(at, digit)| Damage::Digit(at, digit)),
        2 => any::<Index>().prop_map(Damage::Twice),
    ]
}

impl Damage {
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        let places = |bytes: &[u8], of: fn(&u8) -> bool| -> Vec<usize> {
            (0..bytes.len()).filter(|i| of(&bytes[*i])).collect()
        };
        let mut line_starts = vec![0];
        line_starts.extend(places(bytes, |b| *b == b'\n').iter().map(|i| i + 1));
        match self {
            _ if bytes.is_empty() => {}
            Self::Flip(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Self::Cut(at, n) => {
                let from = at.index(bytes.len());
                bytes.drain(from..(from + n).min(bytes.len()));
            }
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
            Self::Append(more) => bytes.extend_from_slice(more),
            Self::LineEnd(at, cr) => {
                let ends = places(
                    bytes,
                    if *cr {
                        |b| *b == b'\r'
                    } else {
                        |b| *b == b'\n'
                    },
                );
                if !ends.is_empty() {
                    bytes.remove(*at.get(&ends));
                }
            }
            Self::Insert(at, what) => {
                let start = *at.get(&line_starts);
                bytes.splice(start..start, what.bytes());
            }
            Self::Digit(at, digit) => {
                let digits = places(bytes, u8::is_ascii_digit);
                if !digits.is_empty() {
                    bytes[*at.get(&digits)] = *digit;
                }
            }
            Self::Twice(at) => {
                let nth = at.index(line_starts.len());
                let end = line_starts.get(nth + 1).copied().unwrap_or(bytes.len());
                let line = bytes[line_starts[nth]..end].to_vec();
                bytes.splice(end..end, line);
            }
        }
    }
}
