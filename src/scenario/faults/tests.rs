use crate::scenario::{
    Direction, FaultKind, Order, Overrides, Refusal, Scenario, ScenarioError, Split, TargetChoice,
    parse,
};
use crate::source::SourceFile;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

mod mistakes;

/// Two faults without a time of their own.
const MEMBERS: &str = "[[fault]]\nname = \"a\"\nheal_after = \"5s\"\npause = { target = \"x\" }\n[[fault]]\nname = \"b\"\nrestart = { target = \"x\" }\n";

/// Two lines before the faults: the first of them is on line 3.
fn read(faults: &str) -> Result<Scenario, ScenarioError> {
    let text = format!(
        "name = \"s\"\nrun = {{ duration = \"60s\", observe = true }}\n{faults}\n[[load]]\nname = \"web\"\nrate = 1\nhttp = {{ url = \"http://h/\" }}\n"
    );
    let env = BTreeMap::from([("PW".to_owned(), "s3cret".to_owned())]);
    parse(
        &SourceFile::new("s.toml", text),
        &Overrides::default(),
        &env,
    )
}

/// One fault whose kind, on line 6, is this.
fn kind(line: &str) -> FaultKind {
    let fault = format!("[[fault]]\nname = \"f\"\nat = \"20s\"\n{line}");
    let read = read(&fault).unwrap_or_else(|e| panic!("{line}: {:?}", e.mistakes()));
    read.faults[0].kind.clone()
}

fn told(faults: &str) -> Vec<String> {
    let error = read(faults).map(|s| s.name).expect_err("must be refused");
    let mistakes = error.mistakes().iter();
    mistakes
        .map(|m| {
            let (line, column) = m.line_column();
            let help = m.help.as_deref().unwrap_or("NO HELP");
            format!("{line}:{column}: {} / {help}", m.message)
        })
        .collect()
}

#[test]
fn what_is_left_out_of_a_fault_of_the_network_has_its_default() {
    let FaultKind::Delay { time, jitter, link } =
        kind("delay = { target = \"a\", time = \"50ms\" }")
    else {
        panic!("delay")
    };
    assert_eq!((time, jitter), (Duration::from_millis(50), Duration::ZERO));
    assert_eq!(
        (link.direction, link.towards, link.ports),
        (Direction::Out, None, vec![])
    );
    let FaultKind::Partition(partition) = kind("partition = { between = [\"a\", [\"b\", \"c\"]] }")
    else {
        panic!("partition")
    };
    assert_eq!(
        (partition.direction, partition.refusal),
        (Direction::Both, Refusal::Drop)
    );
    let Split::Between(_, second) = partition.split else {
        panic!("between")
    };
    assert_eq!(
        second.choice,
        TargetChoice::Services(vec!["b".to_owned(), "c".to_owned()])
    );
}

#[test]
fn every_kind_means_what_it_says() {
    let loss = "loss = { target = \"a\", ratio = \"10%\", direction = \"both\", towards = { all_of = \"b*\" }, ports = [5432, 80] }";
    let FaultKind::Loss { ratio, link } = kind(loss) else {
        panic!("loss")
    };
    assert!((ratio - 0.1).abs() < 1e-12);
    assert_eq!(
        (link.direction, link.ports),
        (Direction::Both, vec![5432, 80])
    );
    assert_eq!(
        link.towards.unwrap().choice,
        TargetChoice::AllOf("b*".to_owned())
    );
    let rate = kind("bandwidth = { target = \"a\", rate = \"10Mbit/s\" }");
    assert!(matches!(
        rate,
        FaultKind::Bandwidth {
            bytes_per_second: 1_250_000,
            ..
        }
    ));
    assert_eq!(
        kind("disconnect = { target = \"a\", networks = [\"default\"] }"),
        FaultKind::Disconnect {
            networks: vec!["default".to_owned()]
        }
    );
    assert_eq!(
        kind("cpu = { target = \"a\", limit = 0.5 }"),
        FaultKind::Cpu { millicpus: 500 }
    );
    assert_eq!(
        kind("memory = { target = \"a\", limit = \"64MiB\" }"),
        FaultKind::Memory { bytes: 67_108_864 }
    );
    let FaultKind::Stress(stress) = kind("stress = { target = \"a\", cpu = 2, memory = \"1MB\" }")
    else {
        panic!("stress")
    };
    assert_eq!((stress.cpu, stress.memory, stress.io), (2, 1_000_000, 0));
    let FaultKind::FillDisk(fill) =
        kind("fill_disk = { target = \"a\", path = \"/data\", leave = \"10MB\" }")
    else {
        panic!("fill_disk")
    };
    assert_eq!((fill.size, fill.leave), (10_000_000_000, 10_000_000));
    assert_eq!(
        kind("freeze_process = { target = \"a\", process = \"postgres: walreceiver*\" }"),
        FaultKind::FreezeProcess {
            pattern: "postgres: walreceiver*".to_owned()
        }
    );
    assert!(matches!(
        kind("reset_connections = { target = \"a\", ports = [5432] }"),
        FaultKind::ResetConnections { .. }
    ));
}

