//! What can be done with the page: values under the pointer, zoom by pointer, wheel and keys.

use super::browser::{DESKTOP, PHONE, Shown};
use super::{made, page};
use lbtest::analysis::result::LoadResult;
use lbtest::verdict::gate::duration;

/// Where a moment stands on the screen, in a plot by its number.
fn place(shown: &Shown, plot: usize, ms: f64) -> (f64, f64) {
    shown.eval(&format!("document.querySelector('#plot-{plot}').scrollIntoView({{ block: 'center', behavior: 'instant' }})"));
    let of = |what: &str| {
        shown.number(&format!(
            "(() => {{ const svg = document.querySelector('#plot-{plot} .chart'), box = svg.getBoundingClientRect(), s = getComputedStyle(svg); \
             const left = box.left + parseFloat(s.paddingLeft), width = box.right - parseFloat(s.paddingRight) - left; \
             const view = svg.querySelector('.view').viewBox.baseVal; return {what}; }})()"
        ))
    };
    let x = of(&format!(
        "left + ({ms} / JSON.parse(document.getElementById('data').textContent).end * 10000 - view.x) / view.width * width"
    ));
    (x, of("box.top + 60"))
}

fn plot_named(shown: &Shown, group: &str, title: &str) -> usize {
    let number = shown.number(&format!(
        "Number([...document.querySelectorAll('.group')].find((g) => g.querySelector('h3').textContent === '{group}')\
         .querySelectorAll('.plot').values().find((p) => p.querySelector('h4').textContent === '{title}').id.slice(5))"
    ));
    number as usize
}

fn legend(shown: &Shown, plot: usize) -> Vec<String> {
    let values = shown.eval(&format!(
        "[...document.querySelectorAll('#plot-{plot} .legend .value')].map((v) => v.textContent)"
    ));
    serde_json::from_value(values).unwrap()
}

/// `x width` of every plot's view, each once.
fn views(shown: &Shown) -> Vec<(f64, f64)> {
    let all = shown.eval("[...document.querySelectorAll('.view')].map((v) => [v.viewBox.baseVal.x, v.viewBox.baseVal.width])");
    let mut all: Vec<(f64, f64)> = serde_json::from_value(all).unwrap();
    assert!(all.len() > 5);
    all.dedup_by(|a, b| (a.0 - b.0).abs() < 1e-3 && (a.1 - b.1).abs() < 1e-3);
    all
}

fn labels(shown: &Shown) -> Vec<String> {
    let all = shown.eval("[...document.querySelectorAll('.moments[data-y]')].map((m) => [...m.children].map((t) => t.textContent).join(' '))");
    let mut all: Vec<String> = serde_json::from_value(all).unwrap();
    all.dedup();
    all
}

#[test]
fn under_the_pointer_stand_the_figures_of_the_result_at_that_time() {
    let result = made::stored();
    for look in [DESKTOP, PHONE] {
        let shown = Shown::open(&page(&result), look);
        let reads = &result.loads[0];
        let (rates, latency) = (
            plot_named(&shown, "All workloads", "Requests per second"),
            plot_named(&shown, &reads.name, "Latency"),
        );
        let errors = plot_named(&shown, &reads.name, "Errors");
        for second in [1usize, 12, 14, 20, 35] {
            shown.point(place(&shown, rates, second as f64 * 1e3 + 500.0));
            let expected: Vec<_> = result
                .loads
                .iter()
                .map(|l| format!("{}/s", l.series.requests[second]))
                .collect();
            assert_eq!(legend(&shown, rates), expected, "at {second} s");
            // The other plots show the same moment.
            assert_eq!(
                legend(&shown, latency),
                latencies(reads, second),
                "at {second} s"
            );
            let sum: f64 = legend(&shown, errors)
                .iter()
                .map(|t| t.trim_end_matches(" %").parse::<f64>().unwrap())
                .sum();
            let bad =
                reads.series.bad[second] as f64 / reads.series.requests[second] as f64 * 100.0;
            assert!((sum - bad).abs() < 0.1, "{sum} % and {bad} % at {second} s");
            assert_eq!(
                shown.eval("document.querySelectorAll('.cross[d^=M]').length"),
                shown.eval("document.querySelectorAll('.view').length")
            );
        }
        shown.point((3.0, 3.0));
        assert!(
            legend(&shown, rates).iter().all(String::is_empty),
            "the pointer has left"
        );
    }
}

fn latencies(load: &LoadResult, second: usize) -> Vec<String> {
    let s = &load.series;
    let all = [&s.p50_ms, &s.p90_ms, &s.p99_ms, &s.p999_ms, &s.max_ms];
    all.map(|values| values[second].map_or("–".to_owned(), duration))
        .to_vec()
}

