//! What the analysis of a million operations costs: two minutes with a fault and an outage that it causes, and reading
//! such a history from its file.
//!
//! ```text
//! cargo bench --bench analysis
//! ```

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make functions; a history that cannot be made measures nothing"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use lbtest::analysis::analyze;
use lbtest::clock::Offset;
use lbtest::history::collect::Collector;
use lbtest::history::event::{EdgeTimes, TargetRecord};
use lbtest::history::file::{Writer, read};
use lbtest::history::slot::new_histogram;
use lbtest::history::{
    Class, End, EndReason, Environment, FaultRecord, Flush, Head, History, Operation, Outcome,
    Recorder, SCHEMA_VERSION,
};
use lbtest::plan::{LoopKind, Plan, PlannedFault, PlannedLoad, Recovery};
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

const OPERATIONS: u64 = 1_000_000;
const SECONDS: u64 = 120;
/// The fault, and the outage that it causes.
const DOWN: std::ops::Range<u64> = 50..60;
const OUTAGE: std::ops::Range<u64> = 50_100..53_700;

fn plan() -> Plan {
    let recovery = Recovery {
        max_error_ratio: 0.01,
        stable_for: Duration::from_secs(5),
        p99_limit: None,
    };
    let load = PlannedLoad {
        name: "web".to_owned(),
        kind: "http".to_owned(),
        target: "http://127.0.0.1:8080".to_owned(),
        loop_kind: LoopKind::Open,
        arrivals: "8333/s".to_owned(),
        scheduled: Some(OPERATIONS),
        timeout: Duration::from_secs(2),
        recovery,
    };
    let fault = PlannedFault {
        name: "stop".to_owned(),
        entry: "stop".to_owned(),
        kind: "stop".to_owned(),
        targets: vec!["app1".to_owned()],
        inject_at: Offset::from_millis(DOWN.start * 1000),
        heal_at: Some(Offset::from_millis(DOWN.end * 1000)),
        ..PlannedFault::default()
    };
    Plan {
        scenario: "a million".to_owned(),
        description: String::new(),
        project: None,
        seed: 42,
        warmup: Duration::from_secs(5),
        duration: Duration::from_secs(SECONDS),
        recovery,
        observe: true,
        loads: vec![load],
        faults: vec![fault],
        gates: Vec::new(),
    }
}

fn fault() -> FaultRecord {
    let edge = |second: u64| EdgeTimes {
        truth_from: None,
        called: Offset::from_millis(second * 1000),
        truth: Some(Offset::from_millis(second * 1000)),
        event: None,
        returned: Some(Offset::from_millis(second * 1000 + 300)),
    };
    FaultRecord {
        index: 0,
        targets: vec![TargetRecord {
            mechanism: None,
            ended_early: None,
            service: "app1".to_owned(),
            container: "bench-app1-1".to_owned(),
            inject: edge(DOWN.start),
            heal: Some(edge(DOWN.end)),
            confirmed: Some("not running".to_owned()),
            mended_itself: false,
            heal_confirmed: Some("running".to_owned()),
            error: None,
        }],
    }
}

fn operation(i: u64, recorder: &mut Recorder) -> Operation {
    let intended = Offset::from_nanos(i * SECONDS * 1_000_000_000 / OPERATIONS);
    let noise = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let down = OUTAGE.contains(&(intended.as_nanos() / 1_000_000)) && !noise.is_multiple_of(3);
    let instance = if noise.is_multiple_of(2) {
        "app1"
    } else {
        "app2"
    };
    Operation {
        intended,
        sent: Some(intended + Duration::from_micros(15)),
        done: intended + Duration::from_micros(200 + noise % 3000),
        outcome: if down {
            Outcome::Fail(Class::Refused)
        } else {
            Outcome::Ok
        },
        instance: (!down).then(|| recorder.instance(instance)),
    }
}

/// As one worker records it and hands it over, five times a second.
fn history() -> History {
    let per_flush = OPERATIONS / SECONDS / 5;
    let mut collector = Collector::new(["web"], 1);
    let mut recorder = Recorder::default();
    for i in 0..OPERATIONS {
        let operation = operation(i, &mut recorder);
        recorder.record(&operation);
        if i.is_multiple_of(per_flush) || i + 1 == OPERATIONS {
            collector.add(&Flush {
                worker: 0,
                load: 0,
                delta: recorder.take().unwrap_or_default(),
                lateness: new_histogram(),
                in_flight: 0,
                complete_before: operation.intended,
            });
        }
    }
    collector.close();
    let plan = plan();
    let end = Offset::new(plan.duration);
    let head = Head {
        schema_version: SCHEMA_VERSION,
        lbtest_version: env!("CARGO_PKG_VERSION").to_owned(),
        run: "bench-1".to_owned(),
        started_at: jiff::Timestamp::UNIX_EPOCH,
        plan,
        environment: Environment::default(),
    };
    History {
        loads: collector.into_loads(),
        faults: vec![fault()],
        end: Some(End {
            at: end,
            reason: EndReason::Completed,
            load_ended_at: end,
            scheduled: vec![OPERATIONS],
        }),
        ..History::new(head)
    }
}

fn write(history: &History, path: &Path) {
    let mut writer = Writer::create(path, &history.head).unwrap();
    let load = &history.loads[0];
    writer.instances(0, &load.instances).unwrap();
    for (index, slot) in &load.slots {
        writer.slot(0, *index, slot).unwrap();
    }
    for (index, second) in &load.seconds {
        writer.second(0, *index, second).unwrap();
    }
    writer.fault(&history.faults[0]).unwrap();
    writer.end(history.end.as_ref().unwrap()).unwrap();
}

fn a_million_operations(c: &mut Criterion) {
    let history = history();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.ndjson");
    write(&history, &path);
    assert_eq!(read(&path).unwrap(), history);
    let result = analyze(&history);
    assert!(result.loads[0].failed > 10_000 && result.impacts.iter().all(|i| i.recovered));
    let mut group = c.benchmark_group("analysis/a million operations");
    group.bench_function("analyze", |b| b.iter(|| analyze(black_box(&history))));
    group.bench_function("read the file", |b| b.iter(|| read(black_box(&path))));
    group.finish();
}

fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
}

criterion_group! { name = benches; config = quick(); targets = a_million_operations }
criterion_main!(benches);
