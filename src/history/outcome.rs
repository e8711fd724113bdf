//! What became of an operation: ok, fail or unknown, with a typed class.
//!
//! A class is decided where the error arises and never guessed from a message.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The result of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The expected answer came.
    Ok,
    /// It certainly did not do what was asked, or it was a read.
    Fail(Class),
    /// A write that was sent and whose answer never came: it may have happened.
    Unknown(Class),
}

impl Outcome {
    /// Everything that is not `Ok` is bad.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        !matches!(self, Self::Ok)
    }

    /// The class of a bad outcome.
    #[must_use]
    pub const fn class(self) -> Option<Class> {
        match self {
            Self::Ok => None,
            Self::Fail(class) | Self::Unknown(class) => Some(class),
        }
    }
}

/// Why an operation was bad. Written as a short stable name: `refused`, `http_503`, `sqlstate_25006`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The peer refused the connection (ECONNREFUSED).
    Refused,
    /// No connection within the connect time-out.
    ConnectTimeout,
    /// No route to the host or network.
    Unreachable,
    /// The name did not resolve.
    Dns,
    /// The TLS handshake failed.
    Tls,
    /// Connecting failed for another reason (out of ports or descriptors, permission).
    Connect,
    /// The connection was reset (ECONNRESET, EPIPE, ECONNABORTED).
    Reset,
    /// The peer closed the connection before the answer was complete.
    EndOfStream,
    /// No complete answer within the time-out.
    Timeout,
    /// An HTTP status that was not expected.
    HttpStatus(u16),
    /// The answer's body did not hold what was expected.
    UnexpectedBody,
    /// The answer was not valid in its protocol, or over a limit.
    Protocol,
    /// The database answered with an error of this SQLSTATE.
    Sqlstate([u8; 5]),
    /// Another number of rows than expected.
    RowCount,
    /// No free slot within `max_in_flight`: never sent.
    Dropped,
    /// Cut off because the run was ended from outside.
    Aborted,
}

impl Class {
    /// The class of a SQLSTATE code; anything that is not five ASCII alphanumerics is `Protocol`.
    #[must_use]
    pub fn sqlstate(code: &str) -> Self {
        <[u8; 5]>::try_from(code.as_bytes())
            .ok()
            .filter(|c| c.iter().all(u8::is_ascii_alphanumeric))
            .map_or(Self::Protocol, Self::Sqlstate)
    }

    /// The class of an I/O error on an established connection.
    #[must_use]
    pub fn of_io(kind: std::io::ErrorKind) -> Self {
        use std::io::ErrorKind as K;
        match kind {
            K::ConnectionRefused => Self::Refused,
            K::ConnectionReset | K::BrokenPipe | K::ConnectionAborted => Self::Reset,
            K::UnexpectedEof => Self::EndOfStream,
            K::TimedOut => Self::Timeout,
            // TLS: what came is no valid record.
            K::InvalidData => Self::Protocol,
            K::HostUnreachable | K::NetworkUnreachable => Self::Unreachable,
            _ => Self::Connect,
        }
    }

    /// The class of an I/O error while connecting: the kernel's own time-out is a connect time-out.
    #[must_use]
    pub fn of_connect(kind: std::io::ErrorKind) -> Self {
        match kind {
            std::io::ErrorKind::TimedOut => Self::ConnectTimeout,
            other => Self::of_io(other),
        }
    }
}

const PLAIN: [(Class, &str); 14] = [
    (Class::Refused, "refused"),
    (Class::ConnectTimeout, "connect_timeout"),
    (Class::Unreachable, "unreachable"),
    (Class::Dns, "dns"),
    (Class::Tls, "tls"),
    (Class::Connect, "connect"),
    (Class::Reset, "reset"),
    (Class::EndOfStream, "end_of_stream"),
    (Class::Timeout, "timeout"),
    (Class::UnexpectedBody, "unexpected_body"),
    (Class::Protocol, "protocol"),
    (Class::RowCount, "row_count"),
    (Class::Dropped, "dropped"),
    (Class::Aborted, "aborted"),
];

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HttpStatus(code) => write!(f, "http_{code}"),
            Self::Sqlstate(code) => write!(f, "sqlstate_{}", String::from_utf8_lossy(code)),
            plain => f.write_str(
                PLAIN
                    .iter()
                    .find(|(c, _)| c == plain)
                    .map_or("other", |(_, n)| n),
            ),
        }
    }
}

/// The text is not the name of a class.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not the name of an outcome class")]
pub struct NotAClass(String);

impl FromStr for Class {
    type Err = NotAClass;
    fn from_str(s: &str) -> Result<Self, NotAClass> {
        let unknown = || NotAClass(s.to_owned());
        if let Some((class, _)) = PLAIN.iter().find(|(_, n)| *n == s) {
            return Ok(*class);
        }
        if let Some(code) = s.strip_prefix("http_") {
            return code.parse().map(Self::HttpStatus).map_err(|_| unknown());
        }
        match s.strip_prefix("sqlstate_").map(Self::sqlstate) {
            Some(class @ Self::Sqlstate(_)) => Ok(class),
            _ => Err(unknown()),
        }
    }
}

impl Serialize for Class {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Class {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_survives_its_name() {
        let special = [Class::HttpStatus(503), Class::sqlstate("25006")];
        for class in PLAIN.iter().map(|(c, _)| *c).chain(special) {
            assert_eq!(class.to_string().parse::<Class>().unwrap(), class);
            assert_ne!(class.to_string(), "other");
        }
        assert!("sqlstate_1".parse::<Class>().is_err());
        assert!("http_x".parse::<Class>().is_err());
    }
}
