//! `postgres = { … }`.

use super::at::At;
use super::check::Check;
use super::file::PostgresTable;
use super::http::timeouts;
use super::variables::Variables;
use super::{PostgresSpec, Statement};
use std::collections::BTreeSet;
use tokio_postgres::config::{LoadBalanceHosts, SslMode, TargetSessionAttrs};

/// Reads the PostgreSQL client of a workload.
pub fn read(check: &mut Check<'_>, postgres: &At<PostgresTable>) -> Option<PostgresSpec> {
    let dsn = dsn(check, &postgres.dsn).filter(|text| names_the_host(check, &postgres.dsn, text));
    let mut variables = Variables::new(&postgres.vars);
    let statements = statements(check, postgres, &mut variables);
    let variables = variables.finish(check);
    let (timeout, connect_timeout) = timeouts(
        check,
        postgres.timeout.as_ref(),
        postgres.connect_timeout.as_ref(),
    );
    let connection_lifetime =
        check.positive("connection_lifetime", postgres.connection_lifetime.as_ref());
    if let (Some(at), true) = (&postgres.connection_lifetime, postgres.reconnect) {
        check.wrong(
            &at.span,
            "`connection_lifetime` means nothing with `reconnect`",
            "every operation has its own connection; remove one",
        );
    }
    if let Some(query) = postgres
        .instance_query
        .as_ref()
        .filter(|q| q.trim().is_empty())
    {
        check.wrong(
            &query.span,
            "`instance_query` is empty",
            "for example: \"select inet_server_addr()::text\"",
        );
    }
    Some(PostgresSpec {
        dsn: dsn?,
        statements: statements?,
        timeout,
        connect_timeout,
        connection_lifetime,
        reconnect: postgres.reconnect,
        instance_query: postgres.instance_query.as_ref().map(|q| q.value.clone()),
        variables: variables?,
    })
}

/// Whether a workload can do what its DSN asks for: choosing among hosts is done by the library's own way to connect, which is
/// not how workloads connect.
fn names_the_host(check: &mut Check<'_>, dsn: &At<String>, text: &str) -> bool {
    let Ok(config) = text.parse::<tokio_postgres::Config>() else {
        return false;
    };
    let chooses = config.get_target_session_attrs() != TargetSessionAttrs::Any
        || config.get_load_balance_hosts() != LoadBalanceHosts::Disable;
    if chooses {
        check.wrong(
            &dsn.span,
            "the DSN asks for target_session_attrs or load_balance_hosts, which a workload does not follow",
            "name the host that is meant: which one serves is what a failover test looks at",
        );
    }
    !chooses
}

/// A DSN with the environment's values. What is wrong with it is told without a part of it.
pub fn dsn(check: &mut Check<'_>, dsn: &At<String>) -> Option<String> {
    let text = check.interpolated(dsn)?;
    // The parser's own words could quote a part of a password; only its verdict is used.
    let config = text.parse::<tokio_postgres::Config>();
    if let Ok(config) = config
        && !config.get_hosts().is_empty()
    {
        if !matches!(config.get_ssl_mode(), SslMode::Disable | SslMode::Prefer) {
            check.wrong(
                &dsn.span,
                "the DSN asks for TLS, which lbtest does not speak with PostgreSQL yet",
                "use sslmode=disable or sslmode=prefer (connections are in clear text)",
            );
            return None;
        }
        return Some(text);
    }
    check.wrong(
        &dsn.span,
        "the DSN cannot be read",
        "write it like postgres://user:${PASSWORD}@127.0.0.1:5432/database (special characters of a password as %40, %2F, …)",
    );
    None
}

struct Parts<'t> {
    query: &'t At<String>,
    params: Option<&'t At<Vec<At<String>>>>,
    write: Option<bool>,
    expect_rows: Option<u64>,
    weight: Option<&'t At<u64>>,
}

fn statements(
    check: &mut Check<'_>,
    table: &At<PostgresTable>,
    variables: &mut Variables<'_>,
) -> Option<Vec<Statement>> {
    let Some(list) = &table.statements else {
        let Some(query) = &table.query else {
            check.wrong(
                &table.span,
                "`postgres` lacks `query`",
                "say what to ask: query = \"SELECT 1\"",
            );
            return None;
        };
        let (write, expect_rows) = (
            table.write.as_ref().map(|w| w.value),
            table.expect_rows.as_ref().map(|r| r.value),
        );
        let parts = Parts {
            query,
            params: table.params.as_ref(),
            write,
            expect_rows,
            weight: None,
        };
        return Some(vec![statement(check, &parts, variables)?]);
    };
    let alone = [
        table.query.as_ref().map(|q| ("query", &q.span)),
        table.params.as_ref().map(|p| ("params", &p.span)),
        table.write.as_ref().map(|w| ("write", &w.span)),
        table.expect_rows.as_ref().map(|r| ("expect_rows", &r.span)),
    ];
    for (key, span) in alone.into_iter().flatten() {
        check.wrong(
            span,
            format!("`{key}` beside `statements` means nothing"),
            "put it into the statements it belongs to",
        );
    }
    if list.is_empty() {
        check.wrong(
            &list.span,
            "`statements` is empty",
            "give at least one: statements = [{ query = \"SELECT 1\" }]",
        );
        return None;
    }
    let mut found = Vec::new();
    for entry in list.iter() {
        let (write, expect_rows) = (
            entry.write.as_ref().map(|w| w.value),
            entry.expect_rows.as_ref().map(|r| r.value),
        );
        let parts = Parts {
            query: &entry.query,
            params: entry.params.as_ref(),
            write,
            expect_rows,
            weight: entry.weight.as_ref(),
        };
        found.push(statement(check, &parts, variables));
    }
    found.into_iter().collect()
}

