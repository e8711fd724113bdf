//! The scenario that a command line stands for: typed values, written by the TOML library, so that nothing that was typed
//! can be taken for TOML.

use super::args::{Bench, Http, Postgres};
use crate::cli::failure::Failure;
use crate::plan::Metric;
use crate::source::nearest;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Name of the scenario and of its one workload.
pub const NAME: &str = "bench";
/// Users where neither `--users` nor `--rate` says otherwise: what wrk and oha take, or near it.
const USERS: u64 = 50;

#[derive(Serialize)]
struct Document {
    name: &'static str,
    run: Run,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    gate: BTreeMap<&'static str, String>,
    load: [Load; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
struct Run {
    warmup: String,
    duration: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workers: Option<u64>,
    #[serde(skip_serializing_if = "is_false")]
    observe: bool,
}

#[derive(Serialize)]
struct Load {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arrivals: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_in_flight: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<HttpTable>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postgres: Option<PostgresTable>,
}

#[derive(Serialize)]
struct HttpTable {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    write: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_alive: Option<bool>,
    #[serde(skip_serializing_if = "is_false")]
    http2: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<Expect>,
}

#[derive(Serialize)]
struct Expect {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    status: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Serialize)]
struct PostgresTable {
    dsn: String,
    query: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<String>,
    #[serde(skip_serializing_if = "is_false")]
    write: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expect_rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_lifetime: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    reconnect: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_query: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_false(value: &bool) -> bool {
    !value
}

fn usage(message: impl Into<String>, help: impl Into<String>) -> Failure {
    Failure::Usage {
        message: message.into(),
        help: help.into(),
    }
}

/// The text of the scenario. `env` is the environment.
///
/// # Errors
/// An option that cannot be put into a scenario, or not into one for such a target.
pub fn text(args: &Bench, env: &BTreeMap<String, String>) -> Result<String, Failure> {
    let (mut http, mut postgres) = (None, None);
    match args.target.split_once("://").map(|(scheme, _)| scheme) {
        Some("http" | "https") => {
            misplaced("an URL", &given_for_dsn(&args.postgres))?;
            http = Some(http_table(args)?);
        }
        Some("postgres" | "postgresql") => {
            misplaced("a DSN", &given_for_url(&args.http))?;
            postgres = Some(postgres_table(args, env)?);
        }
        // Not quoted: whatever it is, a password may be in it.
        Some(_) | None => {
            return Err(usage(
                "TARGET is neither an URL nor a DSN",
                "write it like http://127.0.0.1:8080/ or postgres://user@127.0.0.1:5432/database",
            ));
        }
    }
    let open = args.rate.is_some();
    let gate = gates(&args.gate)?;
    let document = Document {
        name: NAME,
        run: Run {
            warmup: args.warmup.clone(),
            duration: args.duration.clone(),
            seed: args.seed,
            workers: args.workers,
            observe: gate.is_empty(),
        },
        gate,
        load: [Load {
            name: NAME,
            users: (!open).then(|| args.users.unwrap_or(USERS)),
            rate: args.rate,
            arrivals: args.poisson.then_some("poisson"),
            max_in_flight: args.max_in_flight,
            http,
            postgres,
        }],
    };
    toml::to_string_pretty(&document).map_err(|e| {
        usage(
            format!("the options cannot be put into a scenario: {e}"),
            "numbers above 2^63 cannot",
        )
    })
}

fn misplaced(target: &str, given: &[(&str, bool)]) -> Result<(), Failure> {
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => {
            let other = if target == "an URL" {
                "a DSN"
            } else {
                "an URL"
            };
            Err(usage(
                format!("{option} means nothing for {target}"),
                format!("it goes with {other}; remove it, or correct TARGET"),
            ))
        }
    }
}

fn given_for_dsn(postgres: &Postgres) -> [(&'static str, bool); 6] {
    [
        ("--query", postgres.query.is_some()),
        ("--parameter", !postgres.parameter.is_empty()),
        ("--expect-rows", postgres.expect_rows.is_some()),
        ("--reconnect", postgres.reconnect),
        (
            "--connection-lifetime",
            postgres.connection_lifetime.is_some(),
        ),
        ("--instance-query", postgres.instance_query.is_some()),
    ]
}

fn given_for_url(http: &Http) -> [(&'static str, bool); 8] {
    [
        ("--method", http.method.is_some()),
        ("--header", !http.header.is_empty()),
        ("--body", http.body.is_some()),
        ("--expect-status", !http.expect_status.is_empty()),
        ("--expect-body", http.expect_body.is_some()),
        ("--http2", http.http2),
        ("--no-keep-alive", http.no_keep_alive),
        ("--ca-file", http.ca_file.is_some()),
    ]
}

fn http_table(args: &Bench) -> Result<HttpTable, Failure> {
    let http = &args.http;
    let body = match http.body.as_deref().map(|b| (b.strip_prefix('@'), b)) {
        None => None,
        Some((None, text)) => Some(text.to_owned()),
        Some((Some(path), _)) => Some(crate::source::read_text(Path::new(path)).map_err(|e| {
            usage(
                format!("--body: cannot read {path}: {e}"),
                "after @ stands the path of a text file (UTF-8)",
            )
        })?),
    };
    // Absolute, so that the scenario that is printed may be stored anywhere.
    let ca = match &http.ca_file {
        None => None,
        Some(path) => {
            let whole = std::path::absolute(path)
                .map_err(|e| usage(format!("--ca-file: {e}"), "give the path of a PEM file"))?;
            Some(whole.display().to_string())
        }
    };
    let expected = !http.expect_status.is_empty() || http.expect_body.is_some();
    Ok(HttpTable {
        url: args.target.clone(),
        method: http.method.clone(),
        body,
        write: args.write,
        timeout: args.timeout.clone(),
        connect_timeout: args.connect_timeout.clone(),
        keep_alive: http.no_keep_alive.then_some(false),
        http2: http.http2,
        ca,
        headers: headers(&http.header)?,
        expect: expected.then(|| Expect {
            status: http.expect_status.clone(),
            body: http.expect_body.clone(),
        }),
    })
}

fn headers(typed: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut found = BTreeMap::new();
    for header in typed {
        // Not quoted: it may hold a secret.
        let Some((name, value)) = header.split_once(':') else {
            return Err(usage(
                "--header: a header has a name and a value",
                "write it like -H 'Accept: application/json'",
            ));
        };
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        let twice = found.keys().any(|n: &String| n.eq_ignore_ascii_case(&name));
        if twice {
            return Err(usage(
                format!("--header: `{}` is given twice", name.escape_debug()),
                "join its values with a comma",
            ));
        }
        found.insert(name, value);
    }
    Ok(found)
}

fn postgres_table(args: &Bench, env: &BTreeMap<String, String>) -> Result<PostgresTable, Failure> {
    let postgres = &args.postgres;
    let Some(query) = &postgres.query else {
        return Err(usage(
            "--query is missing: a DSN says where, not what",
            "say what to ask: --query 'SELECT 1'",
        ));
    };
    Ok(PostgresTable {
        dsn: with_password(&args.target, env),
        query: query.clone(),
        params: postgres.parameter.clone(),
        write: args.write,
        expect_rows: postgres.expect_rows,
        timeout: args.timeout.clone(),
        connect_timeout: args.connect_timeout.clone(),
        connection_lifetime: postgres.connection_lifetime.clone(),
        reconnect: postgres.reconnect,
        instance_query: postgres.instance_query.clone(),
    })
}

/// The environment variable that PostgreSQL's own clients take a password from.
const PGPASSWORD: &str = "PGPASSWORD";

/// A DSN that has no password gets that of the environment: as a reference to it, or, where its characters would mean
/// something in a DSN, encoded.
fn with_password(dsn: &str, env: &BTreeMap<String, String>) -> String {
    let lacks = dsn
        .parse::<tokio_postgres::Config>()
        .is_ok_and(|c| c.get_password().is_none());
    let Some(password) = env.get(PGPASSWORD).filter(|p| lacks && !p.is_empty()) else {
        return dsn.to_owned();
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let written = if password.bytes().all(plain) {
        format!("${{{PGPASSWORD}}}")
    } else {
        url::form_urlencoded::byte_serialize(password.as_bytes())
            .collect::<String>()
            .replace('+', "%20")
    };
    let sign = if dsn.contains('?') { '&' } else { '?' };
    format!("{dsn}{sign}password={written}")
}

fn gates(typed: &[String]) -> Result<BTreeMap<&'static str, String>, Failure> {
    let mut found = BTreeMap::new();
    for gate in typed {
        let text = gate.trim();
        let end = text
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(text.len());
        let (name, limit) = (&text[..end], text[end..].trim());
        let Some((metric, key)) = Metric::ALL.iter().find(|(_, key)| *key == name) else {
            let known = || Metric::ALL.iter().map(|(_, key)| *key);
            let help = match nearest(name, known()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", known().collect::<Vec<_>>().join(", ")),
            };
            let message = format!("--gate: there is no metric `{}`", name.escape_debug());
            return Err(usage(message, help));
        };
        if found.insert(*key, limit.to_owned()).is_some() {
            return Err(usage(
                format!("--gate: `{}` is limited twice", metric.key()),
                "a metric has one limit; keep one",
            ));
        }
    }
    Ok(found)
}
