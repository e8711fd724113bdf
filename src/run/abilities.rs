//! What faults need of the machine that the containers run on, held against what it has.

use super::RunError;
use crate::engine::EngineError;
use crate::engine::docker::Docker;
use crate::plan::Plan;
use crate::sidecar::protocol::Abilities;

/// A fault that cannot take place here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub fault: String,
    /// What it needs and does not find, and what to do.
    pub what: String,
}

impl From<Missing> for RunError {
    fn from(missing: Missing) -> Self {
        Self::Missing {
            fault: missing.fault,
            what: missing.what,
        }
    }
}

/// Kinds that treat packets.
const OF_PACKETS: [&str; 5] = [
    "partition",
    "delay",
    "loss",
    "bandwidth",
    "reset_connections",
];

/// True where something must be looked at on the engine's machine before it is known.
#[must_use]
pub fn depend_on_the_machine(plan: &Plan) -> bool {
    let of_packets = |kind: &str| OF_PACKETS.contains(&kind);
    plan.faults.iter().any(|f| of_packets(&f.kind))
}

/// Faults of a plan that cannot take place on the engine's machine. Starts one container for a moment where it must be
/// tried out, which has no network and stands beside nobody.
///
/// # Errors
/// The engine's refusal.
pub async fn missing(docker: &Docker, plan: &Plan) -> Result<Vec<Missing>, EngineError> {
    if !depend_on_the_machine(plan) {
        return Ok(Vec::new());
    }
    let abilities = docker.probe(&super::identity::run_id("probe")).await?;
    Ok(lacking(plan, &abilities))
}

fn lacking(plan: &Plan, has: &Abilities) -> Vec<Missing> {
    let without = |what: &str| {
        let kernel = if has.kernel.is_empty() {
            "?"
        } else {
            &has.kernel
        };
        format!("the kernel of the engine's machine ({kernel}) has no {what}")
    };
    let all = plan.faults.iter().filter_map(|fault| {
        let what = match fault.kind.as_str() {
            "partition" => (!has.filter).then(|| without("nftables (CONFIG_NF_TABLES_INET, CONFIG_NFT_REJECT_INET)")),
            "loss" => (!has.loss).then(|| without("random numbers in nftables (CONFIG_NFT_NUMGEN)")),
            "delay" | "bandwidth" => has.queue.is_none().then(|| {
                without("queue of packets (CONFIG_NFT_QUEUE, or CONFIG_NFT_COMPAT with CONFIG_NETFILTER_XT_TARGET_NFQUEUE)")
            }),
            "reset_connections" => (!has.reset).then(|| without("way to destroy connections (CONFIG_INET_DIAG_DESTROY)")),
            _ => None,
        }?;
        let fault = fault.name.clone();
        Some(Missing { fault, what })
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlannedFault;

    fn plan(kinds: &[&str]) -> Plan {
        let mut plan = crate::analysis::known::plan(&[], 1, 10);
        plan.faults = kinds
            .iter()
            .map(|kind| PlannedFault {
                name: format!("a {kind}"),
                kind: (*kind).to_owned(),
                ..PlannedFault::default()
            })
            .collect();
        plan
    }

    #[test]
    fn what_a_kernel_lacks_is_said_for_the_faults_that_need_it_and_no_others() {
        let plan = plan(&["stop", "partition", "delay", "loss", "reset_connections"]);
        let all = Abilities {
            filter: true,
            owned_tables: true,
            loss: true,
            queue: Some("nft queue".into()),
            reset: true,
            kernel: "6.1".into(),
        };
        assert_eq!(lacking(&plan, &all), []);
        let no_queue = Abilities { queue: None, ..all };
        let said = lacking(&plan, &no_queue);
        assert_eq!(said.len(), 1);
        assert!(
            said[0].fault == "a delay" && said[0].what.contains("6.1"),
            "{said:?}"
        );
        assert_eq!(lacking(&plan, &Abilities::default()).len(), 4);
    }
}
