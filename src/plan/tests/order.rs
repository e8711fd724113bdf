//! Composites, rolling and flapping faults, and what is warned of.

use super::*;
use proptest::prelude::*;

type Line = (String, u64, Option<u64>, Option<(String, u64)>);

/// Name, injection and heal in seconds, and what it comes after.
fn times(faults: &[PlannedFault]) -> Vec<Line> {
    let seconds = |at: Offset| at.since_zero().as_secs();
    let line = |f: &PlannedFault| {
        let after = f
            .after
            .map(|a| (faults[a.index].name.clone(), a.pause.as_secs()));
        (
            f.name.clone(),
            seconds(f.inject_at),
            f.heal_at.map(seconds),
            after,
        )
    };
    faults.iter().map(line).collect()
}

const MEMBERS: &str = "[[fault]]\nname = \"a\"\nheal_after = \"5s\"\npause = { target = \"db1\" }\n[[fault]]\nname = \"b\"\nrestart = { target = \"db2\" }\n[[fault]]\nname = \"c\"\nheal_after = \"9s\"\npause = { target = \"db3\" }\n";

#[test]
fn in_a_sequence_each_begins_when_the_one_before_is_over() {
    let day = format!(
        "{MEMBERS}[[fault]]\nname = \"day\"\nat = \"10s\"\nsequence = [\"c\", \"b\", \"a\"]\npause = \"2s\"\n[[fault]]\nname = \"mark\"\nat = \"12s\"\nexternal = {{}}\n"
    );
    let after = |name: &str| Some((name.to_owned(), 2));
    assert_eq!(
        times(&plan(&day)),
        [
            ("c".to_owned(), 10, Some(19), None),
            ("mark".to_owned(), 12, None, None),
            ("b".to_owned(), 21, None, after("c")),
            ("a".to_owned(), 23, Some(28), after("b")),
        ]
    );
}

#[test]
fn what_follows_a_parallel_block_waits_for_the_last_of_it() {
    let day = format!(
        "{MEMBERS}[[fault]]\nname = \"day\"\nat = \"10s\"\nsequence = [\"two\", \"b\"]\n[[fault]]\nname = \"two\"\nparallel = [\"a\", \"c\"]\n"
    );
    assert_eq!(
        times(&plan(&day)),
        [
            ("a".to_owned(), 10, Some(15), None),
            ("c".to_owned(), 10, Some(19), None),
            ("b".to_owned(), 19, None, Some(("c".to_owned(), 0))),
        ]
    );
}

#[test]
fn a_rolling_fault_goes_from_container_to_container() {
    let rolls = "[[fault]]\nname = \"f\"\nat = \"10s\"\nheal_after = \"4s\"\nrolling = { pause = \"1s\" }\nstop = { target = \"app\" }\n";
    let found = plan(rolls);
    assert_eq!(
        found
            .iter()
            .map(|f| f.targets.join(","))
            .collect::<Vec<_>>(),
        ["app.1", "app.2", "app.3"]
    );
    let after = |name: &str| Some((name.to_owned(), 1));
    assert_eq!(
        times(&found),
        [
            ("f #1".to_owned(), 10, Some(14), None),
            ("f #2".to_owned(), 15, Some(19), after("f #1")),
            ("f #3".to_owned(), 20, Some(24), after("f #2")),
        ]
    );
    let late = rolls.replace("\"app\"", "{ role = \"primary\" }");
    assert!(first(resolved(&late)).contains("must be known before the run"));
    let long = rolls.replace("\"4s\"", "\"40s\"");
    let said = first(resolved(&long));
    assert!(
        said.starts_with("8:11: `f #3` would be healed at 132s, after the end of the run"),
        "{said}"
    );
}

#[test]
fn a_flap_within_a_sequence_keeps_its_pace_after_what_came_before() {
    let day = format!(
        "{MEMBERS}[[fault]]\nname = \"day\"\nat = \"10s\"\nsequence = [\"b\", \"flaps\", \"a\", \"c\"]\n[[fault]]\nname = \"flaps\"\nflap = {{ period = \"4s\", times = 2 }}\ndisconnect = {{ target = \"app.1\" }}\n"
    );
    let after = |name: &str, pause| Some((name.to_owned(), pause));
    assert_eq!(
        times(&plan(&day)),
        [
            ("b".to_owned(), 10, None, None),
            ("flaps #1".to_owned(), 10, Some(12), after("b", 0)),
            ("flaps #2".to_owned(), 14, Some(16), after("flaps #1", 2)),
            ("a".to_owned(), 16, Some(21), after("flaps #2", 0)),
            ("c".to_owned(), 21, Some(30), after("a", 0)),
        ]
    );
}

