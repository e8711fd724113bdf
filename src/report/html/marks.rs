//! What is marked on the time axis of every plot: the warm-up, the times in which faults were in effect, their edges,
//! and what was seen; and the same as a chart of its own, a lane for each.

use super::plot::{across, percent};
use super::scale;
use crate::analysis::result::{FaultResult, RunResult};
use crate::report::story;
use crate::report::text::seconds;
use serde::Serialize;

/// Marks of a kind; more would be a wall.
const MARKS: usize = 300;
/// Lanes of the chart.
const LANES: usize = 24;
/// Characters of a lane's name: what fits on a phone.
const NAME: usize = 38;
/// Height of a lane, pixels.
pub const LANE: usize = 32;

/// The time axis that all plots share.
#[derive(Debug, Clone, Serialize)]
pub struct TimeAxis {
    /// Its end, milliseconds.
    pub end_ms: f64,
    /// Width of the box.
    pub width: f64,
    /// Height of the box.
    pub height: f64,
    /// Pixels of the box's height.
    pub pixels: f64,
    /// Where the measured window begins.
    pub measured: f64,
    /// Labels: percent of the width, text.
    pub moments: Vec<(f64, String)>,
    /// Times in which faults were in effect: begin and width.
    pub bands: Vec<(f64, f64)>,
    /// Moments at which something broke.
    pub broken: Vec<f64>,
    /// Moments at which it was mended.
    pub mended: Vec<f64>,
    /// Moments at which somebody else saw something.
    pub seen: Vec<f64>,
}

/// A lane of the timeline.
#[derive(Debug, Clone, Serialize)]
pub struct Lane {
    /// `fault`, `outage`, `event`: which colour.
    pub kind: &'static str,
    /// What it is of.
    pub name: String,
    /// Times: begin and width.
    pub bars: Vec<(f64, f64)>,
    /// Moments.
    pub points: Vec<f64>,
}

/// A moment that the script shows when the pointer is near.
#[derive(Debug, Clone, Serialize)]
pub struct Remark {
    /// When.
    pub at_ms: f64,
    /// When, in words.
    pub at: String,
    /// What.
    pub text: String,
}

/// The end of the time axis: that of the load, and of every series.
pub fn end_ms(result: &RunResult) -> f64 {
    let measured = result.end.measured_to_ms.max(result.end.measured_from_ms);
    let series = result.loads.iter().map(|l| {
        let n = u32::try_from(l.series.requests.len()).unwrap_or(u32::MAX);
        l.series.interval_ms * (f64::from(n) - 1.0).max(0.0)
    });
    let end = series.fold(measured, f64::max);
    if end.is_finite() && end > 0.0 {
        end
    } else {
        1000.0
    }
}

/// Begin and end of a fault's effect; one without an end that was to be healed lasts to the end of the axis.
fn effect(fault: &FaultResult, end_ms: f64) -> Option<(f64, Option<f64>)> {
    let from = fault.injected_at_ms?;
    let to = fault.healed_at_ms.or(fault.heal_at_ms.map(|_| end_ms));
    Some((from, to.filter(|to| *to > from)))
}

/// The axis with its marks.
pub fn time_axis(result: &RunResult, end_ms: f64) -> TimeAxis {
    let faults = || result.faults.iter().take(MARKS);
    let effects = || faults().filter_map(|f| effect(f, end_ms));
    let x = |at: f64| across(at, end_ms);
    let foreign = result.events.iter().filter(|e| e.source != "lbtest");
    let mut seen: Vec<f64> = foreign.map(|e| x(e.at_ms)).collect();
    seen.sort_by(f64::total_cmp);
    seen.dedup();
    seen.truncate(MARKS);
    TimeAxis {
        end_ms,
        width: super::plot::WIDTH,
        height: super::plot::HEIGHT,
        pixels: super::plot::PIXELS,
        measured: x(result.end.measured_from_ms),
        moments: scale::moments(end_ms)
            .into_iter()
            .map(|(at, label)| (percent(at / end_ms), label))
            .collect(),
        bands: effects()
            .filter_map(|(from, to)| to.map(|to| (x(from), x(to) - x(from))))
            .collect(),
        broken: effects().map(|(from, _)| x(from)).collect(),
        mended: faults().filter_map(|f| f.healed_at_ms).map(x).collect(),
        seen,
    }
}

