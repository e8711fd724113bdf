//! Text from outside stays text, whatever it is and wherever it stands.

use super::browser::{DESKTOP, PHONE, Shown};
use super::{made, page};

#[test]
fn hostile_text_in_every_field_does_nothing_and_is_shown() {
    let html = page(&made::hostile());
    assert!(
        html.len() < 1_000_000,
        "long texts are cut: {} bytes",
        html.len()
    );
    for look in [DESKTOP, PHONE] {
        let shown = Shown::open(&html, look);
        shown.eval("document.querySelectorAll('details').forEach((d) => { d.open = true; })");
        shown.eval("new Promise((done) => setTimeout(done, 300))");
        assert_eq!(shown.heard(), Vec::<String>::new());
        assert_eq!(shown.eval("typeof window.hit"), "undefined");
        assert_eq!(shown.eval("document.scripts.length"), 2);
        let strangers = "document.querySelectorAll('img, iframe, object, embed, link, form, base, audio, video, foreignObject, [onerror], [onload], [style]').length";
        assert_eq!(shown.eval(strangers), 0);
        assert_eq!(shown.eval("document.styleSheets.length"), 1);
        assert_eq!(shown.eval("[...document.querySelectorAll('[href], [src], [action]')].every((e) => /^#[a-z-]+$/.test(e.getAttribute('href')))"), true);
        let text = shown.text("document.body.textContent");
        for payload in [
            "<script>window.hit=1;alert(1)</script>",
            "\"><img src=x onerror=window.hit=1>",
            "javascript:window.hit=1",
            "{{ 1234567*7 }}",
            "{% for x in [1] %}",
        ] {
            assert!(text.contains(payload), "{payload} is not shown");
        }
        assert!(!text.contains("8641969"), "a template was filled in");
        assert!(
            text.contains("\\u{1b}[31mred")
                && text.contains("\\u{202e}")
                && text.contains("\\u{0}"),
            "made visible"
        );
        let seen = |c: char| {
            c.is_control() && c != '\n'
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}')
        };
        assert!(
            !text.contains(seen),
            "{:?}",
            text.chars().find(|c| seen(*c))
        );
        let longest = shown.number("Math.max(...[...document.querySelectorAll('main td, main th, main li, h1, h3, dd, .name')].filter((e) => !e.querySelector('*')).map((e) => e.textContent.length))");
        assert!(longest < 1500.0, "{longest} characters");
        assert_eq!(
            shown.eval("document.documentElement.scrollWidth <= innerWidth"),
            true
        );
        assert_eq!(
            shown
                .text("document.title")
                .chars()
                .filter(|c| *c == '<')
                .count(),
            html_title_marks(&html)
        );
    }
}

/// `<` in the page's title, as it is written there.
fn html_title_marks(html: &str) -> usize {
    let title = html
        .split("<title>")
        .nth(1)
        .and_then(|t| t.split("</title>").next());
    title.map_or(0, |t| t.matches("&lt;").count())
}

#[test]
fn numbers_that_make_no_sense_do_no_harm() {
    let mut result = made::large(30, 2);
    result.end.measured_to_ms = -5.0;
    result.end.measured_from_ms = 1e300;
    result.loads[0].series.interval_ms = 0.0;
    result.loads[1].series.interval_ms = 1e18;
    result.loads[0].series.requests = vec![u64::MAX; 30];
    result.loads[0].series.heat.counts = vec![vec![u64::MAX; 3], vec![], vec![1; 500]];
    result.loads[0].series.p99_ms = vec![Some(-1.0), Some(1e300)];
    result.loads[1].histogram.counts = vec![u64::MAX; 2];
    result.loads[1].histogram.upper_ms = vec![-1.0, 0.0, 1e308];
    result.metrics[0].at_ms = vec![-1e300, 1e300];
    result.metrics[1].values = vec![Some(1e308), Some(-1e308)];
    result.faults[0].injected_at_ms = Some(-1e9);
    result.events[0].at_ms = 1e300;
    let shown = Shown::open(&page(&result), DESKTOP);
    shown.eval("document.querySelector('#plot-0 .canvas').focus()");
    shown.key("+");
    shown.key("ArrowRight");
    assert_eq!(shown.heard(), Vec::<String>::new());
    assert_eq!(
        shown.eval("/NaN|Infinity/.test(document.querySelector('main').innerHTML)"),
        false
    );
}
