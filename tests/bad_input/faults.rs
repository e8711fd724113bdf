//! One bad input for every kind of fault, for targets and for composites.

use super::{COMPOSE, PEOPLE, SCENARIO, assert_refused, check, folder, lbtest, text};

/// A good scenario with a fault of every kind.
pub const EVERY_KIND: &str = r#"name = "s"
topology = "compose.yaml"
run = { duration = "90s", observe = true }

[[load]]
name = "web"
rate = 5
postgres = { dsn = "postgres://u:p@127.0.0.1:1/d", query = "SELECT 1" }

[[fault]]
name = "day"
at = "30s"
sequence = ["cut", "both", "reset", "rolls"]
pause = "1s"

[[fault]]
name = "both"
parallel = ["slow", "lossy"]

[[fault]]
name = "cut"
heal_after = "2s"
partition = { between = ["db", { all_of = "a*" }], direction = "to_second", refusal = "reset" }

[[fault]]
name = "slow"
heal_after = "2s"
delay = { target = "app", time = "50ms", jitter = "10ms", direction = "both", towards = "db", ports = [5432] }

[[fault]]
name = "lossy"
heal_after = "2s"
loss = { target = ["app", "d*"], ratio = "10%" }

[[fault]]
name = "reset"
reset_connections = { target = "db", towards = "app" }

[[fault]]
name = "rolls"
rolling = { pause = "1s" }
restart = { target = { all_of = "*" } }

[[fault]]
name = "thin"
at = "31s"
bandwidth = { target = "app", rate = "10Mbit/s" }

[[fault]]
name = "off"
at = "32s"
flap = { period = "4s", times = 2, duty = 0.25 }
disconnect = { target = "app", networks = ["default"] }

[[fault]]
name = "less"
at = "33s"
cpu = { target = "app", limit = 0.5 }

[[fault]]
name = "lesser"
at = "34s"
memory = { target = "app", limit = "64MB" }

[[fault]]
name = "busy"
at = "35s"
stress = { target = "app", cpu = 1, memory = "1MiB", io = 1 }

[[fault]]
name = "full"
at = "36s"
fill_disk = { target = "db", path = "/data", size = "1GB", leave = "1MB" }

[[fault]]
name = "still"
at = "37s"
freeze_process = { target = "db", process = "walreceiver*" }

[[fault]]
name = "asked"
at = "38s"
heal_after = "1s"
http = { target = "app", url = "http://127.0.0.1:1/x", headers = { A = "b" }, heal = { method = "DELETE" }, confirm = { expect = { status = "5xx" } } }

[[fault]]
name = "done"
at = "39s"
exec = { target = { role = "primary", dsn = "postgres://u@localhost/d" }, command = ["true"] }

[[fault]]
name = "here"
at = "40s"
heal_after = "1s"
command = { run = ["true"], heal = ["true"], timeout = "1s" }

[[fault]]
name = "locked"
at = "41s"
heal_after = "1s"
sql = { dsn = "postgres://u:p@127.0.0.1:1/d", inject = ["BEGIN", "LOCK TABLE t"], hold = true }

[[fault]]
name = "last"
at = "42s"
pause = { target = { last_served = "web" } }
"#;

/// What stands where the good scenario has its `stop`, in line 15.
fn refused(fault: &str, place: &str, message: &str, help: &str) {
    let changed = SCENARIO.replacen("stop = { target = \"db\" }", fault, 1);
    assert_ne!(changed, SCENARIO);
    assert_refused(&folder("s.toml", changed), place, message, help);
}

