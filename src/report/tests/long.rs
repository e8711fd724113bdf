//! Markdown of results that are hostile, or much too long.

use super::formats::{EVIL, evil};
use super::{hostile, stored};
use crate::analysis::result::RunResult;
use crate::report::Reporter;
use crate::report::markdown::Markdown;
use crate::report::markdown::page::MAX_BYTES;
use pulldown_cmark::{Event, Options, Parser, Tag};

fn github() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
}

/// What a renderer of GitHub's dialect makes of a text: its HTML tags, and how many headings.
fn rendered(text: &str) -> (Vec<String>, usize) {
    let (mut html, mut headings) = (Vec::new(), 0);
    for event in Parser::new_ext(text, github()) {
        match event {
            Event::Html(tag) | Event::InlineHtml(tag) => html.push(tag.trim().to_owned()),
            Event::Start(Tag::Link { .. } | Tag::Image { .. }) => panic!("a link in {text}"),
            Event::Start(Tag::Heading { .. }) => headings += 1,
            _ => {}
        }
    }
    (html, headings)
}

fn ours(html: &[String]) -> bool {
    let ours = |tag: &String| {
        let folded = tag.starts_with("<details><summary>") && tag.ends_with("</summary>");
        folded || tag == "</details>"
    };
    html.iter().all(ours)
}

#[test]
fn no_text_from_outside_becomes_markup() {
    let (_, headings) = rendered(&Markdown.render(&stored()).unwrap());
    let results = EVIL.iter().map(|text| evil(text)).chain([hostile()]);
    for result in results {
        let text = Markdown.render(&result).unwrap();
        let (html, found) = rendered(&text);
        assert!(ours(&html), "{html:?} in {text}");
        assert!(found == headings, "{found} headings in {text}");
        let count = |what: &str| html.iter().filter(|t| t.contains(what)).count();
        assert_eq!(count("<details>"), count("</details>"));
    }
}

fn huge() -> RunResult {
    let mut result = evil(&EVIL.join(" ").repeat(20));
    let repeat = |n: usize| std::iter::repeat_n((), n);
    let (load, fault, impact) = (
        result.loads[0].clone(),
        result.faults[0].clone(),
        result.impacts[0].clone(),
    );
    let (gate, event, outage) = (
        result.gates[0].clone(),
        result.events[0].clone(),
        result.outages[0].clone(),
    );
    result.loads = repeat(300).map(|()| load.clone()).collect();
    result.faults = repeat(200).map(|()| fault.clone()).collect();
    result.impacts = repeat(400).map(|()| impact.clone()).collect();
    result.gates = repeat(500).map(|()| gate.clone()).collect();
    result.events = repeat(20_000).map(|()| event.clone()).collect();
    result.outages = repeat(5_000).map(|()| outage.clone()).collect();
    result.verdict_reasons = repeat(1_000).map(|()| load.name.clone()).collect();
    result.hints = repeat(1_000).map(|()| load.name.clone()).collect();
    result
}

#[test]
fn a_report_fits_a_comment_however_much_there_is_to_tell() {
    let text = Markdown.render(&huge()).unwrap();
    assert!(text.len() < 65_536, "{} bytes", text.len());
    assert!(
        text.len() > MAX_BYTES / 2,
        "{} bytes: more would fit",
        text.len()
    );
    assert!(text.starts_with("## ❌ FAIL"), "{}", &text[..80]);
    let (html, _) = rendered(&text);
    assert!(ours(&html), "{html:?}");
    assert!(text.contains("Left out for length") && text.contains("more (see run.json)"));
}
