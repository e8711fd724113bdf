use super::*;
use crate::clock::Offset;
use crate::notice::{FaultState, FaultTick, InstanceTick};
use std::time::Duration;

fn info() -> RunInfo {
    RunInfo {
        scenario: "kill-app".to_owned(),
        seed: 42,
        version: "0.1.0".to_owned(),
    }
}

fn tick(load: LoadTick) -> Notice {
    Notice::Tick(Box::new(Tick {
        at: Offset::from_millis(1000),
        loads: vec![load],
        ..Tick::default()
    }))
}

fn load() -> LoadTick {
    let instance = |name: &str, total, bad| InstanceTick {
        name: name.to_owned(),
        total,
        bad,
        rate: 1.0,
    };
    let mut latencies = vec![0; LATENCY_BOUNDS.len() + 1];
    (latencies[1], latencies[16], latencies[17]) = (80, 4, 1);
    LoadTick {
        name: "web".to_owned(),
        total: 100,
        bad: 15,
        unknown: 3,
        errors: BTreeMap::from([("reset".to_owned(), 8), ("dropped".to_owned(), 7)]),
        in_flight: 5,
        instances: vec![instance("app1", 60, 1), instance("app2", 30, 0)],
        latencies,
        latency_sum: Duration::from_millis(12_500),
        ..LoadTick::default()
    }
}

fn followed(load: LoadTick) -> String {
    let exposition = Exposition::default();
    exposition.begins(info());
    exposition.takes(&Notice::Phase(Phase::Measuring));
    exposition.takes(&tick(load));
    exposition.takes(&Notice::Fault {
        at: Offset::ZERO,
        name: "app 1 dies".to_owned(),
        what: "app 1 dies (kill): app: not running".to_owned(),
    });
    exposition.text().unwrap()
}

#[test]
fn a_run_is_exposed_under_the_names_that_are_documented() {
    insta::assert_snapshot!(followed(load()));
}

#[test]
fn nothing_is_exposed_of_a_run_that_has_not_begun_but_the_form_is_whole() {
    let text = Exposition::default().text().unwrap();
    assert!(
        text.ends_with("# EOF\n") && !text.contains("{load="),
        "{text}"
    );
}

#[test]
fn names_from_the_system_under_test_break_no_line_and_stay_few() {
    let mut hostile = load();
    let name = "a\"} 1\n# EOF\nlbtest_phase{x=\"\\\u{1b}[2J";
    hostile.instances = vec![InstanceTick {
        name: name.to_owned(),
        total: 1,
        ..InstanceTick::default()
    }];
    hostile.instances.extend((0..1000).map(|i| InstanceTick {
        name: format!("i{i}"),
        total: 1,
        ..InstanceTick::default()
    }));
    hostile.errors = (0..1000).map(|i| (format!("http_{i}"), 1)).collect();
    let text = followed(hostile);
    let of = |family: &str| text.lines().filter(|l| l.starts_with(family)).count();
    assert_eq!(
        of("lbtest_instance_operations_total{"),
        (MOST_INSTANCES + 1) * 2
    );
    assert_eq!(of("lbtest_errors_total{"), MOST_CLASSES + 1);
    assert!(
        text.contains(r#"server="a\"} 1�# EOF�lbtest_phase{x=\"\\�[2J",outcome="ok"} 1"#),
        "{text}"
    );
    assert!(
        text.contains(r#"class="other"} 936"#)
            && text.contains(r#"server="other",outcome="ok"} 745"#)
    );
    assert_eq!(text.matches("\n# EOF").count(), 1);
}

#[test]
fn the_next_load_begins_at_zero_and_faults_of_a_tick_are_believed() {
    let exposition = Exposition::default();
    exposition.begins(info());
    exposition.takes(&tick(load()));
    exposition.takes(&Notice::LoadStarted {
        duration: Duration::from_secs(1),
    });
    let text = exposition.text().unwrap();
    assert!(!text.contains("load=\"web\"") && text.contains("scenario=\"kill-app\""));
    let fault = |state| {
        Notice::Tick(Box::new(Tick {
            faults: vec![FaultTick {
                name: "f".to_owned(),
                kind: "stop".to_owned(),
                state,
                ..FaultTick::default()
            }],
            ..Tick::default()
        }))
    };
    for (state, n) in [
        (FaultState::Planned, 0),
        (FaultState::Injected, 1),
        (FaultState::Healed, 0),
    ] {
        exposition.takes(&fault(state));
        let line = format!("lbtest_fault_active{{fault=\"f\",kind=\"stop\"}} {n}\n");
        assert!(exposition.text().unwrap().contains(&line), "{state:?}");
    }
}
