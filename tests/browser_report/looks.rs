//! What the page asks for, and how it looks: widths, schemes, paper, without scripting.

use super::browser::{DESKTOP, Look, PHONE, Shown};
use super::{made, page};
use lbtest::report::json;
use std::path::Path;

/// Texts whose contrast with what lies behind them is too small, as `ratio colour on colour: text`.
const CONTRAST: &str = r"(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => { const c = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)); return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]; };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const behind = (e) => { for (let at = e; at; at = at.parentElement) { const c = rgba(getComputedStyle(at).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255, 255]; };
  document.querySelectorAll('details').forEach((d) => { d.open = true; });
  const wrong = new Set(); let seen = 0;
  for (const e of document.querySelectorAll('body *')) {
    if (['SCRIPT', 'STYLE', 'title', 'desc'].includes(e.tagName)) continue;
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    const style = getComputedStyle(e); if (style.display === 'none' || style.visibility === 'hidden' || e.disabled) continue;
    seen += 1;
    const colour = e.tagName === 'text' ? style.fill : style.color;
    const r = ratio(rgba(colour), behind(e));
    if (r < 4.5) wrong.add(`${r.toFixed(2)} ${colour} on ${behind(e)}: ${e.tagName} ${e.className.baseVal ?? e.className} ${e.textContent.slice(0, 30)}`);
  }
  const shapes = {};
  for (const e of document.querySelectorAll('path.line, rect.bar, rect.area, .shape circle, .shape .face')) {
    const style = getComputedStyle(e); const colour = e.matches('.line') ? style.stroke : style.fill;
    shapes[e.getAttribute('class')] = ratio(rgba(colour), behind(e));
  }
  for (const [name, r] of Object.entries(shapes)) if (r < 3) wrong.add(`${r.toFixed(2)}: ${name}`);
  if (seen < 100) wrong.add(`only ${seen} texts looked at`);
  return [...wrong];
})()";

fn everywhere() -> [Look; 4] {
    let dark = |look| Look { dark: true, ..look };
    [DESKTOP, dark(DESKTOP), PHONE, dark(PHONE)]
}

/// Wider than the screen: the page itself, or what is in it and not within something that scrolls by itself.
const WIDER: &str = "(() => { const wide = [];
  if (document.documentElement.scrollWidth > innerWidth) wide.push(`page ${document.documentElement.scrollWidth}`);
  for (const e of document.querySelectorAll('body *:not(svg *)')) {
    if (e.closest('.scroll, pre, .unseen, .skip, .remarks')) continue;
    const box = e.getBoundingClientRect();
    if (box.width > 0 && (box.right > innerWidth + 0.5 || box.left < -0.5)) wide.push(`${e.tagName}.${e.className} ${box.left} ${box.right}`);
  } return wide; })()";

#[test]
fn the_page_asks_for_nothing_complains_of_nothing_and_fits_every_screen() {
    let results = [made::stored(), made::large(90, 3)];
    for (result, look) in results.iter().flat_map(|r| everywhere().map(|l| (r, l))) {
        let shown = Shown::open(&page(result), look);
        assert_eq!(shown.heard(), Vec::<String>::new(), "{look:?}");
        assert_eq!(shown.eval(WIDER), serde_json::json!([]), "{look:?}");
        assert_eq!(
            shown.number("document.querySelectorAll('#tools:not([hidden])').length"),
            1.0,
            "the script runs"
        );
    }
}

#[test]
fn what_a_page_does_is_heard() {
    let html = "<!DOCTYPE html><meta http-equiv=Content-Security-Policy content=\"default-src 'none'; script-src 'sha256-NR8e7Gny7mS57NHkOPm1WzbJPAZRlmeLzmB0lMxLNFY='\">\
        <p style='color:red'>x<img src=https://evil.example/x.png><script>alert(1)</script>";
    let shown = Shown::open(html, DESKTOP);
    shown.eval("console.log('said'); setTimeout(() => { throw new Error('thrown') }); fetch('file:///nowhere').catch(() => 0)");
    shown.eval("new Promise((done) => setTimeout(done, 200))");
    let heard = shown.heard().join("\n");
    for part in [
        "console: ",
        "said",
        "thrown",
        "violation: \"style-src",
        "violation: \"script-src",
        "violation: \"img-src",
    ] {
        assert!(heard.contains(part), "{part} in {heard}");
    }
}

