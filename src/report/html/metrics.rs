//! One plot for each name of a metric, whatever it is: an observer that writes a new one finds it in the report without
//! a change here. Known names get a nicer title.

use super::data::Times;
use super::panels::Group;
use super::plot::{LINES, Plot, Sketch, Track};
use super::scale::Unit;
use crate::analysis::result::MetricSeries;

/// Points in the page, of all metrics together.
const POINTS: usize = 24_000;
/// Plots; more would be too much for a page.
const PLOTS: usize = 40;

/// Title and explanation of known names.
const KNOWN: [(&str, &str, &str); 12] = [
    ("cpu", "CPU", "Processor time used."),
    ("memory", "Memory", "Memory in use."),
    (
        "replication_lag",
        "Replication lag",
        "How far replicas are behind what they replicate.",
    ),
    ("sessions", "Sessions", "Sessions open at the balancer."),
    ("queue", "Queue", "Requests that wait at the balancer."),
    ("connections", "Connections", "Connections open."),
    (
        "server_up",
        "Servers up",
        "1: the balancer sends requests there; 0: it does not.",
    ),
    ("network_in", "Network, received", "Bytes received."),
    ("network_out", "Network, sent", "Bytes sent."),
    ("disk_read", "Disk, read", "Bytes read."),
    ("disk_write", "Disk, written", "Bytes written."),
    ("in_flight", "In flight", "Operations under way."),
];

/// All plots of metrics.
pub fn of(metrics: &[MetricSeries], end_ms: f64) -> Group {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for series in metrics {
        let name = (series.metric.as_str(), series.unit.as_str());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let points = (POINTS / metrics.len().clamp(1, PLOTS * LINES)).clamp(60, 600);
    let plots = names.iter().take(PLOTS).filter_map(|name| {
        let of_name = |s: &&MetricSeries| (s.metric.as_str(), s.unit.as_str()) == *name;
        plot(
            &metrics.iter().filter(of_name).collect::<Vec<_>>(),
            end_ms,
            points,
        )
    });
    let more = names.len().saturating_sub(PLOTS);
    Group {
        title: "What observers measured".to_owned(),
        note: if more > 0 {
            format!("{more} more metrics are in run.json.")
        } else {
            String::new()
        },
        plots: plots.collect(),
    }
}

fn plot(series: &[&MetricSeries], end_ms: f64, points: usize) -> Option<Plot> {
    let first = series.first()?;
    let (title, about) = titled(&first.metric);
    let unit = Unit::named(&first.unit);
    let about = match (unit, first.unit.as_str()) {
        (Unit::Number, "count" | "")
        | (Unit::Ratio | Unit::Milliseconds | Unit::PerSecond | Unit::Bytes, _) => about,
        (Unit::Number, other) => format!("{about} In {other}."),
    };
    let several = series.iter().any(|s| s.source != first.source);
    let highest = |s: &MetricSeries| {
        s.values
            .iter()
            .flatten()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max)
    };
    let mut shown: Vec<_> = series.iter().enumerate().collect();
    // Where there are too many, those that reach highest.
    shown.sort_by(|a, b| highest(b.1).total_cmp(&highest(a.1)));
    shown.truncate(LINES);
    shown.sort_by_key(|(i, _)| *i);
    let more = series.len() - shown.len();
    let about = if more > 0 {
        format!("{about} The {LINES} that reach highest; {more} more are in run.json.")
    } else {
        about
    };
    let tracks = shown.into_iter().map(|(_, s)| Track {
        name: if several {
            format!("{} ({})", s.subject, s.source)
        } else {
            s.subject.clone()
        },
        times: Times::Listed(s.at_ms.clone()),
        values: s.values.clone(),
    });
    Sketch {
        title,
        about: about.trim().to_owned(),
        unit,
        log: false,
        tracks: tracks.collect(),
        limit: None,
        end_ms,
        points,
    }
    .lines()
}

/// `tcp_retransmits` → `Tcp retransmits`.
fn titled(metric: &str) -> (String, String) {
    if let Some((_, title, about)) = KNOWN.iter().find(|(name, _, _)| *name == metric) {
        return ((*title).to_owned(), (*about).to_owned());
    }
    let words = metric.replace('_', " ");
    let mut letters = words.chars();
    let first = letters
        .next()
        .map(|c| c.to_uppercase().to_string())
        .unwrap_or_default();
    (format!("{first}{}", letters.as_str()), String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(metric: &str, unit: &str, subject: &str, values: &[f64]) -> MetricSeries {
        MetricSeries {
            metric: metric.to_owned(),
            unit: unit.to_owned(),
            source: "docker".to_owned(),
            subject: subject.to_owned(),
            at_ms: (0..values.len())
                .map(|i| 500.0 * f64::from(u16::try_from(i).unwrap()))
                .collect(),
            values: values.iter().copied().map(Some).collect(),
        }
    }

    #[test]
    fn a_name_nobody_knows_gets_a_plot_of_its_own() {
        let metrics = [
            series("cpu", "cores", "app1", &[0.1, 0.9]),
            series("brand_new_thing", "widgets", "app1", &[1.0, 2.0]),
            series("cpu", "cores", "app2", &[0.2, 0.1]),
        ];
        let plots = of(&metrics, 1000.0).plots;
        assert_eq!(
            plots.iter().map(|p| p.title.as_str()).collect::<Vec<_>>(),
            ["CPU", "Brand new thing"]
        );
        assert_eq!(plots[0].layers.len(), 2);
        assert_eq!(plots[1].about, "In widgets.");
    }

    #[test]
    fn of_many_series_those_are_shown_that_reach_highest() {
        let metrics: Vec<_> = (0..20)
            .map(|i| series("cpu", "cores", &format!("s{i}"), &[f64::from(i)]))
            .collect();
        let plots = of(&metrics, 1000.0).plots;
        let names: Vec<_> = plots[0].layers.iter().map(|l| l.name.as_str()).collect();
        assert_eq!(
            names,
            ["s12", "s13", "s14", "s15", "s16", "s17", "s18", "s19"]
        );
        assert!(plots[0].about.contains("12 more"), "{}", plots[0].about);
    }

    #[test]
    fn lists_of_unequal_length_do_no_harm() {
        let mut short = series("cpu", "ratio", "app1", &[0.5, 0.6, 0.7]);
        short.at_ms.truncate(1);
        assert_eq!(of(&[short], 1000.0).plots.len(), 1);
    }
}
