//! What the next arrival of a schedule costs: constant, ramp and Poisson, for one of so many workers.
//!
//! ```text
//! cargo bench --bench schedule
//! ```

#![allow(missing_docs, reason = "criterion's macros make functions")]

use criterion::{Criterion, criterion_group, criterion_main};
use lbtest::load::arrivals::{Schedule, Slice};
use lbtest::scenario::Stage;
use std::hint::black_box;
use std::time::Duration;

const RATE: f64 = 20_000.0;

fn stage(from: f64, to: f64, seconds: Option<u64>) -> Stage {
    Stage {
        from,
        to,
        length: seconds.map(Duration::from_secs),
    }
}

fn next_arrival(c: &mut Criterion) {
    let hour = Duration::from_secs(3600);
    let constant = [stage(RATE, RATE, None)];
    let ramp = [stage(0.0, 2.0 * RATE, None)];
    let stages: Vec<_> = (0..20)
        .map(|i| stage(RATE, RATE + f64::from(i), Some(180)))
        .collect();
    let shapes: [(&str, &[Stage], Option<u64>); 4] = [
        ("constant", &constant, None),
        ("ramp", &ramp, None),
        ("20 stages", &stages, None),
        ("poisson", &constant, Some(42)),
    ];
    let mut group = c.benchmark_group("schedule/next arrival");
    for (name, stages, poisson) in shapes {
        for workers in [1, 4] {
            group.bench_function(format!("{name}, 1 of {workers}"), |b| {
                let slice = || Slice::new(Schedule::new(stages, hour), poisson, 0, workers);
                let mut arrivals = slice();
                b.iter(|| {
                    let next = arrivals.next();
                    if next.is_none() {
                        arrivals = slice();
                    }
                    black_box(next)
                });
            });
        }
    }
    group.finish();
}

fn quick() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = quick(); targets = next_arrival }
criterion_main!(benches);
