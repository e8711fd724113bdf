//! Reaching the engine: where it listens, which API version both speak, and whether its processes are this
//! machine's.

use super::EngineError;
use bollard::Docker as Client;
use std::time::Duration;

const DEFAULT_SOCKET: &str = "unix:///var/run/docker.sock";
/// Negotiation is the first call: an engine that does not answer it in this time is not usable.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// A client with the version negotiated, and the address it talks to.
pub async fn connect() -> Result<(Client, String), EngineError> {
    let host = std::env::var("DOCKER_HOST")
        .ok()
        .filter(|host| !host.is_empty())
        .unwrap_or_else(|| DEFAULT_SOCKET.to_owned());
    let client =
        Client::connect_with_host(&host).map_err(|e| unreachable(&host, &e.to_string()))?;
    let negotiated = tokio::time::timeout(FIRST_ANSWER, client.negotiate_version())
        .await
        .map_err(|_| unreachable(&host, "no answer within 10 s"))?
        .map_err(|e| unreachable(&host, &chain(&e)))?;
    Ok((negotiated, host))
}

/// The message with its causes: the client's own says only "client error (Connect)".
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let said = source.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = source.source();
    }
    text
}

fn unreachable(host: &str, reason: &str) -> EngineError {
    let advice = if reason.to_lowercase().contains("permission denied") {
        "this user may not use the socket: join the group `docker` or run as root"
    } else if host.starts_with("unix://") {
        "start the Docker daemon, or set DOCKER_HOST to where it listens"
    } else {
        "check DOCKER_HOST, and DOCKER_TLS_VERIFY and DOCKER_CERT_PATH if it wants TLS"
    };
    EngineError::Unreachable(format!("{host}: {reason}; {advice}"))
}

/// True where the containers' processes can be seen, and so followed by a pidfd, from here.
///
/// A cheap reading of the circumstances: the engine listens on a Unix socket whose listener is a process of our
/// own PID namespace (the kernel says 0 for a foreign one), a process called `dockerd` is visible, and the
/// engine's kernel is ours (Docker Desktop's is not). Anything else counts as not shared, which only costs accuracy.
pub async fn shares_our_kernel(client: &Client, host: &str) -> bool {
    let Some(path) = host.strip_prefix("unix://") else {
        return false;
    };
    let Ok(info) = client.info().await else {
        return false;
    };
    let kernel = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    info.kernel_version.as_deref() == Some(kernel.as_str())
        && listener_is_visible(path)
        && dockerd_is_visible()
}

fn listener_is_visible(path: &str) -> bool {
    let Ok(stream) = std::os::unix::net::UnixStream::connect(path) else {
        return false;
    };
    // A listener of another PID namespace is reported as pid 0, which the typed call cannot represent and refuses.
    rustix::net::sockopt::socket_peercred(&stream).is_ok_and(|peer| {
        let pid = peer.pid.as_raw_nonzero().get();
        std::path::Path::new(&format!("/proc/{pid}")).exists()
    })
}

fn dockerd_is_visible() -> bool {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return false;
    };
    entries.flatten().any(|entry| {
        std::fs::read_to_string(entry.path().join("comm"))
            .is_ok_and(|comm| comm.trim() == "dockerd")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreachable_engine_says_where_and_what_to_do() {
        let said = unreachable(DEFAULT_SOCKET, "no such file").to_string();
        assert!(
            said.contains("/var/run/docker.sock") && said.contains("DOCKER_HOST"),
            "{said}"
        );
        let said = unreachable(DEFAULT_SOCKET, "Permission denied (os error 13)").to_string();
        assert!(said.contains("group `docker`"), "{said}");
        let said = unreachable("tcp://10.0.0.1:2376", "connection refused").to_string();
        assert!(said.contains("DOCKER_CERT_PATH"), "{said}");
    }
}
