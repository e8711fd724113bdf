//! OpenMetrics text: the figures of a run for Prometheus (a push gateway, the text file collector of the node exporter).
//!
//! Units are the base units of OpenMetrics: seconds, ratios. The run is over, so that everything is a gauge.

use super::text::plain;
use super::{ReportError, Reporter, sentence};
use crate::analysis::count;
use crate::analysis::result::{Impact, LoadResult, RunResult};
use crate::verdict::Verdict;
use crate::verdict::trust::edge_name;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Renders OpenMetrics 1.0 text.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenMetrics;

type Labels = Vec<(&'static str, String)>;

/// Gauges by their labels: unlike the crate's own family always in one order, so that a result has one text.
#[derive(Debug)]
struct Figures(BTreeMap<Labels, f64>);

impl EncodeMetric for Figures {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        for (labels, value) in &self.0 {
            ConstGauge::new(*value).encode(encoder.encode_family(labels)?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}

impl Reporter for OpenMetrics {
    fn file_name(&self) -> &'static str {
        "metrics.txt"
    }

    fn render(&self, result: &RunResult) -> Result<String, ReportError> {
        let scenario = plain(&result.scenario.name);
        let common = [(Cow::Borrowed("scenario"), Cow::Owned(scenario))];
        let mut metrics = Metrics {
            registry: Registry::with_prefix_and_labels("lbtest", common.into_iter()),
        };
        metrics.of_run(result);
        metrics.of_loads(&result.loads);
        metrics.of_impacts(&result.impacts);
        metrics.of_outages(result);
        metrics.of_gates(result);
        metrics.of_generator(result);
        let mut out = String::new();
        encode(&mut out, &metrics.registry).map_err(ReportError::Metrics)?;
        // The encoder writes infinity as Rust does, Prometheus with its sign. No label holds the end of a line.
        Ok(out.replace("} inf\n", "} +Inf\n"))
    }
}

struct Metrics {
    registry: Registry,
}

fn label(name: &'static str, value: &str) -> (&'static str, String) {
    (name, plain(value))
}

fn of(load: &LoadResult) -> Labels {
    vec![label("load", &load.name)]
}

impl Metrics {
    /// A family; one without a value is left out.
    fn family(&mut self, name: &str, help: &str, values: Vec<(Labels, f64)>) {
        if values.is_empty() {
            return;
        }
        let figures = Figures(values.into_iter().collect());
        self.registry.register(name, help, figures);
    }

    fn of_run(&mut self, result: &RunResult) {
        let run = Info::new(vec![
            label("run", &result.run),
            label("lbtest_version", &result.lbtest_version),
            label("verdict", &sentence::verdict(result.verdict).to_lowercase()),
            label("end", &result.end.reason),
        ]);
        self.registry.register("run", "The run", run);
        let states = [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive];
        let state = |verdict: Verdict| {
            let name = sentence::verdict(verdict).to_lowercase();
            let holds = f64::from(u8::from(verdict == result.verdict));
            (vec![label("verdict", &name)], holds)
        };
        let help = "1 for the verdict that the run has, 0 for the others";
        self.family("verdict", help, states.map(state).into());
        let started = vec![(vec![], result.started_at.as_duration().as_secs_f64())];
        let help = "Unix time of the start of the load";
        self.family("start_time_seconds", help, started);
    }

    fn of_loads(&mut self, loads: &[LoadResult]) {
        let counts = loads.iter().flat_map(|l| {
            let each = [
                ("ok", l.ok),
                ("failed", l.failed),
                ("unknown", l.unknown),
                ("dropped", l.dropped),
            ];
            each.map(|(outcome, n)| {
                let labels = vec![label("load", &l.name), label("outcome", outcome)];
                (labels, count(n))
            })
        });
        let help = "Operations in the measured window";
        self.family("operations", help, counts.collect());
        let errors = loads.iter().flat_map(|l| {
            l.errors.iter().map(|(class, n)| {
                let labels = vec![label("load", &l.name), label("class", class)];
                (labels, count(*n))
            })
        });
        self.family("errors", "Bad operations by class", errors.collect());
        type Pick = fn(&LoadResult) -> Option<f64>;
        let figures: [(&str, &str, Pick); 5] = [
            ("error_ratio", "Bad operations among all", |l| {
                Some(l.error_rate)
            }),
            (
                "throughput_per_second",
                "Operations done well per second",
                |l| Some(l.throughput),
            ),
            ("achieved_per_second", "Operations made per second", |l| {
                Some(l.achieved_rate)
            }),
            (
                "intended_per_second",
                "Arrivals of the schedule per second",
                |l| l.intended_rate,
            ),
            (
                "longest_gap_seconds",
                "Longest time without a success",
                |l| l.longest_gap_ms.map(|ms| ms / 1e3),
            ),
        ];
        for (name, help, pick) in figures {
            let values = loads.iter().filter_map(|l| Some((of(l), pick(l)?)));
            self.family(name, help, values.collect());
        }
        let latencies = loads.iter().filter_map(|l| Some((l, l.latency_ms?)));
        let each = latencies.flat_map(|(l, p)| {
            let all = [
                ("50", p.p50),
                ("90", p.p90),
                ("99", p.p99),
                ("99.9", p.p999),
                ("100", p.max),
            ];
            all.map(|(percentile, ms)| {
                let labels = vec![label("load", &l.name), label("percentile", percentile)];
                (labels, ms / 1e3)
            })
        });
        let help = "Latency of good operations, from their intended time";
        self.family("latency_seconds", help, each.collect());
    }

    fn of_impacts(&mut self, impacts: &[Impact]) {
        let of_edge = |i: &Impact| {
            vec![
                label("fault", &i.fault),
                label("edge", edge_name(i.edge)),
                label("load", &i.load),
            ]
        };
        let seconds = |ms: Option<f64>| ms.map(|ms| ms / 1e3);
        type Pick<'a> = &'a dyn Fn(&Impact) -> Option<f64>;
        let never = |ms: Option<f64>| Some(seconds(ms).unwrap_or(f64::INFINITY));
        let figures: [(&str, &str, Pick<'_>); 5] = [
            (
                "time_to_recover_seconds",
                "From the edge until service was back; +Inf: it was not",
                &|i| never(i.time_to_recover_ms),
            ),
            (
                "time_to_recover_resolution_seconds",
                "How far the truth may lie from it",
                &|i| seconds(i.resolution_ms),
            ),
            (
                "time_to_recover_performance_seconds",
                "From the edge until p99 was back",
                &|i| seconds(i.time_to_recover_performance_ms),
            ),
            ("edge_operations", "Operations after the edge", &|i| {
                Some(count(i.requests))
            }),
            ("edge_bad", "Bad operations after the edge", &|i| {
                Some(count(i.bad))
            }),
        ];
        for (name, help, pick) in figures {
            let values = impacts.iter().filter_map(|i| Some((of_edge(i), pick(i)?)));
            self.family(name, help, values.collect());
        }
    }

    fn of_outages(&mut self, result: &RunResult) {
        let outages = |l: &LoadResult| result.outages.iter().filter(|o| o.load == l.name).count();
        let number = result.loads.iter().map(|l| {
            let listed = u64::try_from(outages(l)).unwrap_or(u64::MAX);
            (of(l), count(listed.saturating_add(l.outages_omitted)))
        });
        let number: Vec<_> = number.collect();
        self.family(
            "outages",
            "Times in which a workload was not stable",
            number,
        );
        let longest = result.loads.iter().map(|l| {
            let of_load = result.outages.iter().filter(|o| o.load == l.name);
            let each = of_load.map(|o| o.duration_ms.unwrap_or(f64::INFINITY));
            (of(l), each.fold(0.0, f64::max) / 1e3)
        });
        let help = "Longest outage; +Inf: it had not ended when the load did";
        self.family("longest_outage_seconds", help, longest.collect());
    }

    fn of_gates(&mut self, result: &RunResult) {
        let gates = result.gates.iter().enumerate();
        let of_gate = |(index, gate): (usize, &crate::analysis::result::GateResult)| {
            let passed = f64::from(u8::from(gate.passed));
            let judged = f64::from(u8::from(gate.judged));
            // Two gates may have one name: their place tells them apart.
            let labels = vec![
                label("gate", &gate.name),
                label("limit", &gate.limit),
                label("index", &index.to_string()),
            ];
            ((labels.clone(), passed), (labels, judged))
        };
        let (passed, judged): (Vec<_>, Vec<_>) = gates.map(of_gate).unzip();
        self.family("gate_passed", "1 where the limit holds", passed);
        self.family(
            "gate_judged",
            "1 where there was something to judge",
            judged,
        );
    }

    fn of_generator(&mut self, result: &RunResult) {
        let Some(health) = &result.generator else {
            return;
        };
        let late = [
            ("50", health.late_p50_ms),
            ("99", health.late_p99_ms),
            ("100", health.late_max_ms),
        ];
        let late = late.map(|(p, ms)| (vec![label("percentile", p)], ms / 1e3));
        let help = "How late lbtest sent its operations";
        self.family("generator_late_seconds", help, late.into());
        for (name, help, ratio) in [
            (
                "generator_cpu_ratio",
                "Processor time that its workers used",
                health.cpu_ratio,
            ),
            (
                "host_idle_ratio",
                "Idle share of the machine",
                health.host_idle_ratio,
            ),
        ] {
            let value = ratio.map(|r| (Vec::new(), r));
            self.family(name, help, value.into_iter().collect());
        }
    }
}
