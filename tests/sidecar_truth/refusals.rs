//! Drop, reject, reset, loss, and which packets are meant.

use super::orders::{Sidecar, tables};
use super::peer::{ECHO, ECHO2, HERE, OTHER, PEER, PEER6, beside};
use super::traffic::{connect, ping, tcp_echo, udp, udp_echo};
use lbtest::sidecar::protocol::{Match, Order, Treatment};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

const PEER4: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 2);
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Only its packets: IPv6 says things of its own when an interface is new, which would be counted.
fn from_or_to(peer: IpAddr) -> Match {
    Match {
        peers: vec![peer],
        ports: vec![],
    }
}

fn all_is_well() {
    for to in [PEER, OTHER, PEER6] {
        udp_echo(to, ECHO).unwrap_or_else(|e| panic!("UDP to {to}: {e}"));
        tcp_echo(&mut connect(to, ECHO).unwrap()).unwrap_or_else(|e| panic!("TCP to {to}: {e}"));
    }
    ping(PEER4).unwrap();
}

/// A service of our own, reached by loopback and by our own address.
fn loopback_is_well() {
    let own = UdpSocket::bind((LOCAL, 0)).unwrap();
    own.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    own.send_to(b"x", own.local_addr().unwrap()).unwrap();
    own.recv(&mut [0; 4]).unwrap();
    let own = UdpSocket::bind((HERE, 0)).unwrap();
    own.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    own.send_to(b"x", own.local_addr().unwrap()).unwrap();
    own.recv(&mut [0; 4]).unwrap();
}

#[test]
fn dropped_packets_of_every_protocol_vanish_until_mended() {
    beside(
        "refusals::dropped_packets_of_every_protocol_vanish_until_mended",
        |_| {
            all_is_well();
            let mut established = connect(PEER, ECHO).unwrap();
            let mut sidecar = Sidecar::start();
            let done = sidecar.treat_some(Treatment::Drop, true, false, Match::default());
            assert_eq!(done.mechanism, "nftables drop (owned table)");
            for to in [PEER, OTHER, PEER6] {
                assert_eq!(
                    udp_echo(to, ECHO).unwrap_err().kind(),
                    ErrorKind::WouldBlock
                );
                assert_eq!(connect(to, ECHO).unwrap_err().kind(), ErrorKind::TimedOut);
            }
            assert!(ping(PEER4).is_err());
            established
                .set_read_timeout(Some(Duration::from_millis(100)))
                .unwrap();
            assert!(tcp_echo(&mut established).is_err());
            loopback_is_well();
            let seen = sidecar.look();
            assert!(seen.count >= 8, "{}", seen.seen);
            assert_eq!(seen.seen, format!("{} packets dropped", seen.count));
            sidecar.mend();
            all_is_well();
            // The connection was only cut off, and goes on: the byte comes by retransmission.
            established
                .set_read_timeout(Some(Duration::from_secs(3)))
                .unwrap();
            tcp_echo(&mut established).unwrap();
            sidecar.mend();
            assert!(
                sidecar.tell(Order::Look).is_err(),
                "there is nothing to look at"
            );
        },
    );
}

#[test]
fn only_the_peers_and_ports_that_are_meant_are_treated() {
    beside(
        "refusals::only_the_peers_and_ports_that_are_meant_are_treated",
        |_| {
            let mut sidecar = Sidecar::start();
            let mut cut = |peers: &[IpAddr], ports: &[u16], incoming| {
                let of = Match {
                    peers: peers.to_vec(),
                    ports: ports.to_vec(),
                };
                sidecar.treat_some(Treatment::Drop, incoming, !incoming, of);
            };
            let udp = |to, port| udp_echo(to, port).is_ok();
            let tcp = |to, port| connect(to, port).is_ok();
            for incoming in [true, false] {
                cut(&[PEER], &[], incoming);
                assert!(!udp(PEER, ECHO) && !tcp(PEER, ECHO2) && ping(PEER4).is_err());
                assert!(udp(OTHER, ECHO) && tcp(OTHER, ECHO) && udp(PEER6, ECHO));
                cut(&[OTHER, PEER6], &[], incoming);
                assert!(udp(PEER, ECHO) && tcp(PEER, ECHO));
                assert!(!udp(OTHER, ECHO) && !tcp(PEER6, ECHO) && !udp(PEER6, ECHO));
                cut(&[], &[ECHO, 9], incoming);
                assert!(!udp(PEER, ECHO) && !tcp(OTHER, ECHO) && !udp(PEER6, ECHO));
                assert!(udp(PEER, ECHO2) && tcp(PEER6, ECHO2) && ping(PEER4).is_ok());
                cut(&[PEER], &[ECHO], incoming);
                assert!(!tcp(PEER, ECHO) && tcp(PEER, ECHO2) && tcp(OTHER, ECHO));
                // Our own port is a port of the packet too.
                let own = UdpSocket::bind((HERE, 0)).unwrap();
                own.set_read_timeout(Some(Duration::from_millis(200)))
                    .unwrap();
                cut(&[PEER], &[own.local_addr().unwrap().port()], incoming);
                let _ = own.send_to(b"x", (PEER, ECHO2));
                assert!(own.recv(&mut [0; 4]).is_err());
                assert!(udp(PEER, ECHO2));
            }
            sidecar.mend();
        },
    );
}