#[test]
fn events_near_the_pointer_are_shown_beside_the_timeline() {
    let result = made::stored();
    let shown = Shown::open(&page(&result), DESKTOP);
    shown.point(place(&shown, 0, result.events[0].at_ms));
    let near = shown.text(
        "[...document.querySelectorAll('.remarks .near')].map((r) => r.textContent).join('\\n')",
    );
    assert!(
        near.contains(&result.events[0].what) && near.contains("stopped"),
        "{near}"
    );
}

#[test]
fn a_drag_zooms_every_plot_and_the_button_shows_all_again() {
    let result = made::stored();
    let shown = Shown::open(&page(&result), DESKTOP);
    let whole = (views(&shown), labels(&shown));
    assert_eq!(whole.0, [(0.0, 10_000.0)]);
    shown.drag(place(&shown, 1, 10_000.0), place(&shown, 1, 16_000.0));
    let zoomed = views(&shown);
    assert_eq!(zoomed.len(), 1, "all alike: {zoomed:?}");
    let end = result.end.measured_to_ms;
    let (x, width) = zoomed[0];
    assert!(
        (x - 1e8 / end).abs() < 40.0 && (width - 6e7 / end).abs() < 60.0,
        "{x} {width}"
    );
    let shown_labels = labels(&shown);
    assert_eq!(shown_labels.len(), 1);
    // The drag ends on whole pixels: whether 10 s and 16 s are still in it is not to be told.
    let of_between: Vec<_> = (11..16).map(|s| format!("{s} s")).collect();
    let shown_labels = &shown_labels[0];
    assert!(
        shown_labels.contains(&of_between.join(" "))
            && !shown_labels.contains("9 s")
            && !shown_labels.contains("17 s"),
        "{shown_labels}"
    );
    // What the pointer shows is right in the closer view too.
    let second = 13;
    shown.point(place(&shown, 0, 13_500.0));
    assert_eq!(
        legend(&shown, 0)[0],
        format!("{}/s", result.loads[0].series.requests[second])
    );
    shown.eval("document.getElementById('reset').click()");
    assert_eq!((views(&shown), labels(&shown)), whole);
    assert_eq!(shown.heard(), Vec::<String>::new());
}

#[test]
fn the_wheel_zooms_only_with_ctrl() {
    let shown = Shown::open(&page(&made::stored()), DESKTOP);
    let at = place(&shown, 1, 12_000.0);
    shown.wheel(at, 120.0, false);
    assert_eq!(views(&shown), [(0.0, 10_000.0)], "it scrolls the page");
    shown.wheel(place(&shown, 1, 12_000.0), -120.0, true);
    settle(&shown);
    let (x, width) = views(&shown)[0];
    assert!(width < 9_000.0 && x > 0.0, "{x} {width}");
    // The moment under the pointer stays where it is.
    assert!(
        ((3_333.0 - x) / width - 1.0 / 3.0).abs() < 0.01,
        "{x} {width}"
    );
    for _ in 0..40 {
        shown.wheel(place(&shown, 1, 12_000.0), -300.0, true);
    }
    settle(&shown);
    assert!(views(&shown)[0].1 >= 49.0, "there is a closest view");
    for _ in 0..60 {
        shown.wheel(place(&shown, 1, 12_000.0), 300.0, true);
    }
    settle(&shown);
    assert_eq!(views(&shown), [(0.0, 10_000.0)]);
}

fn settle(shown: &Shown) {
    shown.eval("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))");
}

#[test]
fn the_keys_do_what_the_pointer_does() {
    let result = made::stored();
    let shown = Shown::open(&page(&result), DESKTOP);
    shown.eval("document.querySelector('#plot-0 .canvas').focus()");
    shown.key("Home");
    assert_eq!(
        legend(&shown, 0)[0],
        format!("{}/s", result.loads[0].series.requests[0])
    );
    for _ in 0..50 {
        shown.key("ArrowRight");
    }
    let middle = result.end.measured_to_ms / 2.0;
    let second = (middle / 1e3) as usize;
    assert_eq!(
        legend(&shown, 0)[0],
        format!("{}/s", result.loads[0].series.requests[second])
    );
    let said = shown.text("document.getElementById('said').textContent");
    assert!(
        said.starts_with(&format!("{:.1} s: ", middle / 1e3))
            && said.contains(&result.loads[0].name),
        "{said}"
    );
    shown.key("+");
    let (x, width) = views(&shown)[0];
    assert!(
        (width - 5_000.0).abs() < 1.0 && (x - 2_500.0).abs() < 1.0,
        "{x} {width}"
    );
    shown.key("-");
    assert_eq!(views(&shown), [(0.0, 10_000.0)]);
    shown.key("+");
    shown.key("0");
    assert_eq!(views(&shown), [(0.0, 10_000.0)]);
    let reached = "(() => { const all = [...document.querySelectorAll('.canvas:not(.still), summary, button, a, .scroll')]; return all.every((e) => e.tabIndex === 0); })()";
    assert_eq!(
        shown.eval(reached),
        true,
        "everything can be reached by Tab"
    );
}
