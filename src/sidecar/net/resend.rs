//! Outgoing TCP packets that wait with us, and not in the kernel.
//!
//! As long as a packet is in the kernel it counts as not yet sent by its connection, of which hardly more than two are
//! allowed at a time (TCP small queues): with 50 ms of delay a connection would come to 115 KB/s. So the packet is
//! copied, dropped, and the copy is sent when it is due.

use rustix::net::sockopt;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes that may wait; what is more waits in the kernel.
const MOST: usize = 128 << 20;
const TCP: u8 = 6;
const RAW: i32 = 255;
/// Room for what the link does not take at once.
const ROOM: usize = 4 << 20;

/// Sends whole packets.
#[derive(Debug)]
pub struct Resend {
    v4: Socket,
    /// None: there is no IPv6.
    v6: Option<Socket>,
    /// The bit of the mark by which the rules know what was sent again.
    bit: u32,
    /// As the sockets have it now.
    mark: u32,
    waiting: usize,
}

/// A packet that waits.
#[derive(Debug, PartialEq, Eq)]
pub struct Copied {
    bytes: Box<[u8]>,
    to: IpAddr,
    /// Its own, which it keeps beside our bit.
    mark: u32,
}

impl Resend {
    /// Opens the sockets.
    ///
    /// # Errors
    /// Not allowed: CAP_NET_RAW is missing.
    pub fn open(bit: u32) -> io::Result<Self> {
        let socket = |domain| {
            let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(RAW)))?;
            if sockopt::set_socket_send_buffer_size_force(&socket, ROOM).is_err() {
                let _ = socket.set_send_buffer_size(ROOM);
            }
            socket.set_mark(bit)?;
            Ok::<_, io::Error>(socket)
        };
        Ok(Self {
            v4: socket(Domain::IPV4)?,
            v6: socket(Domain::IPV6).ok(),
            bit,
            mark: bit,
            waiting: 0,
        })
    }

    /// Takes a packet over, if it is one that can be sent again; none: it stays in the kernel.
    pub fn take(&mut self, packet: &[u8], mark: u32) -> Option<Copied> {
        let to = tcp_destination(packet)?;
        if self.waiting + packet.len() > MOST || (to.is_ipv6() && self.v6.is_none()) {
            return None;
        }
        self.waiting += packet.len();
        Some(Copied {
            bytes: packet.into(),
            to,
            mark,
        })
    }

    /// Sends it. What the link does not take is lost, as on any link.
    pub fn send(&mut self, packet: &Copied) {
        self.waiting -= packet.bytes.len();
        let mark = packet.mark | self.bit;
        if mark != self.mark {
            let sockets = [Some(&self.v4), self.v6.as_ref()];
            if sockets
                .into_iter()
                .flatten()
                .any(|s| s.set_mark(mark).is_err())
            {
                return;
            }
            self.mark = mark;
        }
        let socket = match packet.to {
            IpAddr::V4(_) => Some(&self.v4),
            IpAddr::V6(_) => self.v6.as_ref(),
        };
        // The port must be 0 for IPv6; the rest is in the packet.
        let to = SockAddr::from(SocketAddr::new(packet.to, 0));
        if let Some(socket) = socket {
            let _ = socket.send_to(&packet.bytes, &to);
        }
    }
}

/// Where a TCP packet goes; none: it is no whole TCP packet, or goes where an address alone does not lead.
fn tcp_destination(packet: &[u8]) -> Option<IpAddr> {
    let number = |at: usize| {
        packet
            .get(at..at + 2)?
            .first_chunk()
            .map(|n| u16::from_be_bytes(*n))
    };
    match packet.first()? >> 4 {
        4 => {
            let whole = usize::from(number(2)?) == packet.len();
            // More fragments, or not the first one.
            let fragment = number(6)? & 0x3fff != 0;
            let to = Ipv4Addr::from(*packet.get(16..)?.first_chunk::<4>()?);
            (whole && !fragment && packet[9] == TCP && !to.is_multicast()).then_some(to.into())
        }
        6 => {
            let whole = usize::from(number(4)?) + 40 == packet.len();
            let to = Ipv6Addr::from(*packet.get(24..)?.first_chunk::<16>()?);
            (whole && packet[6] == TCP && !to.is_unicast_link_local()).then_some(to.into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(protocol: u8, fragment: u16) -> Vec<u8> {
        let mut packet = vec![0; 60];
        packet[0] = 0x45;
        packet[2..4].copy_from_slice(&60u16.to_be_bytes());
        packet[6..8].copy_from_slice(&fragment.to_be_bytes());
        packet[9] = protocol;
        packet[16..20].copy_from_slice(&[10, 0, 0, 2]);
        packet
    }

    #[test]
    fn only_whole_tcp_packets_are_sent_again() {
        let to = Some("10.0.0.2".parse().unwrap());
        assert_eq!(tcp_destination(&v4(TCP, 0x4000)), to, "do not fragment");
        assert_eq!(tcp_destination(&v4(17, 0)), None);
        assert_eq!(tcp_destination(&v4(TCP, 0x2000)), None, "more fragments");
        assert_eq!(tcp_destination(&v4(TCP, 3)), None, "a later fragment");
        assert_eq!(tcp_destination(&v4(TCP, 0)[..59]), None, "cut off");
        assert_eq!(tcp_destination(&[]), None);
        assert_eq!(tcp_destination(&[0x45; 3]), None);
    }

    #[test]
    fn ipv6_is_sent_again_where_the_address_is_enough() {
        let mut packet = vec![0; 60];
        packet[0] = 0x60;
        packet[4..6].copy_from_slice(&20u16.to_be_bytes());
        packet[6] = TCP;
        packet[24..40].copy_from_slice(&"fd00::2".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(tcp_destination(&packet), Some("fd00::2".parse().unwrap()));
        packet[24..40].copy_from_slice(&"fe80::2".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(tcp_destination(&packet), None);
    }
}
