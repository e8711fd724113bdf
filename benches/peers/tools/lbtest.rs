//! lbtest itself, by way of `lbtest bench`.

use super::{AGENT, Latency, Load, Report, Tool, Unreadable, words};
use serde_json::Value;
use std::time::Duration;

/// lbtest.
pub struct Lbtest {
    /// Its workers.
    pub workers: u32,
}

impl Tool for Lbtest {
    fn name(&self) -> &'static str {
        if self.workers == 1 {
            "lbtest"
        } else {
            "lbtest, 2 workers"
        }
    }

    fn program(&self) -> &'static str {
        "lbtest"
    }

    fn verifies(&self) -> &'static str {
        "framing, strictly (nothing may follow an answer); status 2xx; rows, where they are asked for; latency from the intended time"
    }

    fn arguments(&self, load: &Load) -> Option<Vec<String>> {
        let workers = self.workers.to_string();
        let mut args = words(["bench"]);
        match load {
            Load::Http {
                url,
                connections,
                seconds,
                rate,
            } => {
                let agent = format!("User-Agent: {AGENT}");
                args.extend(words([url, "-H", &agent, "-d"]));
                args.push(format!("{seconds}s"));
                match rate {
                    Some(rate) => args.extend(["--rate".to_owned(), rate.to_string()]),
                    None => args.extend(["-c".to_owned(), connections.to_string()]),
                }
            }
            Load::Sql {
                port,
                clients,
                seconds,
                keys,
                ..
            } => {
                args.push(format!(
                    "postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable"
                ));
                args.extend(words([
                    "--query",
                    "SELECT abalance FROM pgbench_accounts WHERE aid = $1",
                    "-p",
                    "{aid}",
                ]));
                args.push("--set".to_owned());
                args.push(format!(
                    "load.bench.postgres.vars.aid={{ random = [1, {keys}] }}"
                ));
                args.extend([
                    "-c".to_owned(),
                    clients.to_string(),
                    "-d".to_owned(),
                    format!("{seconds}s"),
                ]);
            }
        }
        args.extend(words(["-w", &workers, "--format", "json"]));
        Some(args)
    }

    fn read(&self, output: &str) -> Result<Report, Unreadable> {
        let json: Value = serde_json::from_str(output).map_err(|_| Unreadable("JSON"))?;
        let load = &json["loads"][0];
        let count = |name: &str| load[name].as_u64();
        let ms =
            |name: &str| Duration::try_from_secs_f64(load["latency_ms"][name].as_f64()? / 1e3).ok();
        Ok(Report {
            good: count("ok").ok_or(Unreadable("requests"))?,
            bad: ["failed", "unknown", "dropped"]
                .iter()
                .filter_map(|&n| count(n))
                .sum(),
            per_second: load["achieved_rate"].as_f64().ok_or(Unreadable("rate"))?,
            latency: Latency {
                p50: ms("p50"),
                p99: ms("p99"),
                p999: ms("p999"),
                max: ms("max"),
            },
        })
    }
}
