//! How long a response is: RFC 9112 §6.3, and where that leaves room for two readings the response is refused.

use super::{Malformed, State};

/// What the head says of the length of the body.
#[derive(Debug, Clone, Copy)]
pub struct Framing {
    length: Option<u64>,
    /// A transfer coding is there; `true`: chunked is the last one.
    coded: Option<bool>,
    /// Whether the connection may be used again.
    pub keep_alive: bool,
}

impl Framing {
    /// Of the header fields of a final head.
    ///
    /// # Errors
    /// Where they leave room for two readings.
    pub fn of(http11: bool, headers: &[httparse::Header<'_>]) -> Result<Self, Malformed> {
        let mut framing = Self {
            length: None,
            coded: None,
            keep_alive: http11,
        };
        let mut close = false;
        for header in headers {
            // Three lengths: most header fields are none of these.
            if !matches!(header.name.len(), 10 | 14 | 17) {
                continue;
            }
            if header.name.eq_ignore_ascii_case("content-length") {
                for value in header.value.split(|b| *b == b',') {
                    let length = decimal(value.trim_ascii())?;
                    if framing.length.is_some_and(|known| known != length) {
                        return Err(Malformed::Framing);
                    }
                    framing.length = Some(length);
                }
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                for coding in header.value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                    // Chunked is there once, bare, and the last: else bodies have two readings (RFC 9112 §6.1, §7.1).
                    if framing.coded == Some(true) || !coding.is_ascii() {
                        return Err(Malformed::Framing);
                    }
                    framing.coded = Some(coding.eq_ignore_ascii_case(b"chunked"));
                    let name = coding.split(|b| *b == b';').next().unwrap_or_default();
                    if name.len() < coding.len()
                        && name.trim_ascii().eq_ignore_ascii_case(b"chunked")
                    {
                        return Err(Malformed::Framing);
                    }
                }
            } else if header.name.eq_ignore_ascii_case("connection") {
                for token in header.value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                    close |= token.eq_ignore_ascii_case(b"close");
                    framing.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
        }
        framing.keep_alive &= !close;
        if framing.coded.is_some() && (framing.length.is_some() || !http11) {
            return Err(Malformed::Framing);
        }
        Ok(framing)
    }

    /// What follows the head of a response with this status.
    #[must_use]
    pub(super) fn state(&self, head_only: bool, status: u16) -> State {
        match (self.coded, self.length) {
            _ if head_only || matches!(status, 204 | 304) => State::Done,
            (Some(true), _) => State::ChunkSize,
            (Some(false), _) | (None, None) => State::UntilClose,
            (None, Some(0)) => State::Done,
            (None, Some(length)) => State::Length(length),
        }
    }
}

/// Digits only: no sign, no blanks, nothing empty.
fn decimal(text: &[u8]) -> Result<u64, Malformed> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(Malformed::Framing);
    }
    std::str::from_utf8(text)
        .ok()
        .and_then(|t| t.parse().ok())
        .ok_or(Malformed::Framing)
}
