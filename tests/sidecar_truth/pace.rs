//! Delay and bandwidth.

use super::orders::{Sidecar, nft};
use super::peer::{ECHO, ECHO2, HERE, PEER, PEER6, SOURCE, beside};
use super::traffic::{connect, download, ping, tcp_echo, udp, udp_echo, upload};
use lbtest::sidecar::protocol::{Match, Order, Treatment};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

fn delay(time_ms: u64, jitter_ms: u64) -> Treatment {
    Treatment::Delay {
        time_us: time_ms * 1000,
        jitter_us: jitter_ms * 1000,
        seed: 11,
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Half of the values are below it.
fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// No packet is early; half of them are at most 3 ms late, on a machine that does other things.
fn is_about(times: Vec<f64>, wanted: f64) {
    let least = times.iter().copied().fold(f64::INFINITY, f64::min);
    let middle = median(times);
    println!("{wanted} ms wanted: least {least:.2}, median {middle:.2}");
    assert!(least >= wanted, "{least} < {wanted}");
    assert!(middle <= wanted + 3.0, "{middle} > {wanted} + 3");
}

#[test]
fn every_protocol_s_round_trip_is_longer_by_the_delay() {
    beside(
        "pace::every_protocol_s_round_trip_is_longer_by_the_delay",
        |_| {
            let mut established = connect(PEER, ECHO).unwrap();
            let mut sidecar = Sidecar::start();
            for (incoming, outgoing, wanted) in [
                (false, true, 50.0),
                (true, false, 50.0),
                (true, true, 100.0),
            ] {
                let done = sidecar.treat_some(delay(50, 0), incoming, outgoing, Match::default());
                assert!(done.mechanism.contains("queue") || done.mechanism.contains("NFQUEUE"));
                let rounds = 0..5;
                let times = |echo: &mut dyn FnMut() -> std::io::Result<Duration>| {
                    rounds
                        .clone()
                        .map(|_| milliseconds(echo().unwrap()))
                        .collect()
                };
                is_about(times(&mut || udp_echo(PEER, ECHO)), wanted);
                is_about(times(&mut || tcp_echo(&mut established)), wanted);
                is_about(times(&mut || ping(Ipv4Addr::new(10, 88, 0, 2))), wanted);
                is_about(times(&mut || udp_echo(PEER6, ECHO)), wanted);
                let seen = sidecar.look();
                assert!(seen.count >= 20, "{}", seen.seen);
                assert_eq!(seen.seen, format!("{} packets delayed", seen.count));
            }
            sidecar.mend();
            let after = (0..7).map(|_| milliseconds(tcp_echo(&mut established).unwrap()));
            assert!(median(after.collect()) < 5.0);
        },
    );
}

#[test]
fn jitter_spreads_and_packets_keep_their_order() {
    beside("pace::jitter_spreads_and_packets_keep_their_order", |_| {
        let mut sidecar = Sidecar::start();
        sidecar.treat_some(delay(50, 10), false, true, Match::default());
        let times: Vec<_> = (0..30)
            .map(|_| milliseconds(udp_echo(PEER, ECHO).unwrap()))
            .collect();
        let least = times.iter().copied().fold(f64::INFINITY, f64::min);
        let most = times.iter().copied().fold(0.0, f64::max);
        println!("least {least:.2}, most {most:.2}");
        assert!(least >= 40.0 && median(times) <= 56.0);
        // Thirty even draws all within half of the range: once in some ten million times.
        assert!(most - least > 10.0, "{least} to {most}");
        let socket = udp(PEER, ECHO);
        for i in 0..200u64 {
            socket.send(&i.to_be_bytes()).unwrap();
        }
        for i in 0..200u64 {
            let mut came = [0; 8];
            socket.recv(&mut came).unwrap();
            assert_eq!(u64::from_be_bytes(came), i);
        }
        sidecar.mend();
    });
}

#[test]
fn only_what_is_meant_waits() {
    beside("pace::only_what_is_meant_waits", |_| {
        let mut sidecar = Sidecar::start();
        let of = Match {
            peers: vec![PEER],
            ports: vec![ECHO],
        };
        sidecar.treat_some(delay(50, 0), true, false, of);
        assert!(udp_echo(PEER, ECHO).unwrap() >= Duration::from_millis(50));
        assert!(udp_echo(PEER6, ECHO).unwrap() < Duration::from_millis(40));
        assert!(udp_echo(PEER, ECHO2).unwrap() < Duration::from_millis(40));
        sidecar.mend();
    });
}

const RATE: f64 = 2_000_000.0;

fn link() -> Treatment {
    Treatment::Bandwidth {
        bytes_per_second: 2_000_000,
        queue_us: 50_000,
    }
}

/// Bytes of IP packets per second that come through when twice as many are sent.
#[allow(clippy::cast_precision_loss, reason = "bytes of a few seconds")]
fn flooded(from: UdpSocket, to: &UdpSocket) -> f64 {
    const PAYLOAD: usize = 972;
    let time = Duration::from_millis(2000);
    let address = to.local_addr().unwrap();
    let sender = std::thread::spawn(move || {
        let begun = Instant::now();
        let mut sent = 0.0;
        while begun.elapsed() < time {
            let due = begun.elapsed().as_secs_f64() * 2.0 * RATE;
            while sent < due {
                from.send_to(&[0; PAYLOAD], address).unwrap();
                sent += 1000.0;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    to.set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mut buffer = [0; 2048];
    let (mut bytes, mut first, mut last) = (0, None, Instant::now());
    while let Ok(length) = to.recv(&mut buffer) {
        last = Instant::now();
        // What came first arrived before the time began.
        match first {
            None => first = Some(last),
            Some(_) => bytes += length + 28,
        }
    }
    sender.join().unwrap();
    bytes as f64 / (last - first.unwrap()).as_secs_f64()
}

#[test]
fn a_link_has_its_bandwidth_each_way() {
    beside("pace::a_link_has_its_bandwidth_each_way", |peer| {
        let mut sidecar = Sidecar::start();
        sidecar.treat(link());
        let bound = |address| move || UdpSocket::bind((address, 0)).unwrap();
        let there = || peer.thread(bound(PEER)).join().unwrap();
        let (from, to) = (there(), there());
        let up = std::thread::spawn(move || flooded(bound(HERE)(), &to));
        let down = flooded(from, &bound(HERE)());
        let up = up.join().unwrap();
        println!("down {down:.0}, up {up:.0} bytes per second of {RATE}");
        for measured in [down, up] {
            assert!((0.97..=1.03).contains(&(measured / RATE)), "{measured}");
        }
        let seen = sidecar.look();
        assert!(
            seen.seen.contains("dropped by a full queue"),
            "{}",
            seen.seen
        );
        sidecar.mend();
    });
}

#[test]
fn a_stream_uses_the_bandwidth_that_there_is() {
    beside("pace::a_stream_uses_the_bandwidth_that_there_is", |_| {
        let mut sidecar = Sidecar::start();
        sidecar.treat(link());
        let (warm, time) = (Duration::from_millis(400), Duration::from_millis(1600));
        let down = download(connect(PEER, SOURCE).unwrap(), warm, time);
        let up = upload(PEER, warm, time);
        println!("down {down:.0}, up {up:.0} bytes per second of {RATE}");
        // 1448 of a packet's 1500 bytes are the stream's.
        let wanted = RATE * 1448.0 / 1500.0;
        for measured in [down, up] {
            assert!((0.9..=1.1).contains(&(measured / wanted)), "{measured}");
        }
        let seen = sidecar.look();
        assert!(seen.seen.contains("limited"), "{}", seen.seen);
        sidecar.mend();
        let free = download(connect(PEER, SOURCE).unwrap(), Duration::ZERO, time / 8);
        assert!(free > 20.0 * RATE, "{free}");
    });
}

#[test]
fn what_would_wait_too_long_for_the_link_is_dropped() {
    beside(
        "pace::what_would_wait_too_long_for_the_link_is_dropped",
        |_| {
            let mut sidecar = Sidecar::start();
            let slow = Treatment::Bandwidth {
                bytes_per_second: 100_000,
                queue_us: 50_000,
            };
            // Only these: IPv6 says things of its own when an interface is new.
            let of = Match {
                peers: vec![PEER],
                ports: vec![ECHO],
            };
            sidecar.treat_some(slow, false, true, of);
            // A packet of 1000 bytes takes 10 ms: the first and five more wait for at most 50 ms.
            let socket = udp(PEER, ECHO);
            for _ in 0..20 {
                socket.send(&[0; 972]).unwrap();
            }
            let mut came = 0;
            while socket.recv(&mut [0; 2048]).is_ok() {
                came += 1;
            }
            assert_eq!(came, 6);
            assert_eq!(
                sidecar.look().seen,
                "20 packets limited, 14 of them dropped by a full queue"
            );
            sidecar.mend();
        },
    );
}

#[test]
fn a_fast_stream_passes_a_delay_unbroken() {
    beside("pace::a_fast_stream_passes_a_delay_unbroken", |_| {
        let mut sidecar = Sidecar::start();
        sidecar.treat_some(delay(10, 0), true, false, Match::default());
        let (warm, time) = (Duration::from_millis(400), Duration::from_millis(1600));
        let streams: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(move || download(connect(PEER, SOURCE).unwrap(), warm, time))
            })
            .collect();
        let rates: Vec<f64> = streams.into_iter().map(|s| s.join().unwrap()).collect();
        let megabytes = rates.iter().sum::<f64>() / 1e6;
        println!("{megabytes:.0} MB/s through 10 ms");
        assert!(megabytes > 100.0, "{megabytes}");
        sidecar.look();
        assert!(udp_echo(PEER, ECHO).unwrap() >= Duration::from_millis(10));
        sidecar.treat_some(delay(10, 0), false, true, Match::default());
        let streams: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(move || upload(PEER, warm, time)))
            .collect();
        let rates: Vec<f64> = streams.into_iter().map(|s| s.join().unwrap()).collect();
        let megabytes = rates.iter().sum::<f64>() / 1e6;
        println!("{megabytes:.0} MB/s out through 10 ms");
        // Not optimized, and on whatever else this machine does. A queue in the kernel alone would come to 2.
        assert!(megabytes > 25.0, "{megabytes}");
        sidecar.mend();
    });
}

#[test]
fn a_delay_goes_together_with_address_translation() {
    beside(
        "pace::a_delay_goes_together_with_address_translation",
        |_| {
            // As Docker does for its name server, in the target's namespace.
            nft(&["add", "table", "ip", "nat"]);
            nft(&[
                "add",
                "chain",
                "ip",
                "nat",
                "out",
                "{ type nat hook output priority -100; }",
            ]);
            nft(&[
                "add",
                "rule",
                "ip",
                "nat",
                "out",
                "ip",
                "daddr",
                "10.88.0.9",
                "dnat",
                "to",
                "10.88.0.2",
            ]);
            let service: std::net::IpAddr = "10.88.0.9".parse().unwrap();
            let mut sidecar = Sidecar::start();
            sidecar.treat(delay(20, 0));
            let mut stream = connect(service, ECHO).unwrap();
            for _ in 0..3 {
                assert!(tcp_echo(&mut stream).unwrap() >= Duration::from_millis(40));
            }
            assert!(udp_echo(service, ECHO).unwrap() >= Duration::from_millis(40));
            sidecar.tell(Order::Mend(None)).unwrap();
            assert!(tcp_echo(&mut stream).unwrap() < Duration::from_millis(20));
        },
    );
}

#[test]
fn a_heal_lets_go_what_waits_and_loses_nothing() {
    beside(
        "pace::a_heal_lets_go_what_waits_and_loses_nothing",
        |peer| {
            let mut sidecar = Sidecar::start();
            sidecar.treat_some(delay(2000, 0), true, false, Match::default());
            let socket = UdpSocket::bind((HERE, 0)).unwrap();
            let to = socket.local_addr().unwrap();
            let sender = peer.thread(move || {
                let socket = UdpSocket::bind((PEER, 0)).unwrap();
                for i in 0..100u64 {
                    socket.send_to(&i.to_be_bytes(), to).unwrap();
                }
            });
            sender.join().unwrap();
            socket
                .set_read_timeout(Some(Duration::from_millis(50)))
                .unwrap();
            assert!(socket.recv(&mut [0; 8]).is_err(), "it is too early for any");
            let begun = Instant::now();
            sidecar.mend();
            for i in 0..100u64 {
                let mut came = [0; 8];
                socket.recv(&mut came).unwrap();
                assert_eq!(u64::from_be_bytes(came), i);
            }
            assert!(begun.elapsed() < Duration::from_millis(1000));
        },
    );
}
