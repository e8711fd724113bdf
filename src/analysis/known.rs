//! Histories whose truth is known, for tests: made by folding operations through recorders and a collector.

use crate::clock::Offset;
use crate::history::collect::Collector;
use crate::history::event::{EdgeTimes, TargetRecord};
use crate::history::slot::new_histogram;
use crate::history::{
    Class, End, EndReason, Environment, FaultRecord, Flush, GeneratorHealth, Head, History,
    Operation, Outcome, Recorder, SCHEMA_VERSION,
};
use crate::plan::{LoopKind, Plan, PlannedFault, PlannedLoad, Recovery};
use std::time::Duration;

pub const RULE: Recovery = Recovery {
    max_error_ratio: 0.01,
    stable_for: Duration::from_secs(5),
    p99_limit: None,
};

/// An operation intended at a time in microseconds.
pub fn op(at_us: u64, outcome: Outcome, latency: Duration) -> Operation {
    let intended = Offset::from_nanos(at_us * 1000);
    Operation {
        intended,
        sent: Some(intended),
        done: intended + latency,
        outcome,
        instance: None,
    }
}

/// Operations at a rate for a whole duration; those intended in one of the `outages` (milliseconds) fail.
pub fn steady(rate: u64, seconds: u64, outages: &[(u64, u64)]) -> Vec<Operation> {
    let arrivals = 0..rate * seconds;
    arrivals
        .map(|i| {
            let at = i * 1_000_000 / rate;
            let down = outages
                .iter()
                .any(|(a, b)| (a * 1000..b * 1000).contains(&at));
            let outcome = if down {
                Outcome::Fail(Class::Refused)
            } else {
                Outcome::Ok
            };
            op(at, outcome, Duration::from_millis(2))
        })
        .collect()
}

pub fn load(name: &str) -> PlannedLoad {
    PlannedLoad {
        name: name.to_owned(),
        kind: "http".to_owned(),
        target: "http://127.0.0.1:8080".to_owned(),
        loop_kind: LoopKind::Open,
        arrivals: "200/s".to_owned(),
        scheduled: None,
        timeout: Duration::from_secs(2),
        recovery: RULE,
    }
}

pub fn plan(names: &[&str], warmup: u64, duration: u64) -> Plan {
    Plan {
        scenario: "known".to_owned(),
        description: "A run whose truth is known.".to_owned(),
        project: None,
        seed: 42,
        warmup: Duration::from_secs(warmup),
        duration: Duration::from_secs(duration),
        recovery: RULE,
        observe: true,
        loads: names.iter().map(|n| load(n)).collect(),
        faults: Vec::new(),
        gates: Vec::new(),
    }
}

/// A history of these operations, one list per workload; two workers each record every second operation, and
/// hand over what they have every quarter of the way, in the order given.
pub fn history(plan: Plan, operations: &[Vec<Operation>]) -> History {
    let mut collector = Collector::new(plan.loads.iter().map(|l| l.name.clone()), 2);
    for (load, operations) in operations.iter().enumerate() {
        let mut workers = [Recorder::default(), Recorder::default()];
        for part in operations.chunks((operations.len() / 4).max(1)) {
            part.iter()
                .enumerate()
                .for_each(|(i, o)| workers[i % 2].record(o));
            for (worker, recorder) in workers.iter_mut().enumerate() {
                collector.add(&Flush {
                    worker,
                    load,
                    delta: recorder.take().unwrap_or_default(),
                    lateness: new_histogram(),
                    in_flight: 0,
                    complete_before: Offset::ZERO,
                });
            }
        }
    }
    collector.close();
    let end = Offset::new(plan.duration);
    let head = Head {
        schema_version: SCHEMA_VERSION,
        lbtest_version: "0.1.0".to_owned(),
        run: "known-1".to_owned(),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        plan,
        environment: Environment {
            cpus: Some(2),
            ..Environment::default()
        },
    };
    let scheduled = operations
        .iter()
        .map(|o| u64::try_from(o.len()).unwrap())
        .collect();
    History {
        loads: collector.into_loads(),
        generator: Some(GeneratorHealth {
            workers: 2,
            late_p99_ms: 0.2,
            ..GeneratorHealth::default()
        }),
        end: Some(End {
            at: end,
            reason: EndReason::Completed,
            load_ended_at: end,
            scheduled,
        }),
        ..History::new(head)
    }
}

/// Adds a fault that took effect and was healed exactly at these milliseconds, confirmed.
pub fn add_fault(history: &mut History, name: &str, inject_ms: u64, heal_ms: Option<u64>) {
    let index = history.head.plan.faults.len();
    let edge = |ms: u64| EdgeTimes {
        called: Offset::from_millis(ms),
        truth: Some(Offset::from_millis(ms)),
        truth_from: None,
        event: None,
        returned: Some(Offset::from_millis(ms + 300)),
    };
    history.head.plan.faults.push(PlannedFault {
        name: name.to_owned(),
        entry: name.split(" #").next().unwrap_or(name).to_owned(),
        kind: "stop".to_owned(),
        targets: vec!["postgres-slave1".to_owned()],
        inject_at: Offset::from_millis(inject_ms),
        heal_at: heal_ms.map(Offset::from_millis),
        ..PlannedFault::default()
    });
    history.faults.push(FaultRecord {
        index,
        targets: vec![TargetRecord {
            service: "postgres-slave1".to_owned(),
            container: "known-postgres-slave1-1".to_owned(),
            inject: edge(inject_ms),
            heal: heal_ms.map(edge),
            confirmed: Some("not running, exit code 0".to_owned()),
            mechanism: None,
            mended_itself: false,
            heal_confirmed: heal_ms.map(|_| "running".to_owned()),
            ended_early: None,
            error: None,
        }],
    });
}
