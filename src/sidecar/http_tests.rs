use super::*;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Answers one connection with these bytes, and gives what it was sent.
async fn server(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let sent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut sent = vec![0; 4096];
        let n = stream.read(&mut sent).await.expect("a request");
        sent.truncate(n);
        stream.write_all(answer.as_bytes()).await.expect("answered");
        String::from_utf8(sent).expect("text")
    });
    (address, sent)
}

fn order(address: SocketAddr) -> HttpCall {
    HttpCall {
        method: "POST".into(),
        url: format!("http://user:hunter2@{address}/api/switch?key=hunter2"),
        headers: vec![("X-Mode".into(), "slow".into())],
        body: Some("on=1".into()),
        expect_status: vec![(200, 204)],
        expect_body: None,
        timeout_ms: 2000,
    }
}

async fn said(order: HttpCall) -> String {
    let said = call(order).await.expect_err("not expected");
    assert!(!said.contains("hunter2"), "{said}");
    said
}

#[tokio::test]
async fn a_request_is_sent_whole_and_its_answer_said() {
    let (address, sent) = server("HTTP/1.1 202 Ok\r\ncontent-length: 7\r\n\r\nslow=on").await;
    let mut order = order(address);
    order.expect_body = Some("slow".into());
    let done = call(order).await.expect("answered");
    assert_eq!((done.seen.as_str(), done.count), ("answered 202", 1));
    assert!(done.from_ns < done.until_ns);
    let sent = sent.await.expect("served");
    assert!(
        sent.starts_with("POST /api/switch?key=hunter2 HTTP/1.1\r\n"),
        "{sent}"
    );
    assert!(sent.contains("x-mode: slow\r\n") && sent.ends_with("\r\n\r\non=1"));
}

#[tokio::test]
async fn another_status_is_an_error_that_shows_the_answer() {
    let (address, _sent) = server("HTTP/1.1 500 No\r\ncontent-length: 6\r\n\r\nbroken").await;
    assert_eq!(
        said(order(address)).await,
        format!("POST http://{address}/api/switch: answered 500, expected 200-204: broken")
    );
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let (address, _sent) =
        server("HTTP/1.1 302 Go\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n").await;
    let said = said(order(address)).await;
    assert!(said.ends_with("answered 302, expected 200-204"), "{said}");
}

#[tokio::test]
async fn a_body_without_the_expected_text_is_an_error() {
    let (address, _sent) = server("HTTP/1.1 200 Ok\r\ncontent-length: 3\r\n\r\noff").await;
    let mut order = order(address);
    order.expect_body = Some("on=1".into());
    let said = said(order).await;
    assert!(said.ends_with("answered 200 without `on=1`: off"), "{said}");
}

#[tokio::test]
async fn a_server_that_refuses_or_stays_silent_is_an_error_with_its_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut late = order(address);
    late.timeout_ms = 50;
    let text = said(late).await;
    assert!(text.contains("timed out"), "{text}");
    drop(listener);
    let text = said(order(address)).await;
    assert!(text.contains("refused"), "{text}");
}

#[tokio::test]
async fn what_is_no_request_is_said() {
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    let mut bad = order(address);
    bad.method = "NO SUCH".into();
    assert!(said(bad).await.contains("is not a method"));
    let mut bad = order(address);
    bad.url = "hunter2".into();
    assert!(said(bad).await.starts_with("the URL of a request"));
}
