use super::*;
use crate::plan::{Comparison, GateScope, Metric};
use proptest::prelude::*;

const GOOD: &str = r#"name = "kill-slave"

[run]
warmup = "5s"
duration = "45s"
seed = 42

[[load]]
name = "web"
rate = 200
http = { url = "http://127.0.0.1:8080/api/{id}", timeout = "2s", vars = { id = { random = [1, 9] } } }
gate = { p99 = "<= 200ms" }

[[load]]
name = "reads"
users = 10
postgres = { dsn = "postgres://app:${PW:-x}@127.0.0.1:5433/app", query = "SELECT $1", params = ["1"] }

[[fault]]
name = "slave 1 stops"
at = "10s"
heal_after = "15s"
stop = { target = "postgres-slave1", grace = "1s" }
gate = { time_to_recover = "<= 5s" }

[gate]
error_rate = "<= 0.5%"
unknown = 0
"#;

fn read_text(text: &str, set: &[(&str, &str)]) -> Result<Scenario, ScenarioError> {
    let set = set
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    parse(
        &SourceFile::new("s.toml", text),
        &Overrides { set, seed: None },
        &BTreeMap::new(),
    )
}

/// The mistakes of a good scenario with one change, as `line:column: message / help`.
fn mistakes_of(text: &str) -> Vec<String> {
    let errors = read_text(text, &[])
        .map(|s| s.name)
        .expect_err("must be refused");
    errors
        .mistakes()
        .iter()
        .map(|m| {
            let (line, column) = m.line_column();
            format!(
                "{line}:{column}: {} / {}",
                m.message,
                m.help.as_deref().unwrap_or("NO HELP")
            )
        })
        .collect()
}

#[test]
fn a_key_that_would_have_no_effect_is_refused() {
    let column = GOOD.replace("random = [1, 9]", "sequence = 1, column = \"a\"");
    let found = mistakes_of(&column);
    assert!(
        found[0].contains("`column` means nothing without `csv`"),
        "{found:?}"
    );
    let tls = GOOD.replace("/app\", query", "/app?sslmode=require\", query");
    let found = mistakes_of(&tls);
    assert!(
        found[0].starts_with("17:") && found[0].contains("sslmode=disable"),
        "{found:?}"
    );
    for asked in [
        "target_session_attrs=read-write",
        "load_balance_hosts=random",
    ] {
        let found = mistakes_of(&GOOD.replace("/app\", query", &format!("/app?{asked}\", query")));
        assert!(
            found[0].starts_with("17:") && found[0].contains("name the host that is meant"),
            "{found:?}"
        );
    }
}