#[test]
fn requests_that_heal_and_look_take_from_the_first_one_what_they_do_not_say() {
    let line = "http = { url = \"http://h/x\", headers = { Authorization = \"Bearer ${PW}\" }, timeout = \"2s\", body = '{\"a\":{b}}', heal = { method = \"DELETE\" }, confirm = { url = \"http://h/y\", expect = { status = 503 } } }";
    let FaultKind::Http(http) = kind(line) else {
        panic!("http")
    };
    let (heal, confirm) = (http.heal.unwrap(), http.confirm.unwrap());
    assert_eq!(http.inject.method, "POST");
    assert_eq!(http.inject.body.as_deref(), Some("{\"a\":{b}}"));
    assert_eq!(
        (heal.method.as_str(), heal.url.as_str(), heal.body),
        ("DELETE", "http://h/x", None)
    );
    assert_eq!(heal.headers, http.inject.headers);
    assert_eq!(heal.headers[0].1, "Bearer s3cret");
    assert_eq!(
        (confirm.method.as_str(), confirm.timeout),
        ("GET", Duration::from_secs(2))
    );
    assert!(confirm.expect_status.contains(503));
}

#[test]
fn programs_and_statements_are_lists_and_a_held_session_needs_no_heal() {
    let FaultKind::Exec(exec) =
        kind("exec = { target = \"a\", command = [\"touch\", \"/x\"], heal = [\"rm\", \"/x\"] }")
    else {
        panic!("exec")
    };
    assert_eq!(
        (exec.inject.len(), exec.timeout),
        (2, Duration::from_secs(10))
    );
    let FaultKind::Command(command) = kind("command = { run = [\"true\"] }") else {
        panic!("command")
    };
    assert_eq!(command.inject, ["true"], "looked for in the PATH");
    let sql = "heal_after = \"5s\"\nsql = { dsn = \"postgres://u:${PW}@h/d\", inject = [\"BEGIN\", \"LOCK TABLE t\"], hold = true }";
    let FaultKind::Sql(sql) = kind(sql) else {
        panic!("sql")
    };
    assert_eq!(sql.inject.len(), 2);
    assert!(sql.hold && sql.heal.is_empty() && sql.dsn.contains("s3cret"));
}

#[test]
fn targets_may_be_patterns_roles_and_whoever_served_last() {
    let choice = |target: &str| {
        let fault =
            format!("[[fault]]\nname = \"f\"\nat = \"20s\"\npause = {{ target = {target} }}");
        read(&fault).unwrap().faults[0]
            .target
            .clone()
            .unwrap()
            .choice
    };
    assert_eq!(
        choice("{ role = \"replicas\", dsn = \"postgres://u@localhost/d\" }"),
        TargetChoice::Role {
            role: "replica".to_owned(),
            dsn: Some("postgres://u@localhost/d".to_owned())
        }
    );
    assert_eq!(
        choice("{ last_served = \"web\" }"),
        TargetChoice::LastServed {
            load: "web".to_owned()
        }
    );
}

#[test]
fn a_flap_is_a_repetition_that_heals_after_its_part_of_the_period() {
    let fault = "[[fault]]\nname = \"f\"\nat = \"20s\"\nflap = { period = \"4s\", times = 5, duty = 0.25 }\ndisconnect = { target = \"a\" }";
    let fault = &read(fault).unwrap().faults[0];
    let repeat = fault.repeat.unwrap();
    assert_eq!(
        (repeat.every, repeat.times, fault.heal_after),
        (Duration::from_secs(4), 5, Some(Duration::from_secs(1)))
    );
}

