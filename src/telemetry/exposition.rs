//! A run in the OpenMetrics text format, as of its last tick.
//!
//! Counters are totals since the load began, so that they only rise; with the next load of the same command they begin
//! at zero again, as after the restart of a process, which is what Prometheus takes it for.

use super::bounded::{Names, inert};
use super::faults::Faults;
use crate::notice::{LATENCY_BOUNDS, LoadTick, Notice, Phase, Tick};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The media type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Classes of errors of one workload with a series of their own.
const MOST_CLASSES: usize = 64;
/// Instances of one workload with a series of their own.
const MOST_INSTANCES: usize = 256;

/// What is known of a run before it begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunInfo {
    /// The scenario's name.
    pub scenario: String,
    /// Seed of every random choice.
    pub seed: u64,
    /// Version of lbtest.
    pub version: String,
}

/// What is exposed; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Exposition(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    info: Option<RunInfo>,
    phase: Option<Phase>,
    loads: BTreeMap<String, Load>,
    faults: Faults,
}

/// A workload, as its tick tells of it, with bounded names.
#[derive(Debug)]
struct Load {
    classes: Names,
    instances: Names,
    tick: LoadTick,
    errors: BTreeMap<String, u64>,
    /// By instance: good, bad.
    answered: BTreeMap<String, Answered>,
}

#[derive(Debug, Default)]
struct Answered {
    ok: u64,
    bad: u64,
}

impl std::ops::AddAssign for Answered {
    fn add_assign(&mut self, more: Self) {
        self.ok += more.ok;
        self.bad += more.bad;
    }
}

impl Load {
    fn new() -> Self {
        Self {
            classes: Names::at_most(MOST_CLASSES),
            instances: Names::at_most(MOST_INSTANCES),
            tick: LoadTick::default(),
            errors: BTreeMap::new(),
            answered: BTreeMap::new(),
        }
    }

    fn goes(&mut self, tick: &LoadTick) {
        let errors = tick.errors.iter().map(|(class, n)| (&**class, *n));
        self.errors = self.classes.sums(errors);
        let instances = tick.instances.iter().map(|i| {
            let (ok, bad) = (i.total.saturating_sub(i.bad), i.bad);
            (&*i.name, Answered { ok, bad })
        });
        self.answered = self.instances.sums(instances);
        self.tick = tick.clone();
    }

    /// Operations by outcome. Of the bad ones those were dropped that bear this class, and never sent.
    fn outcomes(&self) -> [(&'static str, u64); 4] {
        let tick = &self.tick;
        let dropped = tick.errors.get("dropped").copied().unwrap_or(0);
        [
            ("ok", tick.total.saturating_sub(tick.bad)),
            ("failed", tick.bad.saturating_sub(tick.unknown + dropped)),
            ("unknown", tick.unknown),
            ("dropped", dropped),
        ]
    }
}

impl Exposition {
    /// A run of this scenario follows.
    pub fn begins(&self, info: RunInfo) {
        *self.state() = State {
            info: Some(info),
            ..State::default()
        };
    }

    /// Takes in what the run tells.
    pub fn takes(&self, notice: &Notice) {
        let mut state = self.state();
        match notice {
            Notice::Phase(phase) => state.phase = Some(*phase),
            Notice::LoadStarted { .. } => {
                state.loads.clear();
                state.faults = Faults::default();
            }
            Notice::Tick(tick) => state.goes(tick),
            Notice::Fault { at: _, name, what } => state.faults.one(name, what),
            Notice::Image { .. }
            | Notice::ImageReady { .. }
            | Notice::Container { .. }
            | Notice::Warning(_)
            | Notice::Info(_)
            | Notice::Settle(_) => {}
        }
    }

    /// The text.
    ///
    /// # Errors
    /// Never in practice: writing to memory does not fail.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.clone()));
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn goes(&mut self, tick: &Tick) {
        for load in &tick.loads {
            let name = inert(&load.name);
            self.loads.entry(name).or_insert_with(Load::new).goes(load);
        }
        self.faults.all(&tick.faults);
    }
}

/// Every phase and its label.
const PHASES: [(Phase, &str); 8] = [
    (Phase::Images, "images"),
    (Phase::Starting, "starting"),
    (Phase::Probing, "probing"),
    (Phase::WarmUp, "warm_up"),
    (Phase::Measuring, "measuring"),
    (Phase::Draining, "draining"),
    (Phase::Reporting, "reporting"),
    (Phase::TearingDown, "tearing_down"),
];

/// A phase as labels and spans name it.
#[must_use]
pub fn name_of(phase: Phase) -> &'static str {
    let mut phases = PHASES.iter();
    phases
        .find(|(one, _)| *one == phase)
        .map_or("", |(_, name)| name)
}

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let state = self.state();
        state.run(&mut encoder)?;
        state.operations(&mut encoder)?;
        state.latency(&mut encoder)?;
        state.instances(&mut encoder)?;
        state.faults(&mut encoder)
    }
}

