//! ab: a closed loop, HTTP/1.0 with keep-alive.

use super::{AGENT, Latency, Load, Report, Tool, Unreadable, number_after, words};
use std::time::Duration;

/// ab.
pub struct Ab;

impl Tool for Ab {
    fn name(&self) -> &'static str {
        "ab"
    }

    fn version(&self) -> Option<&'static str> {
        Some("-V")
    }

    fn verifies(&self) -> &'static str {
        "Content-Length only, found by a text search (no chunked body); every body as long as the first; status counted apart"
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
        let (connections, seconds) = (connections.to_string(), seconds.to_string());
        let agent = format!("User-Agent: {AGENT}");
        // `-t` alone means 50 000 requests at most; the larger number follows it for that reason.
        Some(words([
            "-k",
            "-q",
            "-c",
            &connections,
            "-t",
            &seconds,
            "-n",
            "100000000",
            "-H",
            &agent,
            url,
        ]))
    }

    fn read(&self, output: &str) -> Result<Report, Unreadable> {
        let complete: u64 =
            number_after(output, "Complete requests:").ok_or(Unreadable("requests"))?;
        let failed: u64 = number_after(output, "Failed requests:").unwrap_or(0);
        let status: u64 = number_after(output, "Non-2xx responses:").unwrap_or(0);
        // Whole milliseconds only.
        let percentile =
            |text| number_after::<f64>(output, text).map(|ms| Duration::from_secs_f64(ms / 1e3));
        Ok(Report {
            good: complete.saturating_sub(failed + status),
            bad: failed + status,
            per_second: number_after(output, "Requests per second:").ok_or(Unreadable("rate"))?,
            latency: Latency {
                p50: percentile("50%"),
                p99: percentile("99%"),
                max: percentile("100%"),
                p999: None,
            },
        })
    }
}
