//! A server that answers with names made to be taken for markup, for commands or for control sequences: whatever lbtest
//! writes shows them, and nothing more.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what a test cannot do fails the test"
)]
#![allow(missing_docs, reason = "its names say it")]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::Place;

/// What it says that it is called; some of it is not UTF-8.
const NAMES: [&[u8]; 11] = [
    b"<script>alert(1)</script>",
    b"\"><img src=x onerror=alert(1)>",
    b"</script><svg onload=alert(1)>",
    b"]]><testcase name=\"forged\"/>",
    b"a|b|`c`|[d](javascript:alert(1))|<!-- -->",
    b"::error file=x::forged",
    b"{{ 7 * 7 }}{% raw %}",
    b"\" } 1\nforged_total{x=\"",
    b"=HYPERLINK(\"http://127.0.0.1:1/\",\"x\")",
    b"\xff\xfe\x9b31m",
    "\u{202e}gnorw\u{200b}\u{2028}".as_bytes(),
];

struct Hostile {
    port: u16,
}

impl Hostile {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let next = Arc::new(AtomicUsize::new(0));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let next = Arc::clone(&next);
                std::thread::spawn(move || serve(stream, &next));
            }
        });
        Self { port }
    }
}

fn serve(stream: TcpStream, next: &AtomicUsize) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        match reader.read_line(&mut line) {
            Ok(1..) if line == "\r\n" => {}
            Ok(1..) => continue,
            _ => return,
        }
        let name = NAMES[next.fetch_add(1, Ordering::Relaxed) % NAMES.len()];
        // A line's end within a header's value would begin another header: not even this server can send one.
        let name: Vec<u8> = name.iter().copied().filter(|b| *b != b'\n').collect();
        let mut answer = b"HTTP/1.1 200 <script>alert(1)</script>\r\nx-instance: ".to_vec();
        answer.extend(name);
        answer.extend(b"\r\ncontent-length: 0\r\n\r\n");
        if reader.get_mut().write_all(&answer).is_err() {
            return;
        }
    }
}

/// Characters that a terminal, a browser or an editor acts upon instead of showing them.
fn acted_upon(text: &str) -> BTreeSet<char> {
    let harmless = |c: char| !c.is_control() || c == '\n' || c == '\t';
    let direction = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .filter(|c| !harmless(*c) || direction(*c))
        .collect()
}

#[test]
fn what_a_server_calls_itself_is_text_wherever_it_is_shown() {
    let (place, server) = (Place::new(), Hostile::start());
    let text = format!(
        "name = \"hostile\"\ndescription = \"<script>alert(2)</script> | `x` {{{{ 7 * 7 }}}}\"\n\
         [run]\nduration = \"3s\"\nwarmup = \"0s\"\nobserve = true\n\
         [[load]]\nname = \"web\"\nrate = 100\nhttp = {{ url = \"http://127.0.0.1:{}/\" }}\n",
        server.port
    );
    let scenario = place.file("s.toml", &text);
    let ran = place.run(&scenario, &[]);
    assert_eq!(ran.code, Some(0));
    // They came in, so that what follows looks at something.
    let instances = ran.load("web")["instances"].as_array().unwrap();
    assert!(instances.len() >= 9, "{instances:#?}");

    let mut shown = vec![
        ("stdout".to_owned(), ran.stdout.clone()),
        ("stderr".to_owned(), ran.stderr.clone()),
    ];
    for format in [
        "terminal",
        "markdown",
        "html",
        "junit",
        "csv",
        "ndjson",
        "openmetrics",
    ] {
        let out = place.out();
        let report = place.does(&["report", out.to_str().unwrap(), "--format", format]);
        assert_eq!(report.code, Some(0), "{format}");
        assert!(!report.stdout.is_empty(), "{format}");
        shown.push((format.to_owned(), report.stdout));
    }
    for (what, text) in &shown {
        let mut acted_upon = acted_upon(text);
        if what == "ndjson" {
            // For programs: JSON escapes what controls, and keeps every other character as it was.
            acted_upon.retain(|c| c.is_control());
        }
        assert_eq!(acted_upon, BTreeSet::new(), "{what}");
        let command = text.lines().find(|line| line.starts_with("::"));
        assert_eq!(command, None, "{what}: a command of a CI job");
    }
    let of = |what: &str| &shown.iter().find(|(w, _)| w == what).unwrap().1;
    let mut rendered = String::new();
    let markdown = pulldown_cmark::Parser::new_ext(of("markdown"), pulldown_cmark::Options::all());
    pulldown_cmark::html::push_html(&mut rendered, markdown);
    // It is shown, so that what follows looks at something.
    assert!(rendered.contains("&lt;script&gt;alert"), "{rendered}");
    for markup in [
        "<script>alert",
        "<img src=x",
        "<svg onload",
        "<testcase name=\"forged\"",
    ] {
        for what in ["html", "junit"] {
            assert!(!of(what).contains(markup), "{what} has {markup}");
        }
        assert!(!rendered.contains(markup), "Markdown has {markup}");
    }
    assert!(
        of("html").contains("{{ 7 * 7 }}"),
        "a template was carried out"
    );
    let forged = of("openmetrics").lines().any(|l| l.starts_with("forged"));
    assert!(!forged, "a line of a label's value became a metric");
    // A spreadsheet takes a cell that begins so for a formula.
    let formula = of("csv").split(['\n', ',']).any(|cell| {
        let cell = cell.trim_start_matches('"');
        cell.starts_with(['=', '@'])
    });
    assert!(!formula, "{}", of("csv"));
}
