//! What lbtest refuses on purpose although hyper accepts it, recognised in the bytes themselves by a reader that
//! shares no code with either of them.

use super::parser::Malformed;

/// Every reason there is. A refusal that none of them explains is a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnPurpose {
    /// An empty line before a status line: a rest of what was sent before (RFC 9112 §2.2 allows servers alone to
    /// skip one).
    EmptyLineFirst,
    /// A length beside a transfer coding (§6.3: "ought to be handled as an error").
    LengthBesideCoding,
    /// Chunks that are not the last coding, or there more than once, or with parameters; an empty member after
    /// them; a coding that is no text (§6.1, §7.1).
    ChunksNotOnceAndLast,
    /// Lengths that differ or are none, in an answer that has no body anyway: hyper does not look at them.
    LengthsWithoutBody,
    /// A transfer coding in HTTP/1.0, in an answer that has no body anyway: hyper does not look at it.
    OldCodingWithoutBody,
    /// A switch of protocols, which lbtest never asks for.
    Switch,
    /// More than 16 interim responses.
    ManyInterims,
    /// A chunk's size of more than 16 digits.
    LongChunkSize,
    /// A line of the trailer section that ends without a carriage return; hyper takes some of them.
    TrailerLine,
}

impl OnPurpose {
    pub const ALL: [Self; 9] = [
        Self::EmptyLineFirst,
        Self::LengthBesideCoding,
        Self::ChunksNotOnceAndLast,
        Self::LengthsWithoutBody,
        Self::OldCodingWithoutBody,
        Self::Switch,
        Self::ManyInterims,
        Self::LongChunkSize,
        Self::TrailerLine,
    ];

    /// Why these bytes, which were refused with this error, were refused on purpose; none where it was not.
    pub fn of(bytes: &[u8], head_only: bool, error: Malformed) -> Option<Self> {
        let heads = heads(bytes);
        let last = heads.last()?;
        let bodiless = head_only || matches!(last.status, 204 | 304);
        let found = match error {
            Malformed::Head => (
                heads.iter().any(|h| h.empty_line_first),
                Self::EmptyLineFirst,
            ),
            Malformed::Interim if last.status == 101 => (true, Self::Switch),
            Malformed::Interim => (heads.len() > 16, Self::ManyInterims),
            Malformed::Framing if last.has("transfer-encoding") && last.has("content-length") => {
                (true, Self::LengthBesideCoding)
            }
            Malformed::Framing if last.has("transfer-encoding") && last.old && bodiless => {
                (true, Self::OldCodingWithoutBody)
            }
            Malformed::Framing if last.has("transfer-encoding") => {
                (last.chunks_are_odd(), Self::ChunksNotOnceAndLast)
            }
            Malformed::Framing => (
                bodiless && last.has("content-length"),
                Self::LengthsWithoutBody,
            ),
            Malformed::Chunk => return last.broken_chunk(bytes),
            Malformed::TooLarge | Malformed::Truncated => return None,
        };
        found.0.then_some(found.1)
    }
}

/// A head as a naive reader sees it.
#[derive(Default)]
struct Head {
    status: u16,
    /// HTTP/1.0.
    old: bool,
    empty_line_first: bool,
    fields: Vec<(String, Vec<u8>)>,
    end: usize,
}

/// The heads up to the first one that is no interim response.
fn heads(bytes: &[u8]) -> Vec<Head> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(head) = head(bytes, at) {
        at = head.end;
        let interim = (100..200).contains(&head.status) && head.status != 101;
        all.push(head);
        if !interim {
            break;
        }
    }
    all
}

/// The line from here on, without its end, and where the next one begins.
fn line(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(at..)?;
    let end = rest.iter().position(|b| *b == b'\n')?;
    let line = rest.get(..end)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), at + end + 1))
}

fn head(bytes: &[u8], mut at: usize) -> Option<Head> {
    let mut head = Head::default();
    let (mut text, mut next) = line(bytes, at)?;
    while text.is_empty() {
        head.empty_line_first = true;
        at = next;
        (text, next) = line(bytes, at)?;
    }
    let text = String::from_utf8_lossy(text);
    let mut words = text.split(' ');
    head.old = words.next()? == "HTTP/1.0";
    head.status = words.next()?.parse().ok()?;
    loop {
        let (field, after) = line(bytes, next)?;
        next = after;
        if field.is_empty() {
            head.end = next;
            return Some(head);
        }
        let colon = field.iter().position(|b| *b == b':')?;
        let name = String::from_utf8_lossy(&field[..colon]).to_ascii_lowercase();
        head.fields.push((name, field[colon + 1..].to_vec()));
    }
}

impl Head {
    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(n, _)| n == name)
    }

    /// Chunked stands somewhere, and anything but once, bare and last; or a coding is no ASCII.
    fn chunks_are_odd(&self) -> bool {
        let codings = self.fields.iter().filter(|(n, _)| n == "transfer-encoding");
        let lists: Vec<String> = codings
            .map(|(_, list)| String::from_utf8_lossy(list).to_ascii_lowercase())
            .collect();
        let all = lists.join(",");
        let members: Vec<&str> = all.split(',').map(str::trim).collect();
        let chunked = members.iter().filter(|m| m.contains("chunked")).count();
        !all.is_ascii() || (chunked > 0 && (chunked > 1 || members.last() != Some(&"chunked")))
    }

    /// What is odd about the chunks after this head, where it is on purpose that they are refused.
    fn broken_chunk(&self, bytes: &[u8]) -> Option<OnPurpose> {
        let mut at = self.end;
        loop {
            let (text, next) = line(bytes, at)?;
            let digits = text.iter().take_while(|b| b.is_ascii_hexdigit()).count();
            if digits > 16 {
                return Some(OnPurpose::LongChunkSize);
            }
            let size = std::str::from_utf8(text.get(..digits)?).ok()?;
            match usize::from_str_radix(size, 16).ok()? {
                0 => return trailer_with_a_bare_line_end(bytes, next),
                size => at = next.checked_add(size)?.checked_add(2)?,
            }
        }
    }
}

fn trailer_with_a_bare_line_end(bytes: &[u8], mut at: usize) -> Option<OnPurpose> {
    loop {
        let (text, next) = line(bytes, at)?;
        if bytes.get(next.checked_sub(2)?) != Some(&b'\r') || next - at < 2 {
            return Some(OnPurpose::TrailerLine);
        }
        if text.is_empty() {
            return None;
        }
        at = next;
    }
}
