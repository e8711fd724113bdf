//! The ground that a run stands on: what is said where it does not hold, and that others understand what stands.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what a test cannot do fails the test"
)]
#![allow(missing_docs, reason = "its names say it")]

mod support;

use rustix::process::Signal;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use support::running::Running;
use support::tiny::{Shape, Tiny, free_port};
use support::{Place, Ran, assert_nothing_left, containers_of, until};

fn run(place: &Place, tiny: &Tiny) -> Ran {
    place.run(&tiny.scenario, &[])
}

/// What kept it from running is named, nothing is left, no result is claimed.
fn assert_refused(place: &Place, ran: &Ran, said: &[&str]) {
    assert_eq!(ran.code, Some(3));
    for words in said {
        assert!(ran.stderr.contains(words), "{words:?} in {}", ran.stderr);
    }
    assert!(ran.result.is_none(), "nothing was measured");
    assert_nothing_left(place);
}

fn with_service(place: &Place, test: &str, service: &str) -> Tiny {
    let shape = Shape {
        services: service,
        ..Shape::default()
    };
    Tiny::new(place, test, &shape)
}

#[test]
fn a_port_that_a_program_has_is_named_with_the_program() {
    let place = Place::new();
    let tiny = Tiny::new(&place, "port", &Shape::default());
    let _listener = TcpListener::bind(("127.0.0.1", tiny.port)).unwrap();
    let ran = run(&place, &tiny);
    let (port, pid) = (format!("port {}", tiny.port), std::process::id());
    assert_refused(&place, &ran, &[&port, "`api`", &format!("pid {pid}")]);
}

#[test]
fn a_port_that_a_container_has_is_named_with_the_container() {
    let place = Place::new();
    let tiny = Tiny::new(&place, "port-first", &Shape::default());
    assert_eq!(place.does(&["up", tiny.compose()]).code, Some(0));
    let other = place.file(
        "other.yaml",
        &std::fs::read_to_string(&tiny.compose)
            .unwrap()
            .replace(&tiny.project, "lbtest-t-tiny-port-second"),
    );
    let ran = place.does(&["up", other.to_str().unwrap()]);
    place.does(&["down", tiny.compose()]);
    let holder = format!("{}-api-1", tiny.project);
    assert_refused(&place, &ran, &[&format!("port {}", tiny.port), &holder]);
}

#[test]
fn a_container_that_ends_is_named_with_its_last_words() {
    let place = Place::new();
    // With a healthcheck: without one it may be asked for its state before it has ended.
    let service = "  sick:\n    image: debian:bookworm-slim\n    command: [\"sh\", \"-c\", \"echo out of luck; exit 7\"]\n    healthcheck: { test: [\"CMD\", \"true\"], interval: 5s }\n";
    let tiny = with_service(&place, "sick", service);
    let ran = run(&place, &tiny);
    assert_refused(
        &place,
        &ran,
        &["sick-1", "exited with code 7", "out of luck"],
    );
}

#[test]
fn an_image_that_cannot_be_had_is_named_with_what_to_do() {
    let place = Place::new();
    let service = "  alien:\n    image: lbtest-t-no-such-image:none\n";
    let tiny = with_service(&place, "alien", service);
    let ran = run(&place, &tiny);
    assert_refused(&place, &ran, &["`lbtest-t-no-such-image:none`", "`alien`"]);
}

#[test]
fn a_build_that_fails_shows_its_last_lines() {
    let place = Place::new();
    std::fs::create_dir(place.path("bad")).unwrap();
    place.file(
        "bad/Dockerfile",
        "FROM debian:bookworm-slim\nRUN echo no luck either && exit 9\n",
    );
    let tiny = with_service(&place, "bad", "  bad:\n    build: ./bad\n");
    let ran = run(&place, &tiny);
    assert_refused(&place, &ran, &["`bad`", "no luck either"]);
}

#[test]
fn a_target_that_never_answers_is_named_with_its_answer() {
    let place = Place::new();
    let shape = Shape {
        path: "/nowhere",
        ..Shape::default()
    };
    let tiny = Tiny::new(&place, "mute", &shape);
    let text = std::fs::read_to_string(&tiny.scenario).unwrap();
    let patient = "topology = { files = \"compose.yaml\", ready_timeout = \"6s\" }";
    place.file(
        "scenario.toml",
        &text.replace("topology = \"compose.yaml\"", patient),
    );
    let ran = run(&place, &tiny);
    assert_refused(&place, &ran, &["`web`", "404", "6s"]);
}

