use super::*;
use crate::clock::Offset;
use crate::notice::{LoadTick, Phase, Tick};

/// A run in a few notices, with what a hostile container could have written.
fn script() -> Vec<(Duration, Notice)> {
    let tick = |seconds: u64, bad| {
        let load = LoadTick {
            name: "web".into(),
            rate: 199.6,
            error_ratio: bad,
            p99: (bad < 1.0).then_some(Duration::from_micros(12_340)),
            total: seconds * 200,
            bad: 3,
            ..LoadTick::default()
        };
        let next =
            (seconds < 10).then(|| (Offset::from_millis(10_000), "slave 1 stops".to_owned()));
        Notice::Tick(Box::new(Tick {
            at: Offset::from_millis(seconds * 1000),
            loads: vec![load],
            next,
            ..Tick::default()
        }))
    };
    let container = |service: &str, state: &str| Notice::Container {
        service: service.into(),
        state: state.into(),
    };
    let notices = vec![
        Notice::Phase(Phase::Images),
        Notice::Image {
            service: "db".into(),
            line: "Step 1/3 : \u{1b}[31mFROM x\u{1b}[0m\r\u{7}".into(),
        },
        Notice::Image {
            service: "db".into(),
            line: "Step 2/3".into(),
        },
        Notice::ImageReady {
            service: "db".into(),
            took: Duration::from_millis(2300),
        },
        Notice::ImageReady {
            service: "app".into(),
            took: Duration::ZERO,
        },
        Notice::Phase(Phase::Starting),
        container("db", "started"),
        container("db", "started"),
        container("db", "healthy"),
        Notice::Phase(Phase::Probing),
        Notice::Phase(Phase::WarmUp),
        Notice::LoadStarted {
            duration: Duration::from_secs(45),
        },
        tick(0, 0.0),
        tick(1, 0.0),
        tick(5, 0.0),
        Notice::Phase(Phase::Measuring),
        Notice::Fault {
            at: Offset::from_millis(10_012),
            name: "f".into(),
            what: "slave 1 stops: db stopped, \u{9b}2J confirmed".into(),
        },
        tick(11, 1.0),
        Notice::Warning("the machine is \u{202e}busy\nvery".into()),
        Notice::Info("written".into()),
        Notice::Phase(Phase::Draining),
        Notice::Phase(Phase::Reporting),
        Notice::Phase(Phase::TearingDown),
    ];
    notices
        .into_iter()
        .enumerate()
        .map(|(i, n)| (Duration::from_millis(500 * i as u64), n))
        .collect()
}

fn holds_nothing_hostile(text: &str) {
    assert!(
        !text
            .chars()
            .any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
        "{text:?}"
    );
}

#[test]
fn plain_lines_say_what_changed_and_nothing_twice() {
    let mut plain = plain::Plain::default();
    let lines: Vec<String> = script()
        .iter()
        .flat_map(|(since, n)| plain.line(*since, n))
        .collect();
    let text = lines.join("\n");
    holds_nothing_hostile(&text);
    insta::assert_snapshot!(text);
}

#[test]
fn every_notice_is_one_json_object_on_one_line() {
    let lines: Vec<String> = script()
        .iter()
        .map(|(since, n)| json::line(*since, n))
        .collect();
    for line in &lines {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["notice"].is_string() && value["since_start_ms"].is_number());
        holds_nothing_hostile(line);
        assert!(!line.contains('\n'));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_live_view_takes_every_notice_in_any_order() {
    let mut live = live::Live::on(indicatif::ProgressDrawTarget::hidden());
    script()
        .iter()
        .rev()
        .chain(script().iter())
        .for_each(|(_, n)| live.show(n));
    live.finish();
    live.finish();
}

#[tokio::test]
async fn watching_ends_when_nobody_sends_any_more() {
    let (notices, rx) = crate::notice::Notices::channel();
    let watching = watch(UiMode::Quiet, rx);
    notices.tell(Notice::Info("x".into()));
    drop(notices);
    watching.await.unwrap();
}
