//! TCP connections as the kernel lists them, and their destruction.
//!
//! Source: `include/uapi/linux/inet_diag.h` and `sock_diag.h` of the kernel.

use super::super::clock::monotonic_ns;
use super::super::protocol::{Done, Match};
use super::netlink::Socket;
use super::wire::{ACK, DUMP, REQUEST, Wire};
use rustix::io::Errno;
use rustix::net::netlink::SOCK_DIAG;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const BY_FAMILY: u16 = 20;
const DESTROY: u16 = 21;
const IPV4: u8 = 2;
const IPV6: u8 = 10;
const TCP: u8 = 6;
/// Bits of the states in which there is somebody to be told: all but TIME_WAIT (6), CLOSE (7) and LISTEN (10).
const CONNECTED: u32 =
    1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11 | 1 << 12;
/// `struct inet_diag_sockid`.
const ID: usize = 48;

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Connection {
    family: u8,
    state: u8,
    /// As the kernel wants it back.
    id: [u8; ID],
}

impl Connection {
    /// From `struct inet_diag_msg`.
    fn read(body: &[u8]) -> Option<Self> {
        Some(Self {
            family: *body.first()?,
            state: *body.get(1)?,
            id: *body.get(4..)?.first_chunk()?,
        })
    }

    fn ports(&self) -> [u16; 2] {
        [0, 2].map(|at| u16::from_be_bytes([self.id[at], self.id[at + 1]]))
    }

    fn address(&self, at: usize) -> IpAddr {
        let mut octets = [0; 16];
        octets.copy_from_slice(&self.id[at..at + 16]);
        match self.family {
            IPV4 => Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]).into(),
            _ => Ipv6Addr::from(octets).to_canonical(),
        }
    }

    fn here(&self) -> IpAddr {
        self.address(4)
    }

    fn there(&self) -> IpAddr {
        self.address(20)
    }

    /// Unique while the machine runs.
    fn cookie(&self) -> [u8; 8] {
        let mut cookie = [0; 8];
        cookie.copy_from_slice(&self.id[40..]);
        cookie
    }

    /// A connection of the machine with itself is never meant, by whatever address.
    fn is_meant(&self, of: &Match) -> bool {
        let (here, there) = (self.here(), self.there());
        let peer = || of.peers.iter().any(|p| p.to_canonical() == there);
        let port = || self.ports().iter().any(|p| of.ports.contains(p));
        !there.is_loopback()
            && here != there
            && (of.peers.is_empty() || peer())
            && (of.ports.is_empty() || port())
    }
}

/// `struct inet_diag_req_v2`.
fn request(kind: u16, flags: u16, family: u8, states: u32, id: &[u8; ID]) -> Wire {
    let mut wire = Wire::default();
    wire.message(kind, REQUEST | flags, 1, |w| {
        w.raw(&[family, TCP, 0, 0]);
        w.raw(&states.to_ne_bytes());
        w.raw(id);
    });
    wire
}

fn connections(socket: &Socket) -> Result<Vec<Connection>, String> {
    let mut all = Vec::new();
    for family in [IPV4, IPV6] {
        let listed = socket.dump(
            &request(BY_FAMILY, DUMP, family, CONNECTED, &[0; ID]),
            |message| (message.kind == BY_FAMILY).then(|| Connection::read(message.body))?,
        );
        match listed {
            Ok(listed) => all.extend(listed),
            // A kernel without IPv6.
            Err(Errno::NOENT | Errno::INVAL) if family == IPV6 => {}
            Err(e) => return Err(format!("the list of TCP connections: {e}")),
        }
    }
    Ok(all)
}

fn open() -> Result<Socket, String> {
    Socket::open(SOCK_DIAG).map_err(|e| format!("a netlink socket for TCP connections: {e}"))
}

