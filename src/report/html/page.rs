//! Everything that the page shows, as its template reads it. Strings in it are as they came: the template's formatter
//! makes each inert where it is written.

use super::data;
use super::histogram::{self, Histogram};
use super::marks::{self, Lane, Remark, TimeAxis};
use super::panels::{self, Group};
use super::sections::{self, Fault};
use super::table::Table;
use crate::analysis::result::RunResult;
use crate::report::text::{grouped, percent, seconds};
use crate::report::{ReportError, sentence, story};
use crate::verdict::Verdict;
use crate::verdict::gate::duration;
use serde::Serialize;

/// Bytes of the configuration that are shown; the rest is in run.json.
const CONFIGURATION: usize = 60_000;
/// Faults whose story is told, reasons and hints that are listed.
const TOLD: usize = 60;

/// The page.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// `pass`, `fail` or `inconclusive`.
    pub verdict: &'static str,
    /// The verdict, in capitals.
    pub word: &'static str,
    /// The scenario's name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// The whole run in a sentence.
    pub headline: String,
    /// Why not pass.
    pub reasons: Vec<String>,
    /// What to do about it.
    pub hints: Vec<String>,
    /// When and how long.
    pub facts: Vec<(&'static str, String)>,
    /// The figures that are looked at first.
    pub tiles: Vec<Tile>,
    /// Every fault in plain words.
    pub stories: Vec<Told>,
    /// How many are not told.
    pub untold: usize,
    /// The axis of all plots.
    pub time: TimeAxis,
    /// The timeline.
    pub lanes: Vec<Lane>,
    /// Height of the timeline's lanes, pixels.
    pub lanes_height: usize,
    /// What the script shows near the pointer.
    pub remarks: Vec<Remark>,
    /// The plots.
    pub groups: Vec<Group>,
    /// The latencies.
    pub histograms: Vec<Histogram>,
    /// The workloads.
    pub loads: Table,
    /// What is said of them besides.
    pub about_loads: Vec<(String, Vec<String>)>,
    /// The faults.
    pub faults: Vec<Fault>,
    /// How many are left out.
    pub more_faults: usize,
    /// The gates.
    pub gates: Table,
    /// The outages.
    pub outages: Table,
    /// Outages that the result left out, and why they matter: a sentence each.
    pub outages_note: String,
    /// Single operations.
    pub samples: Table,
    /// The events.
    pub events: Table,
    /// The plan, line by line.
    pub configuration: Vec<String>,
    /// Its rest was left out.
    pub configuration_cut: bool,
    /// lbtest's own health.
    pub generator: Vec<(&'static str, String)>,
    /// Version and id.
    pub imprint: String,
    /// For the script.
    pub data: String,
}

/// A figure that is looked at first.
#[derive(Debug, Clone, Serialize)]
pub struct Tile {
    /// What it is.
    pub name: &'static str,
    /// The figure.
    pub value: String,
    /// Of what, or of whom.
    pub note: String,
    /// `good`, `bad` or nothing.
    pub tone: &'static str,
}

/// A fault's story.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// The fault.
    pub name: String,
    /// Its injection and what that cost.
    pub injected: String,
    /// Its heal and what that cost.
    pub healed: Option<String>,
    /// What others noticed.
    pub noticed: Vec<String>,
}

/// The page of a result.
pub fn of(result: &RunResult) -> Result<Page, ReportError> {
    let end_ms = marks::end_ms(result);
    let groups = panels::of(result, end_ms);
    let plots: Vec<_> = groups.iter().flat_map(|g| &g.plots).collect();
    let data = data::embedded(&plots, end_ms).map_err(ReportError::Write)?;
    let lanes = marks::lanes(result, end_ms);
    let (faults, more_faults) = sections::faults(result);
    let (configuration, configuration_cut) = configuration(result)?;
    Ok(Page {
        verdict: match result.verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Inconclusive => "inconclusive",
        },
        word: sentence::verdict(result.verdict),
        name: result.scenario.name.clone(),
        description: result.scenario.description.clone(),
        headline: capital(&sentence::headline(result)),
        reasons: result.verdict_reasons.iter().take(TOLD).cloned().collect(),
        hints: result.hints.iter().take(TOLD).cloned().collect(),
        facts: facts(result),
        tiles: tiles(result),
        stories: result
            .faults
            .iter()
            .take(TOLD)
            .map(|f| told(result, f))
            .collect(),
        untold: result.faults.len().saturating_sub(TOLD),
        time: marks::time_axis(result, end_ms),
        lanes_height: lanes.len() * marks::LANE,
        lanes,
        remarks: marks::remarks(result),
        histograms: histograms(result),
        loads: sections::loads(result),
        about_loads: sections::about_loads(result),
        faults,
        more_faults,
        gates: sections::gates(result),
        outages: sections::outages(result),
        outages_note: outages_note(result),
        samples: sections::samples(result),
        events: sections::events(result),
        configuration,
        configuration_cut,
        generator: sections::generator(result),
        imprint: format!(
            "lbtest {}, run {}, result schema {}",
            result.lbtest_version, result.run, result.schema_version
        ),
        groups,
        data,
    })
}

