//! A server that is gone for a while: who comes back, and what is said about it.

use super::closed::describe;
use super::http::CONNECTIONS;
use super::show;
use crate::bench::{Bench, Clients, SERVER_CPU};
use crate::client::Client;
use crate::error::BenchError;
use crate::section::{Goal, Section, Table};
use crate::servers::recorder::{Behaviour, Recorder};
use crate::tools::{Load, Tool, h2load::H2load, hey::Hey, lbtest::Lbtest, oha::Oha, wrk::Wrk};
use std::time::Duration;

const RATE: u32 = 5_000;
const SECONDS: u32 = 8;
const AFTER: Duration = Duration::from_secs(3);
const LASTS: Duration = Duration::from_secs(2);
/// The share of its rate before the outage that a client must make again to have come back.
const BACK: f64 = 0.9;

/// Measures it, once.
///
/// # Errors
/// Where a client cannot be run.
pub fn run(bench: &Bench) -> Result<Section, BenchError> {
    let tools: Vec<Box<dyn Tool>> = vec![
        Box::new(Lbtest { workers: 1 }),
        Box::new(Wrk),
        Box::new(Oha {
            latency_correction: false,
        }),
        Box::new(H2load),
        Box::new(Hey),
    ];
    let clients = Clients::of(tools)?;
    let (seconds, after, lasts) = if bench.options.smoke {
        (2, AFTER / 6, LASTS / 4)
    } else {
        (SECONDS, AFTER, LASTS)
    };
    let mut table = Table::new(
        "What the server saw after it had come back, and what each client says",
        &[
            "client",
            "loop",
            "requests/s after ÷ before",
            "came back",
            "exit code",
            "good",
            "bad",
            "CPU of the whole run, s",
        ],
    );
    let mut section = Section {
        title: format!("outage: a server that is gone for {} ms", lasts.as_millis()),
        method: vec![format!(
            "The recording server closes its listener and cuts every connection {} ms after the first request, and listens again {} ms later; the \
             load lasts {seconds} s, at {RATE}/s where the client has an open loop. {CONNECTIONS} connections. Back is who makes {:.0} % of its \
             former rate in the second before the last. One run each.",
            after.as_millis(),
            lasts.as_millis(),
            BACK * 100.0,
        )],
        ..Section::default()
    };
    let shown: Vec<Load> = clients
        .present
        .iter()
        .map(|client| load_of(client, String::new(), seconds))
        .collect();
    describe(&mut section, &clients, &[]);
    section.commands.extend(
        clients
            .present
            .iter()
            .zip(&shown)
            .filter_map(|(client, load)| client.shown(load)),
    );
    for client in &clients.present {
        let _alone = bench.alone()?;
        bench.progress(client.name());
        let recorder = Recorder::start(Behaviour::Outage { after, lasts }, SERVER_CPU)?;
        let load = load_of(client, recorder.url(), seconds);
        let ran = client.run(&load, &bench.client_cpu(), bench.place(), bench.stop)?;
        let recording = recorder.finish()?;
        let again = recovered(
            &recording.stamps,
            after,
            after + lasts,
            Duration::from_secs(u64::from(seconds)),
        );
        let open = matches!(load, Load::Http { rate: Some(_), .. });
        let report = ran.report.clone().ok();
        let count = |n: Option<u64>| n.map_or_else(|| "–".to_owned(), |n| n.to_string());
        table.rows.push(vec![
            client.name().to_owned(),
            if open { "open" } else { "closed" }.to_owned(),
            format!("{again:.2}"),
            if again >= BACK { "yes" } else { "no" }.to_owned(),
            ran.code
                .map_or_else(|| "signal".to_owned(), |code| code.to_string()),
            count(report.as_ref().map(|r| r.good)),
            count(report.as_ref().map(|r| r.bad)),
            format!("{:.2}", ran.cpu.as_secs_f64()),
        ]);
        if client.name() == clients.present[0].name() {
            let scheduled = u64::from(RATE) * u64::from(seconds);
            let counted = report.map_or(0, |r| r.good + r.bad);
            section.goals = vec![
                Goal {
                    what: "lbtest comes back: rate after ÷ before".to_owned(),
                    limit: format!(">= {BACK:.2}"),
                    measured: format!("{again:.2}"),
                    met: again >= BACK,
                },
                Goal {
                    what: "lbtest's books across the outage: ok + failed + unknown + dropped"
                        .to_owned(),
                    limit: format!("= {scheduled}"),
                    measured: counted.to_string(),
                    met: counted == scheduled,
                },
            ];
        }
    }
    section.tables.push(table);
    section.notes.push(format!("A tool that makes no open loop ran its closed loop. Of {} scheduled arrivals of an open loop those of the outage are lost: some {}.",
        show::whole(f64::from(RATE * seconds)), show::whole(f64::from(RATE) * lasts.as_secs_f64())));
    Ok(section)
}

/// An open loop where the client has one.
fn load_of(client: &Client, url: String, seconds: u32) -> Load {
    let with = |rate| Load::Http {
        url: url.clone(),
        connections: CONNECTIONS,
        seconds,
        rate,
    };
    let open = with(Some(RATE));
    if client.tool.arguments(&open).is_some() {
        open
    } else {
        with(None)
    }
}

/// Requests per second between the return and the end of the load, less half a second at both ends, over those before the
/// outage. Times are from the first request.
#[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
fn recovered(stamps: &[u64], gone: Duration, back: Duration, end: Duration) -> f64 {
    let Some(&first) = stamps.first() else {
        return 0.0;
    };
    let per_second = |from: Duration, to: Duration| {
        let within = |at: &&u64| (from..to).contains(&Duration::from_nanos(**at - first));
        stamps.iter().filter(within).count() as f64
            / to.saturating_sub(from).as_secs_f64().max(1e-3)
    };
    let margin = (end - back) / 4;
    let before = per_second(gone / 2, gone);
    if before == 0.0 {
        0.0
    } else {
        per_second(back + margin, end - margin) / before
    }
}
