//! Every report on one stored history, and hostile text in all of them.

mod formats;
mod long;

use super::{Reporter, json, markdown, terminal};
use crate::analysis::known::{add_fault, history, op, plan};
use crate::analysis::{analyze, result::RunResult};
use crate::clock::Offset;
use crate::history::{Class, Event, History, InstanceId, Operation, Outcome};
use crate::plan::{Comparison, Gate, GateScope, Metric};
use std::path::PathBuf;
use std::time::Duration;

fn fixture() -> PathBuf {
    [
        env!("CARGO_MANIFEST_DIR"),
        "tests",
        "fixtures",
        "kill-slave.history.ndjson",
    ]
    .iter()
    .collect()
}

fn stored() -> RunResult {
    analyze(&crate::history::file::read(&fixture()).unwrap())
}

/// Reads at 20/s: a few resets after the stop and a burst of timeouts; writes at 10/s with one unknown outcome.
fn made() -> History {
    let operations = |rate: u64, outcome: fn(u64) -> Outcome| -> Vec<Operation> {
        (0..rate * 36)
            .map(|i| {
                let at = i * 1_000_000 / rate;
                let latency = Duration::from_micros(2_000 + i * 37 % 3_000);
                Operation {
                    instance: Some(InstanceId(0)),
                    ..op(at, outcome(at / 1000), latency)
                }
            })
            .collect()
    };
    let reads = |ms: u64| match ms {
        12_000..12_200 => Outcome::Fail(Class::Reset),
        12_200..15_400 if (ms / 50).is_multiple_of(2) => Outcome::Fail(Class::Timeout),
        _ => Outcome::Ok,
    };
    let writes = |ms: u64| match ms {
        24_500 => Outcome::Unknown(Class::EndOfStream),
        _ => Outcome::Ok,
    };
    let mut plan = plan(&["reads", "writes"], 2, 36);
    plan.scenario = "kill-slave".to_owned();
    plan.description = "Stop one read replica under load, bring it back 12 s later.".to_owned();
    plan.observe = false;
    let gate = |metric, limit, written: &str, scope| Gate {
        metric,
        comparison: Comparison::AtMost,
        limit,
        written: written.to_owned(),
        scope,
        relative: None,
    };
    plan.gates = vec![
        gate(Metric::ErrorRate, 0.005, "<= 0.5%", GateScope::Run),
        gate(
            Metric::TimeToRecover,
            10_000.0,
            "<= 10s",
            GateScope::Fault("slave 1 stops".to_owned()),
        ),
        gate(
            Metric::P99,
            250.0,
            "<= 250ms",
            GateScope::Load("reads".to_owned()),
        ),
    ];
    plan.loads[0].arrivals = "20/s".to_owned();
    plan.loads[1].arrivals = "10/s".to_owned();
    let mut history = history(plan, &[operations(20, reads), operations(10, writes)]);
    for (load, name) in history
        .loads
        .iter_mut()
        .zip(["postgres-slave2", "postgres-master"])
    {
        load.instances = vec![name.to_owned()];
    }
    for load in &mut history.loads {
        for slot in load.slots.values_mut() {
            slot.instances = [(InstanceId(0), (slot.total(), slot.bad()))].into();
        }
    }
    add_fault(&mut history, "slave 1 stops", 12_000, Some(24_000));
    history.events.push(Event {
        at: Offset::from_millis(12_032),
        source: "docker".to_owned(),
        subject: "postgres-slave1".to_owned(),
        what: "die, exitCode=0".to_owned(),
    });
    let health = history.generator.as_mut().unwrap();
    (health.late_p50_ms, health.late_max_ms) = (0.021, 3.4);
    (health.cpu_ratio, health.host_idle_ratio) = (Some(0.052), Some(0.61));
    history.head.environment.engine_version = Some("20.10.24".to_owned());
    history
}

/// Run by hand (`cargo test --lib -- --ignored the_fixture`) after the format was extended.
#[test]
#[ignore = "writes the fixture"]
fn the_fixture_is_written_anew() {
    use crate::history::file::Writer;
    let history = made();
    let mut writer = Writer::create(&fixture(), &history.head).unwrap();
    for (i, load) in history.loads.iter().enumerate() {
        writer.instances(i, &load.instances).unwrap();
        load.slots
            .iter()
            .for_each(|(index, slot)| writer.slot(i, *index, slot).unwrap());
        load.seconds
            .iter()
            .for_each(|(index, second)| writer.second(i, *index, second).unwrap());
    }
    history.events.iter().for_each(|e| writer.event(e).unwrap());
    history.faults.iter().for_each(|f| writer.fault(f).unwrap());
    writer
        .generator(history.generator.as_ref().unwrap())
        .unwrap();
    writer.end(history.end.as_ref().unwrap()).unwrap();
}

#[test]
fn the_stored_history_still_reads_to_what_it_was_made_of() {
    assert_eq!(stored(), analyze(&made()));
}

