//! wrk: a closed loop on raw epoll, the yardstick of cheap requests.

use super::{
    AGENT, Latency, Load, Report, Tool, Unreadable, duration, number_after, number_before,
    word_after, words,
};

/// wrk.
pub struct Wrk;

impl Tool for Wrk {
    fn name(&self) -> &'static str {
        "wrk"
    }

    fn version(&self) -> Option<&'static str> {
        Some("-v")
    }

    fn verifies(&self) -> &'static str {
        "framing (http_parser); a status of 400 or more is counted apart; no body"
    }

    fn arguments(&self, load: &Load) -> Option<Vec<String>> {
        let Load::Http {
            url,
            connections,
            seconds,
            rate: None,
        } = load
        else {
            return None;
        };
        let mut args = vec![
            "-t1".to_owned(),
            format!("-c{connections}"),
            format!("-d{seconds}s"),
        ];
        args.extend(words(["--latency", "-H", "Accept: */*", "-H"]));
        args.push(format!("User-Agent: {AGENT}"));
        args.push(url.clone());
        Some(args)
    }

    fn read(&self, output: &str) -> Result<Report, Unreadable> {
        let all: u64 = number_before(output, " requests in ").ok_or(Unreadable("requests"))?;
        let status: u64 = number_after(output, "Non-2xx or 3xx responses:").unwrap_or(0);
        let socket: u64 = ["connect ", "read ", "write ", "timeout "]
            .iter()
            .filter_map(|kind| {
                let errors = output
                    .lines()
                    .find(|line| line.contains("Socket errors:"))?;
                number_after::<u64>(errors, kind)
            })
            .sum();
        let percentile = |text| word_after(output, text).and_then(duration);
        Ok(Report {
            good: all.saturating_sub(status),
            bad: status + socket,
            per_second: number_after(output, "Requests/sec:").ok_or(Unreadable("rate"))?,
            latency: Latency {
                p50: percentile("50%"),
                p99: percentile("99%"),
                ..Latency::default()
            },
        })
    }
}
