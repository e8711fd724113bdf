//! Names, TCP connections and TLS.

use crate::history::Class;
use futures_util::future::{FutureExt, LocalBoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::cell::RefCell;
use std::io;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long an answer of the resolver is used for further connections: a burst of new connections asks once.
const NAME_TTL: Duration = Duration::from_secs(1);

/// A resolver that does not answer is asked again after this, while the earlier questions are still waited for.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Questions under way at once. Each holds a thread until the resolver gives up, and nothing can end it earlier.
const MAX_QUESTIONS: usize = 8;

/// The addresses of one peer. A name is resolved anew for every reconnect (at most once a second, and again
/// after a failed connection), because a container that comes back may have another address.
pub struct Peer {
    host: String,
    port: u16,
    known: RefCell<Option<(Rc<[SocketAddr]>, Instant)>>,
    asking: Mutex<Questions>,
}

/// Questions to the resolver: they outlive the operation that asked, so that the next one asks no further thread.
#[derive(Default)]
struct Questions {
    open: FuturesUnordered<LocalBoxFuture<'static, io::Result<Vec<SocketAddr>>>>,
    asked: Option<Instant>,
}

impl Questions {
    /// What came while nobody waited may be old by any amount.
    fn forget_unheard(&mut self) {
        while let Some(Some(_)) = self.open.next().now_or_never() {}
    }

    async fn answer(&mut self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        loop {
            let due = self.asked.is_none_or(|at| at.elapsed() >= ASK_AGAIN);
            if due || self.open.is_empty() {
                self.asked = Some(Instant::now());
                if self.open.len() < MAX_QUESTIONS {
                    let asked = (host.to_owned(), port);
                    let answer = async { Ok(tokio::net::lookup_host(asked).await?.collect()) };
                    self.open.push(answer.boxed_local());
                }
            }
            if let Ok(Some(answer)) = tokio::time::timeout(ASK_AGAIN, self.open.next()).await {
                return answer;
            }
        }
    }
}

impl Peer {
    /// A host (name or address; IPv6 with or without brackets) and a port.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Self {
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        Self {
            host,
            port,
            known: RefCell::default(),
            asking: Mutex::default(),
        }
    }

    async fn addresses(&self) -> Result<Rc<[SocketAddr]>, Class> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok([SocketAddr::new(ip, self.port)].into());
        }
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        let mut questions = self.asking.lock().await;
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        questions.forget_unheard();
        let answer = questions.answer(&self.host, self.port).await;
        let found: Rc<[SocketAddr]> = answer.map_err(|_| Class::Dns)?.into();
        questions.open.clear();
        if found.is_empty() {
            return Err(Class::Dns);
        }
        *self.known.borrow_mut() = Some((Rc::clone(&found), Instant::now()));
        Ok(found)
    }

    fn fresh(&self) -> Option<Rc<[SocketAddr]>> {
        let known = self.known.borrow();
        let (addresses, at) = known.as_ref()?;
        (at.elapsed() < NAME_TTL).then(|| Rc::clone(addresses))
    }

    /// Connects to the first address that answers, with TCP_NODELAY; names and all addresses within `limit`.
    ///
    /// # Errors
    /// The class of the last address's error, or that of the limit.
    pub async fn connect(&self, limit: Duration) -> Result<TcpStream, Class> {
        let result = match tokio::time::timeout(limit, self.try_each()).await {
            Ok(result) => result,
            Err(_) => Err(Class::ConnectTimeout),
        };
        if result.is_err() {
            self.known.borrow_mut().take();
        }
        result
    }

    async fn try_each(&self) -> Result<TcpStream, Class> {
        let mut last = Class::Dns;
        for address in self.addresses().await?.iter() {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Nagle's algorithm would hold small requests back.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(e) => last = Class::of_connect(e.kind()),
            }
        }
        Err(last)
    }
}

/// The class of an error beneath a protocol library. A frame that the end of the stream cut short is told by the
/// libraries' codec (tokio-util's `Decoder::decode_eof`) as an error that is no system call's and has no kind.
#[must_use]
pub fn class_beneath(error: &io::Error) -> Class {
    if error.kind() == io::ErrorKind::Other && error.raw_os_error().is_none() {
        Class::EndOfStream
    } else {
        Class::of_io(error.kind())
    }
}

/// What cannot be trusted or read.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The CA file cannot be read or holds no certificate.
    #[error("{path}: no usable CA certificate: {reason}")]
    CaFile {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// No root certificate on this machine.
    #[error("no root certificates were found on this machine; name one with `ca_file`")]
    NoRoots,
    /// The library refused the configuration.
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// TLS with the ring provider and the system's roots, or those of one file.
///
/// # Errors
/// Where there are no roots to trust.
pub fn tls_config(ca_file: Option<&Path>, alpn: &[&str]) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(ca_file)?)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
    Ok(config)
}

/// TLS that trusts nobody, for connections in the clear whose library wants a configuration.
///
/// # Errors
/// Where the library refuses it.
pub fn tls_without_roots() -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca_file else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if roots.is_empty() {
            Err(TlsError::NoRoots)
        } else {
            Ok(roots)
        };
    };
    let unusable = |reason: String| TlsError::CaFile {
        path: path.display().to_string(),
        reason,
    };
    // No bundle is larger; what does not end (a device) fills no memory.
    let mut pem = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(16 << 20).read_to_end(&mut pem))
        .map_err(|e| unusable(e.to_string()))?;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots
            .add(certificate.map_err(|e| unusable(e.to_string()))?)
            .map_err(|e| unusable(e.to_string()))?;
    }
    if roots.is_empty() {
        Err(unusable("the file holds none".to_owned()))
    } else {
        Ok(roots)
    }
}

/// The client's side of TLS for one server name.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// For a configuration and a host; none where the host cannot be a server's name.
    #[must_use]
    pub fn new(config: Arc<ClientConfig>, host: &str) -> Option<Self> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).ok()?;
        Some(Self {
            connector: TlsConnector::from(config),
            name,
        })
    }

    /// Handshakes.
    ///
    /// # Errors
    /// `Class::Tls` where TLS itself failed, else the class of the connection's error.
    pub async fn handshake(&self, stream: TcpStream) -> Result<Stream, Class> {
        let tls = self
            .connector
            .connect(self.name.clone(), stream)
            .await
            .map_err(|e| match e.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::Other => Class::Tls,
                kind => Class::of_io(kind),
            })?;
        Ok(Stream::Tls(Box::new(tls)))
    }
}

/// A connection, in the clear or not.
pub enum Stream {
    /// In the clear.
    Plain(TcpStream),
    /// Over TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Reads what has come already, as far as the runtime knows of it from its last look at the kernel: where it has
    /// seen nothing, the kernel is not asked.
    ///
    /// # Errors
    /// `WouldBlock` where there is nothing; else those of the connection.
    pub fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.try_read(into),
            Self::Tls(tls) => {
                let mut into = ReadBuf::new(into);
                let mut cx = Context::from_waker(Waker::noop());
                match Pin::new(tls).poll_read(&mut cx, &mut into) {
                    Poll::Ready(read) => read.map(|()| into.filled().len()),
                    Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
                }
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_flush(cx),
            Self::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Self::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}
