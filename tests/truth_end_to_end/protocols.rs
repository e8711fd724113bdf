//! Every way to make an HTTP request, in one run, held against what the server counted.

use crate::script::alone;
use crate::support::{Place, Ran};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A request as the server saw it: query, method, version; and the connection that it came by.
type Seen = (String, String, String, usize);

/// Requests by path (the workload's name).
#[derive(Default)]
struct Book {
    seen: BTreeMap<String, Vec<Seen>>,
    connections: usize,
}

type Shared = Arc<Mutex<Book>>;

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    h2: bool,
    book: Shared,
) {
    let connection = {
        let mut book = book.lock().unwrap();
        book.connections += 1;
        book.connections
    };
    let service = service_fn(move |request: Request<Incoming>| {
        let uri = request.uri();
        let seen = (
            uri.query().unwrap_or_default().to_owned(),
            request.method().to_string(),
            format!("{:?}", request.version()),
            connection,
        );
        let path = uri.path().trim_start_matches('/').to_owned();
        book.lock()
            .unwrap()
            .seen
            .entry(path)
            .or_default()
            .push(seen);
        async { Ok::<_, Infallible>(Response::new("ok".to_owned())) }
    });
    // An error is the client's end of the connection.
    let _ = if h2 {
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        server.serve_connection(TokioIo::new(stream), service).await
    } else {
        let server = hyper::server::conn::http1::Builder::new();
        server.serve_connection(TokioIo::new(stream), service).await
    };
}

/// A certificate for `localhost` from an authority of its own: the server's side, and the authority in PEM.
fn tls() -> (TlsAcceptor, String) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (TlsAcceptor::from(Arc::new(config)), pem)
}

/// Listens on a thread of its own until the process ends.
fn listen(tls: Option<TlsAcceptor>, h2: bool, book: &Shared) -> u16 {
    let (book, (tell, told)) = (Arc::clone(book), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap().port()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let (tls, book) = (tls.clone(), Arc::clone(&book));
                tokio::spawn(async move {
                    let Some(tls) = tls else {
                        return serve(stream, h2, book).await;
                    };
                    if let Ok(stream) = tls.accept(stream).await {
                        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        serve(stream, h2, book).await;
                    }
                });
            }
        });
    });
    told.recv().unwrap()
}

fn scenario(plain: u16, h2c: u16, tls: u16) -> String {
    let load = |name: &str, arrivals: &str, http: &str| {
        format!("[[load]]\nname = \"{name}\"\n{arrivals}\nhttp = {{ {http} }}\n")
    };
    let http = |name: &str| format!("url = \"http://127.0.0.1:{plain}/{name}\"");
    let https = |name: &str| format!("url = \"https://localhost:{tls}/{name}\", ca = \"ca.pem\"");
    let ramp = "stages = [{ from = 0, to = 200, for = \"2s\" }, { rate = 50 }]";
    [
        "name = \"protocols\"\n[run]\nduration = \"4s\"\nwarmup = \"0s\"\nseed = 7\n[gate]\nerror_rate = 0\n".to_owned(),
        load("plain", "rate = 100", &http("plain")),
        load("fresh", "rate = 50", &format!("{}, keep_alive = false", http("fresh"))),
        load("https", "rate = 100", &https("https")),
        load("fresh-https", "rate = 20", &format!("{}, keep_alive = false", https("fresh-https"))),
        load("h2c", "rate = 100", &format!("url = \"http://127.0.0.1:{h2c}/h2c\", http2 = true")),
        load("h2", "rate = 100", &format!("{}, http2 = true", https("h2"))),
        load("poisson", "rate = 100\narrivals = \"poisson\"", &http("poisson")),
        load("stages", ramp, &http("stages")),
        load("users", "users = 3\nthink = \"50ms\"", &format!("{}, method = \"POST\", body = \"x\"", http("users"))),
        load(
            "vars",
            "rate = 100",
            &format!(
                "url = \"http://127.0.0.1:{plain}/vars?n={{n}}&who={{who}}&r={{r}}\", vars = {{ n = {{ sequence = 1 }}, \
                 who = {{ csv = \"people.csv\", column = \"name\" }}, r = {{ random = [5, 7] }} }}"
            ),
        ),
    ]
    .concat()
}

