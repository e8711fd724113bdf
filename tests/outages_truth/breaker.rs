//! A TCP target in front of a healthy server that is away in every way in which a target can be.

use crate::namespace::{Network, THERE};
use rustix::net::sockopt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};

/// How a target is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Nothing listens; what is open is reset.
    Refused,
    /// Connections are accepted and reset.
    Reset,
    /// Connections are reset in the middle of an answer.
    ResetMidAnswer,
    /// Connections are accepted and never answered, those of before neither, and not when it is back either.
    Hanging,
    /// Packets vanish; connections live on where the peers still know of them.
    BlackHoled,
    /// Packets vanish, and the peer forgets its connections meanwhile.
    HalfOpen,
    /// Nobody accepts and the backlog is full; what is open is closed.
    BacklogFull,
    /// Connections are accepted and closed.
    ClosedAtOnce,
    /// Connections are closed in the middle of an answer.
    HalfAnswer,
}

impl Way {
    /// What becomes of a connection that is open when it begins.
    fn cuts(self) -> Option<Cut> {
        match self {
            Self::Refused | Self::Reset | Self::HalfOpen => Some(Cut::Reset),
            Self::BacklogFull | Self::ClosedAtOnce => Some(Cut::Close),
            Self::ResetMidAnswer | Self::Hanging | Self::BlackHoled | Self::HalfAnswer => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Close,
    Reset,
}

impl Cut {
    fn make(self, stream: TcpStream) {
        if self == Self::Reset {
            let _ = sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
        }
        drop(stream);
    }
}

/// A target at [`THERE`].
pub struct Breaker {
    pub port: u16,
    way: watch::Sender<Option<Way>>,
    /// Connections that were made to the server behind it.
    relayed: Arc<AtomicU64>,
}

impl Breaker {
    /// In front of a server on 127.0.0.1. Ends with the process.
    pub fn start(upstream: u16) -> Self {
        let (way, told) = watch::channel(None);
        let (tell, port) = oneshot::channel();
        let relayed = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&relayed);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, async {
                let listener = listen(0).unwrap();
                tell.send(listener.local_addr().unwrap().port()).unwrap();
                accept(listener, upstream, told, &count).await;
            });
        });
        let port = port.blocking_recv().unwrap();
        Self { port, way, relayed }
    }

    pub fn relayed(&self) -> u64 {
        self.relayed.load(Ordering::Relaxed)
    }

    /// Says how it is away from now on. The network's part is that of [`breaks`].
    pub fn set(&self, way: Option<Way>) {
        let before = self.way.send_replace(way);
        let connects = || std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok();
        if way == Some(Way::Refused) {
            while connects() {
                std::thread::sleep(Duration::from_micros(200));
            }
        } else if before == Some(Way::Refused) {
            while !connects() {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }
}

/// Takes the targets away.
pub fn breaks(network: &Network, targets: &[&Breaker], way: Way) {
    if matches!(way, Way::BlackHoled | Way::HalfOpen) {
        network.vanish(THERE);
    }
    targets.iter().for_each(|t| t.set(Some(way)));
}

/// Brings them back.
pub fn mends(network: &Network, targets: &[&Breaker], way: Way) {
    targets.iter().for_each(|t| t.set(None));
    if matches!(way, Way::BlackHoled | Way::HalfOpen) {
        network.appear(THERE);
    }
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::UNSPECIFIED, port).into())?;
    socket.listen(1024)
}

async fn accept(
    listener: TcpListener,
    upstream: u16,
    mut told: watch::Receiver<Option<Way>>,
    count: &AtomicU64,
) {
    let port = listener.local_addr().unwrap().port();
    let mut listener = Some(listener);
    loop {
        let way = *told.borrow_and_update();
        if way == Some(Way::Refused) {
            listener = None;
            if told.changed().await.is_err() {
                return;
            }
            continue;
        }
        let listening = listener.get_or_insert_with(|| listen(port).unwrap());
        if way == Some(Way::BacklogFull) {
            // Linux takes the new length of the queue at once.
            rustix::net::listen(&*listening, 0).unwrap();
            let changed = told.changed().await;
            rustix::net::listen(&*listening, 1024).unwrap();
            if changed.is_err() {
                return;
            }
            continue;
        }
        let stream = tokio::select! {
            changed = told.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            accepted = listening.accept() => accepted.unwrap().0,
        };
        match way {
            Some(Way::Reset) => Cut::Reset.make(stream),
            Some(Way::ClosedAtOnce) => Cut::Close.make(stream),
            _ => {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::task::spawn_local(relay(stream, upstream, told.clone()));
            }
        }
    }
}

async fn relay(mut client: TcpStream, upstream: u16, mut told: watch::Receiver<Option<Way>>) {
    let _ = client.set_nodelay(true);
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)).await else {
        return;
    };
    let _ = server.set_nodelay(true);
    let mut hung = false;
    let (mut up, mut down) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    loop {
        let way = *told.borrow_and_update();
        if let Some(cut) = way.and_then(Way::cuts) {
            return cut.make(client);
        }
        if way == Some(Way::Hanging) {
            hung = true;
        }
        if hung {
            // Swallowed until the client gives up, also once the target is back.
            while client.read(&mut up).await.is_ok_and(|n| n > 0) {}
            return;
        }
        tokio::select! {
            changed = told.changed() => if changed.is_err() { return },
            read = client.read(&mut up) => match read {
                Ok(n) if n > 0 && server.write_all(&up[..n]).await.is_ok() => {}
                _ => return,
            },
            read = server.read(&mut down) => {
                let Ok(n @ 1..) = read else { return };
                let cut = match way {
                    Some(Way::ResetMidAnswer) => Some(Cut::Reset),
                    Some(Way::HalfAnswer) => Some(Cut::Close),
                    _ => None,
                };
                let n = if cut.is_some() { n.div_ceil(2) } else { n };
                if client.write_all(&down[..n]).await.is_err() {
                    return;
                }
                if let Some(cut) = cut {
                    // What was sent arrives before the reset does.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    return cut.make(client);
                }
            }
        }
    }
}
