//! pgbench: a closed loop of PostgreSQL clients on libpq, several to a thread.

use super::{Latency, Load, Report, Tool, Unreadable, number_after, words};

/// pgbench.
pub struct Pgbench;

/// The statement, with a random key, in its own form.
#[must_use]
pub fn script(keys: u32) -> String {
    format!(
        "\\set aid random(1, {keys})\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
    )
}

impl Tool for Pgbench {
    fn name(&self) -> &'static str {
        "pgbench"
    }

    fn verifies(&self) -> &'static str {
        "the protocol (libpq); an error of the server ends the client"
    }

    fn arguments(&self, load: &Load) -> Option<Vec<String>> {
        let Load::Sql {
            port,
            clients,
            seconds,
            script,
            ..
        } = load
        else {
            return None;
        };
        let (clients, seconds) = (clients.to_string(), seconds.to_string());
        let mut args = words([
            "-M", "prepared", "-n", "-c", &clients, "-j", "1", "-T", &seconds, "-f", script,
        ]);
        // By TCP, as every other client.
        args.extend(words([
            "-h",
            "127.0.0.1",
            "-p",
            port,
            "-U",
            "postgres",
            "postgres",
        ]));
        Some(args)
    }

    fn read(&self, output: &str) -> Result<Report, Unreadable> {
        Ok(Report {
            good: number_after(output, "number of transactions actually processed:")
                .ok_or(Unreadable("transactions"))?,
            bad: number_after(output, "number of failed transactions:").unwrap_or(0),
            per_second: number_after(output, "tps =").ok_or(Unreadable("rate"))?,
            // Without a log of every transaction it knows the mean only.
            latency: Latency::default(),
        })
    }
}
