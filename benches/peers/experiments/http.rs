//! What an HTTP request costs: 50 connections in a closed loop against nginx.

use super::closed::{Costs, cost, describe};
use super::show;
use crate::bench::{Bench, Clients, SERVER_CPU};
use crate::error::BenchError;
use crate::section::{Goal, Section, Table};
use crate::servers::nginx::Nginx;
use crate::servers::recorder::{Behaviour, Recorder};
use crate::tools::{Load, Tool, ab::Ab, h2load::H2load, lbtest::Lbtest, oha::Oha, wrk::Wrk};

/// As many as the issue of it asks for.
pub const CONNECTIONS: u32 = 50;
/// Of wrk's requests per CPU-second.
const GOAL: f64 = 1.0;

/// Measures it.
///
/// # Errors
/// Where nginx or a client does not do its part.
pub fn run(bench: &Bench) -> Result<Section, BenchError> {
    let tools: Vec<Box<dyn Tool>> = vec![
        Box::new(Lbtest { workers: 1 }),
        Box::new(Wrk),
        Box::new(Ab),
        Box::new(H2load),
        Box::new(Oha {
            latency_correction: false,
        }),
    ];
    let clients = Clients::of(tools)?;
    let nginx = Nginx::start(1, &bench.server_cpu(), bench.stop)?;
    let load = Load::Http {
        url: nginx.url(),
        connections: CONNECTIONS,
        seconds: bench.options.seconds,
        rate: None,
    };
    let cpu = bench.client_cpu();
    let costs = Costs {
        rounds: bench.alternate(
            &clients.present,
            || Ok(()),
            |client| cost(bench, client, &load, &cpu),
        )?,
    };
    let mut section = Section {
        title: format!(
            "http: requests per client CPU-second, closed loop, {CONNECTIONS} connections, nginx"
        ),
        method: vec![format!(
            "nginx, one worker, on CPU 0, answers a constant of 3 bytes without logging; the client on CPU 1, {} s per run. CPU seconds \
             (user + system) and peak memory are those of the whole client process from its start to its end; requests are good answers.",
            bench.options.seconds
        )],
        tables: costs.tables(&clients, "requests"),
        ..Section::default()
    };
    section.tables.push(requests(bench, &clients)?);
    describe(&mut section, &clients, std::slice::from_ref(&load));
    for client in &clients.present {
        section.notes.push(format!(
            "{} verifies: {}.",
            client.name(),
            client.tool.verifies()
        ));
    }
    if let Some(ratio) = clients.index("wrk").and_then(|wrk| costs.beside(0, wrk)) {
        section.goals.push(Goal {
            what: "requests per client CPU-second, lbtest ÷ wrk".to_owned(),
            limit: format!(">= {GOAL:.2}"),
            measured: show::ratio(ratio),
            met: ratio.median >= GOAL,
        });
    }
    Ok(section)
}

/// What each client really sends: the first request of a short load, as a server sees it.
fn requests(bench: &Bench, clients: &Clients) -> Result<Table, BenchError> {
    let mut table = Table::new(
        "The request of each, as a server sees it",
        &["client", "bytes", "fields"],
    );
    for client in &clients.present {
        let recorder = Recorder::start(Behaviour::Steady, SERVER_CPU)?;
        let load = Load::Http {
            url: recorder.url(),
            connections: 1,
            seconds: 1,
            rate: None,
        };
        let port = recorder.port.to_string();
        client.run_well(&load, &bench.client_cpu(), bench.place(), bench.stop)?;
        let request = recorder.finish()?.request;
        let text = String::from_utf8_lossy(&request).replace(&port, "PORT");
        let fields: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        table.rows.push(vec![
            client.name().to_owned(),
            request.len().to_string(),
            fields.join("; "),
        ]);
    }
    Ok(table)
}
