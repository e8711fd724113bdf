//! `sql`: statements that break something in a database (back ends that are terminated, a lock that is held), and
//! statements that heal. A session that is held lives as long as the fault, with its transaction and its locks; it ends
//! with lbtest in any case, because it is lbtest's connection.

use super::{Effect, Kind, Site, Undo};
use crate::engine::{ContainerState, EngineError};
use crate::scenario::SqlFault;
use async_trait::async_trait;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The name that a session goes by in pg_stat_activity, before the fault's own tag.
const NAME: &str = "lbtest";

/// Runs statements.
pub struct Sql {
    of: SqlFault,
    tag: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The session that is held.
    held: Option<Client>,
    /// Rows that came back or were changed.
    rows: u64,
}

impl Sql {
    /// These statements; `tag` tells this session from others.
    #[must_use]
    pub fn new(of: SqlFault, tag: &str) -> Self {
        Self {
            of,
            tag: tag.to_owned(),
            state: Mutex::default(),
        }
    }

    fn session(&self) -> String {
        format!("{NAME} {}", self.tag)
    }
}

/// An answer without the DSN: it holds a password.
fn refused(what: &str, error: &dyn std::error::Error) -> EngineError {
    let cause = error.source().map(|c| format!(": {c}"));
    EngineError::Refused {
        what: what.to_owned(),
        answer: format!("{error}{}", cause.unwrap_or_default()),
    }
}

async fn connect(dsn: &str, name: &str) -> Result<Client, EngineError> {
    const WHAT: &str = "connecting to the database of a fault";
    let mut config: tokio_postgres::Config = dsn.parse().map_err(|e| refused(WHAT, &e))?;
    config
        .connect_timeout(CONNECT_WITHIN)
        .application_name(name);
    let connecting = tokio::time::timeout(CONNECT_WITHIN, config.connect(NoTls)).await;
    let (client, connection) = connecting
        .map_err(|e| refused(WHAT, &e))?
        .map_err(|e| refused(WHAT, &e))?;
    // Ends with the client, or with the server: then the next statement says so.
    tokio::spawn(connection);
    Ok(client)
}

/// Runs a statement; rows that came back or were changed.
async fn run(client: &Client, statement: &str, timeout: Duration) -> Result<u64, EngineError> {
    let what = format!("statement `{statement}`");
    let answered = tokio::time::timeout(timeout, client.simple_query(statement)).await;
    let messages = answered
        .map_err(|e| refused(&what, &e))?
        .map_err(|e| refused(&what, &e))?;
    let counted = messages.iter().map(|message| match message {
        SimpleQueryMessage::CommandComplete(rows) => *rows,
        _ => 0,
    });
    Ok(counted.sum())
}

/// Runs statements in a session of their own; in words what came of it.
///
/// # Errors
/// What the server answers.
pub async fn execute(
    dsn: &str,
    statements: &[String],
    timeout: Duration,
) -> Result<String, EngineError> {
    if statements.is_empty() {
        return Ok("its session has ended".to_owned());
    }
    let client = connect(dsn, NAME).await?;
    let mut rows = 0;
    for statement in statements {
        rows += run(&client, statement, timeout).await?;
    }
    Ok(format!("{} statements, {rows} rows", statements.len()))
}

/// Whether the first column of a query's first row is true.
///
/// # Errors
/// What the server answers.
pub async fn is_true(dsn: &str, query: &str, timeout: Duration) -> Result<bool, EngineError> {
    let what = format!("query `{query}`");
    let client = connect(dsn, NAME).await?;
    let answered = tokio::time::timeout(timeout, client.query_opt(query, &[])).await;
    let row = answered
        .map_err(|e| refused(&what, &e))?
        .map_err(|e| refused(&what, &e))?;
    Ok(row.is_some_and(|r| r.try_get::<_, bool>(0).unwrap_or(false)))
}

#[async_trait]
impl Kind for Sql {
    fn name(&self) -> &'static str {
        "sql"
    }

    fn hits_a_container(&self) -> bool {
        false
    }

    async fn undo(&self, _: Site<'_>, _: &ContainerState) -> Result<Option<Undo>, EngineError> {
        let needed = self.of.hold || !self.of.heal.is_empty();
        Ok(needed.then(|| Undo::Sql {
            dsn: self.of.dsn.clone(),
            statements: self.of.heal.clone(),
            shows: self.of.confirm.clone(),
            timeout: self.of.timeout,
        }))
    }

    async fn inject(&self, _: Site<'_>) -> Result<Effect, EngineError> {
        let client = connect(&self.of.dsn, &self.session()).await?;
        let mut state = self.state.lock().await;
        for statement in &self.of.inject {
            state.rows += run(&client, statement, self.of.timeout).await?;
        }
        state.held = self.of.hold.then_some(client);
        Ok(Effect::default())
    }

    fn lingers(&self) -> Duration {
        // A server goes on with a statement whose client is gone.
        self.of.timeout + super::AT_ONCE
    }

    async fn confirm(
        &self,
        _: Site<'_>,
        _: &ContainerState,
    ) -> Result<Option<String>, EngineError> {
        if let Some(query) = &self.of.confirm {
            let shows = is_true(&self.of.dsn, query, self.of.timeout).await?;
            return Ok(shows.then(|| format!("`{query}` is true")));
        }
        if self.of.hold {
            let locks = self.locks().await?;
            return Ok((locks > 0).then(|| format!("its session holds {locks} locks")));
        }
        let rows = self.state.lock().await.rows;
        Ok((rows > 0).then(|| format!("{rows} rows")))
    }

    async fn heal(&self, _: Site<'_>, _: &Undo) -> Result<Effect, EngineError> {
        let held = self.state.lock().await.held.take();
        let was_held = held.is_some();
        drop(held);
        if was_held {
            self.until_ended().await?;
        }
        let seen = execute(&self.of.dsn, &self.of.heal, self.of.timeout).await?;
        let effect = Effect {
            seen: Some(seen),
            ..Effect::default()
        };
        Ok(effect.unless(self.of.confirm.is_some()))
    }

    async fn disarm(&self) {
        self.state.lock().await.held = None;
    }
}

impl Sql {
    /// Locks beyond those that any transaction has, as another session sees them.
    async fn locks(&self) -> Result<i64, EngineError> {
        const QUERY: &str = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
            WHERE a.application_name = $1 AND l.granted AND l.locktype <> 'virtualxid'";
        self.counted(QUERY).await
    }

    /// The server takes a moment to notice that a session has ended.
    async fn until_ended(&self) -> Result<(), EngineError> {
        const QUERY: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
        let deadline = tokio::time::Instant::now() + CONNECT_WITHIN;
        while self.counted(QUERY).await? > 0 {
            if tokio::time::Instant::now() >= deadline {
                return Err(EngineError::Refused {
                    what: "ending a session that was held".to_owned(),
                    answer: format!("the server still has it after {CONNECT_WITHIN:?}"),
                });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    async fn counted(&self, query: &str) -> Result<i64, EngineError> {
        const WHAT: &str = "looking at the sessions of a database";
        let client = connect(&self.of.dsn, NAME).await?;
        let session = self.session();
        let row = client.query_one(query, &[&session]).await;
        let row = row.map_err(|e| refused(WHAT, &e))?;
        row.try_get(0).map_err(|e| refused(WHAT, &e))
    }
}
