//! The forms for programs: each is read back by somebody else's parser, with hostile text too.

use super::{hostile, made, stored};
use crate::analysis::analyze;
use crate::analysis::result::{GateResult, RunResult};
use crate::report::csv::Csv;
use crate::report::github::{Place, annotations, disarmed};
use crate::report::junit::Junit;
use crate::report::ndjson::Ndjson;
use crate::report::openmetrics::OpenMetrics;
use crate::report::rows::COLUMNS;
use crate::report::{Reporter, terminal};
use crate::verdict::Verdict;

/// What would do harm in one of the forms, if it came through.
pub(super) const EVIL: [&str; 9] = [
    "=HYPERLINK(\"http://evil\")",
    "]]></failure><testcase name=\"x\"/>",
    "a\"} 1\n# EOF\nb{c=\"",
    "x\n::error::owned",
    "##[add-mask]owned",
    "\u{0}\u{1b}[31m\u{fffe}\u{ffff}\u{202e}\r\n,\"",
    "</summary></details><script>alert(1)</script>",
    "\n```\n<b>x</b>",
    "\n---\n# h\n1. @team GH-1 www.evil.example",
];

/// Every text that comes from outside is evil.
pub(super) fn evil(text: &str) -> RunResult {
    let mut history = made();
    let plan = &mut history.head.plan;
    (plan.scenario, plan.description) = (text.to_owned(), text.to_owned());
    plan.loads.iter_mut().for_each(|l| l.name = text.to_owned());
    plan.faults
        .iter_mut()
        .for_each(|f| f.name = text.to_owned());
    plan.faults
        .iter_mut()
        .for_each(|f| f.targets = vec![text.to_owned()]);
    plan.gates
        .iter_mut()
        .for_each(|g| g.written = text.to_owned());
    let instances = history.loads.iter_mut().flat_map(|l| &mut l.instances);
    instances.for_each(|name| *name = text.to_owned());
    for event in &mut history.events {
        (event.source, event.subject, event.what) =
            (text.to_owned(), text.to_owned(), text.to_owned());
    }
    let mut result = analyze(&history);
    result.verdict_reasons.push(text.to_owned());
    result.hints.push(text.to_owned());
    result.loads.iter_mut().for_each(|l| {
        l.errors.insert(text.to_owned(), 1);
    });
    result
}

#[test]
fn the_junit_report_of_the_stored_history() {
    insta::assert_snapshot!(Junit.render(&stored()).unwrap());
}

#[test]
fn junit_has_a_case_for_the_verdict_and_one_for_each_gate() {
    let mut result = stored();
    result.gates[1].judged = false;
    let text = Junit.render(&result).unwrap();
    let read = quick_junit::Report::deserialize_from_str(&text).unwrap();
    let suite = &read.test_suites[0];
    assert_eq!(suite.test_cases.len(), 1 + result.gates.len());
    assert_eq!(
        (suite.failures, suite.errors),
        (2, 1),
        "the verdict and a gate; one not judged"
    );
    assert_eq!(suite.time.unwrap().as_millis(), 36_000);
    result.verdict = Verdict::Inconclusive;
    let text = Junit.render(&result).unwrap();
    assert!(text.contains("type=\"inconclusive\""), "{text}");
}

#[test]
fn junit_stays_valid_xml_whatever_the_names_are() {
    for text in EVIL {
        let result = evil(text);
        let xml = Junit.render(&result).unwrap();
        let read =
            roxmltree::Document::parse(&xml).unwrap_or_else(|e| panic!("{text:?}: {e}: {xml}"));
        let cases = read.descendants().filter(|n| n.has_tag_name("testcase"));
        assert_eq!(cases.count(), 1 + result.gates.len(), "{xml}");
        assert!(!xml.contains(['\u{0}', '\u{1b}', '\u{fffe}', '\u{ffff}', '\u{202e}']));
    }
}

fn records(text: &str) -> Vec<csv::StringRecord> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(
        reader.headers().unwrap().iter().collect::<Vec<_>>(),
        COLUMNS
    );
    // A record of another length is an error of the reader.
    reader.records().map(Result::unwrap).collect()
}

fn sum(records: &[csv::StringRecord], record: &str, metrics: &[&str]) -> f64 {
    let of = records
        .iter()
        .filter(|r| &r[0] == record && metrics.contains(&&r[5]));
    of.map(|r| r[7].parse::<f64>().unwrap()).sum()
}