#[test]
fn a_scenario_with_every_kind_of_fault_is_good() {
    let compose = COMPOSE.replacen("  app:", "    x-lbtest-role: database\n  app:", 1);
    let folder = folder("s.toml", EVERY_KIND);
    std::fs::write(folder.path().join("compose.yaml"), &compose).unwrap();
    let output = lbtest(folder.path(), &["plan", "s.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    check(EVERY_KIND.as_bytes(), compose.as_bytes(), PEOPLE.as_bytes());
}

#[test]
fn a_mistake_in_a_fault_of_the_network_is_told_with_its_place_and_help() {
    for (fault, place, message, help) in [
        (
            "disconnect = { target = \"db\", networks = [\"defualt\"] }",
            "s.toml:15:43",
            "no network `defualt`",
            "did you mean `default`?",
        ),
        (
            "partition = { between = [\"db\", \"d*\"] }",
            "s.toml:15:32",
            "`db` is on both sides",
            "disjoint",
        ),
        (
            "partition = { minority_of = \"db\" }",
            "s.toml:15:29",
            "have no minority",
            "three or more",
        ),
        (
            "delay = { target = \"db\", time = \"50\" }",
            "s.toml:15:33",
            "no unit",
            "\"50ms\"",
        ),
        (
            "loss = { target = \"db\", ratio = \"200%\" }",
            "s.toml:15:33",
            "not a share",
            "at most 100 %",
        ),
        (
            "bandwidth = { target = \"db\", rate = \"1mb/s\" }",
            "s.toml:15:37",
            "not a unit",
            "did you mean `MB/s`?",
        ),
        (
            "reset_connections = { target = \"db\", towards = \"ap\" }",
            "s.toml:15:48",
            "no service `ap`",
            "did you mean `app`?",
        ),
    ] {
        refused(fault, place, message, help);
    }
}

#[test]
fn a_mistake_in_a_fault_of_resources_is_told_with_its_place_and_help() {
    for (fault, place, message, help) in [
        (
            "cpu = { target = \"db\", limit = -1 }",
            "s.toml:15:32",
            "`limit` is -1",
            "half of one",
        ),
        (
            "memory = { target = \"db\", limit = \"5MB\" }",
            "s.toml:15:35",
            "so little memory",
            "6MiB",
        ),
        (
            "stress = { target = \"db\", disk = 1 }",
            "s.toml:15:27",
            "unknown key `disk`",
            "known keys",
        ),
        (
            "fill_disk = { target = \"db\", path = \"/d\" }",
            "s.toml:15:13",
            "how much",
            "`leave`",
        ),
        (
            "freeze_process = { target = \"db\", process = \"\" }",
            "s.toml:15:45",
            "no process",
            "pattern",
        ),
    ] {
        refused(fault, place, message, help);
    }
}

#[test]
fn a_mistake_in_what_an_application_is_asked_is_told_with_its_place_and_help() {
    for (fault, place, message, help) in [
        (
            "http = { url = \"127.0.0.1/x\" }",
            "s.toml:15:16",
            "URL cannot be read",
            "absolute",
        ),
        (
            "exec = { command = [\"true\"] }",
            "s.toml:15:8",
            "lacks `target`",
            "Whom it hits",
        ),
        (
            "command = { run = [\"./none.sh\"] }",
            "s.toml:15:20",
            "no program `./none.sh`",
            "looked at",
        ),
        (
            "sql = { dsn = \"postgres://u:s3cret@h/d?sslmode=require\", inject = \"SELECT 1\" }",
            "s.toml:15:15",
            "TLS",
            "sslmode=disable",
        ),
    ] {
        refused(fault, place, message, help);
    }
}

#[test]
fn a_target_that_nobody_can_find_is_told_with_its_place_and_help() {
    for (target, message, help) in [
        (
            "{ role = \"primary\" }",
            "no service is known as a database",
            "x-lbtest-role: database",
        ),
        (
            "{ role = \"cache\" }",
            "no service has the role `cache`",
            "x-lbtest-role: cache",
        ),
        (
            "{ last_served = \"wbe\" }",
            "no workload `wbe`",
            "did you mean `web`?",
        ),
        (
            "\"x*\"",
            "no service `x*`",
            "services of the topology: app, db",
        ),
    ] {
        refused(
            &format!("pause = {{ target = {target} }}"),
            "s.toml:15:20",
            message,
            help,
        );
    }
}

#[test]
fn a_mistake_in_a_composite_is_told_with_its_place_and_help() {
    for (fault, place, message, help) in [
        (
            "sequence = [\"none\"]",
            "s.toml:15:13",
            "no fault is called `none`",
            "there are none",
        ),
        (
            "parallel = [\"db stops\"]",
            "s.toml:15:13",
            "contain themselves",
            "not itself",
        ),
        (
            "rolling = {}\nstop = { target = \"db\" }",
            "s.toml:15:11",
            "heals none",
            "heal_after",
        ),
        (
            "flap = { period = \"1s\", times = 9 }\nstop = { target = \"db\" }",
            "s.toml:15:8",
            "ends after the run",
            "the run ends",
        ),
        (
            "external = {}\n[[fault]]\nname = \"lost\"\nexternal = {}",
            "s.toml:17:8",
            "does not say when",
            "`sequence`",
        ),
    ] {
        let changed = SCENARIO.replacen("stop = { target = \"db\" }", fault, 1);
        // A composite that holds itself must not have a time.
        let changed = if fault.starts_with("parallel") {
            changed.replacen("at = \"6s\"\n", "\n", 1)
        } else {
            changed
        };
        assert_refused(&folder("s.toml", changed), place, message, help);
    }
}
