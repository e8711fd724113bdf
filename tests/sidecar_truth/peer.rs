//! The other network namespace: two addresses, and services at both.

use super::namespace;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Our side, where the sidecar is.
pub const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 88, 0, 1));
/// The peer.
pub const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 88, 0, 2));
/// The peer's other address.
pub const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 88, 0, 3));
/// The peer, by IPv6.
pub const PEER6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd88, 0, 0, 0, 0, 0, 0, 2));

/// Sends back what it gets, by TCP and UDP.
pub const ECHO: u16 = 7000;
/// Another such.
pub const ECHO2: u16 = 7001;
/// Takes what it gets.
pub const SINK: u16 = 7002;
/// Gives without end.
pub const SOURCE: u16 = 7003;

/// A process that keeps the namespace.
pub struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|e| panic!("`{program}` is needed: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}");
}

fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}

/// Runs `body` here with a peer; `test` is the path of the calling test.
pub fn beside(test: &str, body: impl FnOnce(&Peer)) {
    namespace::inside(test, |_| {
        let peer = Peer::new();
        body(&peer);
    });
}

impl Peer {
    fn new() -> Self {
        let child = Command::new("unshare")
            .args(["--net", "sleep", "300"])
            .spawn();
        let peer = Self(child.expect("`unshare` of util-linux is needed"));
        let ours = std::fs::read_link("/proc/self/ns/net").unwrap();
        let begun = Instant::now();
        while std::fs::read_link(peer.namespace()).is_ok_and(|theirs| theirs == ours) {
            assert!(begun.elapsed() < Duration::from_secs(5), "no namespace");
            std::thread::sleep(Duration::from_millis(1));
        }
        let pid = peer.0.id();
        run("ip", &words("link add here type veth peer name there"));
        run("ip", &words(&format!("link set there netns {pid}")));
        run("ip", &words("address add 10.88.0.1/24 dev here"));
        run("ip", &words("address add fd88::1/64 dev here nodad"));
        run("ip", &words("link set here up"));
        let inside = "ip link set lo up && ip address add 10.88.0.2/24 dev there \
             && ip address add 10.88.0.3/24 dev there && ip address add fd88::2/64 dev there nodad \
             && ip link set there up";
        let target = format!("--target={pid}");
        run("nsenter", &[&target, "--net", "sh", "-c", inside]);
        peer.serve();
        peer
    }

    fn namespace(&self) -> String {
        format!("/proc/{}/ns/net", self.0.id())
    }

    /// Runs `body` in the peer's namespace, in a thread of its own.
    pub fn thread<T: Send + 'static>(
        &self,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        let namespace = File::open(self.namespace()).unwrap();
        std::thread::spawn(move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            body()
        })
    }

    fn serve(&self) {
        let (ready, bound) = mpsc::channel();
        for port in [ECHO, ECHO2, SINK, SOURCE] {
            let ready = ready.clone();
            self.thread(move || {
                let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap();
                ready.send(()).unwrap();
                for stream in listener.incoming() {
                    std::thread::spawn(move || serve(port, stream.unwrap()));
                }
            });
        }
        for (address, port) in [(PEER, ECHO), (PEER, ECHO2), (OTHER, ECHO), (PEER6, ECHO)] {
            let ready = ready.clone();
            self.thread(move || {
                let socket = UdpSocket::bind((address, port)).unwrap();
                ready.send(()).unwrap();
                let mut buffer = [0; 2048];
                while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    let _ = socket.send_to(&buffer[..length], from);
                }
            });
        }
        for _ in 0..8 {
            bound.recv_timeout(Duration::from_secs(5)).unwrap();
        }
    }
}

fn serve(port: u16, mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 256 * 1024];
    match port {
        SOURCE => while stream.write_all(&buffer).is_ok() {},
        _ => loop {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(_) if port == SINK => {}
                Ok(length) => {
                    if stream.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
            }
        },
    }
}
