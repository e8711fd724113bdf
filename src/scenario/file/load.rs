//! `[[load]]` as it is typed.

use super::super::at::{At, OneOf};
use super::{DurationText, GateTable, RecoveryTable};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// `[[load]]`: exactly one of `rate`, `stages`, `users`, and one of `http`, `postgres`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct LoadTable {
    /// Its name, unique.
    pub name: At<String>,
    /// Open loop: arrivals per second.
    pub rate: Option<At<f64>>,
    /// Open loop whose rate changes: stages that follow each other; the last one holds until the end.
    pub stages: Option<At<Vec<At<StageTable>>>>,
    /// Open loop: `even` (default) or `poisson` gaps.
    pub arrivals: Option<At<String>>,
    /// Closed loop: so many users, each waits for its answer.
    pub users: Option<At<u64>>,
    /// Closed loop: pause between an answer and the next operation. Default: none.
    pub think: Option<At<DurationText>>,
    /// Open loop: at most so many operations at once, further arrivals are dropped. Default: highest rate × time-out, 64 to 10000.
    pub max_in_flight: Option<At<u64>>,
    /// Its own recovery limits; keys left out are those of `[recovery]`.
    pub recovery: Option<At<RecoveryTable>>,
    /// Limits for this workload alone.
    pub gate: Option<At<GateTable>>,
    /// HTTP requests.
    pub http: Option<At<HttpTable>>,
    /// PostgreSQL statements.
    pub postgres: Option<At<PostgresTable>>,
}

/// One stage: `{ rate, for }` or `{ from, to, for }`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct StageTable {
    /// Arrivals per second, constant.
    pub rate: Option<At<f64>>,
    /// Arrivals per second at its start.
    pub from: Option<At<f64>>,
    /// Arrivals per second at its end.
    pub to: Option<At<f64>>,
    /// Its length. May be left out in the last stage.
    #[serde(rename = "for")]
    pub length: Option<At<DurationText>>,
}

/// `http = { … }`. `{name}` in paths, header values and bodies stands for a variable.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct HttpTable {
    /// Absolute URL. With `requests`: what their URLs are relative to.
    pub url: Option<At<String>>,
    /// Method. Default: `GET`.
    pub method: Option<At<String>>,
    /// Header fields. With `requests`: of all of them.
    #[serde(default)]
    pub headers: BTreeMap<String, At<String>>,
    /// Request body.
    pub body: Option<At<String>>,
    /// Whether it writes (an answer that never came is then "unknown"). Default: POST, PUT, PATCH, DELETE do.
    pub write: Option<At<bool>>,
    /// Time-out for one operation, connecting included. Default: `5s`.
    pub timeout: Option<At<DurationText>>,
    /// Time-out for a connection. Default: `1s`, at most the time-out.
    pub connect_timeout: Option<At<DurationText>>,
    /// Reuse connections. Default: true.
    pub keep_alive: Option<bool>,
    /// HTTP/2 (by ALPN over TLS, with prior knowledge without). Default: false.
    #[serde(default)]
    pub http2: bool,
    /// CA certificate (PEM) to trust instead of the system's, relative to the scenario's folder.
    pub ca: Option<At<String>>,
    /// Answer's header that names the instance. Default: `X-Instance`.
    pub instance_header: Option<At<String>>,
    /// Every request carries a `traceparent` header with a trace id of its own (W3C Trace Context). Default: false.
    #[serde(default)]
    pub traceparent: bool,
    /// What a good answer is. With `requests`: of all that do not say otherwise.
    pub expect: Option<At<ExpectTable>>,
    /// Several requests, chosen by weight.
    pub requests: Option<At<Vec<At<RequestTable>>>>,
    /// Variables.
    #[serde(default)]
    pub vars: BTreeMap<String, At<VariableTable>>,
}

/// One of several requests.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct RequestTable {
    /// Absolute, or a path relative to the workload's `url`. All requests go to one origin.
    pub url: At<String>,
    /// Method. Default: `GET`.
    pub method: Option<At<String>>,
    /// Header fields, above those of the workload.
    #[serde(default)]
    pub headers: BTreeMap<String, At<String>>,
    /// Request body.
    pub body: Option<At<String>>,
    /// Whether it writes. Default: by method.
    pub write: Option<At<bool>>,
    /// Its share among the requests. Default: 1.
    pub weight: Option<At<u64>>,
    /// What a good answer is.
    pub expect: Option<At<ExpectTable>>,
}

/// `expect = { … }`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct ExpectTable {
    /// `200`, `"2xx"`, `"200-299"`, or a list of these. Default: `"2xx"`.
    pub status: Option<At<OneOf<StatusText>>>,
    /// Text that the body must contain.
    pub body: Option<String>,
}

/// A status, a class of statuses (`2xx`) or a range (`200-204`).
#[derive(Debug, Clone)]
pub enum StatusText {
    /// `200`.
    Number(i64),
    /// `"2xx"`, `"200-204"`.
    Text(String),
}

/// `postgres = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct PostgresTable {
    /// `postgres://user:password@host:port/database`; `${NAME}` and `${NAME:-default}` come from the environment.
    pub dsn: At<String>,
    /// SQL with `$1`, `$2`, … for parameters.
    pub query: Option<At<String>>,
    /// Parameters as text; `{name}` stands for a variable.
    pub params: Option<At<Vec<At<String>>>>,
    /// Whether it writes. Default: by its first word.
    pub write: Option<At<bool>>,
    /// Rows that must come back, or be affected.
    pub expect_rows: Option<At<u64>>,
    /// Time-out for one operation. Default: `5s`.
    pub timeout: Option<At<DurationText>>,
    /// Time-out for a connection. Default: `1s`, at most the time-out.
    pub connect_timeout: Option<At<DurationText>>,
    /// A connection is made anew after this: pools never rebalance without. Default: never.
    pub connection_lifetime: Option<At<DurationText>>,
    /// A new connection for every operation. Default: false.
    #[serde(default)]
    pub reconnect: bool,
    /// Query whose first column names the instance, run once per connection.
    pub instance_query: Option<At<String>>,
    /// Several statements, chosen by weight.
    pub statements: Option<At<Vec<At<StatementTable>>>>,
    /// Variables.
    #[serde(default)]
    pub vars: BTreeMap<String, At<VariableTable>>,
}

/// One of several statements.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct StatementTable {
    /// SQL with `$1`, `$2`, … for parameters.
    pub query: At<String>,
    /// Parameters as text; `{name}` stands for a variable.
    pub params: Option<At<Vec<At<String>>>>,
    /// Whether it writes. Default: by its first word.
    pub write: Option<At<bool>>,
    /// Rows that must come back, or be affected.
    pub expect_rows: Option<At<u64>>,
    /// Its share among the statements. Default: 1.
    pub weight: Option<At<u64>>,
}

/// A variable: exactly one of `sequence`, `random`, `choice`, `csv`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct VariableTable {
    /// Whole numbers, one after the other, from this one on.
    pub sequence: Option<At<u64>>,
    /// A random whole number: `[lowest, highest]`.
    pub random: Option<At<Vec<i64>>>,
    /// One of these texts.
    pub choice: Option<At<Vec<String>>>,
    /// A CSV file with a header line, relative to the scenario's folder.
    pub csv: Option<At<String>>,
    /// The column of the CSV file.
    pub column: Option<At<String>>,
}
