//! Which of several PostgreSQL servers is the primary: the server itself is asked.

use super::clock::monotonic_ns;
use super::figures::chain;
use super::protocol::Done;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::{Config, NoTls};

const CONNECT: Duration = Duration::from_secs(2);
const QUERY: Duration = Duration::from_secs(2);

/// Asks the server at a DSN: `primary` or `replica` in [`Done::seen`].
///
/// # Errors
/// It does not answer, or not in time. The password is never in the words.
pub async fn ask(dsn: &str) -> Result<Done, String> {
    let mut config: Config = dsn.parse().map_err(|e| {
        format!(
            "the DSN of a PostgreSQL server cannot be read: {}",
            chain(&e)
        )
    })?;
    config.connect_timeout(CONNECT);
    let server = named(&config);
    let from_ns = monotonic_ns();
    let (client, connection) = timeout(CONNECT, config.connect(NoTls))
        .await
        .map_err(|_| {
            format!(
                "PostgreSQL at {server}: no connection within {} s",
                CONNECT.as_secs()
            )
        })?
        .map_err(|e| format!("PostgreSQL at {server}: {}", chain(&e)))?;
    let query = timeout(QUERY, client.query_one("SELECT pg_is_in_recovery()", &[]));
    // The connection is driven beside the query, and ends with it.
    let row = tokio::select! {
        row = query => row.map_err(|_| format!("PostgreSQL at {server}: no answer within {} s", QUERY.as_secs()))?,
        Err(e) = connection => Err(e),
    };
    let replica: bool = row
        .and_then(|row| row.try_get(0))
        .map_err(|e| format!("PostgreSQL at {server}: {}", chain(&e)))?;
    Ok(Done {
        from_ns,
        until_ns: monotonic_ns(),
        mechanism: "pg_is_in_recovery()".to_owned(),
        seen: if replica { "replica" } else { "primary" }.to_owned(),
        count: 1,
        abilities: None,
    })
}

/// Hosts and ports, nothing else of the DSN.
fn named(config: &Config) -> String {
    use tokio_postgres::config::Host;
    let ports = config.get_ports();
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(i, host)| {
            let port = ports.get(i).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(path) => format!("{}:{port}", path.display()),
            }
        })
        .collect();
    hosts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn said(dsn: &str) -> String {
        let said = ask(dsn).await.expect_err("no server");
        assert!(!said.contains("hunter2"), "{said}");
        said
    }

    #[tokio::test]
    async fn a_server_that_refuses_is_named_without_its_password() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let said = said(&format!("postgres://app:hunter2@127.0.0.1:{port}/app")).await;
        assert!(said.starts_with(&format!("PostgreSQL at 127.0.0.1:{port}: ")));
        assert!(said.contains("refused"), "{said}");
    }

    #[tokio::test]
    async fn a_dsn_that_cannot_be_read_is_not_repeated() {
        for dsn in [
            "postgres://app:hunter2@host:port/app",
            "password=hunter2 nonsense=1",
            "hunter2",
        ] {
            assert!(said(dsn).await.contains("DSN"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stays_silent_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let said = said(&format!("postgres://app:hunter2@127.0.0.1:{port}/app")).await;
        assert!(said.ends_with("no connection within 2 s"), "{said}");
    }
}
