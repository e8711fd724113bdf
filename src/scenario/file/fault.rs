//! `[[fault]]` as it is typed.

use super::super::at::{At, OneOf, TableKey};
use super::{DurationText, GateTable};
use schemars::JsonSchema;
use serde::Deserialize;

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
