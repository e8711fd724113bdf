//! h2load: a closed loop, or a rate for each of its connections.

use super::{AGENT, Latency, Load, Report, Tool, Unreadable, duration, number_before, words};

/// h2load, speaking HTTP/1.1.
pub struct H2load;

impl Tool for H2load {
    fn name(&self) -> &'static str {
        "h2load"
    }

    fn verifies(&self) -> &'static str {
        "framing (llhttp); statuses counted by class; no body"
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
        let (clients, agent) = (connections.to_string(), format!("user-agent: {AGENT}"));
        let duration = seconds.to_string();
        let mut args = words(["--h1", "-t", "1", "-c", &clients, "-D", &duration]);
        args.extend(words(["-H", &agent, "-H", "accept: */*"]));
        if let Some(rate) = rate {
            // Its rate is one connection's.
            args.extend([
                "--rps".to_owned(),
                (f64::from(*rate) / f64::from(*connections)).to_string(),
            ]);
        }
        args.push(url.clone());
        Some(args)
    }

    fn read(&self, output: &str) -> Result<Report, Unreadable> {
        let good: u64 = number_before(output, " succeeded").ok_or(Unreadable("requests"))?;
        let errors: [u64; 3] = [" failed", " errored", " timeout"]
            .map(|kind| number_before(output, kind).unwrap_or(0));
        let [failed, ..] = errors;
        // `time for request: min max mean sd +/- sd`
        let times = output
            .lines()
            .find_map(|line| line.strip_prefix("time for request:"));
        let max = times.and_then(|rest| duration(rest.split_whitespace().nth(1)?));
        Ok(Report {
            good,
            // `errored` and `timeout` are parts of `failed`.
            bad: failed,
            per_second: number_before(output, " req/s").ok_or(Unreadable("rate"))?,
            latency: Latency {
                max,
                ..Latency::default()
            },
        })
    }
}
