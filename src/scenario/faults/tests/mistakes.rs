use super::{MEMBERS, told};

#[test]
fn every_mistake_in_a_kind_is_told_at_its_place() {
    let mut wrong = Vec::new();
    for (line, expected) in [
        (
            "disconnect = { target = \"a\", networks = [] }",
            "6:41: `networks` names no network",
        ),
        (
            "partition = { between = [\"a\"] }",
            "6:25: a partition is between two groups, not 1",
        ),
        (
            "partition = { isolate = \"a\", minority_of = \"b\" }",
            "6:13: a partition needs exactly one of",
        ),
        (
            "partition = { isolate = \"a\", refusal = \"rejct\" }",
            "6:40: `rejct` is not a `refusal` / did you mean `reject`?",
        ),
        (
            "partition = { isolate = \"a\", direction = \"in\" }",
            "6:42: `in` is not a `direction`",
        ),
        ("partition = { between = [\"a\", 5] }", "6:31: `between` in"),
        ("delay = { target = \"a\" }", "6:9: `delay` lacks `time`"),
        (
            "delay = { target = \"a\", time = \"5\" }",
            "6:32: `5` has no unit",
        ),
        (
            "delay = { target = \"a\", time = \"5ms\", jitter = \"6ms\" }",
            "6:48: `jitter` is more than `time`",
        ),
        (
            "delay = { target = \"a\", time = \"5ms\", ports = [80, 70000] }",
            "6:52: `ports` is 70000",
        ),
        (
            "delay = { target = \"a\", time = \"5ms\", towrads = \"b\" }",
            "6:39: unknown key `towrads` in `delay` / did you mean `towards`?",
        ),
        (
            "loss = { target = \"a\", ratio = \"0%\" }",
            "6:32: `0%` is not a share in percent",
        ),
        (
            "loss = { target = \"a\", ratio = 0.1 }",
            "6:32: `ratio` in `loss` must be a text",
        ),
        (
            "bandwidth = { target = \"a\", rate = \"5MB\" }",
            "6:36: `MB` is not a unit",
        ),
        (
            "reset_connections = { target = \"a\", ports = [] }",
            "6:45: `ports` names no port",
        ),
        (
            "heal_after = \"5s\"\nreset_connections = { target = \"a\" }",
            "6:14: connections that were reset are not healed",
        ),
        ("cpu = { target = \"a\", limit = 0 }", "6:31: `limit` is 0"),
        (
            "cpu = { target = \"a\", limit = nan }",
            "6:31: `limit` is NaN",
        ),
        (
            "memory = { target = \"a\", limit = \"1MB\" }",
            "6:34: no container can be given so little memory",
        ),
        (
            "memory = { target = \"a\", limit = \"64mb\" }",
            "6:34: `mb` is not a unit / did you mean `MB`?",
        ),
        (
            "stress = { target = \"a\" }",
            "6:10: `stress` uses nothing up",
        ),
        ("stress = { target = \"a\", cpu = 0 }", "6:32: `cpu` is 0"),
        (
            "fill_disk = { target = \"a\", path = \"/d\" }",
            "6:13: `fill_disk` does not say how much",
        ),
        (
            "fill_disk = { target = \"a\", path = \"d\", size = \"1MB\" }",
            "6:36: `d` is not an absolute path",
        ),
        (
            "freeze_process = { target = \"a\", process = \"[\" }",
            "6:44: `[` is not a pattern",
        ),
        ("http = { url = \"h\" }", "6:16: the URL cannot be read"),
        (
            "http = { url = \"http://h/\", heal = { methd = \"GET\" } }",
            "6:38: unknown key `methd` in `heal` / did you mean `method`?",
        ),
        (
            "heal_after = \"5s\"\nhttp = { url = \"http://h/\" }",
            "6:14: this request has no `heal`",
        ),
        (
            "exec = { target = \"a\", command = \"touch\" }",
            "6:34: `command` in `exec` must be a list, not a text",
        ),
        (
            "exec = { target = \"a\", command = [] }",
            "6:34: `command` names no program",
        ),
        (
            "heal_after = \"5s\"\nexec = { target = \"a\", command = [\"x\"] }",
            "6:14: this program has no `heal`",
        ),
        (
            "command = { run = [\"./no-such-program\"] }",
            "6:20: there is no program `./no-such-program`",
        ),
        (
            "sql = { dsn = \"postgres://u:s3cret@:x/d\", inject = \"SELECT 1\" }",
            "6:15: the DSN cannot be read",
        ),
        (
            "sql = { dsn = \"postgres://u@h/d\", inject = [] }",
            "6:44: `inject` holds no statement",
        ),
        (
            "heal_after = \"5s\"\nsql = { dsn = \"postgres://u@h/d\", inject = \"SELECT 1\" }",
            "6:14: these statements have neither `heal` nor `hold`",
        ),
        (
            "pause = \"2s\"",
            "6:9: `pause` as a time belongs beside `sequence`",
        ),
        (
            "pause = { target = { all_of = \"a\", role = \"b\" } }",
            "6:20: a target table needs exactly one of",
        ),
        (
            "pause = { target = { role = \"lb\", dsn = \"postgres://u@h/d\" } }",
            "6:41: `dsn` means nothing with the role `lb`",
        ),
        (
            "pause = { target = { all_of = \"a\", count = 2 } }",
            "6:44: `count` means nothing without `random`",
        ),
        (
            "flap = { period = \"4s\", times = 2, duty = 1.0 }\npause = { target = \"a\" }",
            "6:43: `duty` is 1",
        ),
        (
            "flap = { period = \"4s\", times = 2 }\nheal_after = \"1s\"\npause = { target = \"a\" }",
            "7:14: `heal_after` means nothing with `flap`",
        ),
        (
            "flap = { period = \"4s\", times = 2 }\nrestart = { target = \"a\" }",
            "6:8: a restart needs no heal, and a flap comes and goes",
        ),
        (
            "flap = { period = \"30s\", times = 2 }\npause = { target = \"a\" }",
            "6:8: the last occurrence of fault `f` ends after the run",
        ),
        (
            "rolling = {}\npause = { target = \"a\" }",
            "6:11: fault `f` rolls on when a container is healed, and heals none",
        ),
        (
            "rolling = {}\nexternal = {}",
            "6:11: fault `f` has no target to roll over",
        ),
        (
            "rolling = {}\nrepeat = { every = \"9s\", times = 2 }\nrestart = { target = \"a\" }",
            "6:11: `rolling` means nothing with `repeat`",
        ),
    ] {
        let found = told(&format!("[[fault]]\nname = \"f\"\nat = \"20s\"\n{line}"));
        let good = |m: &String| !m.ends_with("NO HELP") && !m.contains("s3cret");
        // One mistake has one message, at its place, that says what to do.
        if found.len() != 1 || !found[0].starts_with(expected) || !found.iter().all(good) {
            wrong.push(format!("{line}: expected `{expected}`, found {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_mistake_in_a_composite_is_told_at_its_place() {
    for (more, expected) in [
        (
            "at = \"20s\"\nsequence = [\"a\", \"c\"]",
            "14:18: no fault is called `c`",
        ),
        ("at = \"20s\"\nsequence = []", "14:12: `day` has no members"),
        (
            "at = \"20s\"\nsequence = [\"a\"]",
            "8:8: fault `b` does not say when it comes",
        ),
        (
            "at = \"20s\"\nparallel = [\"a\", \"b\", \"a\"]",
            "14:23: `a` is a member twice / the first time on line 14",
        ),
        (
            "at = \"20s\"\nsequence = [\"a\", \"b\"]\nparallel = []",
            "15:12: fault `day` does two things",
        ),
        (
            "at = \"20s\"\nheal_after = \"5s\"\nsequence = [\"a\", \"b\"]",
            "14:14: `heal_after` means nothing beside `sequence`",
        ),
        (
            "at = \"20s\"\nparallel = [\"a\", \"b\"]\ngate = { bad = 0 }",
            "15:8: `gate` means nothing beside `parallel`",
        ),
        (
            "at = \"70s\"\nparallel = [\"a\", \"b\"]",
            "13:6: fault `day` comes after the end of the run",
        ),
        (
            "at = \"20s\"\nparallel = [\"a\", \"b\", \"day\"]",
            "14:23: faults contain themselves: `day` → `day`",
        ),
        (
            "parallel = [\"a\", \"b\"]",
            "12:8: fault `day` does not say when it comes",
        ),
        (
            "sequence = [\"a\", \"b\", \"night\"]\n[[fault]]\nname = \"night\"\nparallel = [\"day\"]",
            "13:23: faults contain themselves: `night` → `day` → `night`",
        ),
        (
            "at = \"20s\"\nsequence = [\"c\", \"a\", \"b\"]\n[[fault]]\nname = \"c\"\nstop = { target = \"x\" }",
            "14:13: nothing comes after `c`: it is healed at the end of the run / give `c` a `heal_after`",
        ),
        (
            "at = \"20s\"\nsequence = [\"a\", \"b\", \"c\"]\n[[fault]]\nname = \"c\"\nat = \"30s\"\nexternal = {}",
            "17:6: `day` says when `c` comes",
        ),
    ] {
        let found = told(
            &format!("{MEMBERS}[[fault]]\n# a line\nname = \"day\"\n{more}")
                .replace("# a line\n", "\n"),
        );
        assert!(
            found.iter().any(|m| m.starts_with(expected)),
            "{more}: expected `{expected}`, found {found:#?}"
        );
        assert!(found.iter().all(|m| !m.ends_with("NO HELP")), "{found:#?}");
    }
}
