//! oha: a closed loop, or a rate over all of its connections.

use super::{AGENT, Latency, Load, Report, Tool, Unreadable, words};
use serde_json::Value;
use std::time::Duration;

/// oha.
pub struct Oha {
    /// Its own remedy for coordinated omission: latency from the scheduled start. Of use with a rate only.
    pub latency_correction: bool,
}

impl Tool for Oha {
    fn name(&self) -> &'static str {
        if self.latency_correction {
            "oha --latency-correction"
        } else {
            "oha"
        }
    }

    fn program(&self) -> &'static str {
        "oha"
    }

    fn verifies(&self) -> &'static str {
        "framing (hyper); statuses counted apart; no body"
    }

    fn arguments(&self, load: &Load) -> Option<Vec<String>> {
        let Load::Http {
            url,
            connections,
            seconds,
            rate,
        } = load
        else {
            return None;
        };
        let (connections, duration) = (connections.to_string(), format!("{seconds}s"));
        let agent = format!("User-Agent: {AGENT}");
        let mut args = words([
            "--no-tui",
            "--output-format",
            "json",
            "-c",
            &connections,
            "-z",
            &duration,
        ]);
        args.extend(words(["--disable-compression", "-H", &agent]));
        if let Some(rate) = rate {
            args.extend(["-q".to_owned(), rate.to_string()]);
        }
        if self.latency_correction {
            args.push("--latency-correction".to_owned());
        }
        args.push(url.clone());
        Some(args)
    }

    fn read(&self, output: &str) -> Result<Report, Unreadable> {
        let json: Value = serde_json::from_str(output).map_err(|_| Unreadable("JSON"))?;
        let statuses = json["statusCodeDistribution"]
            .as_object()
            .ok_or(Unreadable("statuses"))?;
        let count = |good: bool| -> u64 {
            let of_kind = statuses
                .iter()
                .filter(|(status, _)| status.starts_with('2') == good);
            of_kind.filter_map(|(_, n)| n.as_u64()).sum()
        };
        let errors = json["errorDistribution"].as_object().into_iter().flatten();
        // Not errors of the target: what was under way when its time was over.
        let errors = errors.filter(|(what, _)| !what.contains("deadline"));
        let seconds = |value: &Value| Duration::try_from_secs_f64(value.as_f64()?).ok();
        let percentiles = &json["latencyPercentiles"];
        Ok(Report {
            good: count(true),
            bad: count(false) + errors.filter_map(|(_, n)| n.as_u64()).sum::<u64>(),
            per_second: json["summary"]["requestsPerSec"]
                .as_f64()
                .ok_or(Unreadable("rate"))?,
            latency: Latency {
                p50: seconds(&percentiles["p50"]),
                p99: seconds(&percentiles["p99"]),
                p999: seconds(&percentiles["p99.9"]),
                max: seconds(&json["summary"]["slowest"]),
            },
        })
    }
}
