//! Past runs, a line each.

use super::json::pretty;
use super::text::{grouped, percent, plain};
use super::{ReportError, table};
use crate::analysis::result::RunResult;
use crate::compare::repeat::value;
use crate::plan::Metric;
use crate::verdict::Verdict;
use serde::Serialize;

/// One folder of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listed {
    /// The folder.
    pub path: String,
    /// What is known of the run; null where its files could not be read.
    #[serde(flatten)]
    pub run: Option<ListedRun>,
    /// Why it could not be read, or what is wrong with it.
    pub problem: Option<String>,
}

/// What a line says of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListedRun {
    /// Its scenario.
    pub scenario: String,
    /// Its id.
    pub run: String,
    /// Wall time of its zero.
    pub started_at: jiff::Timestamp,
    /// Its verdict.
    pub verdict: Verdict,
    /// How it ended: `completed`, `interrupted`, `failed`, `died`.
    pub end: String,
    /// Operations in its measured window, all workloads.
    pub requests: u64,
    /// Bad ones among them.
    pub bad: u64,
    /// bad / requests; 0 without requests.
    pub error_rate: f64,
    /// Slowest recovery of all edges and workloads; null: it did not recover.
    pub slowest_recovery_ms: Option<f64>,
    /// There is something to recover from.
    pub has_faults: bool,
}

impl ListedRun {
    /// What a result says on one line.
    #[must_use]
    pub fn of(result: &RunResult) -> Self {
        let requests = result.loads.iter().map(|l| l.requests).sum();
        let bad = result
            .loads
            .iter()
            .map(|l| l.requests.saturating_sub(l.ok))
            .sum();
        let recoveries = result.impacts.iter();
        let slowest = recoveries.map(|i| i.time_to_recover_ms.unwrap_or(f64::INFINITY));
        let slowest = slowest.fold(0.0, f64::max);
        let error_rate = match requests {
            0 => 0.0,
            all => crate::analysis::count(bad) / crate::analysis::count(all),
        };
        Self {
            scenario: result.scenario.name.clone(),
            run: result.run.clone(),
            started_at: result.started_at,
            verdict: result.verdict,
            end: result.end.reason.clone(),
            requests,
            bad,
            error_rate,
            slowest_recovery_ms: Some(slowest).filter(|ms| ms.is_finite()),
            has_faults: !result.impacts.is_empty(),
        }
    }
}

/// As JSON: a list.
///
/// # Errors
/// It cannot be put into JSON.
pub fn json(runs: &[Listed]) -> Result<String, ReportError> {
    pretty(&runs)
}

/// On a terminal: a table, and the folders that could not be read below it.
#[must_use]
pub fn terminal(runs: &[Listed], width: Option<u16>) -> String {
    let rows = runs
        .iter()
        .filter_map(|listed| Some(row(listed, listed.run.as_ref()?)));
    let rows: Vec<_> = rows.collect();
    let mut out = String::new();
    if !rows.is_empty() {
        let header = [
            "started",
            "scenario",
            "verdict",
            "requests",
            "error rate",
            "slowest recovery",
            "path",
        ];
        out.push_str(&table::terminal(&header, &rows, width));
    }
    for listed in runs.iter().filter(|l| l.run.is_none()) {
        let why = listed.problem.as_deref().unwrap_or("it cannot be read");
        out.push_str(&format!("{}: {}\n", plain(&listed.path), plain(why)));
    }
    out
}

fn row(listed: &Listed, run: &ListedRun) -> Vec<String> {
    let verdict = super::sentence::verdict(run.verdict).to_lowercase();
    let verdict = match run.end.as_str() {
        "completed" => verdict,
        end => format!("{verdict} ({end})"),
    };
    let slowest = run.slowest_recovery_ms.unwrap_or(f64::INFINITY);
    let recovery = match run.has_faults {
        true => value(Metric::TimeToRecover, slowest),
        false => "–".to_owned(),
    };
    vec![
        run.started_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        run.scenario.clone(),
        verdict,
        grouped(run.requests),
        percent(run.error_rate),
        recovery,
        listed.path.clone(),
    ]
}
