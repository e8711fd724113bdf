//! Faults of the network as they are typed.

use super::super::at::At;
use super::{DurationText, RateText, ShareText, TargetKey};
use schemars::JsonSchema;
use serde::Deserialize;

/// `disconnect = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct DisconnectTable {
    /// Whom it hits.
    pub target: At<TargetKey>,
    /// Keys of compose networks. Default: all of the service's.
    pub networks: Option<At<Vec<At<String>>>>,
}

/// `partition = { … }`: exactly one of `between`, `isolate`, `minority_of`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct PartitionTable {
    /// Two groups, each a target: between = ["db-master", "db-slave*"].
    pub between: Option<At<Vec<At<TargetKey>>>>,
    /// This group from everybody, the outside included.
    pub isolate: Option<At<TargetKey>>,
    /// Fewer than half of these, drawn by the seed, from the rest of them.
    pub minority_of: Option<At<TargetKey>>,
    /// Which packets are stopped: `both` (default), `to_second`, `to_first`.
    pub direction: Option<At<String>>,
    /// What becomes of them: `drop` (default), `reject`, `reset`.
    pub refusal: Option<At<String>>,
}

/// `reset_connections = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct LinkTable {
    /// Whom it hits.
    pub target: At<TargetKey>,
    /// Only connections with these. Default: all but loopback.
    pub towards: Option<At<TargetKey>>,
    /// Only these ports, of either side. Default: all.
    pub ports: Option<At<Vec<At<u64>>>>,
}

/// `delay = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct DelayTable {
    /// Whom it hits.
    pub target: At<TargetKey>,
    /// How long packets wait.
    pub time: At<DurationText>,
    /// Plus or minus, evenly distributed. Default: none.
    pub jitter: Option<At<DurationText>>,
    /// Which packets, as the target sees it: `out` (default), `in`, `both`.
    pub direction: Option<At<String>>,
    /// Only packets to and from these. Default: all but loopback.
    pub towards: Option<At<TargetKey>>,
    /// Only these TCP and UDP ports, of either side. Default: all.
    pub ports: Option<At<Vec<At<u64>>>>,
}

/// `loss = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct LossTable {
    /// Whom it hits.
    pub target: At<TargetKey>,
    /// The share of the packets that vanish.
    pub ratio: At<ShareText>,
    /// Which packets, as the target sees it: `out` (default), `in`, `both`.
    pub direction: Option<At<String>>,
    /// Only packets to and from these. Default: all but loopback.
    pub towards: Option<At<TargetKey>>,
    /// Only these TCP and UDP ports, of either side. Default: all.
    pub ports: Option<At<Vec<At<u64>>>>,
}

/// `bandwidth = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct BandwidthTable {
    /// Whom it hits.
    pub target: At<TargetKey>,
    /// Bytes or bits per second, each way for itself.
    pub rate: At<RateText>,
    /// Which packets, as the target sees it: `out` (default), `in`, `both`.
    pub direction: Option<At<String>>,
    /// Only packets to and from these. Default: all but loopback.
    pub towards: Option<At<TargetKey>>,
    /// Only these TCP and UDP ports, of either side. Default: all.
    pub ports: Option<At<Vec<At<u64>>>>,
}