#[test]
fn a_sequence_names_its_members_and_says_when() {
    let text = format!(
        "{MEMBERS}[[fault]]\nname = \"day\"\nat = \"20s\"\nsequence = [\"a\", \"b\"]\npause = \"2s\""
    );
    let scenario = read(&text).unwrap();
    assert_eq!(scenario.faults.len(), 2);
    let day = &scenario.composites[0];
    assert_eq!(day.at, Some(Duration::from_secs(20)));
    assert_eq!(
        day.order,
        Order::Sequence {
            pause: Duration::from_secs(2)
        }
    );
    let members: Vec<_> = day.members.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(members, ["a", "b"]);
}

#[test]
fn nesting_has_an_end() {
    let mut text = String::from("[[fault]]\nname = \"0\"\nat = \"20s\"\nparallel = [\"1\"]\n");
    for n in 1..100 {
        text.push_str(&format!(
            "[[fault]]\nname = \"{n}\"\nparallel = [\"{}\"]\n",
            n + 1
        ));
    }
    text.push_str("[[fault]]\nname = \"100\"\nexternal = {}\n");
    let found = told(&text);
    assert!(found[0].contains("nested deeper than 32"), "{found:?}");
}

proptest! {
    #[test]
    fn no_order_of_composites_makes_the_reader_panic(
        members in prop::collection::vec((any::<bool>(), any::<bool>(), prop::collection::vec(0usize..7, 0..4)), 1..6)
    ) {
        let mut text = String::from("[[fault]]\nname = \"6\"\nexternal = {}\n");
        for (n, (timed, sequence, list)) in members.iter().enumerate() {
            let at = if *timed { "at = \"20s\"\n" } else { "" };
            let key = if *sequence { "sequence" } else { "parallel" };
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            text.push_str(&format!("[[fault]]\nname = \"{n}\"\n{at}{key} = {list:?}\n"));
        }
        if let Err(error) = read(&text) {
            prop_assert!(!error.mistakes().is_empty());
        }
    }

    #[test]
    fn no_value_in_a_kind_makes_the_reader_panic(
        line in prop::sample::select(vec![
            "disconnect = { target = VALUE, networks = VALUE }", "partition = { between = VALUE }",
            "partition = { isolate = VALUE, refusal = VALUE }", "delay = { target = \"a\", time = VALUE, jitter = VALUE }",
            "loss = { target = \"a\", ratio = VALUE, ports = VALUE }", "bandwidth = { target = \"a\", rate = VALUE, towards = VALUE }",
            "cpu = { target = \"a\", limit = VALUE }", "memory = { target = \"a\", limit = VALUE }",
            "stress = { target = \"a\", cpu = VALUE, memory = VALUE }", "fill_disk = { target = \"a\", path = VALUE, size = VALUE }",
            "http = { url = VALUE, heal = VALUE, headers = VALUE }", "exec = { target = \"a\", command = VALUE }",
            "command = { run = VALUE }", "sql = { dsn = VALUE, inject = VALUE, confirm = VALUE }", "pause = VALUE",
            "flap = { period = VALUE, times = 2, duty = VALUE }\nexternal = {}", "rolling = VALUE\nrestart = { target = \"a\" }",
            "sequence = VALUE\npause = VALUE", "pause = { target = { role = VALUE, last_served = VALUE } }",
        ]),
        value in prop::sample::select(vec![
            "0", "-1", "nan", "inf", "1e308", "9223372036854775807", "[]", "{}", "[[]]", "[{}]", "\"\"", "\"\\u0000\"", "true",
            "\"5s\"", "\"1e9GB\"", "\"99999999999999TB\"", "\"0MB/s\"", "\"[\"", "[\"\"]", "[\"a\", \"b\"]", "[[\"a\"], {all_of=\"b\"}]",
            "\"http://[\"", "{url=\"http://h\"}", "\"postgres://h\"", "{target=\"a\"}", "1979-05-27", "[0]", "[65536]", "\"/x\"", "\"é/..\"",
        ])
    ) {
        let _ = read(&format!("[[fault]]\nname = \"f\"\nat = \"20s\"\n{}", line.replace("VALUE", value)));
    }
}
