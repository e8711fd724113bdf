//! A server that writes down which traces it was told of: over HTTP/1.1 or HTTP/2, with or without TLS. Every tenth
//! request gets a 503; two instances answer in turn.

#![allow(dead_code, reason = "every test target uses a part of it")]

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// How it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Http1,
    Http1OverTls,
    Http2,
    Http2OverTls,
}

impl Speaks {
    fn http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Http2OverTls)
    }

    fn tls(self) -> bool {
        matches!(self, Self::Http1OverTls | Self::Http2OverTls)
    }
}

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// All values of its `traceparent` fields.
    pub traceparents: Vec<String>,
    pub path: String,
}

pub struct Server {
    pub port: u16,
    /// Its certificate in PEM, where it speaks TLS.
    pub pem: Option<String>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// It ends with the process.
    pub fn start(speaks: Speaks) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (acceptor, pem) = match speaks.tls() {
            true => {
                let (acceptor, pem) = tls(speaks.http2());
                (Some(acceptor), Some(pem))
            }
            false => (None, None),
        };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&seen);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(accept(listener, speaks, acceptor, recorded));
        });
        Self { port, pem, seen }
    }

    pub fn url(&self) -> String {
        match self.pem {
            Some(_) => format!("https://localhost:{}/", self.port),
            None => format!("http://127.0.0.1:{}/", self.port),
        }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn tls(http2: bool) -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![if http2 {
        b"h2".to_vec()
    } else {
        b"http/1.1".to_vec()
    }];
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

async fn accept(
    listener: std::net::TcpListener,
    speaks: Speaks,
    acceptor: Option<TlsAcceptor>,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            match acceptor {
                None => serve(stream, speaks, seen).await,
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, speaks, seen).await;
                    }
                }
            }
        });
    }
}

async fn serve<S>(stream: S, speaks: Speaks, seen: Arc<Mutex<Vec<Seen>>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(move |request| {
        let answer = answer(&request, &seen);
        async move { Ok::<_, Infallible>(answer) }
    });
    let io = TokioIo::new(stream);
    // A connection that the client leaves is none of the test's business.
    if speaks.http2() {
        let http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = http2.serve_connection(io, answer).await;
    } else {
        let http1 = hyper::server::conn::http1::Builder::new();
        let _ = http1.serve_connection(io, answer).await;
    }
}

fn answer(request: &Request<Incoming>, seen: &Mutex<Vec<Seen>>) -> Response<Full<Bytes>> {
    let values = request.headers().get_all("traceparent").into_iter();
    let mut seen = seen.lock().unwrap();
    seen.push(Seen {
        traceparents: values.map(|v| v.to_str().unwrap().to_owned()).collect(),
        path: request.uri().path().to_owned(),
    });
    // Never the first: that is the probe of readiness.
    let status = if seen.len() % 10 == 5 { 503 } else { 200 };
    Response::builder()
        .status(status)
        .header(
            "x-instance",
            if seen.len().is_multiple_of(2) {
                "app1"
            } else {
                "app2"
            },
        )
        .body(Full::new(Bytes::from_static(b"answer")))
        .unwrap()
}