fn counter<L: EncodeLabelSet>(family: &mut MetricEncoder<'_>, labels: &L, n: u64) -> fmt::Result {
    family
        .encode_family(labels)?
        .encode_counter::<NoLabelSet, u64, u64>(&n, None)
}

fn gauge<L: EncodeLabelSet>(family: &mut MetricEncoder<'_>, labels: &L, n: u64) -> fmt::Result {
    family.encode_family(labels)?.encode_gauge(&n)
}

impl State {
    fn run(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "The run that is followed.";
        let mut family = encoder.encode_descriptor("lbtest_run", help, None, MetricType::Info)?;
        if let Some(RunInfo {
            scenario,
            seed,
            version,
        }) = &self.info
        {
            let labels = [
                ("scenario", inert(scenario)),
                ("seed", seed.to_string()),
                ("version", inert(version)),
            ];
            family.encode_info(&labels)?;
        }
        let help = "1 for the phase that the run is in, 0 for the others.";
        let mut family =
            encoder.encode_descriptor("lbtest_phase", help, None, MetricType::Gauge)?;
        for (phase, name) in PHASES {
            let is_in = self.phase == Some(phase);
            gauge(&mut family, &[("phase", name)], is_in.into())?;
        }
        Ok(())
    }

    fn operations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Operations since the load began, by what became of them.";
        let counts = MetricType::Counter;
        let mut family = encoder.encode_descriptor("lbtest_operations", help, None, counts)?;
        for (name, load) in &self.loads {
            for (outcome, n) in load.outcomes() {
                let labels = [("load", &**name), ("outcome", outcome)];
                counter(&mut family, &labels, n)?;
            }
        }
        let help = "Operations that were not ok, by class.";
        let mut family = encoder.encode_descriptor("lbtest_errors", help, None, counts)?;
        for (name, load) in &self.loads {
            for (class, n) in &load.errors {
                let labels = [("load", &**name), ("class", &**class)];
                counter(&mut family, &labels, *n)?;
            }
        }
        let help = "Operations under way.";
        let mut family =
            encoder.encode_descriptor("lbtest_in_flight", help, None, MetricType::Gauge)?;
        for (name, load) in &self.loads {
            let n = u64::try_from(load.tick.in_flight).unwrap_or(u64::MAX);
            gauge(&mut family, &[("load", &**name)], n)?;
        }
        Ok(())
    }

    fn latency(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help =
            "Time from the moment an operation was intended to its end, of those that were ok.";
        let (unit, kind) = (Some(&Unit::Seconds), MetricType::Histogram);
        let mut family = encoder.encode_descriptor("lbtest_latency", help, unit, kind)?;
        for (name, load) in &self.loads {
            let labels = [("load", &**name)];
            let buckets = buckets(&load.tick.latencies);
            let count = load.tick.latencies.iter().sum();
            let sum = load.tick.latency_sum.as_secs_f64();
            family
                .encode_family(&labels)?
                .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }

    fn instances(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Operations by the instance that answered, where it is known.";
        let (name, counts) = ("lbtest_instance_operations", MetricType::Counter);
        let mut family = encoder.encode_descriptor(name, help, None, counts)?;
        for (name, load) in &self.loads {
            for (instance, Answered { ok, bad }) in &load.answered {
                for (outcome, n) in [("ok", *ok), ("bad", *bad)] {
                    let labels = [
                        ("load", &**name),
                        // `instance` is what Prometheus calls the target it scraped.
                        ("server", &**instance),
                        ("outcome", outcome),
                    ];
                    counter(&mut family, &labels, n)?;
                }
            }
        }
        Ok(())
    }

    fn faults(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "1 while a fault is in effect.";
        let mut family =
            encoder.encode_descriptor("lbtest_fault_active", help, None, MetricType::Gauge)?;
        for (fault, kind, active) in self.faults.iter() {
            gauge(
                &mut family,
                &[("fault", fault), ("kind", kind)],
                active.into(),
            )?;
        }
        Ok(())
    }
}

/// Upper ends in seconds, the last one infinite, and how many are in each. A tick without latencies has empty ones.
fn buckets(latencies: &[u64]) -> Vec<(f64, u64)> {
    #[expect(clippy::cast_precision_loss, reason = "constants far below 2^53")]
    let seconds = |micros: u64| micros as f64 / 1e6;
    let ends = LATENCY_BOUNDS.iter().map(|b| seconds(*b));
    let counts = latencies.iter().copied().chain(std::iter::repeat(0));
    ends.chain([f64::INFINITY]).zip(counts).collect()
}

#[cfg(test)]
#[path = "exposition_tests.rs"]
mod tests;
