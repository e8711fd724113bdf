//! A server that stalls: what its users had to wait is known by arithmetic. What do the clients say?

use super::closed::describe;
use super::http::CONNECTIONS;
use super::show;
use crate::bench::{Bench, Clients, SERVER_CPU};
use crate::error::BenchError;
use crate::figures::stalled_latency;
use crate::section::{Goal, Section, Table};
use crate::servers::recorder::{Behaviour, Recorder};
use crate::tools::{
    Latency, Load, Report, Tool, h2load::H2load, hey::Hey, lbtest::Lbtest, oha::Oha,
};
use std::time::Duration;

const RATE: u32 = 5_000;
/// Every period, of which a tenth is a stall.
const PERIOD: Duration = Duration::from_secs(5);
const PERIODS: u32 = 6;
/// For the check of the harness.
const SMOKE_PERIOD: Duration = Duration::from_millis(500);
const SMOKE_PERIODS: u32 = 2;
/// What a figure may be off: the histogram's 1 %, and the time the server needs to work off what has come together.
const WITHIN: f64 = 0.05;

/// Measures it, once: the truth does not vary.
///
/// # Errors
/// Where a client does not do its part.
pub fn run(bench: &Bench) -> Result<Section, BenchError> {
    let tools: Vec<Box<dyn Tool>> = vec![
        Box::new(Lbtest { workers: 1 }),
        Box::new(Oha {
            latency_correction: false,
        }),
        Box::new(Oha {
            latency_correction: true,
        }),
        Box::new(H2load),
        Box::new(Hey),
    ];
    let clients = Clients::of(tools)?;
    let (every, periods) = if bench.options.smoke {
        (SMOKE_PERIOD, SMOKE_PERIODS)
    } else {
        (PERIOD, PERIODS)
    };
    let stall = every / 10;
    let seconds = u32::try_from((every * periods).as_secs()).unwrap_or(u32::MAX);
    let load = |url: String| Load::Http {
        url,
        connections: CONNECTIONS,
        seconds,
        rate: Some(RATE),
    };
    let scheduled = u64::from(RATE) * u64::from(seconds);
    let truth = |share| stalled_latency(stall, every, share);
    let truth = Latency {
        p50: Some(truth(0.5)),
        p99: Some(truth(0.99)),
        p999: Some(truth(0.999)),
        max: Some(truth(1.0)),
    };
    let mut table = Table::new(
        "Latency in ms, as each client says; `–`: it does not say",
        &[
            "client",
            "p50",
            "p99",
            "p99.9",
            "max",
            "good",
            "bad",
            "unaccounted for",
        ],
    );
    table.rows.push(row("the truth", &truth, None, scheduled));
    let mut section = Section {
        title: format!(
            "stall: a server that stalls {} ms in every {} ms, at {RATE}/s",
            stall.as_millis(),
            every.as_millis()
        ),
        method: vec![format!(
            "The recording server of `arrivals` does nothing at all for {} ms in the middle of every {} ms, {periods} times in {seconds} s, and answers \
             at once otherwise. A tenth of the arrivals falls into a stall and waits for what is left of it, evenly between nothing and all: \
             the truth is arithmetic. {CONNECTIONS} connections (lbtest: as many as it needs). One run each.",
            stall.as_millis(),
            every.as_millis(),
        )],
        ..Section::default()
    };
    describe(&mut section, &clients, &[load(String::new())]);
    for client in &clients.present {
        let _alone = bench.alone()?;
        bench.progress(client.name());
        let recorder = Recorder::start(Behaviour::Stall { every, stall }, SERVER_CPU)?;
        let (_, report) = client.run_well(
            &load(recorder.url()),
            &bench.client_cpu(),
            bench.place(),
            bench.stop,
        )?;
        recorder.finish()?;
        table.rows.push(row(
            client.name(),
            &report.latency,
            Some(&report),
            scheduled,
        ));
        if client.name() == clients.present[0].name() {
            section.goals = goals(&report, &truth, scheduled);
        }
    }
    section.tables.push(table);
    Ok(section)
}

fn row(name: &str, latency: &Latency, report: Option<&Report>, scheduled: u64) -> Vec<String> {
    let Latency {
        p50,
        p99,
        p999,
        max,
    } = *latency;
    let mut cells = vec![name.to_owned()];
    cells.extend([p50, p99, p999, max].map(show::millis));
    let (good, bad) = report.map_or((scheduled, 0), |r| (r.good, r.bad));
    let missing = i128::from(scheduled) - i128::from(good) - i128::from(bad);
    cells.extend([good.to_string(), bad.to_string(), missing.to_string()]);
    cells
}

fn goals(report: &Report, truth: &Latency, scheduled: u64) -> Vec<Goal> {
    let near = |name: &str, said: Option<Duration>, truth: Option<Duration>| {
        let off = said
            .zip(truth)
            .map(|(said, truth)| said.as_secs_f64() / truth.as_secs_f64() - 1.0);
        Goal {
            what: format!("lbtest's {name} beside the truth"),
            limit: format!("within {:.0} %", WITHIN * 100.0),
            measured: off.map_or_else(
                || "–".to_owned(),
                |off| format!("{:+.1} % ({} ms)", off * 100.0, show::millis(said)),
            ),
            met: off.is_some_and(|off| off.abs() <= WITHIN),
        }
    };
    let (said, counted) = (&report.latency, report.good + report.bad);
    vec![
        near("p99", said.p99, truth.p99),
        near("p99.9", said.p999, truth.p999),
        near("max", said.max, truth.max),
        Goal {
            what: "lbtest's books: ok + failed + unknown + dropped".to_owned(),
            limit: format!("= {scheduled}"),
            measured: counted.to_string(),
            met: counted == scheduled,
        },
    ]
}