#[test]
fn a_second_lbtest_on_the_same_project_is_refused_and_disturbs_nothing() {
    let place = Place::new();
    let short = Shape {
        heal_after: 2,
        duration: 10,
        ..Shape::default()
    };
    let tiny = Tiny::new(&place, "shared", &short);
    let out = place.out();
    let args = ["run", tiny.scenario(), "--out", out.to_str().unwrap()];
    let first = Running::start(&place, &args);
    first.until_it_says("load starts");

    let second = place.does(&[
        "run",
        tiny.scenario(),
        "--out",
        place.path("second").to_str().unwrap(),
    ]);
    assert_eq!(second.code, Some(3));
    let holder = format!("process {}", first.pid());
    assert!(second.stderr.contains(&holder), "{}", second.stderr);
    // Nor does cleaning up: it is alive.
    let cleaned = place.does(&["clean"]);
    assert!(cleaned.stderr.contains("left alone"), "{}", cleaned.stderr);

    // Nor one that does not see the journal: of another user, or from another state folder.
    let elsewhere = place.path("elsewhere");
    let from_elsewhere = |args: &[&str]| {
        let mut command = place.lbtest(args);
        place.ended(command.env("XDG_STATE_HOME", &elsewhere).spawn().unwrap())
    };
    let third = from_elsewhere(&["up", tiny.compose()]);
    assert_eq!(third.code, Some(3));
    assert!(third.stderr.contains(&holder), "{}", third.stderr);
    let cleaned = from_elsewhere(&["clean"]);
    assert!(cleaned.stderr.contains("left alone"), "{}", cleaned.stderr);

    let ran = first.ends_within(&place, Duration::from_secs(30));
    assert_eq!(ran.code, Some(0));
    assert_eq!(ran.json()["faults"][0]["heal_confirmed"], true);
    ran.assert_accounted();
    assert_nothing_left(&place);
}

#[test]
fn an_interrupted_up_leaves_nothing() {
    let place = Place::new();
    let tiny = Tiny::new(&place, "up-cut", &Shape::default());
    let up = Running::start(&place, &["up", tiny.compose()]);
    up.until_it_says(": created");
    up.signal(Signal::INT);
    let ran = up.ends_within(&place, Duration::from_secs(15));
    assert_eq!(ran.code, Some(130));
    assert_nothing_left(&place);
}

#[test]
fn doctor_says_what_is_there_and_what_to_do() {
    let place = Place::new();
    let tiny = Tiny::new(&place, "doctor", &Shape::default());
    let well = place.does(&["doctor", tiny.compose()]);
    assert_eq!(well.code, Some(0));
    for words in [
        "Docker engine",
        "API version",
        "debian:bookworm-slim is there",
        "is free",
    ] {
        assert!(well.stdout.contains(words), "{words:?} in {}", well.stdout);
    }

    let _listener = TcpListener::bind(("127.0.0.1", tiny.port)).unwrap();
    let taken = place.does(&["doctor", tiny.compose()]);
    assert_eq!(taken.code, Some(3));
    let who = format!("127.0.0.1:{} is taken by", tiny.port);
    assert!(taken.stdout.contains(&who), "{}", taken.stdout);

    let nowhere = format!("tcp://127.0.0.1:{}", free_port());
    let unreachable = place
        .lbtest(&["doctor"])
        .env("DOCKER_HOST", nowhere)
        .spawn();
    let none = place.ended(unreachable.unwrap());
    assert_eq!(none.code, Some(3));
    assert!(
        none.stdout.contains("DOCKER_HOST"),
        "what to do: {}",
        none.stdout
    );
}

/// Docker's own tool for compose files, in either form.
fn compose_tool() -> Option<Vec<&'static str>> {
    let forms = [vec!["docker", "compose"], vec!["docker-compose"]];
    forms.into_iter().find(|form| {
        let mut asked = Command::new(form[0]);
        let answer = asked.args(&form[1..]).arg("version").output();
        answer.is_ok_and(|a| a.status.success())
    })
}

#[test]
fn docker_compose_understands_what_up_brought_up() {
    let Some(tool) = compose_tool() else {
        println!("there is no docker compose here: nothing to compare with");
        return;
    };
    let place = Place::new();
    let tiny = Tiny::new(&place, "compose", &Shape::default());
    // The older form knows no `name`.
    let text = std::fs::read_to_string(&tiny.compose).unwrap();
    let unnamed = place.file("unnamed.yaml", text.split_once('\n').unwrap().1);
    let file = unnamed.to_str().unwrap();
    let up = place.does(&["up", file, "--project", &tiny.project]);
    assert_eq!(up.code, Some(0));
    let ask = |args: &[&str]| {
        let mut asked = Command::new(tool[0]);
        asked
            .args(&tool[1..])
            .args(["-p", &tiny.project, "-f", file]);
        let answer = asked.args(args).output().unwrap();
        let said = String::from_utf8([answer.stdout, answer.stderr].concat()).unwrap();
        println!("{args:?}: {said}");
        assert!(answer.status.success(), "{args:?}: {said}");
        said
    };
    let listed = ask(&["ps"]);
    for service in ["api", "idle"] {
        assert!(
            listed.contains(&format!("{}-{service}-1", tiny.project)),
            "{listed}"
        );
    }
    assert!(listed.contains(&tiny.port.to_string()), "{listed}");
    ask(&["logs"]);
    ask(&["down", "--volumes"]);
    assert_eq!(containers_of(&tiny.project), []);
    assert_nothing_left(&place);
}

