//! When the arrivals of an open loop really come, as a server sees them.

use super::closed::describe;
use super::http::CONNECTIONS;
use super::seen::{Seen, fewest, load, middle, middle_of};
use super::show;
use crate::bench::{Bench, Clients};
use crate::error::BenchError;
use crate::section::{Goal, Section, Table};
use crate::tools::{Tool, h2load::H2load, hey::Hey, lbtest::Lbtest, oha::Oha};
use std::time::Duration;

/// The rate whose lateness is judged, and the one at which nothing may be lost.
const RATES: [u32; 2] = [5_000, 20_000];
const GAP_WITHIN: f64 = 0.05;
const LATE_P50: Duration = Duration::from_micros(50);
const LATE_P99: Duration = Duration::from_micros(300);
/// Where even the control's p99 is later than this, something else ran on these processors.
const QUIET: Duration = Duration::from_micros(100);
/// Length of the control's run, in every round.
const CONTROL: Duration = Duration::from_secs(1);

/// Measures it.
///
/// # Errors
/// Where a client does not do its part.
pub fn run(bench: &Bench) -> Result<Section, BenchError> {
    let tools: Vec<Box<dyn Tool>> = vec![
        Box::new(Lbtest { workers: 1 }),
        Box::new(Oha {
            latency_correction: false,
        }),
        Box::new(H2load),
        Box::new(Hey),
    ];
    let clients = Clients::of(tools)?;
    let loads = RATES.map(|rate| load(String::new(), rate, bench.options.seconds));
    let mut section = Section {
        title: format!("arrivals: what a recording server sees of {} and {} arrivals per second", RATES[0], RATES[1]),
        method: vec![
            format!(
                "The server polls on CPU 0 without sleeping, notes when each request came, and answers a constant; the client is on CPU 1, \
                 {} s per run, {CONNECTIONS} connections (lbtest: as many as it needs). Lateness of arrival i is its distance from \
                 t0 + i / rate, with the rate that was asked for; t0 is put, for every client alike, where the earliest 1 % of all \
                 arrivals are on the line or before it.",
                bench.options.seconds
            ),
            "The control, at the beginning of every round, is a thread that waits by looking at the clock and sends at exact times: what is \
             seen of it is the recorder's and the machine's doing, and nobody can be seen to be better."
                .to_owned(),
            "ab and wrk have no open loop. CPU price: processor seconds of the whole client process per second of load.".to_owned(),
        ],
        ..Section::default()
    };
    describe(&mut section, &clients, &loads);
    for rate in RATES {
        one_rate(bench, &clients, rate, &mut section)?;
    }
    Ok(section)
}

fn one_rate(
    bench: &Bench,
    clients: &Clients,
    rate: u32,
    section: &mut Section,
) -> Result<(), BenchError> {
    bench.progress(&format!("{rate} arrivals per second"));
    let mut controls = Vec::new();
    let control = || {
        controls.push(Seen::of_control(rate, CONTROL)?);
        Ok(())
    };
    let seen = bench.alternate(&clients.present, control, |client| {
        Seen::of(bench, client, rate)
    })?;
    let seconds = bench.options.seconds;
    let mut table = Table::new(
        &format!(
            "At {rate}/s (ideal gap {} µs), medians of {} rounds; times in µs",
            1_000_000 / rate,
            bench.options.rounds
        ),
        &[
            "client",
            "arrivals",
            "fewest",
            "seen/s",
            "gap p50",
            "late p50",
            "late p99",
            "late max",
            "connections",
            "CPU price",
            "CPU µs/request",
        ],
    );
    let mut rounds = Table::new(
        &format!("At {rate}/s, every round: lateness p50 / p99 in µs"),
        &["client", "rounds"],
    );
    let names = clients
        .present
        .iter()
        .map(|client| client.name())
        .chain(["(control)"]);
    for (name, runs) in names.zip(seen.iter().chain([&controls])) {
        table.rows.push(row(name, runs, seconds));
        let late = |run: &Seen| {
            let (p50, p99) = (run.arrivals.late_p50, run.arrivals.late_p99);
            format!("{} / {}", show::micros(p50), show::micros(p99))
        };
        let each = runs.iter().map(late).collect::<Vec<_>>().join(", ");
        rounds.rows.push(vec![name.to_owned(), each]);
    }
    section.tables.extend([table, rounds]);
    if let Some(ours) = seen.first() {
        section
            .goals
            .extend(goals(ours, rate, u64::from(rate) * u64::from(seconds)));
        section.notes.extend(trust(rate, ours, &controls));
    }
    Ok(())
}