/// The timeline: faults (the occurrences of an entry in one lane), outages, events by source.
pub fn lanes(result: &RunResult, end_ms: f64) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    let mut add = |kind: &'static str, name: &str, from: f64, to: Option<f64>| {
        let name = cut(name);
        let at = lanes
            .iter()
            .position(|l| l.kind == kind && l.name == name)
            .or_else(|| {
                (lanes.len() < LANES).then(|| {
                    lanes.push(Lane {
                        kind,
                        name,
                        bars: Vec::new(),
                        points: Vec::new(),
                    });
                    lanes.len() - 1
                })
            });
        let Some(lane) = at.and_then(|i| lanes.get_mut(i)) else {
            return;
        };
        let x = across(from, end_ms);
        match to {
            Some(to) if lane.bars.len() < MARKS => {
                lane.bars.push((x, (across(to, end_ms) - x).max(12.0)))
            }
            None if lane.points.len() < MARKS => lane.points.push(x),
            Some(_) | None => {}
        }
    };
    for fault in &result.faults {
        if let Some((from, to)) = effect(fault, end_ms) {
            add("fault", &fault.entry, from, to);
        }
    }
    for outage in &result.outages {
        let name = format!("outage of {}", outage.load);
        add(
            "outage",
            &name,
            outage.start_ms,
            Some(outage.end_ms.unwrap_or(end_ms)),
        );
    }
    for event in &result.events {
        add(
            "event",
            &format!("seen by {}", crate::report::noticed::who(&event.source)),
            event.at_ms,
            None,
        );
    }
    lanes
}

fn cut(name: &str) -> String {
    let name = crate::report::text::plain(name);
    if name.chars().count() <= NAME {
        return name;
    }
    name.chars().take(NAME - 1).chain(['…']).collect()
}

/// What the script shows near the pointer: edges and events, by time.
pub fn remarks(result: &RunResult) -> Vec<Remark> {
    let remark = |at_ms: f64, text: String| Remark {
        at_ms: at_ms.round(),
        at: seconds(at_ms),
        text,
    };
    let broken = result
        .faults
        .iter()
        .filter_map(|f| Some(remark(f.injected_at_ms?, story::deed(f))));
    let mended = result
        .faults
        .iter()
        .filter_map(|f| Some(remark(f.healed_at_ms?, format!("{}: healed", f.name))));
    let events = result
        .events
        .iter()
        .map(|e| remark(e.at_ms, format!("{}: {} {}", e.source, e.subject, e.what)));
    let mut all: Vec<_> = broken
        .chain(mended)
        .take(MARKS)
        .chain(events.take(MARKS))
        .collect();
    all.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(injected: Option<f64>, heal: Option<f64>, healed: Option<f64>) -> FaultResult {
        serde_json::from_value(serde_json::json!({
            "name": "f", "entry": "f", "kind": "stop", "targets": [], "inject_at_ms": 0.0,
            "injected_at_ms": injected, "inject_uncertainty_ms": null, "heal_at_ms": heal, "healed_at_ms": healed,
            "heal_uncertainty_ms": null, "confirmed": true, "heal_confirmed": null, "notes": [],
        }))
        .unwrap()
    }

    #[test]
    fn a_fault_is_in_effect_from_its_injection_to_its_heal() {
        let of = |i, h, d| effect(&fault(i, h, d), 100.0);
        assert_eq!(
            of(Some(10.0), Some(20.0), Some(21.0)),
            Some((10.0, Some(21.0)))
        );
        assert_eq!(
            of(Some(10.0), Some(20.0), None),
            Some((10.0, Some(100.0))),
            "never healed: to the end"
        );
        assert_eq!(
            of(Some(10.0), None, None),
            Some((10.0, None)),
            "nothing to heal: a moment"
        );
        assert_eq!(of(None, Some(20.0), None), None, "did not take place");
    }

    #[test]
    fn a_long_name_is_cut_to_what_fits_on_a_phone() {
        assert_eq!(cut("short"), "short");
        let cut = cut(&"ä".repeat(100_000));
        assert_eq!(cut.chars().count(), NAME);
        assert!(cut.ends_with('…'));
    }
}
