//! Two readers of the same bytes: lbtest's parser, and hyper's client at the other end of a pipe.

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::parser::{MAX_HEAD, Malformed, Parser, Progress, Sink};

/// What was read of one response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Names in lower case, ordered by name; fields of one name in the order in which they came.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Sink for Response {
    fn header(&mut self, name: &str, value: &[u8]) {
        self.headers
            .push((name.to_ascii_lowercase(), value.to_vec()));
    }
    fn body(&mut self, piece: &[u8]) {
        self.body.extend_from_slice(piece);
    }
    fn repeated(&mut self) {
        panic!("nothing was read before");
    }
}

/// The same response once more on the same connection.
struct Again<'a> {
    first: &'a Response,
    response: Response,
}

impl Sink for Again<'_> {
    fn header(&mut self, name: &str, value: &[u8]) {
        self.response.header(name, value);
    }
    fn body(&mut self, piece: &[u8]) {
        self.response.body(piece);
    }
    fn repeated(&mut self) {
        self.response.headers.clone_from(&self.first.headers);
    }
}

/// A response that the parser accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub response: Response,
    pub keep_alive: bool,
    /// Bytes after the end of the response.
    pub left: usize,
}

/// The pieces that end at the cuts, which are sorted; the last piece ends with the bytes.
pub fn pieces<'a>(bytes: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let inner = cuts
        .iter()
        .copied()
        .filter(|cut| (1..bytes.len()).contains(cut));
    inner.chain([bytes.len()]).scan(0, |from, to| {
        let piece = bytes.get(*from..to).unwrap_or_default();
        *from = to.max(*from);
        Some(piece)
    })
}

/// What lbtest makes of the bytes, which come in pieces, and of the end of the stream after them. Where it accepts them
/// it is to make the same of them a second time, when it knows the head already.
pub fn ours(bytes: &[u8], cuts: &[usize], head_only: bool) -> Result<Accepted, Malformed> {
    let mut parser = Parser::new(head_only);
    let mut response = Response::default();
    let left = read(&mut parser, &mut response, bytes, cuts)?;
    let first = accepted(&parser, response, left);
    parser.next(head_only);
    let mut again = Again {
        first: &first.response,
        response: Response::default(),
    };
    let left = read(&mut parser, &mut again, bytes, cuts).expect("it was accepted before");
    assert_eq!(
        accepted(&parser, again.response, left),
        first,
        "a second time"
    );
    Ok(first)
}

fn accepted(parser: &Parser, mut response: Response, left: usize) -> Accepted {
    response.status = parser.status();
    response.headers.sort_by(|a, b| a.0.cmp(&b.0));
    Accepted {
        response,
        keep_alive: parser.keep_alive(),
        left,
    }
}

/// Reads one response; tells how many bytes are left after it.
fn read(
    parser: &mut Parser,
    sink: &mut impl Sink,
    bytes: &[u8],
    cuts: &[usize],
) -> Result<usize, Malformed> {
    let (mut buf, mut came) = (BytesMut::new(), 0);
    for piece in pieces(bytes, cuts) {
        buf.extend_from_slice(piece);
        came += piece.len();
        if parser.advance(&mut buf, sink)? == Progress::Done {
            return Ok(buf.len() + bytes.len() - came);
        }
    }
    parser.end().map(|()| 0)
}

/// Sends the bytes, piece by piece, in answer to each of so many requests; then the stream ends.
async fn serve(mut server: DuplexStream, bytes: Vec<u8>, cuts: Vec<usize>, times: usize) {
    for _ in 0..times {
        let mut request = BytesMut::new();
        while !request.ends_with(b"\r\n\r\n") {
            // A reader that waits for more of an answer sends no further request; it is told that there is no more.
            let read = while_others_may_act(server.read_buf(&mut request)).await;
            if !matches!(read, Some(Ok(1..))) {
                return;
            }
        }
        for piece in pieces(&bytes, &cuts) {
            if server.write_all(piece).await.is_err() {
                return;
            }
            // The reader takes this piece before the next one is there.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        }
    }
}

/// What the future gives, or nothing where all others had many turns and it still waits.
async fn while_others_may_act<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut turns = 0;
    poll_fn(|cx| {
        if let Poll::Ready(result) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(result));
        }
        turns += 1;
        cx.waker().wake_by_ref();
        if turns < 1000 {
            Poll::Pending
        } else {
            Poll::Ready(None)
        }
    })
    .await
}

/// What hyper makes of the same bytes: of all answers on one connection, which are the same bytes each time; none
/// where it refuses one of them. Its limits of the head are those of lbtest.
pub async fn hypers(
    bytes: &[u8],
    cuts: &[usize],
    head_only: bool,
    times: usize,
) -> Option<Vec<Response>> {
    let (client, server) = tokio::io::duplex(1 << 16);
    let serving = tokio::spawn(serve(server, bytes.to_vec(), cuts.to_vec(), times));
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_headers(128)
        .max_header_size(MAX_HEAD)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(client))
        .await
        .ok()?;
    let driving = tokio::spawn(connection);
    let mut all = Vec::new();
    for _ in 0..times {
        match answer(&mut sender, head_only).await {
            Some(response) => all.push(response),
            None => break,
        }
    }
    driving.abort();
    serving.abort();
    (all.len() == times).then_some(all)
}

async fn answer(
    sender: &mut hyper::client::conn::http1::SendRequest<Empty<Bytes>>,
    head_only: bool,
) -> Option<Response> {
    sender.ready().await.ok()?;
    let request = hyper::Request::builder()
        .method(if head_only { "HEAD" } else { "GET" })
        .uri("/")
        .header("host", "h")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let (head, body) = sender.send_request(request).await.ok()?.into_parts();
    let body = body.collect().await.ok()?.to_bytes().to_vec();
    let mut headers: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    headers.sort_by(|a, b| a.0.cmp(&b.0));
    Some(Response {
        status: head.status.as_u16(),
        headers,
        body,
    })
}

/// Runs on this thread alone: who has its turn when is the same each time.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().build().unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}