/// How far the recorder and the machine can be trusted.
fn trust(rate: u32, ours: &[Seen], controls: &[Seen]) -> Vec<String> {
    let p50 = |runs| show::micros(middle(runs, |run| run.stamped.0));
    let p99 = |runs| show::micros(middle(runs, |run| run.stamped.1));
    let mut notes = vec![format!(
        "At {rate}/s the recorder's stamps of lbtest's arrivals were at most {} µs (p50) and {} µs (p99) late, the time between two of its \
         polls; those of the control's {} µs (p50) and {} µs (p99) after the send had begun.",
        p50(ours),
        p99(ours),
        p50(controls),
        p99(controls),
    )];
    let loud = controls
        .iter()
        .filter(|run| run.arrivals.late_p99 > QUIET)
        .count();
    if loud > 0 {
        notes.push(format!(
            "THE MACHINE WAS NOT QUIET at {rate}/s: in {loud} of {} rounds even the control was late by more than {} µs (p99). Lateness of \
             those rounds says little about the client.",
            controls.len(),
            show::micros(QUIET),
        ));
    }
    notes
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
fn row(name: &str, runs: &[Seen], seconds: u32) -> Vec<String> {
    let time = |pick: fn(&Seen) -> Duration| show::micros(middle(runs, pick));
    let whole = |pick: fn(&Seen) -> f64| show::whole(middle_of(runs, pick));
    let measured = runs.iter().all(|run| run.cpu.is_some());
    let cpu = |shown: String| if measured { shown } else { "–".to_owned() };
    let busy =
        middle_of(runs, |run| run.cpu.unwrap_or_default().as_secs_f64()) / f64::from(seconds);
    let price = middle_of(runs, |run| {
        run.cpu.unwrap_or_default().as_secs_f64() * 1e6 / run.arrived().max(1) as f64
    });
    vec![
        name.to_owned(),
        whole(|run| run.arrivals.count as f64),
        show::whole(fewest(runs) as f64),
        whole(|run| run.arrivals.rate),
        time(|run| run.arrivals.gap_p50),
        time(|run| run.arrivals.late_p50),
        time(|run| run.arrivals.late_p99),
        time(|run| run.arrivals.late_max),
        whole(|run| run.connections as f64),
        cpu(format!("{busy:.3}")),
        cpu(format!("{price:.1}")),
    ]
}

fn goals(ours: &[Seen], rate: u32, scheduled: u64) -> Vec<Goal> {
    let ideal = 1.0 / f64::from(rate);
    let gap = middle(ours, |s| s.arrivals.gap_p50);
    let off = gap.as_secs_f64() / ideal - 1.0;
    let goal = |what: &str, limit: String, measured: String, met: bool| Goal {
        what: format!("lbtest at {rate}/s: {what}"),
        limit,
        measured,
        met,
    };
    let fewest = fewest(ours);
    let counted = ours.iter().map(|run| run.counted).min().unwrap_or(0);
    let lost = goal(
        "arrivals seen by the server, fewest of all rounds",
        format!("= {scheduled}"),
        format!("{fewest} (lbtest counts {counted} good)"),
        fewest == scheduled,
    );
    if rate != RATES[0] {
        return vec![lost];
    }
    let late = |share: &str, measured: Duration, limit: Duration| {
        let (shown, allowed) = (show::micros(measured), show::micros(limit));
        goal(
            &format!("lateness {share}"),
            format!("< {allowed} µs"),
            format!("{shown} µs"),
            measured < limit,
        )
    };
    vec![
        goal(
            "gap p50 from the ideal",
            format!("within {:.0} %", GAP_WITHIN * 100.0),
            format!("{:+.2} % ({} µs)", off * 100.0, show::micros(gap)),
            off.abs() <= GAP_WITHIN,
        ),
        late("p50", middle(ours, |s| s.arrivals.late_p50), LATE_P50),
        late("p99", middle(ours, |s| s.arrivals.late_p99), LATE_P99),
        lost,
    ]
}
