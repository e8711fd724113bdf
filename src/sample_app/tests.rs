//! The application without its database, over real sockets.

use super::*;
use serde_json::Value;
use std::time::Instant;

struct Running {
    origin: String,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), SampleAppError>>,
}

/// An instance whose database is `database` (`host:port`).
async fn start(database: SocketAddr) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dsn = format!("postgres://app:secret@{database}/app");
    let args = SampleAppArgs {
        listen: address,
        instance: Some("app-under-test".to_owned()),
        read_dsn: dsn.clone(),
        write_dsn: dsn,
        pool_size: 2,
        connection_lifetime: 20,
    };
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let task = tokio::spawn(async move { serve_on(listener, &args, stopping).await });
    Running {
        origin: format!("http://{address}"),
        stop,
        task,
    }
}

/// An address that refuses: bound once, closed again.
async fn refusing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let roots = rustls::RootCertStore::empty();
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()
        .unwrap()
}

#[tokio::test]
async fn without_a_database_it_starts_is_healthy_and_says_503_with_a_reason() {
    let app = start(refusing().await).await;
    let client = client();
    let health = client
        .get(format!("{}/health", app.origin))
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 200);
    assert_eq!(health.headers()["x-instance"], "app-under-test");

    for request in [
        client.get(format!("{}/api/data", app.origin)),
        client.get(format!(
            "{}/user/search?first_name=%D0%98&last_name=",
            app.origin
        )),
        client.post(format!("{}/api/data", app.origin)),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["x-instance"], "app-under-test");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["reason"], "connect");
        assert!(!body.to_string().contains("secret"), "{body}");
    }
}

#[tokio::test]
async fn a_database_that_accepts_and_says_nothing_costs_no_more_than_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = start(silent.local_addr().unwrap()).await;
    let began = Instant::now();
    let answer = client()
        .get(format!("{}/api/data", app.origin))
        .send()
        .await
        .unwrap();
    let took = began.elapsed();
    assert_eq!(answer.status(), 503);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["reason"], "connect_timeout");
    // Not at once (it did wait for the database), and within the deadline; the rest is a busy machine's.
    assert!(took >= Duration::from_millis(500), "{took:?}");
    assert!(
        took < database::DEADLINE + Duration::from_millis(800),
        "{took:?}"
    );
}

#[tokio::test]
async fn the_switch_turns_data_and_status_to_500_and_back() {
    let app = start(refusing().await).await;
    let client = client();
    let status = async |path: &str| {
        let url = format!("{}{path}", app.origin);
        client.get(url).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("/api/status").await, 200);
    let off = client
        .post(format!("{}/api/switch", app.origin))
        .send()
        .await
        .unwrap();
    assert_eq!(off.json::<Value>().await.unwrap()["status"], "off");
    assert_eq!(status("/api/status").await, 500);
    assert_eq!(status("/api/data?delay=10ms").await, 500);
    assert_eq!(status("/health").await, 200);
    let on = client
        .post(format!("{}/api/switch", app.origin))
        .send()
        .await
        .unwrap();
    assert_eq!(on.json::<Value>().await.unwrap()["status"], "on");
    assert_eq!(status("/api/status").await, 200);
}

#[tokio::test]
async fn what_the_client_got_wrong_is_400_and_not_the_databases_fault() {
    let app = start(refusing().await).await;
    let client = client();
    let bad_delay = client
        .get(format!("{}/api/data?delay=soon", app.origin))
        .send()
        .await
        .unwrap();
    assert_eq!(bad_delay.status(), 400);
    let bad_body = client
        .post(format!("{}/api/data", app.origin))
        .body("{")
        .send()
        .await
        .unwrap();
    assert_eq!(bad_body.status(), 400);
    let nul = client
        .get(format!("{}/user/search?first_name=%00", app.origin))
        .send()
        .await
        .unwrap();
    assert_eq!(nul.status(), 400);
}

#[tokio::test]
async fn requests_are_counted_for_prometheus_by_route() {
    let app = start(refusing().await).await;
    let client = client();
    client
        .get(format!("{}/api/status", app.origin))
        .send()
        .await
        .unwrap();
    client
        .get(format!("{}/no/such/path", app.origin))
        .send()
        .await
        .unwrap();
    let answer = client
        .get(format!("{}/metrics", app.origin))
        .send()
        .await
        .unwrap();
    let text = answer.text().await.unwrap();
    assert!(
        text.contains(r#"requests_total{method="GET",path="/api/status",status="200"} 1"#),
        "{text}"
    );
    assert!(!text.contains("/no/such/path"), "{text}");
}

#[tokio::test]
async fn a_stopping_instance_closes_its_connections_with_an_answer_first() {
    let app = start(refusing().await).await;
    let client = client();
    let url = format!("{}/api/status", app.origin);
    let before = client.get(&url).send().await.unwrap();
    assert!(!before.headers().contains_key("connection"));
    app.stop.cancel();
    let began = Instant::now();
    // The flag is set by another task: ask until it shows, which it must before the server is gone.
    loop {
        let draining = client.get(&url).send().await.unwrap();
        assert_eq!(draining.status(), 200);
        if draining
            .headers()
            .get("connection")
            .is_some_and(|v| v == "close")
        {
            break;
        }
    }
    app.task.await.unwrap().unwrap();
    assert!(
        began.elapsed() < DRAIN + LAST_REQUESTS,
        "{:?}",
        began.elapsed()
    );
    assert!(client.get(&url).send().await.is_err());
}

#[test]
fn a_dsn_that_is_none_is_named_but_not_shown() {
    let args = SampleAppArgs {
        listen: "127.0.0.1:0".parse().unwrap(),
        instance: None,
        read_dsn: "postgres://app:secret@host:notaport/app".to_owned(),
        write_dsn: String::new(),
        pool_size: 1,
        connection_lifetime: 1,
    };
    let error = Database::new(&args).err().unwrap();
    assert_eq!(error.to_string(), "--read-dsn is not a PostgreSQL DSN");
    assert!(!format!("{args:?} {error:?}").contains("secret"));
}
