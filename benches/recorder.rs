//! What recording costs: one operation, beside two bare histograms; a flush; and its way into the history.
//!
//! ```text
//! cargo bench --bench recorder
//! ```

#![allow(missing_docs, reason = "criterion's macros make functions")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use lbtest::clock::Offset;
use lbtest::history::collect::Collector;
use lbtest::history::slot::{new_histogram, record_latency};
use lbtest::history::{Class, Flush, InstanceId, Operation, Outcome, Recorder};
use std::hint::black_box;
use std::time::Duration;

/// 20 000/s: an operation each 50 µs, a flush each 4000.
const GAP: u64 = 50_000;
const FLUSH: u64 = 4000;

/// Latencies as of a fast server: 100 µs and a tail.
fn micros(i: u64) -> u64 {
    let noise = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    100 + noise % 300
        + if noise.is_multiple_of(100) {
            noise % 20_000
        } else {
            0
        }
}

fn operation(i: u64, instance: Option<InstanceId>) -> Operation {
    let intended = Offset::from_nanos(i * GAP);
    let bad = i % 1000 == 999;
    Operation {
        intended,
        sent: Some(intended + Duration::from_micros(20)),
        done: intended + Duration::from_micros(20 + micros(i)),
        outcome: if bad {
            Outcome::Fail(Class::Reset)
        } else {
            Outcome::Ok
        },
        instance,
    }
}

/// A recorder that holds what is recorded between two flushes.
fn filled(from: u64) -> Recorder {
    let mut recorder = Recorder::default();
    (from..from + FLUSH).for_each(|i| recorder.record(&operation(i, None)));
    recorder
}

fn one_operation(c: &mut Criterion) {
    let mut group = c.benchmark_group("recorder/operation");
    group.bench_function("peer: two bare histograms", |b| {
        let (mut latency, mut service) = (new_histogram(), new_histogram());
        let mut i = 0;
        b.iter(|| {
            let op = black_box(operation(i, None));
            record_latency(&mut latency, op.latency());
            record_latency(&mut service, op.service_time().unwrap_or_default());
            i += 1;
        });
    });
    for (name, with_instance) in [("record", false), ("record, with an instance", true)] {
        group.bench_function(name, |b| {
            let mut recorder = Recorder::default();
            let app = recorder.instance("app1");
            let mut i = 0;
            // With its share of the flushes.
            b.iter(|| {
                recorder.record(black_box(&operation(i, with_instance.then_some(app))));
                i += 1;
                if i.is_multiple_of(FLUSH) {
                    black_box(recorder.take());
                }
            });
        });
    }
    group.finish();
}

fn one_flush(c: &mut Criterion) {
    let mut group = c.benchmark_group("recorder/flush of 4000");
    group.bench_function("take", |b| {
        b.iter_batched_ref(|| filled(0), Recorder::take, BatchSize::SmallInput);
    });
    group.bench_function("collect", |b| {
        let mut collector = Collector::new(["web"], 1);
        let mut i = 0;
        let flush = |from: u64| Flush {
            worker: 0,
            load: 0,
            delta: filled(from).take().unwrap_or_default(),
            lateness: new_histogram(),
            in_flight: 0,
            complete_before: Offset::from_nanos((from + FLUSH) * GAP),
        };
        let next = || {
            i += FLUSH;
            flush(i)
        };
        b.iter_batched_ref(next, |flush| collector.add(flush), BatchSize::SmallInput);
    });
    group.finish();
}

fn quick() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = quick(); targets = one_operation, one_flush }
criterion_main!(benches);
