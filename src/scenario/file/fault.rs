//! `[[fault]]` as it is typed: its name, its times, its composites, and the kinds that stop and start containers.

use super::super::at::{At, OneOf};
use super::{BandwidthTable, DelayTable, LossTable};
use super::{
    CpuTable, DisconnectTable, DurationText, ExecTable, FillDiskTable, FreezeProcessTable,
    GateTable, HttpFaultTable, LinkTable, MemoryTable, PartitionTable, RunProgramTable, SqlTable,
    StressTable, TargetKey,
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::ops::Range;

/// `[[fault]]`: exactly one kind (`stop`, `kill`, …), or one of `sequence` and `parallel`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct FaultTable {
    /// Its name, unique.
    pub name: At<String>,
    /// When it is injected: time from the start of the load. Not for members of a `sequence` or `parallel`.
    pub at: Option<At<DurationText>>,
    /// Healed so long after the injection. Default: at the end of the run.
    pub heal_after: Option<At<DurationText>>,
    /// It comes again.
    pub repeat: Option<At<RepeatTable>>,
    /// It comes and goes, quickly: `repeat` and `heal_after` in one.
    pub flap: Option<At<FlapTable>>,
    /// It hits the containers of its target one after the other; each must be healed before the next one is hit.
    pub rolling: Option<At<RollingTable>>,
    /// Stop containers; healed by starting them.
    pub stop: Option<At<StopTable>>,
    /// Send a signal; healed by starting what died of it.
    pub kill: Option<At<KillTable>>,
    /// Freeze containers: pause = { target = "app1" }; healed by unfreezing them. Beside `sequence`: time between its members.
    pub pause: Option<At<PauseKey>>,
    /// Stop and start at once; nothing to heal.
    pub restart: Option<At<StopTable>>,
    /// Start what does not run; healed by stopping it.
    pub start: Option<At<TargetOnly>>,
    /// Take containers off their networks; healed by connecting them with the same names and addresses.
    pub disconnect: Option<At<DisconnectTable>>,
    /// Let no packet pass between two groups.
    pub partition: Option<At<PartitionTable>>,
    /// Let packets wait.
    pub delay: Option<At<DelayTable>>,
    /// Let a share of the packets vanish.
    pub loss: Option<At<LossTable>>,
    /// Let packets go no faster than this.
    pub bandwidth: Option<At<BandwidthTable>>,
    /// Break the TCP connections that exist; nothing to heal.
    pub reset_connections: Option<At<LinkTable>>,
    /// Give a container less CPU; healed by its former limit.
    pub cpu: Option<At<CpuTable>>,
    /// Give a container less memory; healed by its former limit.
    pub memory: Option<At<MemoryTable>>,
    /// Use up CPU, memory or disk time within a container's limits.
    pub stress: Option<At<StressTable>>,
    /// Fill a folder's file system.
    pub fill_disk: Option<At<FillDiskTable>>,
    /// Let some processes of a container stand still; healed by letting them go on.
    pub freeze_process: Option<At<FreezeProcessTable>>,
    /// Send a request that breaks something.
    pub http: Option<At<HttpFaultTable>>,
    /// Run a program in a container.
    pub exec: Option<At<ExecTable>>,
    /// Run a program on this machine.
    pub command: Option<At<RunProgramTable>>,
    /// Run statements in a PostgreSQL database.
    pub sql: Option<At<SqlTable>>,
    /// Something else breaks the system; lbtest only marks the edges.
    pub external: Option<At<ExternalTable>>,
    /// Other faults, by name, one after the other: each begins when the one before is healed.
    pub sequence: Option<At<Vec<At<String>>>>,
    /// Other faults, by name, at once.
    pub parallel: Option<At<Vec<At<String>>>>,
    /// Limits for what this fault costs.
    pub gate: Option<At<GateTable>>,
}

impl FaultTable {
    /// What it does: the keys that are given, with their places, in the order of the file. `pause` beside `sequence` is
    /// a time and not counted.
    pub fn does(&self) -> Vec<(&'static str, Range<usize>)> {
        fn given<T>(key: &'static str, at: Option<&At<T>>) -> Option<(&'static str, Range<usize>)> {
            at.map(|at| (key, at.span.clone()))
        }
        let frozen = match &self.pause {
            Some(At {
                span,
                value: PauseKey::Containers(_),
            }) => Some(("pause", span.clone())),
            Some(_) | None => None,
        };
        let all = [
            given("stop", self.stop.as_ref()),
            given("kill", self.kill.as_ref()),
            frozen,
            given("restart", self.restart.as_ref()),
            given("start", self.start.as_ref()),
            given("disconnect", self.disconnect.as_ref()),
            given("partition", self.partition.as_ref()),
            given("delay", self.delay.as_ref()),
            given("loss", self.loss.as_ref()),
            given("bandwidth", self.bandwidth.as_ref()),
            given("reset_connections", self.reset_connections.as_ref()),
            given("cpu", self.cpu.as_ref()),
            given("memory", self.memory.as_ref()),
            given("stress", self.stress.as_ref()),
            given("fill_disk", self.fill_disk.as_ref()),
            given("freeze_process", self.freeze_process.as_ref()),
            given("http", self.http.as_ref()),
            given("exec", self.exec.as_ref()),
            given("command", self.command.as_ref()),
            given("sql", self.sql.as_ref()),
            given("external", self.external.as_ref()),
            given("sequence", self.sequence.as_ref()),
            given("parallel", self.parallel.as_ref()),
        ];
        let mut found: Vec<_> = all.into_iter().flatten().collect();
        found.sort_by_key(|(_, span)| span.start);
        found
    }

    /// Whether it only orders other faults.
    pub fn is_composite(&self) -> bool {
        self.sequence.is_some() || self.parallel.is_some()
    }
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

/// `flap = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct FlapTable {
    /// From injection to injection.
    pub period: At<DurationText>,
    /// Occurrences in all.
    pub times: At<u64>,
    /// The part of the period that it is broken for, between 0 and 1. Default: 0.5.
    pub duty: Option<At<f64>>,
}

/// `rolling = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct RollingTable {
    /// From the heal of one to the injection of the next. Default: none.
    pub pause: Option<At<DurationText>>,
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

/// `pause` is a kind of fault (a table), and the time between the members of a sequence (a text).
#[derive(Debug)]
pub enum PauseKey {
    /// `pause = { target = … }`.
    Containers(Box<TargetOnly>),
    /// `pause = "2s"`.
    Time(DurationText),
}

struct PauseVisitor;

impl<'de> serde::de::Visitor<'de> for PauseVisitor {
    type Value = PauseKey;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a table with `target`, or a length of time")
    }

    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<PauseKey, E> {
        Ok(PauseKey::Time(DurationText(v.to_owned())))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<PauseKey, A::Error> {
        TargetOnly::deserialize(serde::de::value::MapAccessDeserializer::new(map))
            .map(|table| PauseKey::Containers(Box::new(table)))
    }
}

impl<'de> Deserialize<'de> for PauseKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PauseVisitor)
    }
}

impl JsonSchema for PauseKey {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PauseKey".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        super::super::at::any_of(vec![
            generator.subschema_for::<TargetOnly>(),
            generator.subschema_for::<DurationText>(),
        ])
    }
}

/// Either one text or a list of them.
pub type OneOrMany = OneOf<String>;
