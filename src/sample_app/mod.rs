//! `lbtest sample-app`: the application that the shipped topologies run behind their balancers.
//!
//! It does what a real service does about a database that may be lost, because the figures of a
//! failover test are the figures of such a service: bounded pools, a time limit on everything, one answer
//! (503 and a reason) where the database cannot be had, reads tried again elsewhere, no restart needed.

mod database;
mod metrics;
mod routes;

use clap::Args;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use database::Database;

/// How long a stopping instance goes on serving, with `Connection: close` on every answer. A balancer that
/// keeps connections alive learns so that it must not use them again; without it, a write that crosses
/// the close of an idle connection is lost, and no balancer may repeat it.
const DRAIN: Duration = Duration::from_millis(300);

/// How long requests that are under way may take after the drain.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// Arguments of `lbtest sample-app`. Each can also be set by its environment variable.
#[derive(Args, Clone)]
pub struct SampleAppArgs {
    /// Address and port to listen on.
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:3025")]
    pub listen: SocketAddr,
    /// Name of this instance, sent as `X-Instance`. Default: the host name.
    #[arg(long, env = "INSTANCE")]
    pub instance: Option<String>,
    /// Where to read: `postgres://user:password@host:port/database`.
    #[arg(long, env = "READ_DSN", hide_env_values = true)]
    pub read_dsn: String,
    /// Where to write.
    #[arg(long, env = "WRITE_DSN", hide_env_values = true)]
    pub write_dsn: String,
    /// Connections in the pool for reads; that for writes has half as many.
    #[arg(long, env = "POOL_SIZE", default_value_t = 10)]
    pub pool_size: usize,
    /// A connection is made anew after so many seconds: without a limit, pools stay where a failover drove them.
    #[arg(long, env = "CONNECTION_LIFETIME", default_value_t = 20)]
    pub connection_lifetime: u64,
}

// By hand: the DSNs hold passwords.
impl std::fmt::Debug for SampleAppArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SampleAppArgs")
            .field("listen", &self.listen)
            .field("instance", &self.instance)
            .field("pool_size", &self.pool_size)
            .field("connection_lifetime", &self.connection_lifetime)
            .finish_non_exhaustive()
    }
}

/// Why the sample application could not start or had to end. Losing the database is neither.
#[derive(Debug, thiserror::Error)]
pub enum SampleAppError {
    /// The address cannot be listened on.
    #[error("the sample application cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A DSN that is none. The DSN itself is not shown: it holds a password.
    #[error("{which} is not a PostgreSQL DSN")]
    Dsn {
        /// The argument.
        which: &'static str,
        /// Why.
        source: tokio_postgres::Error,
    },
    /// A pool without connections could answer nothing.
    #[error("--pool-size must be at least 1")]
    PoolSize,
    /// The pool could not be made.
    #[error("the connection pool for {which} cannot be made")]
    Pool {
        /// The argument.
        which: &'static str,
        /// Why.
        source: deadpool_postgres::BuildError,
    },
    /// Signals cannot be waited for.
    #[error("the sample application cannot wait for signals: {0}")]
    Signal(#[source] std::io::Error),
    /// The server ended.
    #[error("the sample application's server ended: {0}")]
    Serve(#[source] std::io::Error),
}

/// Serves until SIGTERM or SIGINT, then drains and returns.
///
/// The database may be away at the start, or at any time.
///
/// # Errors
/// The address is taken, or an argument is of no use.
pub async fn serve(args: SampleAppArgs) -> Result<(), SampleAppError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(SampleAppError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(SampleAppError::Signal)?;
    let listener =
        TcpListener::bind(args.listen)
            .await
            .map_err(|source| SampleAppError::Listen {
                address: args.listen,
                source,
            })?;
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        signalled.cancel();
    });
    serve_on(listener, &args, stop).await
}

/// Serves on a listener until `stop` is cancelled.
async fn serve_on(
    listener: TcpListener,
    args: &SampleAppArgs,
    stop: CancellationToken,
) -> Result<(), SampleAppError> {
    let instance = args.instance.clone().unwrap_or_else(host_name);
    let app = Arc::new(routes::App::new(instance, Database::new(args)?));
    let router = routes::router(Arc::clone(&app));
    let closing = CancellationToken::new();
    let server =
        axum::serve(listener, router).with_graceful_shutdown(closing.clone().cancelled_owned());
    let drain = async {
        stop.cancelled().await;
        app.draining.store(true, Ordering::Relaxed);
        tokio::time::sleep(DRAIN).await;
        closing.cancel();
        tokio::time::sleep(LAST_REQUESTS).await;
    };
    tokio::select! {
        ended = server => ended.map_err(SampleAppError::Serve),
        () = drain => Ok(()),
    }
}

fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests;
