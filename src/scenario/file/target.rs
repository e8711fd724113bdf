//! `target` as it is typed.

use super::super::at::{At, OneOf, TableKey};
use schemars::JsonSchema;
use serde::Deserialize;

/// `target`: a service (or `service.2`, or a pattern), a list, or a table.
pub type TargetKey = OneOf<String, TargetTable>;

/// `target = { … }`: exactly one of `all_of`, `random`, `role`, `last_served`.
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
    /// The services with this role (`x-lbtest-role`); `primary` and `replicas` of databases are asked for at the moment of injection.
    pub role: Option<At<String>>,
    /// With `role`: how a database is asked, `postgres://user:password@localhost/database`. Default: as the first `postgres` workload.
    pub dsn: Option<At<String>>,
    /// The container that served the last request of this workload.
    pub last_served: Option<At<String>>,
}

impl TableKey for TargetTable {}
