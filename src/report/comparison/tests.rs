use super::*;
use crate::analysis::analyze;
use crate::analysis::known::{add_fault, history, plan, steady};
use crate::compare::compare;
use pulldown_cmark::{Event, Parser, Tag};

/// `web` is out for so long after the fault.
fn compared(outages_ms: &[u64]) -> Compared {
    let run = |ms: &u64| {
        let bad = [(10_000, 10_000 + ms)];
        let mut history = history(plan(&["web"], 2, 30), &[steady(200, 30, &bad)]);
        add_fault(&mut history, "stop", 10_000, None);
        analyze(&history)
    };
    let runs: Vec<_> = outages_ms
        .iter()
        .map(|ms| (format!("reports/{ms}"), run(ms)))
        .collect();
    compare(&runs)
}

#[test]
fn a_comparison_on_a_terminal() {
    insta::assert_snapshot!(terminal(&compared(&[500, 1_500]), Some(120)));
}

#[test]
fn a_comparison_as_markdown() {
    insta::assert_snapshot!(markdown(&compared(&[500, 1_500])));
}

#[test]
fn three_runs_are_compared_with_the_first_and_the_json_reads_back() {
    let three = compared(&[500, 1_500, 500]);
    let text = json(&three).unwrap();
    let back: Compared = serde_json::from_str(&text).unwrap();
    assert_eq!((&back.runs, &back.notes), (&three.runs, &three.notes));
    assert_eq!(back.figures.len(), three.figures.len());
    let recovery = three
        .figures
        .iter()
        .find(|f| f.name.starts_with("time_to_recover of"))
        .unwrap();
    let judged: Vec<_> = recovery
        .sides
        .iter()
        .flatten()
        .map(|s| s.difference.map(|d| d.judgement))
        .collect();
    assert_eq!(
        judged,
        [None, Some(Judgement::Worse), Some(Judgement::Same)]
    );
}

#[test]
fn hostile_labels_and_names_stay_text() {
    let mut evil = compared(&[500, 1_500]);
    let text = "<img src=x> | `a` [c](http://evil) \u{1b}[31m\n# h";
    evil.runs[1].label = text.to_owned();
    evil.figures
        .iter_mut()
        .for_each(|f| f.name = text.to_owned());
    evil.notes = vec![text.to_owned()];
    let shown = terminal(&evil, Some(100));
    assert!(!shown.contains('\u{1b}') && !shown.lines().any(|l| l.starts_with("# h")));
    let written = markdown(&evil);
    let markup = |event: &Event<'_>| {
        let link = matches!(event, Event::Start(Tag::Link { .. } | Tag::Image { .. }));
        let html = matches!(event, Event::Html(t) | Event::InlineHtml(t) if t.contains("img"));
        link || html
    };
    assert!(!Parser::new(&written).any(|e| markup(&e)), "{written}");
}