#[test]
fn a_member_that_would_come_after_the_run_is_a_mistake_where_it_is_named() {
    let day = format!(
        "{MEMBERS}[[fault]]\nname = \"day\"\nat = \"10s\"\nsequence = [\"a\", \"b\", \"c\"]\npause = \"60s\"\n"
    );
    assert_eq!(
        first(resolved(&day)),
        "18:23: `c` would be injected at 135s, after the end of the run / the run ends at 100s; shorten what comes before, or raise `run.duration`"
    );
}

#[test]
fn faults_in_each_others_way_are_told_and_others_are_not() {
    let both = |first: &str, second: &str| {
        let faults = format!(
            "[[fault]]\nname = \"a\"\nat = \"10s\"\nheal_after = \"20s\"\n{first}\n[[fault]]\nname = \"b\"\nat = \"20s\"\n{second}\n"
        );
        let found = warnings(&faults);
        found.into_iter().find(|w| w.contains("still holds it"))
    };
    let delay = "delay = { target = \"app\", time = \"5ms\" }";
    assert!(both(delay, "loss = { target = \"app\", ratio = \"5%\" }").is_none());
    assert!(both(delay, delay).unwrap().contains("cannot be told apart"));
    assert!(
        both(delay, "restart = { target = \"app.1\" }")
            .unwrap()
            .contains("what `a` does ends")
    );
    assert!(
        both("pause = { target = \"app\" }", delay)
            .unwrap()
            .contains("no effect of its own")
    );
    assert!(
        both(
            "cpu = { target = \"app\", limit = 1 }",
            "stop = { target = \"app\" }"
        )
        .is_none()
    );
    let primary = "pause = { target = { role = \"primary\" } }";
    assert!(
        both(primary, "pause = { target = \"db1\" }").is_none(),
        "nobody knows yet"
    );
}

#[test]
fn groups_that_share_no_network_are_told() {
    let of = |line: &str| {
        let fault = format!("[[fault]]\nname = \"f\"\nat = \"10s\"\n{line}\n");
        let found = warnings(&fault);
        found.into_iter().find(|w| w.contains("share no network"))
    };
    assert!(of("partition = { between = [\"haproxy\", \"db1\"] }").is_some());
    assert!(of("delay = { target = \"db1\", time = \"5ms\", towards = \"haproxy\" }").is_some());
    assert!(of("partition = { between = [\"app\", [\"haproxy\", \"db1\"]] }").is_none());
    assert!(of("delay = { target = \"shares\", time = \"5ms\", towards = \"db1\" }").is_none());
}

#[test]
fn a_flap_has_one_warning_for_each_of_its_edges() {
    let flap = "[[fault]]\nname = \"f\"\nat = \"10s\"\nflap = { period = \"2s\", times = 9 }\npause = { target = \"db1\" }\n";
    let found = warnings(flap);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].contains("(and so at 8 more of its occurrences)"),
        "{found:?}"
    );
}

#[test]
fn a_plan_with_order_and_groups_survives_being_written() {
    let day = format!(
        "{MEMBERS}[[fault]]\nname = \"day\"\nat = \"10s\"\nsequence = [\"a\", \"b\", \"c\", \"p\"]\n[[fault]]\nname = \"p\"\npartition = {{ isolate = \"haproxy\" }}\n"
    );
    let plan = resolved(&day).unwrap().plan;
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

proptest! {
    #[test]
    fn whatever_is_composed_comes_after_what_it_waits_for(
        blocks in prop::collection::vec((any::<bool>(), 1usize..4, 0u64..3), 1..5),
        at in 6u64..20,
    ) {
        let mut text = String::new();
        let mut names = Vec::new();
        let mut n = 0;
        for (b, (sequence, members, pause)) in blocks.iter().enumerate() {
            let mut inner = Vec::new();
            for _ in 0..*members {
                n += 1;
                inner.push(format!("f{n}"));
                text.push_str(&format!("[[fault]]\nname = \"f{n}\"\nheal_after = \"{}s\"\npause = {{ target = \"db1\" }}\n", 1 + n % 3));
            }
            let key = if *sequence { format!("pause = \"{pause}s\"\nsequence") } else { "parallel".to_owned() };
            text.push_str(&format!("[[fault]]\nname = \"block{b}\"\n{key} = {inner:?}\n"));
            names.push(format!("block{b}"));
        }
        text.push_str(&format!("[[fault]]\nname = \"all\"\nat = \"{at}s\"\nsequence = {names:?}\n"));
        text.push_str("[[fault]]\nname = \"mark\"\nat = \"30s\"\nexternal = {}\n");
        let found = plan(&text);
        prop_assert_eq!(found.len(), n + 1);
        for (i, fault) in found.iter().enumerate() {
            if let Some(after) = fault.after {
                let former = &found[after.index];
                prop_assert!(after.index < i);
                prop_assert_eq!(former.heal_at.unwrap() + after.pause, fault.inject_at);
            }
        }
        prop_assert!(found.is_sorted_by_key(|f| f.inject_at));
    }
}
