//! The form of netlink messages: headers, attributes, padding. Nothing here knows what they mean.
//!
//! Source: `include/uapi/linux/netlink.h` of the kernel.

/// `NLM_F_REQUEST`.
pub const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`.
pub const ACK: u16 = 0x4;
/// `NLM_F_DUMP`.
pub const DUMP: u16 = 0x300;
/// `NLM_F_CREATE`.
pub const CREATE: u16 = 0x400;
/// `NLM_F_APPEND`.
pub const APPEND: u16 = 0x800;
/// `NLMSG_ERROR`: an error, or an acknowledgement where the error is 0.
pub const ERROR: u16 = 2;
/// `NLMSG_DONE`: a dump is over.
pub const DONE: u16 = 3;
/// `NLM_F_DUMP_INTR`: something changed during the dump.
pub const INTERRUPTED: u16 = 0x10;

const HEADER: usize = 16;
const NESTED: u16 = 0x8000;
const KIND: u16 = 0x3fff;

const fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// Messages that are being written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Wire(Vec<u8>);

impl Wire {
    /// What was written.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A message with its header; `body` writes what follows.
    pub fn message(&mut self, kind: u16, flags: u16, sequence: u32, body: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.raw(&[0; 4]);
        self.raw(&kind.to_ne_bytes());
        self.raw(&flags.to_ne_bytes());
        self.raw(&sequence.to_ne_bytes());
        self.raw(&[0; 4]);
        body(self);
        let length = u32::try_from(self.0.len() - start).unwrap_or(u32::MAX);
        self.0[start..start + 4].copy_from_slice(&length.to_ne_bytes());
        self.pad();
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// What every message of netfilter begins with: family, version 0, and a number in network order.
    pub fn netfilter(&mut self, family: u8, number: u16) {
        self.raw(&[family, 0]);
        self.raw(&number.to_be_bytes());
    }

    /// An attribute.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.open(kind, |w| w.raw(value));
    }

    /// An attribute that holds attributes.
    pub fn nested(&mut self, kind: u16, body: impl FnOnce(&mut Self)) {
        self.open(kind | NESTED, body);
    }

    /// An attribute that holds text, with the NUL that the kernel wants.
    pub fn text(&mut self, kind: u16, text: &str) {
        self.open(kind, |w| {
            w.raw(text.as_bytes());
            w.raw(&[0]);
        });
    }

    /// An attribute that holds a number in network order.
    pub fn be32(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_be_bytes());
    }

    /// An attribute that holds a number in network order.
    pub fn be16(&mut self, kind: u16, value: u16) {
        self.attribute(kind, &value.to_be_bytes());
    }

    fn open(&mut self, kind: u16, body: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.raw(&[0; 2]);
        self.raw(&kind.to_ne_bytes());
        body(self);
        let length = u16::try_from(self.0.len() - start).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.pad();
    }

    fn pad(&mut self) {
        self.0.resize(aligned(self.0.len()), 0);
    }
}

/// A message that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its type.
    pub kind: u16,
    /// Its flags.
    pub flags: u16,
    /// Of the request that it answers.
    pub sequence: u32,
    /// What follows the header.
    pub body: &'a [u8],
}

impl Message<'_> {
    /// The error number that it carries (0: an acknowledgement); none: it is no error.
    #[must_use]
    pub fn error(&self) -> Option<i32> {
        match self.kind {
            // The end of a dump carries the dump's own error.
            ERROR | DONE => Some(number32(self.body).map_or(0, |n| n.cast_signed().wrapping_neg())),
            _ => None,
        }
    }
}

/// The messages in what one read brought; what is malformed ends them.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(number32(bytes)?).ok()?;
        let body = bytes.get(HEADER..length)?;
        let message = Message {
            kind: number16(&bytes[4..])?,
            flags: number16(&bytes[6..])?,
            sequence: number32(&bytes[8..])?,
            body,
        };
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes in `bytes`, by kind; what is malformed ends them.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(number16(bytes)?);
        let kind = number16(bytes.get(2..)?)? & KIND;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The first attribute of a kind.
#[must_use]
pub fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(k, _)| *k == kind).map(|(_, v)| v)
}

/// Text up to its NUL.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn number16(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.first_chunk()?))
}

fn number32(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_their_length_is_not() {
        let mut wire = Wire::default();
        wire.nested(2, |w| w.text(1, "in"));
        wire.be16(3, 0x1234);
        let expected = [
            &12u16.to_ne_bytes()[..],
            &0x8002u16.to_ne_bytes(),
            &7u16.to_ne_bytes(),
            &1u16.to_ne_bytes(),
            b"in\0\0",
            &6u16.to_ne_bytes(),
            &3u16.to_ne_bytes(),
            &[0x12, 0x34, 0, 0],
        ];
        assert_eq!(wire.as_bytes(), expected.concat());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut wire = Wire::default();
        wire.message(7, REQUEST, 1, |w| w.attribute(1, b"abc"));
        wire.message(8, ACK, 2, |w| w.be32(9, 5));
        let read: Vec<_> = messages(wire.as_bytes()).collect();
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].kind, read[0].flags, read[0].sequence), (7, 1, 1));
        assert_eq!(attribute(read[0].body, 1), Some(&b"abc"[..]));
        assert_eq!(attribute(read[1].body, 9), Some(&[0, 0, 0, 5][..]));
        assert_eq!(attribute(read[1].body, 1), None);
    }

    #[test]
    fn what_is_cut_off_ends_the_reading_and_nothing_else() {
        let mut wire = Wire::default();
        wire.message(7, 0, 1, |w| w.attribute(1, b"abcd"));
        for end in 0..wire.as_bytes().len() {
            assert_eq!(messages(&wire.as_bytes()[..end]).count(), 0, "{end}");
        }
        assert_eq!(
            attributes(&[3, 0, 1, 0]).count(),
            0,
            "shorter than its header"
        );
        assert_eq!(attributes(&[]).count(), 0);
    }

    #[test]
    fn an_acknowledgement_is_an_error_of_zero() {
        fn message(body: &[u8]) -> super::Message<'_> {
            super::Message {
                kind: ERROR,
                flags: 0,
                sequence: 1,
                body,
            }
        }
        assert_eq!(message(&(-17i32).to_ne_bytes()).error(), Some(17));
        assert_eq!(message(&[0; 4]).error(), Some(0));
    }
}
