//! The servers that are loaded: real ones of a temporary folder, and one that records.

pub mod control;
pub mod nginx;
pub mod postgres;
pub mod recorder;

use crate::children::Guard;
use crate::error::BenchError;
use crate::stop::Stop;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// A server that does not answer by then will not.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Where the ports of outgoing connections usually begin.
const EPHEMERAL: u16 = 32_768;

/// A port that nobody has at this moment, below those that outgoing connections are given: among those, a client that
/// asks a server which is gone may be given the server's own port, and connect to itself.
fn free_port() -> Result<u16, BenchError> {
    let range =
        std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let lowest = range
        .split_whitespace()
        .next()
        .and_then(|port| port.parse().ok())
        .unwrap_or(EPHEMERAL);
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let below = (1024..lowest.max(1025)).rev().find(free);
    below.ok_or_else(|| BenchError::Prepare {
        what: "a free port",
        said: "there is none".to_owned(),
    })
}

/// Waits until something listens.
fn listening(
    server: &mut Guard,
    port: u16,
    what: &'static str,
    stop: Stop,
) -> Result<(), BenchError> {
    let deadline = Instant::now() + READY_WITHIN;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        stop.check()?;
        if server.ended() || Instant::now() > deadline {
            return Err(BenchError::Prepare {
                what,
                said: "it does not listen".to_owned(),
            });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
