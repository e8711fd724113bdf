//! `[gate]` as it is typed: one key per metric.

use super::super::at::At;
use super::LimitText;
use crate::plan::Metric;
use schemars::JsonSchema;
use serde::Deserialize;

macro_rules! gate_table {
    ($($(#[$doc:meta])* $metric:ident => $key:ident,)*) => {
        /// `[gate]`: limits. A value is a text such as `<= 0.5%`, `<= 10s`, `>= 100`; or, against a run that is given with
        /// `--baseline`, `<= baseline * 1.2`, `<= baseline + 500ms`.
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(inline)]
        pub struct GateTable {
            $($(#[$doc])* pub $key: Option<At<LimitText>>,)*
        }

        impl GateTable {
            /// The limits that are set, with what they limit.
            #[must_use]
            pub fn limits(&self) -> Vec<(Metric, &At<LimitText>)> {
                let all = [$((Metric::$metric, self.$key.as_ref()),)*];
                all.into_iter().filter_map(|(metric, limit)| limit.map(|l| (metric, l))).collect()
            }
        }
    };
}

gate_table! {
    /// Bad operations among all, in percent: `<= 0.5%`.
    ErrorRate => error_rate,
    /// Number of bad operations: `<= 10`.
    Bad => bad,
    /// Number of writes of unknown outcome: `== 0`.
    Unknown => unknown,
    /// Number of arrivals that found no free slot: `== 0`.
    Dropped => dropped,
    /// Median latency: `<= 20ms`.
    P50 => p50,
    /// 90th percentile of latency.
    P90 => p90,
    /// 99th percentile of latency.
    P99 => p99,
    /// 99.9th percentile of latency.
    P999 => p999,
    /// Highest latency.
    MaxLatency => max,
    /// Good operations per second: `>= 190/s`.
    Throughput => throughput,
    /// From an edge until operations succeed again: `<= 10s`.
    TimeToRecover => time_to_recover,
    /// From an edge until p99 is back.
    TimeToRecoverPerformance => time_to_recover_performance,
    /// Longest outage, whatever caused it.
    Outage => outage,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_key_in_the_gate_table() {
        let text: String = Metric::ALL
            .iter()
            .map(|(_, key)| format!("{key} = 0\n"))
            .collect();
        let table: GateTable = toml::from_str(&text).unwrap();
        let metrics: Vec<Metric> = table.limits().into_iter().map(|(m, _)| m).collect();
        assert_eq!(metrics, Metric::ALL.map(|(m, _)| m));
    }
}
