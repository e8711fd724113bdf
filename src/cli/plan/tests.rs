use super::*;
use crate::compose::{self, LoadRequest};
use crate::source::SourceFile;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One of everything that is shown in its own way.
const FAULTS: &str = r#"
name = "bad-day"
run = { duration = "120s", warmup = "5s" }

[[load]]
name = "reads"
rate = 100
postgres = { dsn = "postgres://app:hidden@127.0.0.1:5433/app", query = "SELECT 1" }

[[fault]]
name = "bad day"
at = "10s"
sequence = ["replicas lag", "two at once", "apps roll"]
pause = "2s"

[[fault]]
name = "two at once"
parallel = ["primary dies", "slow network"]

[[fault]]
name = "replicas lag"
heal_after = "10s"
partition = { between = ["postgres-master", "postgres-slave*"] }

[[fault]]
name = "primary dies"
heal_after = "10s"
kill = { target = { role = "primary" } }

[[fault]]
name = "slow network"
heal_after = "12s"
delay = { target = "app1", time = "50ms", towards = "haproxy" }

[[fault]]
name = "apps roll"
rolling = { pause = "1s" }
restart = { target = "app*" }

[[fault]]
name = "whoever"
at = "80s"
heal_after = "5s"
pause = { target = { last_served = "reads" } }

[[fault]]
name = "alone"
at = "90s"
heal_after = "5s"
partition = { isolate = "haproxy" }

[gate]
error_rate = "<= 5%"
"#;

#[test]
fn a_plan_shows_order_groups_late_targets_and_the_blast_radius() {
    let scenario = scenario::parse(
        &SourceFile::new("s.toml", FAULTS),
        &Overrides::default(),
        &BTreeMap::new(),
    )
    .unwrap();
    let system = concat!(env!("CARGO_MANIFEST_DIR"), "/compose/postgres/compose.yaml");
    let loaded = compose::load(&LoadRequest {
        files: vec![PathBuf::from(system)],
        profiles: Vec::new(),
        project: None,
        env: BTreeMap::new(),
    })
    .unwrap();
    let topology = loaded.topology;
    let plan = crate::plan::resolve(&scenario, Some(&topology), true)
        .unwrap()
        .plan;
    let blast_radius = blast::radius(&plan, Some(&topology));
    insta::assert_snapshot!(terminal(&plan, &blast_radius));
    let shown = Shown {
        plan: &plan,
        blast_radius: &blast_radius,
    };
    let json = serde_json::to_string(&shown).unwrap();
    assert!(!json.contains("hidden"), "{json}");
    let again: Plan = serde_json::from_str(&json).unwrap();
    assert_eq!(again, plan, "what is added lies beside the plan");
}
