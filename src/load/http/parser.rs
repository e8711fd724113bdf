//! Reading responses of HTTP/1 with strict framing.
//!
//! The head goes through httparse; framing follows RFC 9112 §6.3, and where that leaves room for two readings
//! (differing lengths, a length beside chunks, bytes after the end) the response is refused: a load balancer
//! that sends such a thing is a finding, not something to smooth over. Bytes may come in any pieces.

#[path = "framing.rs"]
mod framing;

use bytes::{Buf, BytesMut};
use framing::Framing;

/// The longest head, and the longest trailer section.
pub const MAX_HEAD: usize = 64 * 1024;
/// The longest body: 1 GiB.
pub const MAX_BODY: u64 = 1 << 30;
const MAX_HEADERS: usize = 128;
const MAX_INTERIM: u8 = 16;
/// The longest line that gives a chunk's size, extensions included.
const MAX_CHUNK_LINE: usize = 4096;

/// Why a response was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not an HTTP/1 response head.
    #[error("the head of the response is not HTTP/1")]
    Head,
    /// A head, trailer or body over its limit.
    #[error("the response is over a limit")]
    TooLarge,
    /// Lengths that differ, are no number, or stand beside chunks.
    #[error("the response's framing is ambiguous")]
    Framing,
    /// A broken chunk.
    #[error("the response's chunks are broken")]
    Chunk,
    /// Too many interim responses, or a switch of protocols that nobody asked for.
    #[error("an interim response that was not asked for")]
    Interim,
    /// The stream ended within the response.
    #[error("the stream ended within the response")]
    Truncated,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More bytes are needed.
    More,
    /// The response is complete; what is left in the buffer is not part of it.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailer { seen: usize },
    UntilClose,
    Done,
}

/// Reads one response.
#[derive(Debug)]
pub struct Parser {
    state: State,
    /// The request was HEAD: no body whatever the head says.
    head_only: bool,
    status: u16,
    keep_alive: bool,
    interim: u8,
    body: u64,
    /// Bytes of the unfinished head that were looked at already.
    looked_at: usize,
    last: Option<Last>,
}

/// The final head before, as it came, and what it was read as. Most heads of one server are the same for the length
/// of a second: what is the same byte for byte is the same response head, and is not read again.
#[derive(Debug)]
struct Last {
    head: Vec<u8>,
    status: u16,
    framing: Framing,
}

impl Parser {
    /// For the answer to a request; `head_only` for the method HEAD.
    #[must_use]
    pub fn new(head_only: bool) -> Self {
        let state = State::Head;
        Self {
            state,
            head_only,
            status: 0,
            keep_alive: false,
            interim: 0,
            body: 0,
            looked_at: 0,
            last: None,
        }
    }

    /// For the answer to the next request on the same connection.
    pub fn next(&mut self, head_only: bool) {
        let last = self.last.take();
        *self = Self {
            last,
            ..Self::new(head_only)
        };
    }

    /// The final status; zero before the head is complete.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the connection may be used again after this response.
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Whether any part of a final head was understood.
    #[must_use]
    pub fn has_head(&self) -> bool {
        self.status != 0
    }

