//! The scenario file as it is typed: serde for reading, schemars for `lbtest schema`.
//!
//! Everything is kept as text with its place; [`super::read`] gives it its meaning. Kinds are told by key
//! (`http = { … }`, `stop = { … }`), because a tagged enum reports every mistake at the file's first line.

mod application;
mod fault;
mod gate;
mod load;
mod network;
mod resources;
mod target;

pub use application::{CallTable, ExecTable, HttpFaultTable, RunProgramTable, SqlTable};
pub use fault::{
    ExternalTable, FaultTable, FlapTable, KillTable, OneOrMany, PauseKey, RepeatTable,
    RollingTable, StopTable, TargetOnly,
};
pub use gate::GateTable;
pub use load::{
    ExpectTable, HttpTable, LoadTable, PostgresTable, RequestTable, StageTable, StatementTable,
    StatusText, VariableTable,
};
pub use network::{
    BandwidthTable, DelayTable, DisconnectTable, LinkTable, LossTable, PartitionTable,
};
pub use resources::{CpuTable, FillDiskTable, FreezeProcessTable, MemoryTable, StressTable};
pub use target::{TargetKey, TargetTable};

use super::at::{At, Never, OneOf, Scalar, TableKey};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A length of time: a number and a unit, `500ms`, `5s`, `1m30s`, `2 min`. A bare number is refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("examples" = ["500ms", "5s", "1m30s"]))]
pub struct DurationText(pub String);

/// An amount of memory or disk: a number and a unit, `64MB` (10^6), `64MiB` (2^20). A bare number is refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("examples" = ["500kB", "64MB", "1GiB"]))]
pub struct SizeText(pub String);

/// A speed: a number and a unit, in bytes (`1MB/s`) or bits (`10Mbit/s`). A bare number is refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("examples" = ["1MB/s", "10Mbit/s"]))]
pub struct RateText(pub String);

/// A share in percent: `10%`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend("examples" = ["10%", "0.5%"]))]
pub struct ShareText(pub String);

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
