//! The scenario file as it is typed: serde for reading, schemars for `lbtest schema`.
//!
//! Everything is kept as text with its place; [`super::read`] gives it its meaning. Kinds are told by key
//! (`http = { … }`, `stop = { … }`), because a tagged enum reports every mistake at the file's first line.

use super::at::{At, Never, OneOf, Scalar, TableKey};
use crate::plan::Metric;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A length of time: a number and a unit, `500ms`, `5s`, `1m30s`, `2 min`. A bare number is refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("examples" = ["500ms", "5s", "1m30s"]))]
pub struct DurationText(pub String);

/// A limit: a comparison (`<=`, `<`, `>=`, `>`, `==`) and a value with its unit; `0` may stand alone.
#[derive(Debug, Clone)]
pub enum LimitText {
    /// `"<= 0.5%"`.
    Text(String),
    /// A whole number; only zero is unambiguous.
    Integer(i64),
    /// A number with a fraction: never unambiguous.
    Float(f64),
}

/// A file of the scenario format.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// Its name: letters, digits, `-` and `_`. Names the folder of the reports.
    pub name: At<String>,
    /// What it is about, in a sentence.
    pub description: Option<String>,
    /// The compose files to bring up: one, a list (merged in order), or a table. Left out: nothing is brought up.
    pub topology: Option<At<TopologyKey>>,
    /// Length, warm-up, seed.
    pub run: At<RunTable>,
    /// When a workload counts as recovered.
    pub recovery: Option<At<RecoveryTable>>,
    /// The workloads, `[[load]]`; at least one.
    #[serde(default)]
    pub load: Vec<At<LoadTable>>,
    /// The faults, `[[fault]]`.
    #[serde(default)]
    pub fault: Vec<At<FaultTable>>,
    /// Limits for the whole run: each workload, and each fault, must hold them.
    pub gate: Option<At<GateTable>>,
}

/// `topology`: a path, a list of paths, or a table.
pub type TopologyKey = OneOf<String, TopologyTable>;

/// `[topology]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct TopologyTable {
    /// Compose files, merged in this order; relative to the scenario's folder.
    pub files: At<OneOf<String>>,
    /// Compose profiles that are on.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// Compose project name. Default: what the compose file or its folder says.
    pub project: Option<At<String>>,
    /// Variables for the compose file's `${…}`, above the environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Everything must be ready within this. Default: `120s`.
    pub ready_timeout: Option<At<DurationText>>,
}

impl TableKey for TopologyTable {}

/// `[run]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct RunTable {
    /// Operations before this are not judged. Default: `5s`, or a quarter of the duration where that is less.
    pub warmup: Option<At<DurationText>>,
    /// Length of the load, warm-up included.
    pub duration: At<DurationText>,
    /// Seed of every random choice. Default: 1.
    pub seed: Option<At<u64>>,
    /// Load worker threads. Default: half of the cores.
    pub workers: Option<At<u64>>,
    /// Only observe: without a gate the verdict is then pass, not inconclusive. Default: false.
    #[serde(default)]
    pub observe: bool,
}

/// `[recovery]`, or `recovery` of a workload.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct RecoveryTable {
    /// The running error rate must stay within this. Default: `<= 1%`.
    pub error_rate: Option<At<LimitText>>,
    /// For so long. Default: `5s`.
    pub stable_for: Option<At<DurationText>>,
    /// p99 of one-second windows must be back within this. Default: from the baseline (twice, or 25 ms more).
    pub p99: Option<At<LimitText>>,
}

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

/// `[[fault]]`: exactly one of `stop`, `kill`, `pause`, `restart`, `start`, `external`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct FaultTable {
    /// Its name, unique.
    pub name: At<String>,
    /// When it is injected: time from the start of the load.
    pub at: At<DurationText>,
    /// Healed so long after the injection. Default: at the end of the run.
    pub heal_after: Option<At<DurationText>>,
    /// It comes again.
    pub repeat: Option<At<RepeatTable>>,
    /// Stop containers; healed by starting them.
    pub stop: Option<At<StopTable>>,
    /// Send a signal; healed by starting what died of it.
    pub kill: Option<At<KillTable>>,
    /// Freeze containers; healed by unfreezing them.
    pub pause: Option<At<TargetOnly>>,
    /// Stop and start at once; nothing to heal.
    pub restart: Option<At<StopTable>>,
    /// Start what does not run; healed by stopping it.
    pub start: Option<At<TargetOnly>>,
    /// Something else breaks the system; lbtest only marks the edges.
    pub external: Option<At<ExternalTable>>,
    /// Limits for what this fault costs.
    pub gate: Option<At<GateTable>>,
}

/// `repeat = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct RepeatTable {
    /// From injection to injection.
    pub every: At<DurationText>,
    /// Occurrences in all.
    pub times: At<u64>,
}