/// The kernel may not listen to an ICMP error about a packet that it is still sending: then a connection hears of it
/// when it is tried again, after a second. Datagrams hear at once.
#[test]
fn rejected_packets_of_our_own_are_refused() {
    beside("refusals::rejected_packets_of_our_own_are_refused", |_| {
        let mut sidecar = Sidecar::start();
        sidecar.treat_some(Treatment::Reject, false, true, Match::default());
        let tries = [PEER, PEER6].map(|to| {
            std::thread::spawn(move || {
                let begun = Instant::now();
                let to = std::net::SocketAddr::new(to, ECHO);
                let error = TcpStream::connect_timeout(&to, Duration::from_secs(3)).unwrap_err();
                (error, begun.elapsed())
            })
        });
        for to in [PEER, PEER6] {
            let begun = Instant::now();
            assert!(udp(to, ECHO).send(b"x").is_err(), "{to}");
            assert!(begun.elapsed() < Duration::from_millis(50));
        }
        loopback_is_well();
        for (error, time) in tries.map(|t| t.join().unwrap()) {
            println!("{error} after {time:?}");
            assert_ne!(error.kind(), ErrorKind::TimedOut);
            assert!(time < Duration::from_millis(1500), "{time:?}");
        }
        assert!(sidecar.look().count >= 4);
        sidecar.mend();
        all_is_well();
    });
}

