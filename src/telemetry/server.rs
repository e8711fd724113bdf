//! `/metrics` over HTTP, on a loopback address: nothing of lbtest listens elsewhere.

use super::exposition::{CONTENT_TYPE, Exposition};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::TcpListener;

/// Why nothing can be scraped.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Others could reach it.
    #[error("{0} is not a loopback address: lbtest listens on 127.0.0.1 or ::1 only")]
    NotLoopback(SocketAddr),
    /// The port is another's, or may not be had.
    #[error("cannot listen on {at}: {why}")]
    Listen {
        /// Where.
        at: SocketAddr,
        /// Why.
        why: io::Error,
    },
}

/// A port that is listened on, and answers once it is served.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Takes the port; 0 takes any free one.
    ///
    /// # Errors
    /// Where the address is not a loopback one, or the port cannot be had.
    pub async fn listen(at: SocketAddr) -> Result<Self, ServerError> {
        if !at.ip().is_loopback() {
            return Err(ServerError::NotLoopback(at));
        }
        let failed = |why| ServerError::Listen { at, why };
        let listener = TcpListener::bind(at).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// What to scrape.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Answers until the runtime ends: the last state of a run can be scraped as long as there is a process.
    pub fn serve(self, exposition: Exposition) {
        let router = Router::new()
            .route("/metrics", get(metrics))
            .layer(from_fn(asked_by_address))
            .with_state(exposition);
        tokio::spawn(async move {
            // It ends with the listener alone, and that with the runtime.
            let _ = axum::serve(self.listener, router).await;
        });
    }
}

/// A page in somebody's browser can have its own name resolve to this address, and would then read what is here as its
/// own: whoever asks under a name other than `localhost` is refused.
async fn asked_by_address(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    if host.is_some_and(is_address) {
        return next.run(request).await;
    }
    let why = "lbtest answers to an IP address or localhost as Host, and to no other name\n";
    (StatusCode::MISDIRECTED_REQUEST, why).into_response()
}

fn is_address(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    name.eq_ignore_ascii_case("localhost") || bare.unwrap_or(name).parse::<IpAddr>().is_ok()
}

async fn metrics(State(exposition): State<Exposition>) -> Response {
    match exposition.text() {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_others_could_reach_is_refused_before_anything_listens() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let error = Server::listen(address.parse().unwrap()).await.unwrap_err();
            assert!(matches!(error, ServerError::NotLoopback(_)), "{error}");
        }
    }

    #[test]
    fn a_name_that_somebody_elses_server_resolves_is_no_address() {
        for host in ["127.0.0.1:9464", "127.0.0.1", "[::1]:9464", "LocalHost:1"] {
            assert!(is_address(host), "{host}");
        }
        for host in [
            "rebound.example",
            "127.0.0.1.rebound.example:9464",
            "localhost.rebound.example",
            "[::1",
            "",
        ] {
            assert!(!is_address(host), "{host}");
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_told_with_the_port() {
        let taken = Server::listen("127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let error = Server::listen(taken.address).await.unwrap_err().to_string();
        assert!(error.contains(&taken.address.to_string()), "{error}");
        assert!(error.contains("in use"), "{error}");
    }
}
