//! Healthy servers: HTTP/1.1 that costs little, and HTTP/2.

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Runs a server on a thread of its own until the process ends: its port on every address.
fn serve<F: Future<Output = ()>>(make: impl FnOnce(TcpListener) -> F + Send + 'static) -> u16 {
    let (tell, port) = oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
            tell.send(listener.local_addr().unwrap().port()).unwrap();
            make(listener).await;
        });
    });
    port.blocking_recv().unwrap()
}

/// What an HTTP/1.1 server saw.
#[derive(Default)]
pub struct Book {
    /// When connections were accepted.
    pub accepted: Mutex<Vec<Instant>>,
    /// Connections that are open.
    pub open: AtomicU64,
}

/// HTTP/1.1: answers each request after `delay`, and names the address that it came to.
pub fn http1(delay: Duration) -> (u16, Arc<Book>) {
    let book = Arc::new(Book::default());
    let shared = Arc::clone(&book);
    let port = serve(async move |listener: TcpListener| {
        while let Ok((mut stream, _)) = listener.accept().await {
            shared.accepted.lock().unwrap().push(Instant::now());
            shared.open.fetch_add(1, Ordering::Relaxed);
            let _ = stream.set_nodelay(true);
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                let me = stream.local_addr().unwrap().ip();
                let answer =
                    format!("HTTP/1.1 200 OK\r\nX-Instance: {me}\r\nContent-Length: 2\r\n\r\nok");
                let mut request = vec![0; 4096];
                // A request of ours is short: it comes in one piece.
                while stream.read(&mut request).await.is_ok_and(|n| n > 0) {
                    if !delay.is_zero() {
                        tokio::time::sleep(delay).await;
                    }
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        break;
                    }
                }
                shared.open.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
    (port, book)
}

/// How an HTTP/2 server behaves.
#[derive(Clone, Copy)]
pub struct Http2 {
    /// Streams at once on one connection.
    pub streams: u32,
    /// Time to an answer.
    pub delay: Duration,
    /// A connection is told to go away (GOAWAY) after this.
    pub lifetime: Option<Duration>,
}

/// HTTP/2 in the clear; counts connections.
pub fn http2(how: Http2) -> (u16, Arc<AtomicU64>) {
    let connections = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&connections);
    let port = serve(async move |listener: TcpListener| {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = stream.set_nodelay(true);
            tokio::spawn(async move {
                let service = service_fn(move |_: Request<Incoming>| async move {
                    tokio::time::sleep(how.delay).await;
                    Ok::<_, Infallible>(Response::new("ok".to_owned()))
                });
                let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                server.max_concurrent_streams(how.streams);
                let mut connection =
                    std::pin::pin!(server.serve_connection(TokioIo::new(stream), service));
                if let Some(lifetime) = how.lifetime
                    && tokio::time::timeout(lifetime, connection.as_mut())
                        .await
                        .is_err()
                {
                    connection.as_mut().graceful_shutdown();
                }
                // An error is the client's end of the connection.
                let _ = connection.await;
            });
        }
    });
    (port, connections)
}
