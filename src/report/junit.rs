//! `junit.xml`: what CI systems show as tests. A suite for the scenario; in it a case for each gate and one for the verdict.

use super::text;
use super::{ReportError, Reporter, sentence};
use crate::analysis::result::{GateResult, RunResult};
use crate::verdict::Verdict;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// Renders JUnit's XML. A gate that does not hold is a failure; one that could not be judged, and an inconclusive
/// verdict, an error: CI systems count both, and tell them apart.
#[derive(Debug, Clone, Copy, Default)]
pub struct Junit;

impl Reporter for Junit {
    fn file_name(&self) -> &'static str {
        "junit.xml"
    }

    fn render(&self, result: &RunResult) -> Result<String, ReportError> {
        let name = plain(&result.scenario.name);
        let time = of_millis(result.end.at_ms.unwrap_or(result.end.measured_to_ms));
        let mut suite = TestSuite::new(&*name);
        suite.set_time(time);
        for (key, value) in [
            ("run", result.run.clone()),
            ("started_at", result.started_at.to_string()),
            ("seed", result.scenario.seed.to_string()),
            ("lbtest_version", result.lbtest_version.clone()),
        ] {
            suite.add_property((key, &*plain(&value)));
        }
        let mut verdict = case(&name, "verdict", verdict_status(result));
        verdict.set_time(time);
        suite.add_test_case(verdict);
        let gates = result.gates.iter();
        suite.add_test_cases(gates.map(|gate| {
            let of = format!("{} {}", gate.name, gate.limit);
            case(&name, &plain(&of), gate_status(gate))
        }));
        suite.set_system_out(plain(&sentence::headline(result)));
        written(suite, time)
    }
}

/// A report of one suite, as XML.
///
/// # Errors
/// It cannot be written.
pub(super) fn written(suite: TestSuite, time: Duration) -> Result<String, ReportError> {
    let mut report = Report::new("lbtest");
    report.set_time(time);
    report.add_test_suite(suite);
    report
        .to_string()
        .map_err(|e| ReportError::Xml(Box::new(e)))
}

/// A text that neither steers a terminal nor breaks XML. Source: XML 1.0, 2.2: the two characters that are no control
/// characters and yet none that XML allows.
pub(super) fn plain(text: &str) -> String {
    text::plain(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

/// A test case of a scenario. Texts are made inert by the caller; what XML does not allow is left out by the writer.
pub(super) fn case(scenario: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("lbtest.{scenario}"));
    case
}

/// How a case ended that did not succeed.
pub(super) fn not_passed(kind: NonSuccessKind, of: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(of);
    status.set_message(plain(message));
    status
}

/// A length of time; what is none (negative, infinite) is zero.
pub(super) fn of_millis(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default()
}

/// The status that stands for a verdict, with its reasons.
pub(super) fn status_of(verdict: Verdict, reasons: &[String]) -> TestCaseStatus {
    let (kind, of) = match verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Fail => (NonSuccessKind::Failure, "fail"),
        Verdict::Inconclusive => (NonSuccessKind::Error, "inconclusive"),
    };
    let mut status = not_passed(kind, of, &format!("{of}: {}", reasons.join("; ")));
    let lines: Vec<_> = reasons.iter().map(|r| plain(r)).collect();
    status.set_description(lines.join("\n"));
    status
}

fn verdict_status(result: &RunResult) -> TestCaseStatus {
    status_of(result.verdict, &result.verdict_reasons)
}

fn gate_status(gate: &GateResult) -> TestCaseStatus {
    let [_, limit, measured, _] = sentence::gate_row(gate);
    let message = format!("measured {measured}, limit {limit}");
    match (gate.judged, gate.passed) {
        (true, true) => TestCaseStatus::success(),
        (true, false) => not_passed(NonSuccessKind::Failure, "gate failed", &message),
        (false, _) => not_passed(NonSuccessKind::Error, "gate not judged", &message),
    }
}
