//! One run of an open loop, as the recording server saw it.

use super::http::CONNECTIONS;
use crate::bench::{Bench, CLIENT_CPU, SERVER_CPU};
use crate::client::Client;
use crate::error::BenchError;
use crate::figures::{Arrivals, against_line, median, of_the_load, quantile, sorted};
use crate::servers::control;
use crate::servers::recorder::{Behaviour, Recorder};
use crate::tools::Load;
use std::time::Duration;

/// One run.
pub struct Seen {
    /// Its arrivals.
    pub arrivals: Arrivals,
    /// Connections that were made.
    pub connections: usize,
    /// Processor time of the client; none: it was no process of its own.
    pub cpu: Option<Duration>,
    /// Good answers as the client counts them.
    pub counted: u64,
    /// How late stamps may be, or are: median and p99.
    pub stamped: (Duration, Duration),
}

/// The load at a rate.
pub fn load(url: String, rate: u32, seconds: u32) -> Load {
    Load::Http {
        url,
        connections: CONNECTIONS,
        seconds,
        rate: Some(rate),
    }
}

impl Seen {
    /// Of a client. `stamped` is the time between the polls around each stamp.
    ///
    /// # Errors
    /// Where the client does not do its part.
    pub fn of(bench: &Bench, client: &Client, rate: u32) -> Result<Self, BenchError> {
        let recorder = Recorder::start(Behaviour::Steady, SERVER_CPU)?;
        let load = load(recorder.url(), rate, bench.options.seconds);
        let (ran, report) =
            client.run_well(&load, &bench.client_cpu(), bench.place(), bench.stop)?;
        let recording = recorder.finish()?;
        let stamps = of_the_load(&recording.stamps);
        let widths = &recording.widths[recording.stamps.len() - stamps.len()..];
        let nothing = || BenchError::Nothing(client.name().to_owned());
        Ok(Self {
            arrivals: against_line(stamps, f64::from(rate)).ok_or_else(nothing)?,
            connections: recording.connections,
            cpu: Some(ran.cpu),
            counted: report.good,
            stamped: middle_and_p99(widths).ok_or_else(nothing)?,
        })
    }

    /// Of the control, which is never late by its own doing. `stamped` is the time from the moment before it sent to the
    /// stamp.
    ///
    /// # Errors
    /// Where it cannot connect.
    pub fn of_control(rate: u32, during: Duration) -> Result<Self, BenchError> {
        let recorder = Recorder::start(Behaviour::Steady, SERVER_CPU)?;
        let sent = control::send(recorder.port, rate, during, CLIENT_CPU)?;
        let recording = recorder.finish()?;
        let pairs = recording.stamps.iter().zip(&sent);
        let after: Vec<u64> = pairs
            .map(|(came, sent)| came.saturating_sub(*sent))
            .collect();
        let nothing = || BenchError::Nothing("control".to_owned());
        Ok(Self {
            arrivals: against_line(&recording.stamps, f64::from(rate)).ok_or_else(nothing)?,
            connections: recording.connections,
            cpu: None,
            counted: u64::try_from(sent.len()).unwrap_or(0),
            stamped: middle_and_p99(&after).ok_or_else(nothing)?,
        })
    }

    /// How many arrived.
    pub fn arrived(&self) -> u64 {
        u64::try_from(self.arrivals.count).unwrap_or(0)
    }
}

fn middle_and_p99(nanos: &[u64]) -> Option<(Duration, Duration)> {
    let seconds: Vec<f64> = nanos
        .iter()
        .map(|&ns| Duration::from_nanos(ns).as_secs_f64())
        .collect();
    let sorted = sorted(&seconds);
    let at = |share| quantile(&sorted, share).map(Duration::from_secs_f64);
    at(0.5).zip(at(0.99))
}

/// The median over rounds of a time.
pub fn middle(runs: &[Seen], pick: impl Fn(&Seen) -> Duration) -> Duration {
    Duration::from_secs_f64(middle_of(runs, |run| pick(run).as_secs_f64()))
}

/// The median over rounds of a number.
pub fn middle_of(runs: &[Seen], pick: impl Fn(&Seen) -> f64) -> f64 {
    median(&runs.iter().map(pick).collect::<Vec<_>>()).unwrap_or(0.0)
}

/// The fewest arrivals of all rounds.
pub fn fewest(runs: &[Seen]) -> u64 {
    runs.iter().map(Seen::arrived).min().unwrap_or(0)
}
