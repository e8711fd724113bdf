//! A target that is away for exactly N seconds: found without any fault of ours, and measured from an edge.

use crate::script::{Happened, alone, at, length, zero_of};
use crate::servers::{Failure, Postgres, Proxy, Server};
use crate::support::{Place, Ran, ms};
use jiff::Timestamp;
use std::thread::JoinHandle;
use std::time::Duration;

const HOW: [(Failure, &str); 4] = [
    (Failure::Refuse, "refuse"),
    (Failure::Reset, "reset"),
    (Failure::Answer500, "answer500"),
    // Last: a PostgreSQL server that starts all its processes at once takes the processor from what comes next.
    (Failure::Hang, "hang"),
];

/// Between one target's failure and the next one's.
const STAGGER: Duration = Duration::from_millis(37);

type Switch = Box<dyn Fn(Option<Failure>) + Send>;

/// A failing target and the workloads that point at it.
struct Target {
    failure: Failure,
    loads: Vec<String>,
    switch: Box<dyn Fn() -> Switch>,
}

/// HTTP and PostgreSQL targets for every way to fail, each under an open and a closed loop; and the workloads.
struct Bench {
    targets: Vec<Target>,
    toml: String,
    database: Postgres,
}

impl Bench {
    fn new() -> Self {
        let database = Postgres::start();
        let mut bench = Self {
            targets: Vec::new(),
            toml: String::new(),
            database,
        };
        for (failure, how) in HOW {
            let server = Server::start(Duration::ZERO);
            let http = format!(
                "http = {{ url = \"http://127.0.0.1:{}/\", timeout = \"300ms\" }}",
                server.port()
            );
            bench.add(
                failure,
                &format!("http-{how}"),
                &http,
                Box::new(move || Box::new(server.switch())),
            );
            // A database has no status 500.
            if failure == Failure::Answer500 {
                continue;
            }
            let proxy = Proxy::start(bench.database.port());
            let sql = format!(
                "postgres = {{ dsn = \"{}\", query = \"SELECT 1\", timeout = \"300ms\" }}",
                bench.database.dsn(proxy.port())
            );
            bench.add(
                failure,
                &format!("sql-{how}"),
                &sql,
                Box::new(move || Box::new(proxy.switch())),
            );
        }
        bench
    }

    fn add(&mut self, failure: Failure, name: &str, client: &str, switch: Box<dyn Fn() -> Switch>) {
        let mut loads = Vec::new();
        // Low rates: connections that come back all at once must not take the processor from the measurement.
        for (kind, arrivals) in [
            ("open", "rate = 50"),
            ("closed", "users = 2\nthink = \"20ms\""),
        ] {
            let name = format!("{name}-{kind}");
            self.toml += &format!("\n[[load]]\nname = \"{name}\"\n{arrivals}\n{client}\n");
            loads.push(name);
        }
        self.targets.push(Target {
            failure,
            loads,
            switch,
        });
    }

    /// Runs, and takes every target away from one moment to another, as often as there are pairs.
    fn run(&self, place: &Place, head: &str, away: &[(Duration, Duration)]) -> Run {
        let scenario = place.file("s.toml", &format!("{head}{}", self.toml));
        let mut run = place.spawn_run(&scenario, &["--quiet"]);
        let zero = zero_of(place, &mut run);
        let acts: Vec<_> = self
            .targets
            .iter()
            .zip(0..)
            .map(|(target, i)| {
                let one = |&(from, to): &(Duration, Duration)| {
                    // One after the other, so that they do not take the processor from each other, and at moments
                    // that no arrival is tied to.
                    let (from, to) = (from + STAGGER * i, to + STAGGER * i);
                    let (down, up) = ((target.switch)(), (target.switch)());
                    let failure = Some(target.failure);
                    (
                        at(zero, from, move || down(failure)),
                        at(zero, to, move || up(None)),
                    )
                };
                away.iter().map(one).collect::<Vec<_>>()
            })
            .collect();
        let ran = place.ended(run);
        let joined = |acts: Vec<(JoinHandle<Happened>, JoinHandle<Happened>)>| {
            let both = acts.into_iter();
            both.map(|(down, up)| (down.join().unwrap(), up.join().unwrap()))
                .collect()
        };
        Run {
            ran,
            zero,
            away: acts.into_iter().map(joined).collect(),
        }
    }
}

struct Run {
    ran: Ran,
    zero: Timestamp,
    /// Of each target, when it really went and came back.
    away: Vec<Vec<(Happened, Happened)>>,
}

/// A request that a target on a busy machine took up only after its switch, milliseconds.
const TAKEN_UP: f64 = 15.0;
/// Wall clock and steady clock are read one after the other, by lbtest at its zero and by this test at every switch; whoever is
/// interrupted in between is off by as much, milliseconds.
const CLOCKS: f64 = 1.0;