fn query<'a>(seen: &'a Seen, key: &str) -> &'a str {
    let mut pairs = seen.0.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(k, _)| *k == key).unwrap().1
}

fn assert_values(requests: &[Seen]) {
    let numbers: BTreeSet<u64> = requests
        .iter()
        .map(|s| query(s, "n").parse().unwrap())
        .collect();
    assert_eq!(
        numbers,
        (1..=400).collect(),
        "a sequence gives every number, once"
    );
    for (key, all) in [("who", ["ada", "bob", "cy"]), ("r", ["5", "6", "7"])] {
        for value in all {
            let n = requests.iter().filter(|s| query(s, key) == value).count();
            // 400 draws of one in three: 133 ± 9.4; six times that.
            assert!((77..=190).contains(&n), "{key}={value}: {n} times");
        }
        assert!(requests.iter().all(|s| all.contains(&query(s, key))));
    }
}

#[test]
fn what_the_server_counted_is_what_is_reported_whatever_the_protocol() {
    let _alone = alone();
    let (acceptor, ca) = tls();
    let book = Shared::default();
    let plain = listen(None, false, &book);
    let h2c = listen(None, true, &book);
    let tls = listen(Some(acceptor), false, &book);
    let place = Place::new();
    place.file("ca.pem", &ca);
    place.file("people.csv", "name,age\nada,36\nbob,7\ncy,99\n");
    let ran: Ran = place.run(
        &place.file("s.toml", &scenario(plain, h2c, tls)),
        &["--quiet"],
    );
    ran.assert_accounted();
    assert_eq!(ran.code, Some(0));
    let book = book.lock().unwrap();
    let requests = |name: &str| &book.seen[name][..];
    for load in ran.json()["loads"].as_array().unwrap() {
        let name = load["name"].as_str().unwrap();
        let reported = usize::try_from(load["requests"].as_u64().unwrap()).unwrap();
        println!("{name}: {reported} reported, {} seen", requests(name).len());
        // The first one was the probe.
        assert_eq!(requests(name).len(), reported + 1, "{name}");
        assert_eq!(load["ok"], load["requests"], "{load}");
    }
    // 4 s; the ramp holds 200, its last two seconds 100. Poisson: 400 ± 20, five times that.
    for (name, scheduled) in [("plain", 400), ("fresh", 200), ("h2", 400), ("stages", 300)] {
        assert_eq!(requests(name).len(), scheduled + 1, "{name}");
    }
    assert!((300..=500).contains(&requests("poisson").len()));
    // 3 users with 50 ms between an answer and the next request: no more than 80 each.
    assert!(
        (200..=241).contains(&requests("users").len()),
        "{}",
        requests("users").len()
    );
    assert!(requests("users").iter().all(|s| s.1 == "POST"));
    for (name, version) in [
        ("plain", "HTTP/1.1"),
        ("https", "HTTP/1.1"),
        ("h2c", "HTTP/2.0"),
        ("h2", "HTTP/2.0"),
    ] {
        assert!(requests(name)[1..].iter().all(|s| s.2 == version), "{name}");
    }
    let connections = |name: &str| {
        requests(name)[1..]
            .iter()
            .map(|s| s.3)
            .collect::<BTreeSet<_>>()
            .len()
    };
    for (name, all) in [("fresh", 200), ("fresh-https", 80)] {
        assert_eq!(
            connections(name),
            all,
            "{name}: a connection for every request"
        );
    }
    for name in ["plain", "https", "h2", "h2c"] {
        assert!(
            connections(name) < 60,
            "{name}: {} connections are kept",
            connections(name)
        );
    }
    assert_values(&requests("vars")[1..]);
}
