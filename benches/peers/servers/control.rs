//! A client that does nothing but send at exact times: it waits by looking at the clock. What the recorder sees of it is
//! the recorder's own error, and the least that any client could be late by.

use super::recorder::{now, stay_on};
use crate::error::BenchError;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: control\r\nAccept: */*\r\n\r\n";
/// From its start to its first request.
const LEAD: u64 = 50_000_000;

/// Sends at `rate` for a while from a processor of its own; tells when each request was handed to the kernel.
///
/// # Errors
/// Where it cannot connect or send.
pub fn send(port: u16, rate: u32, during: Duration, cpu: usize) -> Result<Vec<u64>, BenchError> {
    let body = move || {
        stay_on(cpu)?;
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let zero = now() + LEAD;
        let gap = 1_000_000_000 / u64::from(rate);
        let count = u64::try_from(during.as_nanos()).unwrap_or(u64::MAX) / gap;
        let mut sent = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
        let mut answers = [0; 4096];
        for i in 0..count {
            // Answers are taken off while there is time for it, and never waited for.
            while now() < zero + i * gap {
                match stream.read(&mut answers) {
                    Ok(_) => {}
                    Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                    Err(e) => return Err(e.into()),
                }
            }
            sent.push(now());
            stream.write_all(REQUEST)?;
        }
        Ok(sent)
    };
    let thread = std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(body)?;
    thread
        .join()
        .unwrap_or_else(|_| Err(BenchError::Nothing("control".to_owned())))
}
