//! Connections that are destroyed.

use super::orders::Sidecar;
use super::peer::{ECHO, ECHO2, HERE, OTHER, PEER, PEER6, beside};
use super::traffic::{connect, tcp_echo};
use lbtest::sidecar::protocol::{Match, Order};
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv6Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

fn reset(sidecar: &mut Sidecar, peers: &[IpAddr], ports: &[u16]) -> u64 {
    let done = sidecar.tell(Order::ResetConnections(Match {
        peers: peers.to_vec(),
        ports: ports.to_vec(),
    }));
    let done = done.unwrap();
    println!("{} by {}", done.seen, done.mechanism);
    assert!(0 < done.from_ns && done.from_ns <= done.until_ns);
    done.count
}

/// At once, without sending anything.
fn is_broken(stream: &mut TcpStream) {
    let begun = Instant::now();
    let error = stream.read(&mut [0; 1]).unwrap_err();
    let kinds = [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset];
    assert!(kinds.contains(&error.kind()), "{error}");
    assert!(begun.elapsed() < Duration::from_millis(100));
}

#[test]
fn connections_that_are_meant_break_at_once_and_others_live() {
    beside(
        "connections::connections_that_are_meant_break_at_once_and_others_live",
        |_| {
            let mut sidecar = Sidecar::start();
            let open = || {
                let to = [(PEER, ECHO), (PEER, ECHO2), (OTHER, ECHO), (PEER6, ECHO)];
                to.map(|(address, port)| connect(address, port).unwrap())
            };
            let [mut a, mut b, mut c, mut d] = open();
            assert_eq!(reset(&mut sidecar, &[PEER], &[ECHO]), 1);
            is_broken(&mut a);
            for alive in [&mut b, &mut c, &mut d] {
                tcp_echo(alive).unwrap();
            }
            assert_eq!(reset(&mut sidecar, &[PEER6], &[]), 1);
            is_broken(&mut d);
            assert_eq!(reset(&mut sidecar, &[], &[ECHO2]), 1);
            is_broken(&mut b);
            tcp_echo(&mut c).unwrap();
            assert_eq!(reset(&mut sidecar, &[], &[]), 1);
            is_broken(&mut c);
            assert_eq!(reset(&mut sidecar, &[], &[]), 0, "there is none any more");
            tcp_echo(&mut connect(PEER, ECHO).unwrap()).unwrap();
        },
    );
}

#[test]
fn the_peer_is_told_and_loopback_is_spared() {
    beside(
        "connections::the_peer_is_told_and_loopback_is_spared",
        |peer| {
            // Dual-stack: the peer's address is mapped into IPv6.
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let client = peer.thread(move || connect(HERE, port).unwrap()).join();
            let mut client = client.unwrap();
            let (_server, _) = listener.accept().unwrap();
            let mut own = connect("127.0.0.1".parse().unwrap(), port).unwrap();
            let mut own_server = listener.accept().unwrap().0;
            let mut sidecar = Sidecar::start();
            assert_eq!(reset(&mut sidecar, &[PEER], &[port]), 1);
            is_broken(&mut client);
            assert_eq!(reset(&mut sidecar, &[], &[]), 0);
            std::io::Write::write_all(&mut own, b"x").unwrap();
            own_server.read_exact(&mut [0; 1]).unwrap();
            // Nobody stopped listening.
            peer.thread(move || connect(HERE, port).unwrap())
                .join()
                .unwrap();
        },
    );
}
