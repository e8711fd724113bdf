//! One HTTP request from where the sidecar is: a switch of the target's own that breaks, heals or shows.

use super::clock::monotonic_ns;
use super::figures::chain;
use super::protocol::{Done, HttpCall};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, Url};
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// What is read of an answer at most.
const MOST: usize = 16 << 20;
/// Characters of an unexpected answer that are shown.
const SHOWN: usize = 200;

/// Sends it.
///
/// # Errors
/// It cannot be sent, or its answer is not what is expected.
pub async fn call(call: HttpCall) -> Result<Done, String> {
    let url: Url = call
        .url
        .parse()
        .map_err(|e| format!("the URL of a request cannot be read: {e}"))?;
    let named = format!("{} {}", call.method, without_secrets(&url));
    let failed = |e: reqwest::Error| format!("{named}: {}", chain(&e.without_url()));
    let method = Method::from_bytes(call.method.as_bytes())
        .map_err(|_| format!("`{}` is not a method", call.method))?;
    let client = client(&url, Duration::from_millis(call.timeout_ms))
        .map_err(|e| format!("{named}: {}", chain(&*e)))?;
    let mut request = client.request(method, url);
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    if let Some(body) = &call.body {
        request = request.body(body.clone());
    }
    let from_ns = monotonic_ns();
    let answer = request.send().await.map_err(failed)?;
    let until_ns = monotonic_ns();
    let status = answer.status().as_u16();
    let body = read(answer).await.map_err(failed)?;
    check(&call, status, &body).map_err(|why| format!("{named}: {why}"))?;
    Ok(Done {
        from_ns,
        until_ns,
        mechanism: "HTTP".to_owned(),
        seen: format!("answered {status}"),
        count: 1,
        abilities: None,
    })
}

fn check(call: &HttpCall, status: u16, body: &str) -> Result<(), String> {
    let good = |(low, high): &(u16, u16)| (*low..=*high).contains(&status);
    if !call.expect_status.iter().any(good) {
        let expected: Vec<String> = call
            .expect_status
            .iter()
            .map(|(low, high)| {
                if low == high {
                    low.to_string()
                } else {
                    format!("{low}-{high}")
                }
            })
            .collect();
        let expected = expected.join(", ");
        return Err(format!(
            "answered {status}, expected {expected}{}",
            shown(body)
        ));
    }
    match &call.expect_body {
        Some(text) if !body.contains(text.as_str()) => {
            Err(format!("answered {status} without `{text}`{}", shown(body)))
        }
        Some(_) | None => Ok(()),
    }
}

fn shown(body: &str) -> String {
    let body = body.trim();
    let start: String = body.chars().take(SHOWN).collect();
    let more = if start.len() < body.len() { "…" } else { "" };
    match start.is_empty() {
        true => String::new(),
        false => format!(": {}{more}", start.escape_debug()),
    }
}

/// The beginning of the body, as text.
async fn read(mut answer: Response) -> Result<String, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        let room = MOST - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MOST {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn client(url: &Url, timeout: Duration) -> Result<Client, Box<dyn Error + Send + Sync>> {
    // In the clear no roots are needed, and an image without certificates has none.
    let mut roots = RootCertStore::empty();
    if url.scheme() == "https" {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("there are no certificates to trust".into());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let builder = Client::builder()
        .timeout(timeout)
        .redirect(Policy::none())
        .no_proxy()
        .tls_backend_preconfigured(tls);
    Ok(builder.build()?)
}

/// User, password and query may be secrets.
fn without_secrets(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
    format!("{}://{host}{port}{}", url.scheme(), url.path())
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
