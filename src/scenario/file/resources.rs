//! Faults of a container's resources as they are typed.

use super::super::at::At;
use super::{SizeText, TargetKey};
use schemars::JsonSchema;
use serde::Deserialize;

/// `cpu = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct CpuTable {
    /// Whom it hits.
    pub target: At<TargetKey>,
    /// So many CPUs; 0.5 is half of one.
    pub limit: At<f64>,
}

/// `memory = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct MemoryTable {
    /// Whom it hits.
    pub target: At<TargetKey>,
    /// So much memory.
    pub limit: At<SizeText>,
}

/// `stress = { … }`: at least one of `cpu`, `memory`, `io`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct StressTable {
    /// Whom it hits.
    pub target: At<TargetKey>,
    /// So many processes that compute.
    pub cpu: Option<At<u64>>,
    /// So much memory is taken and touched.
    pub memory: Option<At<SizeText>>,
    /// So many processes that write and sync.
    pub io: Option<At<u64>>,
}

/// `fill_disk = { … }`: at least one of `size`, `leave`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct FillDiskTable {
    /// Whom it hits.
    pub target: At<TargetKey>,
    /// A folder in the container, absolute.
    pub path: At<String>,
    /// At most so much is written. Default: `10GB`.
    pub size: Option<At<SizeText>>,
    /// So much is left free. Default: nothing.
    pub leave: Option<At<SizeText>>,
}

/// `freeze_process = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct FreezeProcessTable {
    /// Whom it hits.
    pub target: At<TargetKey>,
    /// A glob over the name or the whole command line of a process: `postgres: walreceiver*`.
    pub process: At<String>,
}