#[test]
fn every_text_and_line_stands_out_in_both_schemes() {
    for verdict in ["pass", "fail", "inconclusive"] {
        let mut result = made::large(60, 2);
        result.verdict = serde_json::from_value(verdict.into()).unwrap();
        result.faults[0].confirmed = Some(verdict == "pass");
        result.hints.push("look at the balancer's log".to_owned());
        let html = page(&result);
        for look in [
            DESKTOP,
            Look {
                dark: true,
                ..DESKTOP
            },
        ] {
            let shown = Shown::open(&html, look);
            assert_eq!(
                shown.eval(CONTRAST),
                serde_json::json!([]),
                "{verdict} {look:?}"
            );
        }
    }
}

#[test]
fn without_scripting_every_plot_is_there() {
    for look in [
        Look {
            scripting: false,
            ..DESKTOP
        },
        Look {
            scripting: false,
            ..PHONE
        },
    ] {
        let shown = Shown::open(&page(&made::large(60, 2)), look);
        assert_eq!(
            shown.eval("document.querySelectorAll('.cross').length"),
            0,
            "the script does not run"
        );
        assert_eq!(
            shown.eval("getComputedStyle(document.getElementById('tools')).display"),
            "none"
        );
        let drawn = "[...document.querySelectorAll('.chart')].filter((c) => c.checkVisibility()).map((c) => \
            [...c.querySelectorAll('path, rect')].filter((p) => { const b = p.getBBox(); return b.width > 0 || b.height > 0; }).length)";
        let drawn: Vec<u64> = serde_json::from_value(shown.eval(drawn)).unwrap();
        assert!(drawn.len() >= 1 + 1 + 2 * 4 + 5 + 2, "{drawn:?}");
        assert!(drawn.iter().all(|n| *n > 0), "{drawn:?}");
        let labelled =
            "[...document.querySelectorAll('.moments')].every((m) => m.children.length >= 2)";
        assert_eq!(shown.eval(labelled), true);
        assert_eq!(shown.eval(WIDER), serde_json::json!([]));
    }
}

#[test]
fn the_counts_of_a_histogram_can_be_logarithmic_without_scripting() {
    let shown = Shown::open(
        &page(&made::large(30, 1)),
        Look {
            scripting: false,
            ..DESKTOP
        },
    );
    let seen = |name: &str| {
        shown.eval(&format!(
            "document.querySelector('.histograms .{name}').checkVisibility()"
        ))
    };
    assert_eq!((seen("linear"), seen("log")), (true.into(), false.into()));
    shown.eval("document.getElementById('counts-log').click()");
    assert_eq!((seen("linear"), seen("log")), (false.into(), true.into()));
}

#[test]
fn paper_shows_everything_but_tables_that_nobody_opened_and_no_controls() {
    let html = page(&made::large(60, 2));
    for dark in [false, true] {
        let shown = Shown::open(
            &html,
            Look {
                media: "print",
                dark,
                ..DESKTOP
            },
        );
        let closed = "[...document.querySelectorAll('details:not(.behind)')].filter((d) => \
            d.querySelector('table, pre, dl').getBoundingClientRect().height < 20).length";
        assert_eq!(shown.eval(closed), 0);
        let printed = "[...document.querySelectorAll('.behind')].filter((d) => \
            d.querySelector('table').checkVisibility()).length";
        assert_eq!(shown.eval(printed), 0);
        shown.eval("document.querySelector('.behind').open = true");
        assert_eq!(shown.eval(printed), 1);
        let controls = "[...document.querySelectorAll('nav, .tools, button, input, summary')].filter((e) => e.checkVisibility()).length";
        assert_eq!(shown.eval(controls), 0);
        assert_eq!(
            shown.eval("getComputedStyle(document.body).backgroundColor"),
            "rgb(255, 255, 255)"
        );
        assert_eq!(
            shown.eval("getComputedStyle(document.body).color"),
            "rgb(22, 25, 31)",
            "dark ink in every scheme"
        );
        assert_eq!(
            shown.eval("document.querySelectorAll('.histograms .log')[0].checkVisibility()"),
            true
        );
    }
}

