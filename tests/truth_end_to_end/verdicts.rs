//! Gates, verdicts and exit codes of real runs against a target whose outage is known.

use crate::script::{alone, at, zero_of};
use crate::servers::{Failure, Server};
use crate::support::{Place, Ran};
use serde_json::Value;
use std::time::Duration;

/// A run of 5 s at 50/s on two workloads, `broken` of which is away from 2 s to 2.5 s (or from 0.3 s on).
struct Case {
    name: &'static str,
    /// Lines of the `broken` workload, of the fault, and of the run (`[gate]`, or more of `[run]`).
    load: &'static str,
    fault: &'static str,
    run: &'static str,
    gate: &'static str,
    unsteady: bool,
}

const NOTHING: Case = Case {
    name: "no-gate",
    load: "",
    fault: "",
    run: "",
    gate: "",
    unsteady: false,
};

fn scenario(case: &Case, broken: &Server, sound: &Server) -> String {
    let Case {
        name,
        load,
        fault,
        run,
        gate,
        ..
    } = case;
    format!(
        "name = \"{name}\"\n[run]\nduration = \"5s\"\nwarmup = \"1s\"\n{run}\n[recovery]\nstable_for = \"1s\"\n\
         [[load]]\nname = \"broken\"\nrate = 50\n{load}\nhttp = {{ url = \"http://127.0.0.1:{}/\" }}\n\
         [[load]]\nname = \"sound\"\nrate = 50\nhttp = {{ url = \"http://127.0.0.1:{}/\" }}\n\
         [[fault]]\nname = \"the plug\"\nat = \"2s\"\nexternal = {{}}\n{fault}\n{gate}\n",
        broken.port(),
        sound.port()
    )
}

fn run(case: &Case) -> Ran {
    let place = Place::new();
    let (broken, sound) = (Server::start(Duration::ZERO), Server::start(Duration::ZERO));
    let file = place.file("s.toml", &scenario(case, &broken, &sound));
    let mut child = place.spawn_run(&file, &["--quiet"]);
    let zero = zero_of(&place, &mut child);
    let (down, up) = if case.unsteady {
        (300, 60_000)
    } else {
        (2000, 2500)
    };
    let (go, come) = (broken.switch(), broken.switch());
    let down = at(zero, Duration::from_millis(down), move || {
        go(Some(Failure::Answer500))
    });
    if !case.unsteady {
        let up = at(zero, Duration::from_millis(up), move || come(None));
        up.join().unwrap();
    }
    down.join().unwrap();
    let ran = place.ended(child);
    ran.assert_accounted();
    ran
}

fn gates(ran: &Ran) -> Vec<(String, bool)> {
    let gates = ran.json()["gates"].as_array().unwrap().iter();
    let one = |g: &Value| {
        assert_eq!(g["judged"], true, "{g}");
        (
            g["name"].as_str().unwrap().to_owned(),
            g["passed"].as_bool().unwrap(),
        )
    };
    gates.map(one).collect()
}

fn reasons(ran: &Ran) -> String {
    ran.json()["verdict_reasons"].to_string()
}

#[test]
fn verdict_and_exit_code_follow_from_the_gates_and_the_steady_state() {
    let _alone = alone();
    let pass = Case {
        name: "pass",
        // 25 of 200 are bad: an eighth.
        load: "gate = { error_rate = \"<= 14%\", outage = \"<= 600ms\", p99 = \"<= 2s\" }",
        fault: "gate = { time_to_recover = \"<= 600ms\" }",
        gate: "[gate]\nbad = \"<= 27\"\nthroughput = \">= 40/s\"",
        ..NOTHING
    };
    let fail = Case {
        name: "fail",
        load: "gate = { error_rate = \"<= 11%\" }",
        fault: "gate = { time_to_recover = \"<= 400ms\", unknown = 0 }",
        gate: "[gate]\np99 = \"<= 2s\"",
        ..NOTHING
    };
    let observe = Case {
        name: "observe",
        run: "observe = true",
        ..NOTHING
    };
    let unsteady = Case {
        name: "unsteady",
        gate: "[gate]\nerror_rate = \"<= 100%\"",
        unsteady: true,
        ..NOTHING
    };
    let [pass, fail, no_gate, observe, unsteady] =
        [pass, fail, NOTHING, observe, unsteady].map(|case| run(&case));
    let of = |ran: &Ran| (ran.code, ran.json()["verdict"].as_str().unwrap().to_owned());
    assert_eq!(of(&pass), (Some(0), "pass".into()), "{}", reasons(&pass));
    assert!(gates(&pass).len() == 6 && gates(&pass).iter().all(|(_, passed)| *passed));

    assert_eq!(of(&fail), (Some(1), "fail".into()), "{}", reasons(&fail));
    let failed: Vec<_> = gates(&fail)
        .into_iter()
        .filter(|(_, passed)| !passed)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        failed,
        ["broken: error_rate", "the plug: time_to_recover"],
        "of {:?}",
        gates(&fail)
    );
    assert!(fail.stdout.contains("FAIL"), "{}", fail.stdout);

    assert_eq!(of(&no_gate), (Some(4), "inconclusive".into()));
    assert!(
        reasons(&no_gate).contains("no gate"),
        "{}",
        reasons(&no_gate)
    );
    assert_eq!(
        of(&observe),
        (Some(0), "pass".into()),
        "{}",
        reasons(&observe)
    );

    assert_eq!(of(&unsteady), (Some(4), "inconclusive".into()));
    let why = reasons(&unsteady);
    assert!(
        why.contains("broken was not steady") && !why.contains("sound"),
        "{why}"
    );
}