/// The shipped system, brought up by hand and looked at as a person would.
#[test]
fn the_shipped_system_answers_as_its_documentation_says() {
    let place = Place::new();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let compose = root.join("compose/postgres/compose.yaml");
    let compose = compose.to_str().unwrap();
    assert_eq!(place.does(&["up", compose]).code, Some(0));
    // Taken down whatever the answers are.
    let looked = std::panic::catch_unwind(look_around);
    assert_eq!(place.does(&["down", compose]).code, Some(0));
    looked.unwrap();
    assert_nothing_left(&place);
}

/// One request; the status, the instance and the body of its answer.
fn ask(port: u16, method: &str, path: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let named = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("x-instance")
            .then(|| value.to_owned())
    };
    let instance = lines.find_map(named).unwrap_or_default();
    (status.parse().unwrap(), instance, body.to_owned())
}

fn look_around() {
    let get = |path: &str| ask(8080, "GET", path, "");
    // Cyrillic prefixes, percent-encoded: "Ив" and "Пет".
    let (status, _, body) =
        get("/user/search?first_name=%D0%98%D0%B2&last_name=%D0%9F%D0%B5%D1%82");
    assert_eq!(status, 200);
    let people: serde_json::Value = serde_json::from_str(&body).unwrap();
    let people = people.as_array().unwrap();
    assert_eq!(people.len(), 20, "Иван Петров, Иван Петров-1 … -19");
    for person in people {
        assert_eq!(person["first_name"], "Иван");
        let last = person["last_name"].as_str().unwrap();
        assert!(last.starts_with("Петров"), "{last}");
    }
    let nobody = get("/user/search?first_name=%D0%AA");
    assert_eq!(nobody.2, "[]", "no name begins with Ъ");

    let body = r#"{"body": "seen again"}"#;
    assert_eq!(ask(8080, "POST", "/api/data", body).0, 201);
    until(
        "replicas have what was written",
        Duration::from_secs(5),
        || get("/api/data").2.contains("seen again"),
    );

    let mut seen = BTreeSet::new();
    for _ in 0..12 {
        let (status, instance, text) = get("/metrics");
        assert_eq!(status, 200);
        assert_is_exposition(&text);
        seen.insert(instance);
    }
    assert_eq!(seen.len(), 3, "each takes its turn: {seen:?}");
}

/// Each sample is a name, maybe labels, and a number; the end is marked.
fn assert_is_exposition(text: &str) {
    assert!(text.ends_with("# EOF\n"), "OpenMetrics 1.0: {text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn an_instance_can_be_switched_off_and_on_again() {
    let place = Place::new();
    let tiny = Tiny::new(&place, "switch", &Shape::default());
    assert_eq!(place.does(&["up", tiny.compose()]).code, Some(0));
    let status = || ask(tiny.port, "GET", "/api/status", "").0;
    let switch = || ask(tiny.port, "POST", "/api/switch", "").0;
    // Up means started here: it has no healthcheck.
    until("the application listens", Duration::from_secs(10), || {
        TcpStream::connect(("127.0.0.1", tiny.port)).is_ok_and(|mut stream| {
            let sent = stream.write_all(b"GET /health HTTP/1.0\r\n\r\n");
            let mut byte = [0];
            sent.is_ok() && stream.read(&mut byte).is_ok_and(|n| n == 1)
        })
    });
    assert_eq!(
        [status(), switch(), status(), switch(), status()],
        [200, 200, 500, 200, 200]
    );
    let counted = ask(tiny.port, "GET", "/metrics", "").2;
    assert_is_exposition(&counted);
    let of_500 = counted
        .lines()
        .find(|line| line.contains("/api/status") && line.contains("\"500\""));
    assert!(of_500.is_some_and(|line| line.ends_with(" 1")), "{counted}");
    assert_eq!(place.does(&["down", tiny.compose()]).code, Some(0));
    assert_nothing_left(&place);
}
