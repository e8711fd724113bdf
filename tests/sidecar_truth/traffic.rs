//! Packets there and back.

use super::peer::SINK;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, recv, sendto,
    socket_with, sockopt,
};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// Long enough for every answer that comes.
pub const PATIENCE: Duration = Duration::from_millis(200);

/// A UDP socket towards an address.
pub fn udp(to: IpAddr, port: u16) -> UdpSocket {
    let any: IpAddr = match to {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).unwrap();
    socket.connect((to, port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// The time until a datagram came back.
pub fn udp_echo(to: IpAddr, port: u16) -> io::Result<Duration> {
    let socket = udp(to, port);
    let begun = Instant::now();
    socket.send(b"hello")?;
    socket.recv(&mut [0; 16])?;
    Ok(begun.elapsed())
}

pub fn connect(to: IpAddr, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::new(to, port), PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    stream.set_write_timeout(Some(Duration::from_secs(3)))?;
    Ok(stream)
}

/// The time until a byte came back on an open connection.
pub fn tcp_echo(stream: &mut TcpStream) -> io::Result<Duration> {
    let begun = Instant::now();
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0; 1])?;
    Ok(begun.elapsed())
}

/// The time until a ping was answered.
pub fn ping(to: Ipv4Addr) -> io::Result<Duration> {
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(ipproto::ICMP),
    )?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
    // Echo request; type, code, checksum, number, sequence. The number is that of nobody else.
    let mut request = [8, 0, 0, 0, 0x6c, 0x62, 0, 1];
    let sum: u32 = request
        .chunks(2)
        .map(|p| u32::from(p[0]) << 8 | u32::from(p[1]))
        .sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    request[2..4].copy_from_slice(&sum.to_be_bytes());
    let begun = Instant::now();
    sendto(
        &socket,
        &request,
        SendFlags::empty(),
        &SocketAddr::new(to.into(), 0),
    )?;
    let mut buffer = [0; 256];
    loop {
        let (length, _) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        // After an IP header without options; an echo reply to us.
        if length >= 28 && buffer[20] == 0 && buffer[24..26] == [0x6c, 0x62] {
            return Ok(begun.elapsed());
        }
        if begun.elapsed() > PATIENCE {
            return Err(ErrorKind::TimedOut.into());
        }
    }
}

/// Bytes per second that a stream brings, after it has got going.
pub fn download(mut stream: TcpStream, warm: Duration, time: Duration) -> f64 {
    let mut buffer = vec![0; 256 * 1024];
    let mut measured = 0;
    let begun = Instant::now();
    while begun.elapsed() < warm + time {
        let length = stream.read(&mut buffer).unwrap();
        if begun.elapsed() >= warm {
            measured += length;
        }
    }
    rate(measured, begun.elapsed() - warm)
}

/// Bytes per second that the peer takes, as it acknowledges them.
pub fn upload(to: IpAddr, warm: Duration, time: Duration) -> f64 {
    let mut stream = connect(to, SINK).unwrap();
    let buffer = vec![0; 64 * 1024];
    let mut measured = 0;
    let begun = Instant::now();
    while begun.elapsed() < warm + time {
        let length = stream.write(&buffer).unwrap();
        if begun.elapsed() >= warm {
            measured += length;
        }
    }
    rate(measured, begun.elapsed() - warm)
}

#[allow(clippy::cast_precision_loss, reason = "bytes of a few seconds")]
fn rate(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64()
}