/// Destroys the connections that there are now: both sides get a reset at once.
///
/// # Errors
/// In words: the kernel cannot, or a connection is still there.
pub fn reset(of: &Match) -> Result<Done, String> {
    let socket = open()?;
    let meant: Vec<_> = connections(&socket)?
        .into_iter()
        .filter(|c| c.is_meant(of))
        .collect();
    let from_ns = monotonic_ns();
    let mut destroyed = HashSet::new();
    for c in &meant {
        match socket.transact(&request(DESTROY, ACK, c.family, 0, &c.id)) {
            Ok(()) => {
                destroyed.insert(c.cookie());
            }
            // It ended by itself.
            Err(e) if e.errno == Errno::NOENT => {}
            Err(e) => {
                return Err(format!(
                    "the TCP connection {} to {}: cannot be destroyed: {e}",
                    c.here(),
                    c.there()
                ));
            }
        }
    }
    let until_ns = monotonic_ns();
    let left = connections(&open()?)?;
    if let Some(c) = left.iter().find(|c| destroyed.contains(&c.cookie())) {
        return Err(format!(
            "the TCP connection {} to {}: was destroyed and is still there, in state {}",
            c.here(),
            c.there(),
            c.state
        ));
    }
    let count = destroyed.len() as u64;
    let noun = if count == 1 {
        "connection"
    } else {
        "connections"
    };
    Ok(Done {
        from_ns,
        until_ns,
        mechanism: "sock_diag destroy".to_owned(),
        seen: format!("{count} {noun} destroyed and gone"),
        count,
        abilities: None,
    })
}

/// Whether this kernel can destroy connections: one that cannot be there is asked for.
#[must_use]
pub fn is_able() -> bool {
    let Ok(socket) = open() else { return false };
    // From and to the address of nobody (RFC 5737), with a cookie that no connection has.
    let mut id = [0; ID];
    id[..4].copy_from_slice(&[0, 1, 0, 1]);
    for at in [4, 20] {
        id[at..at + 4].copy_from_slice(&[192, 0, 2, 1]);
    }
    id[40..].copy_from_slice(&[0x7f; 8]);
    connections(&socket).is_ok()
        && socket
            .transact(&request(DESTROY, ACK, IPV4, 0, &id))
            .is_err_and(|e| e.errno == Errno::NOENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(here: IpAddr, there: IpAddr, ports: [u16; 2]) -> Connection {
        let mut id = [0; ID];
        id[..2].copy_from_slice(&ports[0].to_be_bytes());
        id[2..4].copy_from_slice(&ports[1].to_be_bytes());
        for (at, address) in [(4, here), (20, there)] {
            match address {
                IpAddr::V4(a) => id[at..at + 4].copy_from_slice(&a.octets()),
                IpAddr::V6(a) => id[at..at + 16].copy_from_slice(&a.octets()),
            }
        }
        let family = if here.is_ipv4() { IPV4 } else { IPV6 };
        Connection {
            family,
            state: 1,
            id,
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_request_is_as_long_as_the_kernel_wants_it() {
        let wire = request(BY_FAMILY, DUMP, IPV4, CONNECTED, &[0; ID]);
        assert_eq!(wire.as_bytes().len(), 16 + 56);
        assert_eq!(wire.as_bytes()[16..20], [2, 6, 0, 0]);
        assert_eq!(CONNECTED & (1 << 6 | 1 << 7 | 1 << 10), 0);
    }

    #[test]
    fn connections_are_picked_by_the_other_side_and_by_either_port() {
        let c = connection(ip("10.0.0.1"), ip("10.0.0.2"), [40_000, 5432]);
        let of = |peers: &[&str], ports: &[u16]| Match {
            peers: peers.iter().map(|p| ip(p)).collect(),
            ports: ports.to_vec(),
        };
        assert!(c.is_meant(&of(&[], &[])));
        assert!(c.is_meant(&of(&["10.0.0.2"], &[5432])));
        assert!(c.is_meant(&of(&[], &[40_000])));
        assert!(!c.is_meant(&of(&["10.0.0.1"], &[])), "that is this side");
        assert!(!c.is_meant(&of(&["10.0.0.2"], &[80])));
    }

    #[test]
    fn an_ipv4_peer_is_found_on_an_ipv6_socket() {
        let c = connection(ip("::ffff:10.0.0.1"), ip("::ffff:10.0.0.2"), [80, 4000]);
        let of = Match {
            peers: vec![ip("10.0.0.2")],
            ports: vec![],
        };
        assert!(c.is_meant(&of));
    }

    #[test]
    fn connections_with_oneself_are_never_meant() {
        let any = Match::default();
        for (here, there) in [
            ("127.0.0.1", "127.0.0.2"),
            ("::1", "::1"),
            ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            assert!(
                !connection(ip(here), ip(there), [1, 2]).is_meant(&any),
                "{there}"
            );
        }
    }
}