#[test]
fn the_terminal_report_of_the_stored_history() {
    insta::assert_snapshot!(terminal::Terminal::default().render(&stored()).unwrap());
}

#[test]
fn the_markdown_report_of_the_stored_history() {
    insta::assert_snapshot!(markdown::Markdown.render(&stored()).unwrap());
}

#[test]
fn the_json_report_of_the_stored_history() {
    let mut result = stored();
    // The series is long and says nothing that the tests of the analysis do not.
    result
        .loads
        .iter_mut()
        .for_each(|l| l.series = crate::analysis::result::Series::default());
    insta::assert_snapshot!(json::Json.render(&result).unwrap());
}

#[test]
fn a_result_survives_its_json() {
    let result = stored();
    let text = json::Json.render(&result).unwrap();
    assert_eq!(json::read(&text).unwrap(), result);
    let newer = text.replacen("\"schema_version\": 1", "\"schema_version\": 99", 1);
    assert!(matches!(
        json::read(&newer),
        Err(super::ReportError::Newer(99))
    ));
    assert!(matches!(json::read("{}"), Err(super::ReportError::Read(_))));
}

#[test]
fn fields_that_a_later_version_adds_do_not_matter_to_this_one() {
    let text = json::Json.render(&stored()).unwrap();
    let more = text.replacen('{', "{\"added_later\": [1, 2],", 1);
    assert_eq!(json::read(&more).unwrap(), stored());
}

#[test]
fn a_result_from_before_the_price_of_an_operation_was_recorded_still_reads() {
    let mut result = stored();
    let text = json::Json.render(&result).unwrap();
    let without: String = text
        .lines()
        .filter(|l| !l.contains("\"cpu_ms\"") && !l.contains("\"operations\""))
        .map(|l| format!("{l}\n"))
        .collect();
    assert!(without.len() < text.len());
    assert_eq!(json::read(&without).unwrap(), result);
    let shown = |r: &RunResult| terminal::Terminal::default().render(r).unwrap();
    assert!(!shown(&result).contains("CPU per operation"));
    let health = result.generator.as_mut().unwrap();
    (health.cpu_ms, health.operations) = (Some(63.0), Some(10_000));
    assert!(shown(&result).contains("generator: 6.3 µs of CPU per operation; sends late"));
}

const HOSTILE: &str = "<img src=x> | `a` **b** [c](http://evil) @team #1\n# h\u{1b}[31m\u{202e}";

fn hostile() -> RunResult {
    let mut history = made();
    let plan = &mut history.head.plan;
    plan.scenario = HOSTILE.to_owned();
    plan.description = HOSTILE.to_owned();
    plan.loads[0].name = HOSTILE.to_owned();
    plan.faults[0].name = HOSTILE.to_owned();
    plan.gates[0].written = HOSTILE.to_owned();
    history.loads[0].instances[0] = HOSTILE.to_owned();
    history.events[0].what = HOSTILE.to_owned();
    history.faults[0].targets[0].error = Some(HOSTILE.to_owned());
    history.faults[0].targets[0].confirmed = None;
    analyze(&history)
}

#[test]
fn hostile_text_neither_steers_a_terminal_nor_turns_into_markdown() {
    let result = hostile();
    let shown = terminal::Terminal {
        colour: false,
        width: Some(100),
    }
    .render(&result)
    .unwrap();
    let written = markdown::Markdown.render(&result).unwrap();
    for text in [&shown, &written] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        assert!(!text.lines().any(|l| l.starts_with("# h")), "{text}");
    }
    // What stands in a code block, or behind a backslash, is text.
    let outside = written.split("```").step_by(2);
    let mut unescaped: String = outside.collect();
    for mark in "\\`*_[]<>|~!$".chars() {
        unescaped = unescaped.replace(&format!("\\{mark}"), "");
    }
    for raw in ["<img", "http://evil", "@team", "#1", "`a`", "**b**", "[c]("] {
        assert!(!unescaped.contains(raw), "{raw} in {unescaped}");
    }
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows: Vec<_> = written
        .lines()
        .filter(|l| l.starts_with("| "))
        .map(columns)
        .collect();
    assert!(rows.iter().all(|n| [10, 5].contains(n)), "{rows:?}");
}

#[test]
fn colour_is_used_only_where_it_is_asked_for() {
    let render = |colour| {
        terminal::Terminal {
            colour,
            width: None,
        }
        .render(&stored())
        .unwrap()
    };
    assert!(render(true).contains("\u{1b}[1;31mFAIL"));
    assert!(!render(false).contains('\u{1b}'));
}

#[test]
fn the_verdict_is_the_first_thing_said() {
    let render = |r: &dyn Reporter| {
        r.render(&stored())
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    assert!(render(&terminal::Terminal::default()).starts_with("FAIL"));
    assert!(render(&markdown::Markdown).contains("FAIL"));
}