#[test]
fn every_plot_says_what_it_is_and_has_its_table() {
    let shown = Shown::open(&page(&made::large(60, 2)), DESKTOP);
    let unnamed = "[...document.querySelectorAll('.chart')].filter((c) => c.getAttribute('role') !== 'img' || \
        !c.getAttribute('aria-labelledby').split(' ').every((id) => document.querySelectorAll(`[id=\"${id}\"]`).length === 1 && \
        document.getElementById(id).textContent.trim().length > 3)).length";
    assert_eq!(shown.eval(unnamed), 0);
    let tableless = "[...document.querySelectorAll('.plot:not(.timeline)')].filter((p) => p.querySelectorAll('.behind tbody tr').length < 5).length";
    assert_eq!(shown.eval(tableless), 0);
    let ids = "[...document.querySelectorAll('[id]')].map((e) => e.id).filter((id, i, all) => all.indexOf(id) !== i)";
    assert_eq!(shown.eval(ids), serde_json::json!([]), "no id twice");
    let levels = shown
        .eval("[...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1]))");
    let levels: Vec<u64> = serde_json::from_value(levels).unwrap();
    assert_eq!(levels.iter().filter(|l| **l == 1).count(), 1);
    let landmarks = "['header', 'nav', 'main', 'footer'].every((n) => document.querySelectorAll(n).length === 1)";
    assert_eq!(shown.eval(landmarks), true);
    assert_eq!(
        shown.eval(
            "[...document.querySelectorAll('nav a')].every((a) => document.querySelector(a.hash))"
        ),
        true
    );
}

#[test]
fn a_result_of_an_older_version_shows_what_it_has() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/example/run.json");
    let mut whole: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for new in ["metrics", "samples", "configuration", "hints"] {
        whole.as_object_mut().unwrap().remove(new);
    }
    for load in whole["loads"].as_array_mut().unwrap() {
        load.as_object_mut().unwrap().remove("histogram");
        for new in ["heat", "p90_ms", "p999_ms", "max_ms"] {
            load["series"].as_object_mut().unwrap().remove(new);
        }
    }
    let result = json::read(&whole.to_string()).unwrap();
    let shown = Shown::open(&page(&result), PHONE);
    assert_eq!(shown.heard(), Vec::<String>::new());
    let titles = shown.eval("[...document.querySelectorAll('.plot h4')].map((h) => h.textContent)");
    let titles: Vec<String> = serde_json::from_value(titles).unwrap();
    assert!(
        titles.iter().any(|t| t == "Latency") && titles.iter().any(|t| t == "Requests per second"),
        "{titles:?}"
    );
    assert!(!titles.iter().any(|t| t == "Latency by size"), "{titles:?}");
    for absent in ["latencies", "samples", "configuration"] {
        assert_eq!(
            shown.eval(&format!("document.getElementById('{absent}')")),
            serde_json::Value::Null
        );
    }
}

#[test]
fn ten_minutes_of_three_workloads_are_less_than_a_megabyte() {
    let html = page(&made::large(600, 3));
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
    let hour = page(&made::large(3600, 3));
    assert!(hour.len() < 1_500_000, "{} bytes", hour.len());
}

#[test]
#[ignore = "writes pictures for people into the folder that LBTEST_PICTURES names"]
fn pictures() {
    let folder = std::path::PathBuf::from(std::env::var("LBTEST_PICTURES").unwrap());
    let mut passed = made::large(120, 3);
    passed.verdict = lbtest::verdict::Verdict::Pass;
    for (name, result) in [
        ("stored", made::stored()),
        ("large", made::large(120, 3)),
        ("passed", passed),
        ("hostile", made::hostile()),
    ] {
        let html = page(&result);
        std::fs::write(folder.join(format!("{name}.html")), &html).unwrap();
        for look in everywhere() {
            let scheme = if look.dark { "dark" } else { "light" };
            Shown::open(&html, look)
                .screenshot(&folder.join(format!("{name}-{}-{scheme}.png", look.width)));
        }
    }
}