/// `stop = { … }` and `restart = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct StopTable {
    /// Whom it hits.
    pub target: At<TargetKey>,
    /// Time between the stop signal and SIGKILL. Default: the container's own.
    pub grace: Option<At<DurationText>>,
}

/// `kill = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct KillTable {
    /// Whom it hits.
    pub target: At<TargetKey>,
    /// The signal's name. Default: `SIGKILL`.
    pub signal: Option<At<String>>,
}

/// `pause = { … }` and `start = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct TargetOnly {
    /// Whom it hits.
    pub target: At<TargetKey>,
}

/// `external = {}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct ExternalTable {}

/// `target`: a service (or `service.2`), a list, or a table.
pub type TargetKey = OneOf<String, TargetTable>;

/// `target = { … }`: exactly one of `all_of`, `random`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct TargetTable {
    /// All services whose name matches this glob: `app*`.
    pub all_of: Option<At<String>>,
    /// Some of these (globs allowed), drawn by the seed, anew for each occurrence.
    pub random: Option<At<OneOf<String>>>,
    /// How many are drawn. Default: 1.
    pub count: Option<At<u64>>,
}

impl TableKey for TargetTable {}

macro_rules! gate_table {
    ($($(#[$doc:meta])* $metric:ident => $key:ident,)*) => {
        /// `[gate]`: limits. A value is a text such as `<= 0.5%`, `<= 10s`, `>= 100`.
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(inline)]
        pub struct GateTable {
            $($(#[$doc])* pub $key: Option<At<LimitText>>,)*
        }

        impl GateTable {
            /// The limits that are set, with what they limit.
            #[must_use]
            pub fn limits(&self) -> Vec<(Metric, &At<LimitText>)> {
                let all = [$((Metric::$metric, self.$key.as_ref()),)*];
                all.into_iter().filter_map(|(metric, limit)| limit.map(|l| (metric, l))).collect()
            }
        }
    };
}

gate_table! {
    /// Bad operations among all, in percent: `<= 0.5%`.
    ErrorRate => error_rate,
    /// Number of bad operations: `<= 10`.
    Bad => bad,
    /// Number of writes of unknown outcome: `== 0`.
    Unknown => unknown,
    /// Number of arrivals that found no free slot: `== 0`.
    Dropped => dropped,
    /// Median latency: `<= 20ms`.
    P50 => p50,
    /// 90th percentile of latency.
    P90 => p90,
    /// 99th percentile of latency.
    P99 => p99,
    /// 99.9th percentile of latency.
    P999 => p999,
    /// Highest latency.
    MaxLatency => max,
    /// Good operations per second: `>= 190/s`.
    Throughput => throughput,
    /// From an edge until operations succeed again: `<= 10s`.
    TimeToRecover => time_to_recover,
    /// From an edge until p99 is back.
    TimeToRecoverPerformance => time_to_recover_performance,
    /// Longest outage, whatever caused it.
    Outage => outage,
}

impl Scalar for StatusText {
    fn of_str(text: &str) -> Option<Self> {
        Some(Self::Text(text.to_owned()))
    }
    fn of_int(number: i64) -> Option<Self> {
        Some(Self::Number(number))
    }
}

/// Makes a type that is written as one of several TOML scalars readable, and gives it its schema.
macro_rules! scalar_text {
    ($type:ident, $types:tt, $examples:tt, $doc:literal, { $($visit:ident: $from:ty => $make:expr,)* }) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visit;
                impl serde::de::Visitor<'_> for Visit {
                    type Value = $type;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($doc)
                    }
                    $(fn $visit<E: serde::de::Error>(self, v: $from) -> Result<$type, E> {
                        Ok($make(v.to_owned()))
                    })*
                }
                deserializer.deserialize_any(Visit)
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": $types, "description": $doc, "examples": $examples })
            }
        }
    };
}

scalar_text!(LimitText, ["string", "number"], ["<= 0.5%", "<= 10s", ">= 100"], "a comparison and a value with its unit", {
    visit_str: &str => LimitText::Text,
    visit_i64: i64 => LimitText::Integer,
    visit_f64: f64 => LimitText::Float,
});

scalar_text!(StatusText, ["string", "integer"], [200, "2xx", "200-204"], "a status, a class or a range", {
    visit_str: &str => StatusText::Text,
    visit_i64: i64 => StatusText::Number,
});

/// The JSON Schema of a scenario file.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    let settings =
        schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<ScenarioFile>();
    schema.insert("title".to_owned(), "lbtest scenario".into());
    schema.to_value()
}

/// `OneOf<String>` deserializes a table into this, which no table is.
const _: fn(Never) = |never| match never {};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_key_in_the_gate_table() {
        let text: String = Metric::ALL
            .iter()
            .map(|(_, key)| format!("{key} = 0\n"))
            .collect();
        let table: GateTable = toml::from_str(&text).unwrap();
        let metrics: Vec<Metric> = table.limits().into_iter().map(|(m, _)| m).collect();
        assert_eq!(metrics, Metric::ALL.map(|(m, _)| m));
    }
}