    /// Takes what it can from the buffer. Headers of the final head and pieces of the body go to the sink.
    ///
    /// # Errors
    /// Where the response is malformed; the connection is then of no further use.
    pub fn advance(
        &mut self,
        buf: &mut BytesMut,
        sink: &mut impl Sink,
    ) -> Result<Progress, Malformed> {
        loop {
            let before = (self.state, buf.len());
            match self.state {
                State::Head => self.head(buf, sink)?,
                State::Length(left) => {
                    let left = self.data(buf, left, sink)?;
                    self.state = if left == 0 {
                        State::Done
                    } else {
                        State::Length(left)
                    };
                }
                State::ChunkSize => self.chunk_size(buf)?,
                State::ChunkData(left) => {
                    let left = self.data(buf, left, sink)?;
                    self.state = if left == 0 {
                        State::ChunkEnd
                    } else {
                        State::ChunkData(left)
                    };
                }
                State::ChunkEnd => self.chunk_end(buf)?,
                State::Trailer { seen } => self.trailer(buf, seen)?,
                State::UntilClose => {
                    self.data(buf, u64::MAX, sink)?;
                }
                State::Done => return Ok(Progress::Done),
            }
            if self.state != State::Done && before == (self.state, buf.len()) {
                return Ok(Progress::More);
            }
        }
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// Where the response was not complete by that.
    pub fn end(&mut self) -> Result<(), Malformed> {
        match self.state {
            State::UntilClose | State::Done => {
                self.state = State::Done;
                Ok(())
            }
            State::Head
            | State::Length(_)
            | State::ChunkSize
            | State::ChunkData(_)
            | State::ChunkEnd
            | State::Trailer { .. } => Err(Malformed::Truncated),
        }
    }

    fn data(
        &mut self,
        buf: &mut BytesMut,
        left: u64,
        sink: &mut impl Sink,
    ) -> Result<u64, Malformed> {
        let n = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
        let taken = u64::try_from(n).unwrap_or(u64::MAX);
        self.body += taken;
        if self.body > MAX_BODY {
            return Err(Malformed::TooLarge);
        }
        if n > 0 {
            sink.body(&buf[..n]);
            buf.advance(n);
        }
        Ok(left - taken)
    }

    fn head(&mut self, buf: &mut BytesMut, sink: &mut impl Sink) -> Result<(), Malformed> {
        if let Some(last) = self
            .last
            .as_ref()
            .filter(|last| buf.starts_with(&last.head))
        {
            let (length, status, framing) = (last.head.len(), last.status, last.framing);
            self.begin_body(status, framing);
            sink.repeated();
            buf.advance(length);
            return Ok(());
        }
        // Only a new line end can complete a head: a head that comes byte by byte is not parsed at each byte.
        let news = buf
            .get(self.looked_at..)
            .unwrap_or_default()
            .contains(&b'\n');
        self.looked_at = buf.len();
        if !news {
            return if buf.len() > MAX_HEAD {
                Err(Malformed::TooLarge)
            } else {
                Ok(())
            };
        }
        // A server may pass over empty lines before a request; before a response they are a rest of the last one.
        if matches!(buf.first(), Some(b'\r' | b'\n')) {
            return Err(Malformed::Head);
        }
        let mut headers = [const { std::mem::MaybeUninit::uninit() }; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            buf,
            &mut headers,
        );
        let length = match parsed {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if buf.len() > MAX_HEAD => {
                return Err(Malformed::TooLarge);
            }
            Ok(httparse::Status::Partial) => return Ok(()),
            Err(httparse::Error::TooManyHeaders) => return Err(Malformed::TooLarge),
            Err(_) => return Err(Malformed::Head),
        };
        if length > MAX_HEAD {
            return Err(Malformed::TooLarge);
        }
        let status = response.code.ok_or(Malformed::Head)?;
        match status {
            101 => return Err(Malformed::Interim),
            100..=199 => {
                self.interim += 1;
                if self.interim > MAX_INTERIM {
                    return Err(Malformed::Interim);
                }
            }
            200..=999 => {
                let framing = Framing::of(response.version == Some(1), response.headers)?;
                self.begin_body(status, framing);
                if matches!(self.state, State::Length(n) if n > MAX_BODY) {
                    return Err(Malformed::TooLarge);
                }
                response
                    .headers
                    .iter()
                    .for_each(|h| sink.header(h.name, h.value));
                self.remember(&buf[..length], status, framing);
            }
            _ => return Err(Malformed::Head),
        }
        buf.advance(length);
        self.looked_at = 0;
        Ok(())
    }

    fn begin_body(&mut self, status: u16, framing: Framing) {
        self.status = status;
        self.state = framing.state(self.head_only, status);
        self.keep_alive = framing.keep_alive && self.state != State::UntilClose;
        self.looked_at = 0;
    }

    fn remember(&mut self, head: &[u8], status: u16, framing: Framing) {
        let mut bytes = self.last.take().map_or_else(Vec::new, |last| last.head);
        bytes.clear();
        bytes.extend_from_slice(head);
        self.last = Some(Last {
            head: bytes,
            status,
            framing,
        });
    }

    fn chunk_size(&mut self, buf: &mut BytesMut) -> Result<(), Malformed> {
        // A line without a digit is zero to httparse, and would be the last chunk.
        if buf.first().is_some_and(|b| !b.is_ascii_hexdigit()) {
            return Err(Malformed::Chunk);
        }
        match httparse::parse_chunk_size(buf) {
            // httparse passes over whatever stands in an extension; a line feed there is a line end to others.
            Ok(httparse::Status::Complete((line, _))) if buf[..line - 1].contains(&b'\n') => {
                Err(Malformed::Chunk)
            }
            Ok(httparse::Status::Complete((line, _))) if line > MAX_CHUNK_LINE => {
                Err(Malformed::TooLarge)
            }
            Ok(httparse::Status::Complete((_, size))) if size > MAX_BODY - self.body => {
                Err(Malformed::TooLarge)
            }
            Ok(httparse::Status::Complete((line, size))) => {
                buf.advance(line);
                self.state = if size == 0 {
                    State::Trailer { seen: 0 }
                } else {
                    State::ChunkData(size)
                };
                Ok(())
            }
            Ok(httparse::Status::Partial) if buf.len() <= MAX_CHUNK_LINE => Ok(()),
            Ok(httparse::Status::Partial) => Err(Malformed::TooLarge),
            Err(_) => Err(Malformed::Chunk),
        }
    }

    fn chunk_end(&mut self, buf: &mut BytesMut) -> Result<(), Malformed> {
        if buf.len() < 2 {
            let broken = buf.first().is_some_and(|b| *b != b'\r');
            return if broken {
                Err(Malformed::Chunk)
            } else {
                Ok(())
            };
        }
        if &buf[..2] != b"\r\n" {
            return Err(Malformed::Chunk);
        }
        buf.advance(2);
        self.state = State::ChunkSize;
        Ok(())
    }

    fn trailer(&mut self, buf: &mut BytesMut, seen: usize) -> Result<(), Malformed> {
        let Some(line) = buf.iter().position(|b| *b == b'\n') else {
            return if seen + buf.len() > MAX_HEAD {
                Err(Malformed::TooLarge)
            } else {
                Ok(())
            };
        };
        let seen = seen + line + 1;
        match &buf[..line] {
            b"\r" => self.state = State::Done,
            [.., b'\r'] if seen > MAX_HEAD => return Err(Malformed::TooLarge),
            [field @ .., b'\r'] if is_field(field) => self.state = State::Trailer { seen },
            _ => return Err(Malformed::Chunk),
        }
        buf.advance(line + 1);
        Ok(())
    }
}

/// Where headers and body go.
pub trait Sink {
    /// A header field of the final response.
    fn header(&mut self, name: &str, value: &[u8]);
    /// The final head is that of the response before on this connection, byte for byte: the same header fields.
    fn repeated(&mut self);
    /// The next piece of the body, without chunk framing.
    fn body(&mut self, piece: &[u8]);
}

/// A name, a colon, a value (RFC 9110 §5); without its line end, and not folded.
fn is_field(line: &[u8]) -> bool {
    let is_in_name = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let is_in_value = |b: &u8| *b == b'\t' || !b.is_ascii_control();
    line.iter().position(|b| *b == b':').is_some_and(|colon| {
        let (name, value) = line.split_at(colon);
        !name.is_empty() && name.iter().all(is_in_name) && value.iter().all(is_in_value)
    })
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
