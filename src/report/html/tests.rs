//! The page as text: its policy, its figures, and that nothing gets into it unseen. What a browser makes of it is tested in
//! `tests/browser_report.rs`.

use super::{Html, LENGTH, SCRIPT, STYLE, TEMPLATES, bounded, hash};
use crate::analysis::analyze;
use crate::analysis::result::RunResult;
use crate::report::text::{grouped, percent};
use crate::report::{Reporter, sentence, story};
use crate::verdict::gate::duration;
use std::path::Path;

fn stored() -> RunResult {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kill-slave.history.ndjson");
    analyze(&crate::history::file::read(&path).unwrap())
}

fn page(result: &RunResult) -> String {
    Html.render(result).unwrap()
}

/// The text between two marks.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    text.split_once(from).unwrap().1.split_once(to).unwrap().0
}

/// As the template writes a text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#x27;")
        .replace('/', "&#x2f;")
}

#[test]
fn the_policy_allows_the_pages_own_script_and_style_and_nothing_else() {
    let page = page(&stored());
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\">");
    let script = between(&page, "<script>", "</script>");
    let style = between(&page, "<style>", "</style>");
    assert_eq!((script, style), (SCRIPT, STYLE));
    let expected = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'",
        hash(script),
        hash(style)
    );
    assert_eq!(policy, expected);
    assert!(!page.contains(" style=") && !page.contains(" onclick="));
    assert!(
        !SCRIPT.contains("</") && !STYLE.contains("</"),
        "neither ends its own element"
    );
}

#[test]
fn the_hash_is_that_of_the_standard() {
    // The example of CSP Level 3, section 6.7.3.
    assert_eq!(
        hash("alert('Hello, world.');"),
        "sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng="
    );
}

#[test]
fn the_page_names_nothing_outside_of_itself() {
    let page = page(&stored());
    for outside in ["src=", "@import", "url(", "<link", "<base", "<iframe"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let links = page
        .match_indices("href=\"")
        .map(|(at, m)| &page[at + m.len()..]);
    assert!(links.into_iter().all(|target| target.starts_with('#')));
}

#[test]
fn only_what_the_program_wrote_itself_is_not_escaped() {
    let marks = |text: &str| -> Vec<String> {
        let before = text.match_indices("|safe").map(|(at, _)| &text[..at]);
        before
            .map(|t| t.rsplit("{{ ").next().unwrap_or_default().to_owned())
            .collect()
    };
    let mut safe: Vec<String> = TEMPLATES.iter().flat_map(|(_, text)| marks(text)).collect();
    safe.sort();
    safe.dedup();
    assert_eq!(
        safe,
        [
            "f.d",
            "l.d",
            "page.data",
            "script",
            "script_hash",
            "style",
            "style_hash"
        ]
    );
    assert!(
        TEMPLATES
            .iter()
            .all(|(name, text)| name.ends_with(".html") && !text.contains("autoescape"))
    );
}

#[test]
fn the_figures_of_the_page_are_those_of_the_result() {
    let result = stored();
    let page = page(&result);
    let mut figures = vec![sentence::verdict(result.verdict).to_owned()];
    for load in &result.loads {
        let p = load.latency_ms.unwrap();
        figures.extend([
            grouped(load.requests),
            grouped(load.requests - load.ok),
            percent(load.error_rate),
        ]);
        figures.extend([p.p50, p.p90, p.p99, p.p999, p.max].map(duration));
    }
    for impact in &result.impacts {
        figures.push(grouped(impact.bad));
        figures.push(
            impact
                .time_to_recover_ms
                .map_or("NOT within".to_owned(), duration),
        );
    }
    for gate in &result.gates {
        figures.extend(sentence::gate_row(gate));
    }
    for fault in &result.faults {
        let story = story::of(&result, fault);
        figures.extend([story.injected, story.healed.unwrap_or_default()]);
    }
    for figure in figures {
        assert!(page.contains(&escaped(&figure)), "{figure}");
    }
}

#[test]
fn the_verdict_is_the_first_thing_said() {
    let page = page(&stored());
    let body = between(&page, "<h1>", "</h1>");
    assert!(
        body.starts_with("<span class=\"word\">FAIL</span>"),
        "{body}"
    );
}

#[test]
fn a_text_from_outside_is_bounded_and_visible() {
    assert_eq!(
        bounded("a\u{1b}[31m\u{202e}b\nc"),
        "a\\u{1b}[31m\\u{202e}b c"
    );
    let long = bounded(&"x".repeat(100_000));
    assert!(
        long.chars().count() < LENGTH + 40 && long.ends_with("… (100 000 characters)"),
        "{long}"
    );
    assert_eq!(bounded("<b>"), "<b>", "escaping is the template's");
}

#[test]
fn a_run_without_anything_still_makes_a_page() {
    let mut result = stored();
    result.loads.clear();
    result.faults.clear();
    result.impacts.clear();
    result.outages.clear();
    result.gates.clear();
    result.events.clear();
    result.generator = None;
    let page = page(&result);
    assert!(page.contains("FAIL") && !page.contains("class=\"view\""));
}

#[test]
fn what_is_listed_is_bounded() {
    let mut result = stored();
    let (event, fault, impact) = (
        result.events[0].clone(),
        result.faults[0].clone(),
        result.impacts[0].clone(),
    );
    result.events = vec![event; 50_000];
    result.faults = vec![fault; 3_000];
    result.impacts = vec![impact; 3_000];
    let load = result.loads[0].clone();
    result.loads = (0..200)
        .map(|i| {
            let mut l = load.clone();
            l.name = format!("load {i}");
            l
        })
        .collect();
    let page = page(&result);
    assert!(page.len() < 4_000_000, "{} bytes", page.len());
}