#[test]
fn in_a_header_the_environment_and_the_variables_go_side_by_side() {
    let header = |value: &str| {
        let text = format!(
            "name = \"s\"\n[run]\nduration = \"9s\"\nobserve = true\n[[load]]\nname = \"w\"\nrate = 1\n\
             http = {{ url = \"http://h/\", headers = {{ A = \"{value}\" }}, vars = {{ id = {{ sequence = 1 }} }} }}"
        );
        let env = BTreeMap::from([("TOKEN".to_owned(), "t".to_owned())]);
        parse(
            &SourceFile::new("s.toml", text),
            &Overrides::default(),
            &env,
        )
    };
    assert!(header("${TOKEN} {id} $${id}").is_ok());
    for (wrong, message) in [
        (
            "{id} ${NO_SUCH}",
            "the environment variable `NO_SUCH` is not set",
        ),
        ("{id} $${NO_SUCH}", "the variable `NO_SUCH` is not defined"),
    ] {
        let error = header(wrong).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn a_good_scenario_means_what_it_says() {
    let s = read_text(GOOD, &[]).unwrap();
    assert_eq!(
        (s.run.warmup, s.run.duration, s.run.seed),
        (Duration::from_secs(5), Duration::from_secs(45), 42)
    );
    assert_eq!(
        s.loads[0].arrivals,
        Arrivals::Open {
            stages: vec![Stage {
                from: 200.0,
                to: 200.0,
                length: None
            }],
            poisson: false
        }
    );
    assert_eq!(s.loads[0].max_in_flight, 400, "rate × time-out");
    assert_eq!(
        s.loads[1].arrivals,
        Arrivals::Closed {
            users: 10,
            think: Duration::ZERO
        }
    );
    let ClientSpec::Postgres(postgres) = &s.loads[1].client else {
        panic!("postgres")
    };
    assert_eq!(postgres.dsn, "postgres://app:x@127.0.0.1:5433/app");
    assert_eq!(
        s.faults[0].kind,
        FaultKind::Stop {
            grace: Some(Duration::from_secs(1))
        }
    );
    let gates: Vec<_> = s
        .gates
        .iter()
        .map(|g| (g.metric, g.comparison, g.limit, g.scope.clone()))
        .collect();
    assert_eq!(
        gates,
        [
            (Metric::ErrorRate, Comparison::AtMost, 0.005, GateScope::Run),
            (Metric::Unknown, Comparison::AtMost, 0.0, GateScope::Run),
            (
                Metric::P99,
                Comparison::AtMost,
                200.0,
                GateScope::Load("web".into())
            ),
            (
                Metric::TimeToRecover,
                Comparison::AtMost,
                5000.0,
                GateScope::Fault("slave 1 stops".into())
            ),
        ]
    );
}

#[test]
fn every_mistake_is_reported_at_its_place_with_help() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "warmup",
            "warmupp",
            "4:1: unknown key `warmupp` in `[run]` / did you mean `warmup`?",
        ),
        (
            "rate = 200",
            "rate = \"200\"",
            "10:8: `rate` in `[[load]]` must be a number, not a text",
        ),
        (
            "\"45s\"",
            "45",
            "5:12: `duration` in `[run]` must be a text, not a whole number",
        ),
        (
            "\"45s\"",
            "\"45\"",
            "5:12: `45` has no unit / give a unit: \"45s\" or \"45ms\"",
        ),
        (
            "\"5s\"",
            "\"45s\"",
            "4:10: the warm-up is as long as the run",
        ),
        ("\"45s\"", "\"25h\"", "5:12: `25h` is longer than 24 hours"),
        ("rate = 200", "rate = -3", "10:8: `rate` is -3"),
        ("rate = 200", "rate = 0", "10:8: `rate` is 0"),
        ("rate = 200", "rate = nan", "10:8: `rate` is NaN"),
        ("rate = 200", "rate = 1e7", "10:8: `rate` is 10000000"),
        (
            "rate = 200\n",
            "rate = 200\nusers = 5\n",
            "11:9: workload `web` has both `rate` and `users`",
        ),
        (
            "rate = 200\n",
            "",
            "9:8: workload `web` says none of `rate`, `stages`, `users`",
        ),
        (
            "rate = 200\n",
            "rate = 200\nthink = \"1s\"\n",
            "11:9: `think` means nothing in an open loop",
        ),
        (
            "users = 10",
            "users = -1",
            "16:9: `users` in `[[load]]` must be at least 0, not -1",
        ),
        (
            "\"reads\"",
            "\"web\"",
            "15:8: two workloads are called `web` / the first one is on line 9",
        ),
        (
            "at = \"10s\"",
            "at = \"50s\"",
            "21:6: fault `slave 1 stops` comes after the end of the run",
        ),
        (
            "at = \"10s\"",
            "at = \"2s\"",
            "21:6: fault `slave 1 stops` comes before there is a baseline",
        ),
        (
            "\"15s\"",
            "\"40s\"",
            "22:14: fault `slave 1 stops` heals after the end of the run",
        ),
        (
            "stop =",
            "stopp =",
            "23:1: unknown key `stopp` in `[[fault]]` / did you mean `stop`?",
        ),
        (
            "stop = {",
            "pause = { target = \"a\" }\nstop = {",
            "24:8: fault `slave 1 stops` does two things",
        ),
        (
            "\"<= 0.5%\"",
            "\"<= 5s\"",
            "27:14: `5s` is not a share in percent",
        ),
        (
            "\"<= 0.5%\"",
            "0.5",
            "27:14: `error_rate = 0.5` does not say whether",
        ),
        (
            "unknown = 0",
            "time_to_recover = \"<= 5%\"",
            "28:19: `5%` is not a length of time",
        ),
        (
            "unknown = 0",
            "p98 = \"<= 5ms\"",
            "28:1: unknown key `p98` in `[gate]` / did you mean `p90`?",
        ),
        (
            "gate = { time_to_recover = \"<= 5s\" }",
            "gate = { p99 = \"<= 5s\" }",
            "24:16: a gate on nothing: `p99`",
        ),
        (
            "{id}",
            "{ident}",
            "11:43: the variable `ident` is not defined",
        ),
        (
            "[\"1\"]",
            "[]",
            "17:96: the query uses 1 parameters, `params` gives 0",
        ),
        (
            "${PW:-x}",
            "${PW}",
            "17:36: the environment variable `PW` is not set",
        ),
        ("http://127", "ftp://127", "11:16: `ftp` is not an HTTP URL"),
        (
            "name = \"kill-slave\"\n",
            "\n",
            "1:1: the scenario lacks `name`",
        ),
        (
            "name = \"kill-slave\"",
            "name = \"a/b\"",
            "1:8: `a/b` is not a name for a scenario",
        ),
        (
            "name = \"kill-slave\"",
            "name = \"x\"\ntopology = \"none.yaml\"",
            "2:12: there is no compose file `none.yaml`",
        ),
        (
            "random = [1, 9]",
            "csv = \"no.csv\", column = \"a\"",
            "11:88: cannot read `no.csv`",
        ),
        ("seed = 42", "seed = 42 43", "6:8: "),
        ("[gate]", "[gate", "26:"),
    ];
    for (from, to, expected) in cases {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "`{from}` is in the scenario");
        let found = mistakes_of(&text);
        assert!(
            found[0].starts_with(expected),
            "{to}: expected `{expected}`, found {found:#?}"
        );
        assert!(found.iter().all(|m| !m.ends_with("NO HELP")), "{found:#?}");
    }
}

