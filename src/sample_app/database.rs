//! The application's two pools, and what it does when one of them has nothing to give.

use super::{SampleAppArgs, SampleAppError};
use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
    TimeoutType, Timeouts,
};
use serde::Serialize;
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{NoTls, Row};

/// Everything about one request, tries included. A balancer in front must wait longer than this, or it
/// gives up on instances that are about to say 503.
pub const DEADLINE: Duration = Duration::from_millis(1200);
/// For a connection to become free. All of them hang: more requests behind them would not help.
const WAIT: Duration = Duration::from_millis(500);
/// For a new connection: longer than the half second that a balancer needs to find a dead server and
/// take another.
const CONNECT: Duration = Duration::from_millis(900);
/// For one statement: these take about a millisecond, so half a second is a server that hangs.
const QUERY: Duration = Duration::from_millis(500);
/// Tries of a read. Writes get one.
const READ_TRIES: usize = 5;
/// Before another try where there was no connection to be had: a server that shuts down says so at once,
/// and would be asked five times within the same millisecond.
const PAUSE: Duration = Duration::from_millis(100);

const LATEST: &str = "SELECT id, body, instance FROM items ORDER BY id DESC LIMIT 10";
const SEARCH: &str = "SELECT id, first_name, last_name FROM users \
                      WHERE first_name LIKE $1 AND last_name LIKE $2 ORDER BY id LIMIT 1000";
const INSERT: &str = "INSERT INTO items (body, instance) VALUES ($1, $2) RETURNING id";

/// Why the database could not answer; the body of the 503.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Unavailable {
    /// Every connection is in use.
    #[error("no connection became free in time")]
    PoolExhausted,
    /// A connection could not be made in time.
    #[error("no connection could be made in time")]
    ConnectTimeout,
    /// A connection could not be made.
    #[error("no connection could be made")]
    Connect,
    /// A statement took too long.
    #[error("the database did not answer in time")]
    QueryTimeout,
    /// The connection broke while a statement was under way.
    #[error("the connection broke")]
    ConnectionLost,
    /// The server refused a statement.
    #[error("the database refused: SQLSTATE {sqlstate}")]
    Refused {
        /// Its SQLSTATE.
        sqlstate: String,
    },
}

impl Unavailable {
    /// Whether another try could fare better: everything but a statement that the server refused, and
    /// of those the ones that say "not I, not now".
    fn worth_another_try(&self) -> bool {
        match self {
            Self::PoolExhausted => false,
            Self::ConnectTimeout | Self::Connect | Self::QueryTimeout | Self::ConnectionLost => {
                true
            }
            Self::Refused { sqlstate } => {
                [
                    SqlState::ADMIN_SHUTDOWN,
                    SqlState::CRASH_SHUTDOWN,
                    SqlState::CANNOT_CONNECT_NOW,
                    SqlState::TOO_MANY_CONNECTIONS,
                    // A replica cancels a read that stands in the way of replay.
                    SqlState::T_R_SERIALIZATION_FAILURE,
                ]
                .iter()
                .any(|state| state.code() == sqlstate)
            }
        }
    }

    fn of_pool(error: &PoolError) -> Self {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => Self::PoolExhausted,
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => Self::ConnectTimeout,
            PoolError::Backend(error) => match error.code() {
                Some(state) => Self::Refused {
                    sqlstate: state.code().to_owned(),
                },
                None => Self::Connect,
            },
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Self::Connect
            }
        }
    }

    fn of_query(error: &tokio_postgres::Error) -> Self {
        match error.code() {
            Some(state) => Self::Refused {
                sqlstate: state.code().to_owned(),
            },
            None => Self::ConnectionLost,
        }
    }
}

/// An item as it is read.
#[derive(Debug, Clone, Serialize)]
pub struct Item {
    /// Its id.
    pub id: i64,
    /// Its text.
    pub body: String,
    /// The instance that wrote it.
    pub instance: String,
}

/// A person as it is found.
#[derive(Debug, Clone, Serialize)]
pub struct Person {
    /// Its id.
    pub id: i64,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
}

/// Reads go to the replicas, writes to the master, each through a pool of its own: writes that wait for a
/// lost master must not take the reads' connections.
pub struct Database {
    reads: Pool,
    writes: Pool,
}

impl Database {
    /// Makes the pools; connects to nothing yet.
    ///
    /// # Errors
    /// A DSN that is none; a pool without connections.
    pub fn new(args: &SampleAppArgs) -> Result<Self, SampleAppError> {
        if args.pool_size == 0 {
            return Err(SampleAppError::PoolSize);
        }
        let lifetime = Duration::from_secs(args.connection_lifetime);
        Ok(Self {
            reads: pool("--read-dsn", &args.read_dsn, args.pool_size, lifetime)?,
            writes: pool(
                "--write-dsn",
                &args.write_dsn,
                args.pool_size.div_ceil(2),
                lifetime,
            )?,
        })
    }

    /// The latest items.
    ///
    /// # Errors
    /// No replica answered in time.
    pub async fn latest(&self) -> Result<Vec<Item>, Unavailable> {
        let rows = self.read(LATEST, &[]).await?;
        collect(&rows, |row| {
            Ok(Item {
                id: row.try_get(0)?,
                body: row.try_get(1)?,
                instance: row.try_get(2)?,
            })
        })
    }

    /// People whose names begin with these texts; at most a thousand.
    ///
    /// # Errors
    /// No replica answered in time.
    pub async fn search(&self, first: &str, last: &str) -> Result<Vec<Person>, Unavailable> {
        let names = [prefix_pattern(first), prefix_pattern(last)];
        let rows = self.read(SEARCH, &names).await?;
        collect(&rows, |row| {
            Ok(Person {
                id: row.try_get(0)?,
                first_name: row.try_get(1)?,
                last_name: row.try_get(2)?,
            })
        })
    }

