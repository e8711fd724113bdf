use super::*;
use crate::analysis::analyze;
use crate::analysis::known::{add_fault, history, plan, steady};
use crate::analysis::result::RunResult;
use crate::compare::summarize;
use crate::plan::{Comparison, Gate, GateScope, Metric};
use pulldown_cmark::{Event, Parser, Tag};

/// `web` is out for so long after the fault, and may be for one second.
fn run(outage_ms: u64) -> RunResult {
    let bad = [(10_000, 10_000 + outage_ms)];
    let mut plan = plan(&["web"], 2, 30);
    plan.observe = false;
    plan.gates = vec![Gate {
        metric: Metric::TimeToRecover,
        comparison: Comparison::AtMost,
        limit: 1_000.0,
        written: "<= 1s".to_owned(),
        scope: GateScope::Run,
        relative: None,
    }];
    let mut history = history(plan, &[steady(200, 30, &bad)]);
    add_fault(&mut history, "stop", 10_000, None);
    analyze(&history)
}

fn repeated(outages_ms: &[u64]) -> Repeated {
    let mut runs: Vec<_> = outages_ms.iter().map(|ms| run(*ms)).collect();
    if let Some(last) = runs.last_mut() {
        last.end.reason = "interrupted".to_owned();
    }
    summarize(&runs)
}

#[test]
fn repeated_runs_on_a_terminal() {
    let shown = terminal_within(&repeated(&[500, 700, 900, 600, 800, 20_000, 1]), Some(140));
    insta::assert_snapshot!(shown);
}

#[test]
fn repeated_runs_as_markdown() {
    insta::assert_snapshot!(markdown(&repeated(&[500, 1_700, 900, 1])));
}

#[test]
fn repeated_runs_as_junit_and_json_read_back() {
    for (outages, failures, errors) in [
        (vec![500, 600, 700, 1], 0, 0),
        (vec![1_500, 1_600, 1_700, 1], 2, 0),
        (vec![500, 1_600, 1_700, 1], 0, 2),
    ] {
        let repeated = repeated(&outages);
        let xml = junit(&repeated).unwrap();
        let suite = &quick_junit::Report::deserialize_from_str(&xml)
            .unwrap()
            .test_suites[0];
        assert_eq!(
            (suite.tests, suite.failures, suite.errors),
            (2, failures, errors),
            "{xml}"
        );
        let back = read(&json(&repeated).unwrap()).unwrap();
        assert_eq!((back.gates, back.runs), (repeated.gates, repeated.runs));
    }
}

#[test]
fn hostile_names_stay_text() {
    let mut evil = repeated(&[500, 600, 700, 1]);
    let text = "<img src=x> | [c](http://evil) \u{1b}[31m\u{0}\n# h";
    (evil.scenario, evil.gates[0].name) = (text.to_owned(), text.to_owned());
    evil.figures
        .iter_mut()
        .for_each(|f| f.name = text.to_owned());
    evil.runs[3].doubts = vec![text.to_owned()];
    assert!(!terminal(&evil).contains(['\u{1b}', '\u{0}']));
    let written = markdown(&evil);
    let link = |e: Event<'_>| matches!(e, Event::Start(Tag::Link { .. } | Tag::Image { .. }));
    assert!(!Parser::new(&written).any(link), "{written}");
    roxmltree::Document::parse(&junit(&evil).unwrap()).unwrap();
}