/// A figure equals the truth, which lies within a span, within its resolution.
fn assert_true(what: &str, measured: f64, resolution: f64, (least, most): (f64, f64)) {
    println!(
        "{what}: measured {measured:.1} ± {resolution:.1} ms, truth {least:.1} to {most:.1} ms"
    );
    assert!(
        measured + resolution + TAKEN_UP >= least && measured - resolution <= most + CLOCKS,
        "{what}: measured {measured} ± {resolution} ms, truth {least} to {most} ms"
    );
    // A resolution that allows everything proves nothing: at most a busy machine's wake-up, or, of two users that
    // hang, their whole time-out.
    let most = if what.contains("hang-closed") {
        400.0
    } else {
        200.0
    };
    assert!(resolution < most, "{what}: ± {resolution} ms");
}

/// The classes of what went wrong fit the way it failed.
fn assert_classes(ran: &Ran, load: &str, failure: Failure) {
    let errors = ran.load(load)["errors"].as_object().unwrap();
    let n = |class: &str| errors.get(class).map_or(0, |n| n.as_u64().unwrap());
    let all: u64 = errors.values().map(|n| n.as_u64().unwrap()).sum();
    let (main, edges): (u64, u64) = match failure {
        Failure::Refuse => (n("refused"), n("reset") + n("end_of_stream")),
        Failure::Reset => (n("reset") + n("end_of_stream"), 0),
        Failure::Hang => (
            n("timeout") + n("connect_timeout"),
            n("end_of_stream") + n("reset"),
        ),
        Failure::Answer500 => (n("http_500"), 0),
    };
    println!("{load}: {errors:?}");
    assert_eq!(main + edges, all, "{load}: {errors:?}");
    // What was under way at an edge, or (hanging) when the target came back and cut what hung.
    let most_at_edges = if failure == Failure::Hang {
        all / 2
    } else {
        all / 10
    };
    assert!(edges <= most_at_edges, "{load}: {errors:?}");
}

#[test]
fn an_outage_that_nobody_caused_has_its_true_length() {
    let _alone = alone();
    let (bench, place) = (Bench::new(), Place::new());
    let head = "name = \"n\"\n[run]\nduration = \"8s\"\nwarmup = \"1s\"\n[recovery]\nstable_for = \"2s\"\n";
    let away = (Duration::from_millis(2500), Duration::from_millis(4300));
    let run = bench.run(&place, head, &[away]);
    run.ran.assert_accounted();
    // No gate, and no steady state.
    assert_eq!(run.ran.code, Some(4));
    for (target, away) in bench.targets.iter().zip(&run.away) {
        for load in &target.loads {
            let outages = run.ran.outages(load);
            assert_eq!(outages.len(), 1, "{load}: {outages:?}");
            let (outage, (down, up)) = (outages[0], &away[0]);
            let resolution = ms(&outage["resolution_ms"]);
            assert_true(
                load,
                ms(&outage["duration_ms"]),
                resolution,
                length(down, up),
            );
            assert_true(
                &format!("{load} begin"),
                ms(&outage["start_ms"]),
                resolution,
                down.since(run.zero),
            );
            assert_true(
                &format!("{load} end"),
                ms(&outage["end_ms"]),
                resolution,
                up.since(run.zero),
            );
            assert!(outage["fault"].is_null());
            assert_classes(&run.ran, load, target.failure);
        }
    }
}

#[test]
fn recovery_is_measured_from_each_edge() {
    let _alone = alone();
    let (bench, place) = (Bench::new(), Place::new());
    let head = "name = \"n\"\n[run]\nduration = \"12s\"\nwarmup = \"1s\"\n[recovery]\nstable_for = \"1s\"\n\
        [[fault]]\nname = \"first\"\nat = \"2s\"\nexternal = {}\n\
        [[fault]]\nname = \"second\"\nat = \"6s\"\nheal_after = \"2s\"\nexternal = {}\n\
        [gate]\ntime_to_recover = \"<= 5s\"\n";
    let of_ms = Duration::from_millis;
    // The first is over long before the next edge; the second only some time after its heal.
    let run = bench.run(
        &place,
        head,
        &[(of_ms(2300), of_ms(3700)), (of_ms(6000), of_ms(8600))],
    );
    run.ran.assert_accounted();
    for (target, away) in bench.targets.iter().zip(&run.away) {
        for load in &target.loads {
            for (fault, edge, edge_at, up) in [
                ("first", "inject", 2000.0, &away[0].1),
                ("second", "heal", 8000.0, &away[1].1),
            ] {
                let impact = run.ran.impact(fault, edge, load);
                let (least, most) = up.since(run.zero);
                let what = format!("{load} after {fault} ({edge})");
                let truth = (least - edge_at, most - edge_at);
                assert_true(
                    &what,
                    ms(&impact["time_to_recover_ms"]),
                    ms(&impact["resolution_ms"]),
                    truth,
                );
                assert_eq!(
                    (&impact["edge_at_ms"], &impact["recovered"]),
                    (&edge_at.into(), &true.into())
                );
            }
            let not = run.ran.impact("second", "inject", load);
            assert_eq!(
                (&not["recovered"], not["time_to_recover_ms"].is_null()),
                (&false.into(), true),
                "{not}"
            );
        }
    }
}
