//! What a transaction costs: 16 clients, one prepared statement, one row by its key.

use super::closed::{Costs, cost, describe};
use super::show;
use crate::bench::{Bench, Clients};
use crate::error::BenchError;
use crate::section::{Goal, Section};
use crate::servers::postgres::{KEYS, Postgres};
use crate::tools::pgbench::{self, Pgbench};
use crate::tools::{Load, Tool, lbtest::Lbtest};

const CLIENTS: u32 = 16;
/// Of pgbench's transactions per CPU-second.
const GOAL: f64 = 1.0;

/// Measures it.
///
/// # Errors
/// Where PostgreSQL or a client does not do its part.
pub fn run(bench: &Bench) -> Result<Section, BenchError> {
    let tools: Vec<Box<dyn Tool>> = vec![Box::new(Lbtest { workers: 1 }), Box::new(Pgbench)];
    let clients = Clients::of(tools)?;
    let postgres = Postgres::start(&bench.server_cpu(), bench.stop)?;
    let script = bench.place().join("script.sql");
    std::fs::write(&script, pgbench::script(KEYS))?;
    let load = Load::Sql {
        port: postgres.port.to_string(),
        clients: CLIENTS,
        seconds: bench.options.seconds,
        keys: KEYS,
        script: script.display().to_string(),
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
            "sql: transactions per client CPU-second, prepared select, {CLIENTS} clients, PostgreSQL"
        ),
        method: vec![format!(
            "PostgreSQL with a cluster of its own (fsync off, autovacuum off) on CPU 0, the client on CPU 1, {} s per run, both by TCP over \
             127.0.0.1. The statement reads one row of {} by a random key, prepared once per connection. CPU seconds are those of the \
             whole client process.",
            bench.options.seconds,
            show::whole(f64::from(KEYS)),
        )],
        tables: costs.tables(&clients, "transactions"),
        ..Section::default()
    };
    describe(&mut section, &clients, std::slice::from_ref(&load));
    let script = pgbench::script(KEYS).trim_end().replace('\n', " ⏎ ");
    section
        .notes
        .push(format!("SCRIPT of pgbench: `{script}`."));
    if let Some(ratio) = clients
        .index("pgbench")
        .and_then(|pgbench| costs.beside(0, pgbench))
    {
        section.goals.push(Goal {
            what: "transactions per client CPU-second, lbtest ÷ pgbench".to_owned(),
            limit: format!(">= {GOAL:.2}"),
            measured: show::ratio(ratio),
            met: ratio.median >= GOAL,
        });
    }
    Ok(section)
}