/// Whichever ways are treated: the answer to the peer is no packet of ours that it should not get.
#[test]
fn a_refused_peer_is_told() {
    beside("refusals::a_refused_peer_is_told", |peer| {
        for (treatment, both, told) in [
            (Treatment::Reject, false, ErrorKind::HostUnreachable),
            (Treatment::Reject, true, ErrorKind::HostUnreachable),
            (Treatment::Reset, false, ErrorKind::ConnectionRefused),
            (Treatment::Reset, true, ErrorKind::ConnectionRefused),
        ] {
            let mut sidecar = Sidecar::start();
            sidecar.treat_some(treatment, true, both, Match::default());
            let listener = std::net::TcpListener::bind((HERE, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let begun = Instant::now();
            let error = peer.thread(move || connect(HERE, port).unwrap_err()).join();
            let error = error.unwrap();
            assert_eq!(
                error.kind(),
                told,
                "{treatment:?}, both ways {both}: {error}"
            );
            assert!(begun.elapsed() < Duration::from_millis(200));
            sidecar.mend();
            peer.thread(move || connect(HERE, port).unwrap())
                .join()
                .unwrap();
        }
    });
}

#[test]
fn a_reset_breaks_connections_and_refuses_new_ones() {
    beside(
        "refusals::a_reset_breaks_connections_and_refuses_new_ones",
        |_| {
            for to in [PEER, PEER6] {
                let mut established = connect(to, ECHO).unwrap();
                tcp_echo(&mut established).unwrap();
                let mut sidecar = Sidecar::start();
                sidecar.treat(Treatment::Reset);
                let begun = Instant::now();
                let error = tcp_echo(&mut established).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                assert_eq!(
                    connect(to, ECHO).unwrap_err().kind(),
                    ErrorKind::ConnectionRefused
                );
                assert!(begun.elapsed() < Duration::from_millis(100));
                assert!(udp_echo(to, ECHO).is_err(), "what is not TCP vanishes");
                assert!(sidecar.look().count >= 3);
                sidecar.mend();
                all_is_well();
            }
        },
    );
}

/// Datagrams from the peer to us, in bursts that every buffer holds; how many came.
fn datagrams(peer: &super::peer::Peer, count: u64) -> u64 {
    let socket = UdpSocket::bind((HERE, 0)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let to = socket.local_addr().unwrap();
    let sender = peer.thread(move || {
        let socket = UdpSocket::bind((PEER, 0)).unwrap();
        for i in 0..count {
            socket.send_to(&i.to_be_bytes(), to).unwrap();
            if i % 50 == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let mut came = 0;
    while socket.recv(&mut [0; 16]).is_ok() {
        came += 1;
    }
    sender.join().unwrap();
    came
}

#[test]
fn a_fifth_is_lost_by_chance_and_every_lost_packet_is_counted() {
    beside(
        "refusals::a_fifth_is_lost_by_chance_and_every_lost_packet_is_counted",
        |peer| {
            const SENT: u64 = 10_000;
            let mut sidecar = Sidecar::start();
            let loss = |ratio| Treatment::Loss { ratio };
            sidecar.treat_some(loss(0.2), true, false, from_or_to(PEER));
            let lost = SENT - datagrams(peer, SENT);
            assert_eq!(sidecar.look().count, lost);
            // The standard deviation is 40: five of them.
            assert!((1800..=2200).contains(&lost), "{lost}");
            sidecar.treat_some(loss(1.0), true, false, from_or_to(PEER));
            assert_eq!(datagrams(peer, 500), 0);
            sidecar.treat_some(loss(0.0), true, false, from_or_to(PEER));
            assert_eq!(datagrams(peer, 500), 500);
            sidecar.mend();
            assert_eq!(datagrams(peer, 500), 500);
        },
    );
}

#[test]
fn a_sender_does_not_notice_that_its_packets_are_lost() {
    beside(
        "refusals::a_sender_does_not_notice_that_its_packets_are_lost",
        |_| {
            let mut sidecar = Sidecar::start();
            for treatment in [Treatment::Drop, Treatment::Loss { ratio: 1.0 }] {
                sidecar.treat_some(treatment, false, true, from_or_to(PEER));
                let socket = udp(PEER, ECHO);
                for _ in 0..50 {
                    socket.send(b"x").unwrap();
                }
                assert!(socket.recv(&mut [0; 4]).is_err());
                assert_eq!(sidecar.look().count, 50);
            }
            sidecar.mend();
            all_is_well();
        },
    );
}

#[test]
fn rules_are_replaced_without_a_gap() {
    beside("refusals::rules_are_replaced_without_a_gap", |peer| {
        let mut sidecar = Sidecar::start();
        let only = |port| Match {
            peers: vec![PEER],
            ports: vec![port, 9],
        };
        let socket = UdpSocket::bind((HERE, 0)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let to = socket.local_addr().unwrap();
        sidecar.treat_some(Treatment::Drop, true, false, only(to.port()));
        let stop = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(0));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&sent));
        let sender = peer.thread(move || {
            let socket = UdpSocket::bind((PEER, 0)).unwrap();
            while !stopped.load(Relaxed) {
                socket.send_to(b"x", to).unwrap();
                counted.fetch_add(1, Relaxed);
            }
        });
        for i in 0..100 {
            let treatment = match i % 3 {
                0 => Treatment::Loss { ratio: 1.0 },
                1 => Treatment::Reset,
                _ => Treatment::Drop,
            };
            sidecar.treat_some(treatment, true, i % 2 == 0, only(to.port()));
        }
        stop.store(true, Relaxed);
        sender.join().unwrap();
        assert!(sent.load(Relaxed) > 1000);
        assert!(socket.recv(&mut [0; 4]).is_err(), "a packet got through");
        sidecar.mend();
    });
}

#[test]
fn two_sidecars_in_one_namespace_do_not_take_each_other_s_rules() {
    beside(
        "refusals::two_sidecars_in_one_namespace_do_not_take_each_other_s_rules",
        |_| {
            let of = |port| Match {
                peers: vec![],
                ports: vec![port],
            };
            let mut one = Sidecar::start();
            let mut two = Sidecar::start();
            one.treat_some(Treatment::Drop, true, false, of(ECHO));
            two.treat_some(Treatment::Drop, true, false, of(ECHO2));
            assert!(udp_echo(PEER, ECHO).is_err() && udp_echo(PEER, ECHO2).is_err());
            assert_eq!(one.look().count, 1);
            one.tell(Order::Mend(None)).unwrap();
            assert!(udp_echo(PEER, ECHO).is_ok() && udp_echo(PEER, ECHO2).is_err());
            two.mend();
            all_is_well();
            assert_eq!(tables(), "");
        },
    );
}
