//! Closed loops: what a request costs the client. Shared by the experiments that ask for it.

use super::show;
use crate::bench::{Bench, Clients};
use crate::client::Client;
use crate::error::BenchError;
use crate::figures::{Ratio, median, ratio};
use crate::section::{Section, Table};
use crate::tools::Load;

/// What one run found.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Good answers per second of the client's processor time.
    pub per_cpu_second: f64,
    /// Good answers per second, as the client says.
    pub per_second: f64,
    /// Peak memory in MB.
    pub memory: f64,
    /// Of a processor.
    pub busy: f64,
    /// Answers that were not good.
    pub bad: u64,
}

/// Runs one client on some processors.
///
/// # Errors
/// Where it does not end well.
#[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
pub fn cost(bench: &Bench, client: &Client, load: &Load, cpus: &str) -> Result<Cost, BenchError> {
    let (ran, report) = client.run_well(load, cpus, bench.place(), bench.stop)?;
    let cpu = ran.cpu.as_secs_f64();
    Ok(Cost {
        per_cpu_second: report.good as f64 / cpu,
        per_second: report.per_second,
        memory: ran.memory_kib as f64 * 1024.0 / 1e6,
        busy: cpu / f64::from(load.seconds()),
        bad: report.bad,
    })
}

/// The costs of all clients, and how they are shown.
pub struct Costs {
    /// Per client, its rounds.
    pub rounds: Vec<Vec<Cost>>,
}

impl Costs {
    /// One figure of one client, by round.
    pub fn series(&self, client: usize, figure: impl Fn(&Cost) -> f64) -> Vec<f64> {
        self.rounds
            .get(client)
            .map(|rounds| rounds.iter().map(figure).collect())
            .unwrap_or_default()
    }

    /// lbtest's price beside another client's, by round.
    pub fn beside(&self, ours: usize, theirs: usize) -> Option<Ratio> {
        let per_cpu = |client| self.series(client, |cost| cost.per_cpu_second);
        ratio(&per_cpu(ours), &per_cpu(theirs))
    }

    /// Medians, and every round. `unit` is what is counted.
    pub fn tables(&self, clients: &Clients, unit: &str) -> Vec<Table> {
        let per_cpu = format!("{unit}/CPU-second");
        let rate = format!("{unit}/s");
        let mut medians = Table::new(
            &format!(
                "Medians of {} rounds (`lbtest ÷ it`: {per_cpu}, median, lowest and highest of the rounds' ratios)",
                self.rounds.first().map_or(0, Vec::len)
            ),
            &[
                "client",
                &per_cpu,
                "lbtest ÷ it",
                &rate,
                "busy, % of a CPU",
                "peak memory, MB",
                "bad",
            ],
        );
        let mut rounds = Table::new(
            &format!("Every round, {per_cpu}, in order"),
            &["client", "rounds"],
        );
        for (index, client) in clients.present.iter().enumerate() {
            let series = |figure: fn(&Cost) -> f64| self.series(index, figure);
            let middle = |figure: fn(&Cost) -> f64| median(&series(figure)).unwrap_or(0.0);
            let bad: u64 = self.rounds[index].iter().map(|cost| cost.bad).sum();
            medians.rows.push(vec![
                client.name().to_owned(),
                show::whole(middle(|c| c.per_cpu_second)),
                self.beside(0, index)
                    .filter(|_| index > 0)
                    .map_or_else(|| "–".to_owned(), show::ratio),
                show::whole(middle(|c| c.per_second)),
                show::whole(middle(|c| c.busy * 100.0)),
                format!("{:.1}", middle(|c| c.memory)),
                bad.to_string(),
            ]);
            rounds.rows.push(vec![
                client.name().to_owned(),
                show::rounds(&series(|c| c.per_cpu_second), show::whole),
            ]);
        }
        vec![medians, rounds]
    }
}

/// Command lines, versions, and whom is missing.
pub fn describe(section: &mut Section, clients: &Clients, loads: &[Load]) {
    for client in &clients.present {
        section.versions.push(client.version.clone());
        section
            .commands
            .extend(loads.iter().filter_map(|load| client.shown(load)));
    }
    section.versions.dedup();
    for name in &clients.missing {
        section
            .notes
            .push(format!("{name} is not installed here, and left out."));
    }
}
