//! Two workers instead of one: nothing is shared between them, so that a request must not become dearer.

use super::closed::{Cost, Costs, cost, describe};
use super::http::CONNECTIONS;
use super::show;
use crate::bench::{Bench, Clients};
use crate::error::BenchError;
use crate::figures::ratio;
use crate::section::{Goal, Section};
use crate::servers::nginx::Nginx;
use crate::tools::{Load, Tool, lbtest::Lbtest};

/// Requests per CPU-second that two workers must keep of one's.
const GOAL: f64 = 0.95;
/// Requests per second of two workers on processors of their own, over those of one.
const WALL_GOAL: f64 = 1.8;
/// From so many processors on, server and workers have two each.
const WIDE: usize = 4;

/// Measures it.
///
/// # Errors
/// Where nginx or lbtest does not do its part.
pub fn run(bench: &Bench) -> Result<Section, BenchError> {
    let wide = bench.machine.cores >= WIDE;
    let tools: Vec<Box<dyn Tool>> = vec![
        Box::new(Lbtest { workers: 1 }),
        Box::new(Lbtest { workers: 2 }),
    ];
    let clients = Clients::of(tools)?;
    let (server, one, two) = if wide {
        ("0,1", "2", "2,3")
    } else {
        ("0", "1", "1")
    };
    let nginx = Nginx::start(if wide { 2 } else { 1 }, server, bench.stop)?;
    let load = |workers: u32| Load::Http {
        url: nginx.url(),
        connections: CONNECTIONS * workers,
        seconds: bench.options.seconds,
        rate: None,
    };
    let rounds = bench.alternate(
        &clients.present,
        || Ok(()),
        |client| {
            let single = client.name() == clients.present[0].name();
            let (workers, cpus) = if single { (1, one) } else { (2, two) };
            cost(bench, client, &load(workers), cpus)
        },
    )?;
    let costs = Costs { rounds };
    let place = if wide {
        "nginx, two workers, on CPUs 0 and 1; one worker of lbtest on CPU 2, two on CPUs 2 and 3"
    } else {
        "With two cores nginx has CPU 0 and both workers of lbtest share CPU 1: whether two are twice as fast cannot be seen here, only \
         whether a request becomes dearer"
    };
    let mut section = Section {
        title: format!(
            "scaling: two workers beside one, closed loop, {CONNECTIONS} connections each, nginx"
        ),
        method: vec![format!(
            "{place}. Every worker has {CONNECTIONS} connections, so that each does what one does alone. {} s per run; otherwise as in `http`.",
            bench.options.seconds
        )],
        tables: costs.tables(&clients, "requests"),
        ..Section::default()
    };
    describe(&mut section, &clients, &[]);
    let shown = clients.present.iter().zip([1, 2]);
    section.commands = shown
        .filter_map(|(client, workers)| client.shown(&load(workers)))
        .collect();
    let mut goal = |what: &str, limit: f64, figure: fn(&Cost) -> f64| {
        if let Some(ratio) = ratio(&costs.series(1, figure), &costs.series(0, figure)) {
            section.goals.push(Goal {
                what: format!("{what}, two workers ÷ one"),
                limit: format!(">= {limit:.2}"),
                measured: show::ratio(ratio),
                met: ratio.median >= limit,
            });
        }
    };
    goal("requests per client CPU-second", GOAL, |cost| {
        cost.per_cpu_second
    });
    if wide {
        goal("requests per second", WALL_GOAL, |cost| cost.per_second);
    }
    Ok(section)
}