#[test]
fn the_slots_of_the_csv_add_up_to_its_series_and_both_to_what_was_done() {
    let history = crate::history::file::read(&super::fixture()).unwrap();
    let reporter = Csv {
        history: Some(&history),
    };
    let all = records(&reporter.render(&stored()).unwrap());
    // 20/s and 10/s for 36 s; 37 of them bad, as the report says.
    assert_eq!(sum(&all, "series", &["requests"]), 1080.0);
    assert_eq!(sum(&all, "slot", &["ok", "failed", "unknown"]), 1080.0);
    assert_eq!(sum(&all, "series", &["bad"]), 37.0);
    assert_eq!(sum(&all, "slot", &["failed", "unknown"]), 37.0);
    assert_eq!(sum(&all, "series", &["errors"]), 37.0);
    let without = records(&Csv::default().render(&stored()).unwrap());
    assert_eq!(sum(&without, "slot", &["ok"]), 0.0);
    let recovery = all
        .iter()
        .find(|r| &r[0] == "figure" && &r[5] == "time_to_recover")
        .unwrap();
    assert_eq!(
        recovery.iter().collect::<Vec<_>>(),
        [
            "figure",
            "12000",
            "",
            "lbtest",
            "reads",
            "time_to_recover",
            "slave 1 stops (inject)",
            "3350",
            "ms",
            ""
        ]
    );
}

#[test]
fn csv_and_ndjson_hold_the_same_rows_and_no_cell_is_a_formula() {
    for text in EVIL {
        let result = evil(text);
        let csv = Csv::default().render(&result).unwrap();
        let all = records(&csv);
        let ndjson = Ndjson::default().render(&result).unwrap();
        let objects: Vec<serde_json::Value> = ndjson
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(all.len(), objects.len());
        assert_eq!(csv.lines().count(), all.len() + 1, "a row is a line");
        for (record, object) in all.iter().zip(&objects) {
            assert_eq!(object["metric"], record[5].trim_start_matches('\''));
            assert_eq!(object["value"].as_f64(), record[7].parse().ok());
            for cell in [3, 4, 5, 6, 8, 9] {
                assert!(
                    !record[cell].starts_with(['=', '+', '-', '@', '\t', '\r']),
                    "{record:?}"
                );
            }
        }
    }
}

#[test]
fn the_openmetrics_of_the_stored_history() {
    insta::assert_snapshot!(OpenMetrics.render(&stored()).unwrap());
}

#[test]
fn openmetrics_are_read_by_a_parser_of_the_format_whatever_the_names_are() {
    let parse = openmetrics_parser::openmetrics::parse_openmetrics;
    let families = |text: &str| {
        parse(text)
            .unwrap_or_else(|e| panic!("{e}: {text}"))
            .families
            .len()
    };
    let harmless = families(&OpenMetrics.render(&stored()).unwrap());
    assert!(harmless > 15, "{harmless}");
    for text in EVIL {
        let shown = OpenMetrics.render(&evil(text)).unwrap();
        assert_eq!(families(&shown), harmless, "{shown}");
        assert!(shown.ends_with("# EOF\n") && shown.matches("\n# EOF\n").count() == 1);
    }
}

#[test]
fn what_did_not_recover_is_infinite_and_the_verdict_is_one_of_three() {
    let mut result = stored();
    result.impacts[0].time_to_recover_ms = None;
    let text = OpenMetrics.render(&result).unwrap();
    let line = |begins: &str, holds: &str| {
        text.lines()
            .any(|l| l.starts_with(begins) && l.contains(holds))
    };
    assert!(
        line("lbtest_time_to_recover_seconds{", "edge=\"inject\""),
        "{text}"
    );
    assert!(text.contains("} +Inf\n"), "{text}");
    assert!(line("lbtest_verdict{", "verdict=\"fail\"} 1"), "{text}");
    assert!(line("lbtest_verdict{", "verdict=\"pass\"} 0"), "{text}");
}

#[test]
fn failed_gates_are_annotations_and_nothing_else_is_a_command() {
    let place = |_: Option<&GateResult>| {
        Some(Place {
            file: "scenarios/kill-slave.toml".to_owned(),
            line: Some(40),
        })
    };
    insta::assert_snapshot!(annotations(&stored(), place));
    for text in EVIL {
        let result = evil(text);
        let shown = annotations(&result, place);
        for line in shown.lines() {
            let ours = ["::error ", "::warning ", "::notice "];
            assert!(ours.iter().any(|c| line.starts_with(c)), "{shown}");
            assert!(!line.contains("##["), "{shown}");
            // The properties end where ours end.
            let properties = line.split("::").nth(1).unwrap();
            assert_eq!(properties.matches(",title=").count(), 1, "{shown}");
        }
        let report = terminal::Terminal {
            colour: false,
            width: Some(60),
        };
        let shown = report.render(&result).unwrap();
        let harmless = disarmed(&shown);
        assert!(
            !harmless.lines().any(|l| l.trim_start().starts_with("::")),
            "{harmless}"
        );
        assert!(!harmless.contains("##["), "{harmless}");
    }
    assert!(
        hostile().scenario.name.contains('\u{1b}'),
        "the names are as they came"
    );
}