fn told(result: &RunResult, fault: &crate::analysis::result::FaultResult) -> Told {
    let story = story::of(result, fault);
    Told {
        name: fault.name.clone(),
        injected: story.injected,
        healed: story.healed,
        noticed: story.noticed,
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

fn facts(result: &RunResult) -> Vec<(&'static str, String)> {
    let end = &result.end;
    let ended = match (end.reason.as_str(), &end.detail) {
        ("completed", _) => None,
        (reason, None) => Some(reason.to_owned()),
        (reason, Some(detail)) => Some(format!("{reason}: {detail}")),
    };
    // To the second: the rest is in run.json.
    let started = result
        .started_at
        .strftime("%Y-%m-%d %H:%M:%S UTC")
        .to_string();
    let measured = (end.measured_to_ms - end.measured_from_ms).max(0.0);
    let all = [
        ("Started", Some(started)),
        (
            "Measured",
            Some(format!(
                "{} after {} of warm-up",
                seconds(measured),
                seconds(end.measured_from_ms)
            )),
        ),
        ("Seed", Some(result.scenario.seed.to_string())),
        ("Project", result.scenario.project.clone()),
        ("Ended", ended),
    ];
    all.into_iter()
        .filter_map(|(name, value)| value.map(|v| (name, v)))
        .collect()
}

fn tiles(result: &RunResult) -> Vec<Tile> {
    let sum = |pick: fn(&crate::analysis::result::LoadResult) -> u64| {
        result
            .loads
            .iter()
            .fold(0u64, |sum, l| sum.saturating_add(pick(l)))
    };
    let (requests, ok) = (sum(|l| l.requests), sum(|l| l.ok));
    let bad = requests.saturating_sub(ok);
    let rate = crate::analysis::count(bad) / crate::analysis::count(requests.max(1));
    let tone = |good: bool| if good { "good" } else { "bad" };
    let mut tiles = vec![Tile {
        name: "Failed requests",
        value: grouped(bad),
        note: format!("of {}: {}", grouped(requests), percent(rate)),
        tone: tone(bad == 0),
    }];
    let (value, note) = sections::slowest_recovery(result)
        .unwrap_or_else(|| ("–".to_owned(), "no fault cost a request".to_owned()));
    if !result.impacts.is_empty() {
        tiles.push(Tile {
            name: "Slowest recovery",
            tone: if value == "not back" { "bad" } else { "" },
            value,
            note,
        });
    }
    let slowest = result
        .loads
        .iter()
        .filter_map(|l| l.latency_ms.map(|p| (l, p.p99)));
    if let Some((load, p99)) = slowest.max_by(|a, b| a.1.total_cmp(&b.1)) {
        tiles.push(Tile {
            name: "Highest p99",
            value: duration(p99),
            note: load.name.clone(),
            tone: "",
        });
    }
    let judged = result.gates.iter().filter(|g| g.judged);
    let passed = judged.filter(|g| g.passed).count();
    if !result.gates.is_empty() {
        tiles.push(Tile {
            name: "Gates passed",
            value: format!("{passed} of {}", result.gates.len()),
            note: String::new(),
            tone: tone(passed == result.gates.len()),
        });
    }
    tiles
}

fn outages_note(result: &RunResult) -> String {
    let omitted = result
        .loads
        .iter()
        .fold(0u64, |sum, l| sum.saturating_add(l.outages_omitted));
    if omitted == 0 {
        return String::new();
    }
    format!(
        "{} shorter ones were left out of the result.",
        grouped(omitted)
    )
}

fn histograms(result: &RunResult) -> Vec<Histogram> {
    let all = result.loads.iter().filter_map(histogram::of).take(24);
    all.enumerate()
        .map(|(id, h)| Histogram { id, ..h })
        .collect()
}

/// The plan as lines, and whether they are not all.
fn configuration(result: &RunResult) -> Result<(Vec<String>, bool), ReportError> {
    let Some(configuration) = &result.configuration else {
        return Ok((Vec::new(), false));
    };
    let text = serde_json::to_string_pretty(configuration).map_err(ReportError::Write)?;
    let mut left = CONFIGURATION;
    let fits = |line: &&str| {
        left = left.saturating_sub(line.len().min(super::LENGTH) + 1);
        left > 0
    };
    let lines: Vec<String> = text.lines().take_while(fits).map(str::to_owned).collect();
    let cut = lines.len() < text.lines().count();
    Ok((lines, cut))
}