    /// Writes an item and answers its id.
    ///
    /// # Errors
    /// The master did not answer in time. After [`Unavailable::QueryTimeout`] and
    /// [`Unavailable::ConnectionLost`] the item may be there all the same.
    pub async fn insert(&self, body: String, instance: String) -> Result<i64, Unavailable> {
        let deadline = Instant::now() + DEADLINE;
        let rows = attempt(&self.writes, deadline, INSERT, &[body, instance]).await?;
        let ids = collect(&rows, |row| row.try_get::<_, i64>(0))?;
        // One row in, one id out.
        ids.first().copied().ok_or(Unavailable::ConnectionLost)
    }

    /// A read is tried again on another connection: nothing is lost by reading twice. A replica that goes
    /// breaks the pool's connections to it, each of which is found out by the first request that uses
    /// it; with another try that costs a few milliseconds instead of an error.
    async fn read(&self, sql: &str, parameters: &[String]) -> Result<Vec<Row>, Unavailable> {
        let deadline = Instant::now() + DEADLINE;
        let mut tries = 0;
        loop {
            tries += 1;
            let reason = match attempt(&self.reads, deadline, sql, parameters).await {
                Ok(rows) => return Ok(rows),
                Err(reason) => reason,
            };
            let again = tries < READ_TRIES && Instant::now() < deadline;
            if !(again && reason.worth_another_try()) {
                return Err(reason);
            }
            match reason {
                Unavailable::Connect | Unavailable::Refused { .. } => sleep(PAUSE).await,
                Unavailable::PoolExhausted
                | Unavailable::ConnectTimeout
                | Unavailable::QueryTimeout
                | Unavailable::ConnectionLost => {}
            }
        }
    }
}

/// One try. A connection that failed leaves the pool: it may hang or be half dead.
async fn attempt(
    pool: &Pool,
    deadline: Instant,
    sql: &str,
    parameters: &[String],
) -> Result<Vec<Row>, Unavailable> {
    let connection = match timeout_at(deadline, pool.get()).await {
        Err(_) => return Err(Unavailable::ConnectTimeout),
        Ok(Err(error)) => return Err(Unavailable::of_pool(&error)),
        Ok(Ok(connection)) => connection,
    };
    let parameters: Vec<&(dyn ToSql + Sync)> = parameters
        .iter()
        .map(|text| text as &(dyn ToSql + Sync))
        .collect();
    let statement = async {
        let statement = connection.prepare_cached(sql).await?;
        connection.query(&statement, &parameters).await
    };
    let reason = match bounded(deadline, statement).await {
        Some(Ok(rows)) => return Ok(rows),
        Some(Err(error)) => Unavailable::of_query(&error),
        None => Unavailable::QueryTimeout,
    };
    drop(Object::take(connection));
    Err(reason)
}

async fn bounded<T>(deadline: Instant, work: impl Future<Output = T>) -> Option<T> {
    timeout_at(deadline, timeout(QUERY, work)).await.ok()?.ok()
}

fn collect<T>(
    rows: &[Row],
    of: impl Fn(&Row) -> Result<T, tokio_postgres::Error>,
) -> Result<Vec<T>, Unavailable> {
    rows.iter()
        .map(of)
        .collect::<Result<_, _>>()
        .map_err(|error| Unavailable::of_query(&error))
}

fn pool(
    which: &'static str,
    dsn: &str,
    size: usize,
    lifetime: Duration,
) -> Result<Pool, SampleAppError> {
    let mut config: tokio_postgres::Config = dsn
        .parse()
        .map_err(|source| SampleAppError::Dsn { which, source })?;
    config
        .connect_timeout(CONNECT)
        .application_name("sample-app")
        .keepalives_idle(Duration::from_secs(10));
    let manager = Manager::from_config(
        config,
        NoTls,
        ManagerConfig {
            // No question before each use: it would double the round trips, and a connection can break
            // right after its answer. A closed one is noticed without asking.
            recycling_method: RecyclingMethod::Fast,
        },
    );
    Pool::builder(manager)
        .max_size(size)
        .timeouts(Timeouts {
            wait: Some(WAIT),
            create: Some(CONNECT),
            recycle: Some(WAIT),
        })
        .runtime(Runtime::Tokio1)
        .pre_recycle(Hook::sync_fn(move |_, metrics| {
            if metrics.created.elapsed() >= lifetime {
                Err(HookError::message("the connection has served its time"))
            } else {
                Ok(())
            }
        }))
        .build()
        .map_err(|source| SampleAppError::Pool { which, source })
}

/// `LIKE` pattern for texts that begin with `prefix`, whatever it holds.
fn prefix_pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for c in prefix.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_matches_itself_and_not_what_like_would_make_of_it() {
        assert_eq!(prefix_pattern("Ив"), "Ив%");
        assert_eq!(prefix_pattern(""), "%");
        assert_eq!(prefix_pattern(r"50%_\"), r"50\%\_\\%");
    }

    #[test]
    fn a_statement_that_the_server_refuses_is_not_tried_again_unless_it_says_not_now() {
        let refused = |sqlstate: &str| Unavailable::Refused {
            sqlstate: sqlstate.to_owned(),
        };
        assert!(refused("57P01").worth_another_try());
        assert!(refused("57P03").worth_another_try());
        assert!(refused("40001").worth_another_try());
        assert!(!refused("25006").worth_another_try());
        assert!(!refused("42P01").worth_another_try());
        assert!(!Unavailable::PoolExhausted.worth_another_try());
        assert!(Unavailable::QueryTimeout.worth_another_try());
    }
}