fn statement(
    check: &mut Check<'_>,
    parts: &Parts<'_>,
    variables: &mut Variables<'_>,
) -> Option<Statement> {
    let params: &[At<String>] = parts.params.map_or(&[], |p| &p.value);
    params.iter().for_each(|p| variables.uses(check, p));
    let weight = match parts.weight {
        None => Some(1),
        given => check
            .within("weight", given, 1, 1_000_000)
            .and_then(|w| u32::try_from(w).ok()),
    };
    if parts.query.trim().is_empty() || parts.query.contains('\0') {
        check.wrong(
            &parts.query.span,
            "the query is empty or holds a NUL",
            "give an SQL statement: \"SELECT 1\"",
        );
        return None;
    }
    let used = placeholders(parts.query);
    let highest = used.last().copied().unwrap_or(0);
    let given = params.len();
    if highest != given {
        let span = parts.params.map_or(&parts.query.span, |p| &p.span);
        let message = format!("the query uses {highest} parameters, `params` gives {given}");
        check.wrong(
            span,
            message,
            "there must be one of `params` for each of $1, $2, …",
        );
        return None;
    }
    if let Some(missing) = (1..=highest).find(|n| !used.contains(n)) {
        check.wrong(
            &parts.query.span,
            format!("the query does not use ${missing}"),
            "PostgreSQL cannot tell the type of a parameter that is not used",
        );
        return None;
    }
    Some(Statement {
        query: parts.query.value.clone(),
        parameters: params.iter().map(|p| p.value.clone()).collect(),
        weight: weight?,
        write: parts.write.unwrap_or_else(|| writes(parts.query)),
        expect_rows: parts.expect_rows,
    })
}

/// Whether a statement writes, by its first word.
#[must_use]
pub fn writes(query: &str) -> bool {
    let word: String = query
        .trim_start()
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .collect();
    ["INSERT", "UPDATE", "DELETE", "MERGE", "CALL"]
        .iter()
        .any(|w| w.eq_ignore_ascii_case(&word))
}

/// The numbers of the `$n` of a statement, outside of texts, quoted names and comments.
/// Source: PostgreSQL manual, 4.1 Lexical Structure (nested block comments and dollar quotes among it).
fn placeholders(query: &str) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut rest = query;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\'' | '"' => past(after, if c == '"' { "\"" } else { "'" }),
            '-' if after.starts_with('-') => past(after, "\n"),
            '/' if after.starts_with('*') => past(after, "*/"),
            '$' => dollar(after, &mut found),
            c if c.is_alphanumeric() || c == '_' => {
                // A `$` within a name is part of the name.
                after.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_' || c == '$')
            }
            _ => after,
        };
    }
    found
}

fn past<'q>(text: &'q str, end: &str) -> &'q str {
    text.find(end).map_or("", |i| &text[i + end.len()..])
}

fn dollar<'q>(after: &'q str, found: &mut BTreeSet<usize>) -> &'q str {
    let digits = after
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(after.len());
    if digits > 0 {
        // More than 65535 parameters cannot be sent.
        found.extend(after[..digits].parse::<u16>().ok().map(usize::from));
        return &after[digits..];
    }
    let tag = after
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(after.len());
    match after[tag..].strip_prefix('$') {
        Some(body) => past(body, &format!("${}$", &after[..tag])),
        None => after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_count_only_where_the_server_counts_them() {
        let of = |q| placeholders(q).into_iter().collect::<Vec<_>>();
        assert_eq!(of("SELECT $1, $2::int WHERE a=$1"), [1, 2]);
        assert_eq!(of("SELECT '$1', \"$2\", a$3 -- $4\n, $5 /* $6 */"), [5]);
        assert_eq!(of("SELECT $$ $1 $$, $x$ $2 $x$, 'it''s $3', $4"), [4]);
        assert_eq!(of("SELECT $99999999999999999999, 'open"), [] as [usize; 0]);
    }

    #[test]
    fn writes_are_told_by_the_first_word() {
        assert!(writes("  insert into t values (1)"));
        assert!(!writes("select 'insert'"));
        assert!(!writes("inserted"));
    }
}
