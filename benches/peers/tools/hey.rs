//! hey: a closed loop of workers, each of which may be held to a rate.

use super::{AGENT, Latency, Load, Report, Tool, Unreadable, number_after, word_after, words};
use std::time::Duration;

/// hey.
pub struct Hey;

impl Tool for Hey {
    fn name(&self) -> &'static str {
        "hey"
    }

    fn version(&self) -> Option<&'static str> {
        None
    }

    fn verifies(&self) -> &'static str {
        "framing (Go's net/http); statuses counted apart; no body"
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
        let (workers, duration) = (connections.to_string(), format!("{seconds}s"));
        let agent = format!("User-Agent: {AGENT}");
        let mut args = words([
            "-cpus",
            "1",
            "-c",
            &workers,
            "-z",
            &duration,
            "-disable-compression",
        ]);
        args.extend(words(["-H", &agent, "-A", "*/*"]));
        if let Some(rate) = rate {
            // Its rate is one worker's.
            args.extend([
                "-q".to_owned(),
                (f64::from(*rate) / f64::from(*connections)).to_string(),
            ]);
        }
        args.push(url.clone());
        Some(args)
    }

    fn read(&self, output: &str) -> Result<Report, Unreadable> {
        let (mut good, mut bad) = (0, 0);
        for (number, rest) in output
            .lines()
            .filter_map(|line| line.trim().strip_prefix('[')?.split_once(']'))
        {
            // `[200] 5000 responses` among the statuses, `[12] Get "http://…": …` among the errors.
            match rest
                .trim()
                .strip_suffix(" responses")
                .map(|count| count.trim().parse::<u64>())
            {
                Some(Ok(count)) if number.starts_with('2') => good += count,
                Some(Ok(count)) => bad += count,
                Some(Err(_)) => return Err(Unreadable("responses")),
                None => bad += number.parse::<u64>().unwrap_or(0),
            }
        }
        let seconds = |text: &str| {
            number_after::<f64>(output, text).and_then(|s| Duration::try_from_secs_f64(s).ok())
        };
        let percentile = |text| {
            output
                .lines()
                .find(|l| l.trim().starts_with(text))
                .and_then(|_| seconds(&format!("{text} in")))
        };
        let per_second = word_after(output, "Requests/sec:").and_then(|n| n.parse().ok());
        Ok(Report {
            good,
            bad,
            per_second: per_second.ok_or(Unreadable("rate"))?,
            latency: Latency {
                p50: percentile("50%"),
                p99: percentile("99%"),
                max: seconds("Slowest:"),
                p999: None,
            },
        })
    }
}