#[test]
fn several_mistakes_are_reported_at_once() {
    let text = GOOD
        .replace("\"45s\"", "\"45\"")
        .replace("rate = 200", "rate = 0")
        .replace("\"<= 0.5%\"", "\"0.5%\"");
    assert_eq!(mistakes_of(&text).len(), 3);
    let text = GOOD.replace("warmup", "warmpu").replace("target", "tarket");
    assert_eq!(
        mistakes_of(&text).len(),
        2,
        "a misspelt key is not missing too"
    );
}

#[test]
fn an_option_overrides_by_name_by_number_and_makes_new_tables() {
    let set = [
        ("run.duration", "60s"),
        ("load.web.rate", "50"),
        ("load[1].users", "3"),
        ("fault.\"slave 1 stops\".at", "12s"),
        ("recovery.stable_for", "2s"),
    ];
    let s = read_text(GOOD, &set).unwrap();
    assert_eq!(
        (s.run.duration, s.faults[0].at),
        (Duration::from_secs(60), Some(Duration::from_secs(12)))
    );
    assert_eq!(
        s.loads[1].arrivals,
        Arrivals::Closed {
            users: 3,
            think: Duration::ZERO
        }
    );
    assert_eq!(s.loads[0].recovery.stable_for, Duration::from_secs(2));
}

#[test]
fn a_mistake_in_an_option_points_at_the_option() {
    for (set, expected) in [
        (
            ("run.duration", "5"),
            "--set:1:14: `duration` in `[run]` must be a text, not a whole number",
        ),
        (
            ("run.duration", "x"),
            "--set:1:14: `x` is not a length of time",
        ),
        (
            ("run.duratoin", "5s"),
            "--set:1:5: unknown key `duratoin` in `[run]`",
        ),
        (
            ("load.wbe.rate", "5"),
            "--set:1:6: no `load` is called `wbe`",
        ),
        (("load[7].rate", "5"), "--set:1:5: no `load` is called `7`"),
        (
            ("name.x", "5"),
            "--set:1:1: `name` is not a table in this scenario",
        ),
        (("a..b", "5"), "--set:1:3: `a..b` is not a path"),
        (("", "5"), "--set:1:1: `` is not a path"),
        (
            ("fault[0].stop.target", "[]"),
            "--set:1:22: the fault hits nobody",
        ),
    ] {
        let error = read_text(GOOD, &[set]).expect_err("must be refused");
        assert!(
            error.to_string().starts_with(expected),
            "expected `{expected}`, found `{error}`"
        );
    }
}

#[test]
fn an_unused_variable_is_a_warning() {
    let s = read_text(&GOOD.replace("{id}", "1"), &[]).unwrap();
    assert_eq!(s.warnings[0].message, "the variable `id` is not used");
}

#[test]
fn a_password_is_in_no_message() {
    let text = GOOD.replace("${PW:-x}@127.0.0.1:5433", "se?cret@:x:5433");
    assert!(mistakes_of(&text).iter().all(|m| !m.contains("cret")));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let _ = read_text(&text, &[]);
    }

    #[test]
    fn no_change_of_a_good_scenario_makes_the_reader_panic(
        at in 0..GOOD.len(), cut in 0usize..40, put in "[ -~\\n€é]{0,8}"
    ) {
        let end = (at + cut).min(GOOD.len());
        let text = format!("{}{put}{}", &GOOD[..at], &GOOD[end..]);
        if let Err(error) = read_text(&text, &[]) {
            prop_assert!(!error.mistakes().is_empty());
            for mistake in error.mistakes() {
                prop_assert!(mistake.span.start <= mistake.span.end, "{mistake}");
                prop_assert!(mistake.span.end <= mistake.file.text.len() + 1, "{mistake}");
            }
        }
    }

    #[test]
    fn no_value_of_a_key_makes_the_reader_panic(
        key in prop::sample::select(vec![
            "run.duration", "run.warmup", "run.seed", "load.web.rate", "load.web.stages", "load.web.http.url",
            "load.web.http.expect", "load.reads.users", "load.reads.postgres.query", "load.reads.postgres.params",
            "load.reads.postgres.dsn", "fault[0].at", "fault[0].heal_after", "fault[0].repeat", "fault[0].stop.target",
            "gate.error_rate", "gate.throughput", "topology", "recovery", "name",
        ]),
        value in prop::sample::select(vec![
            "0", "-1", "1e308", "nan", "inf", "9223372036854775807", "[]", "{}", "[[]]", "\"\"", "\"\\u0000\"", "true", "1979-05-27",
            "[{}]", "[{rate=1}]", "{all_of=\"[\"}", "{random=[]}", "{every=\"1s\",times=1000}", "$1 $", "<= 99999999999999%",
            "1e400s", "584554y", "9223372036854775807s", "http://[", "{status=[1,\"xx\"]}", "{status=\"9xx-\"}", "'",
        ])
    ) {
        let _ = read_text(GOOD, &[(key, value)]);
    }
}
