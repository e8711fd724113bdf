//! What else may happen while faults are on: somebody removes or restarts a target, the engine goes away, a disk runs
//! full, another lbtest comes. Each ends in a clear verdict, healed, with nothing left.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what a test cannot do fails the test"
)]
#![allow(missing_docs, reason = "its names say it")]

#[path = "docker_adversity/away.rs"]
mod away;
#[path = "docker_adversity/disk.rs"]
mod disk;
#[path = "docker_adversity/hand.rs"]
mod hand;
mod support;

use away::Door;
use disk::SmallDisk;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::time::Duration;
use support::running::Running;
use support::tiny::{Shape, Tiny, free_port};
use support::{Place, Ran, assert_nothing_left, containers_of, lbtest_processes, until};

/// From the moment of an adversity to the end of a run of some 12 s: its heals, at most two seconds each on a busy
/// machine, the report and a teardown of up to ten containers.
const IN_TIME: Duration = Duration::from_secs(50);

/// Services that sleep, with this much more in YAML each.
fn sleepers(services: &[(&str, &str)]) -> String {
    let one = |(name, more): &(&str, &str)| {
        format!(
            "  {name}:\n    image: debian:bookworm-slim\n    init: true\n    command: [\"sleep\", \"1000\"]\n{more}"
        )
    };
    services.iter().map(one).collect()
}

/// A tiny topology and a scenario with these faults: name, kind with its keys, from and to in seconds.
fn with_faults(
    place: &Place,
    test: &str,
    services: &str,
    duration: u32,
    faults: &[(&str, &str, f32, f32)],
) -> Tiny {
    let shape = Shape {
        services,
        duration,
        ..Shape::default()
    };
    let tiny = Tiny::new(place, test, &shape);
    let text = std::fs::read_to_string(&tiny.scenario).unwrap();
    let (before, after) = text.split_once("[[fault]]").unwrap();
    let (_, gate) = after.split_once("[gate]").unwrap();
    let mut all = String::new();
    for (name, kind, from, to) in faults {
        let lasts = to - from;
        all += &format!(
            "[[fault]]\nname = \"{name}\"\nat = \"{from}s\"\nheal_after = \"{lasts}s\"\n{kind}\n\n"
        );
    }
    place.file("scenario.toml", &format!("{before}{all}[gate]{gate}"));
    tiny
}

fn started(place: &Place, tiny: &Tiny, more: &[&str]) -> Running {
    let out = place.out();
    let mut args = vec!["run", tiny.scenario(), "--out", out.to_str().unwrap()];
    args.extend(more);
    Running::start(place, &args)
}

/// Every one of these faults has been seen.
fn until_seen(running: &Running, faults: &[(&str, &str, f32, f32)]) {
    for (name, ..) in faults {
        running.until_it_says(&format!("{name} ("));
    }
}

fn fault<'a>(ran: &'a Ran, name: &str) -> &'a Value {
    let all = ran.json()["faults"].as_array().unwrap();
    all.iter().find(|f| f["name"] == name).unwrap()
}

fn notes(fault: &Value) -> String {
    fault["notes"].to_string()
}

/// It says of each of these faults that it did not last, and in which words.
fn assert_cut_short(ran: &Ran, names: &[&str], words: &str) {
    for name in names {
        let fault = fault(ran, name);
        assert_eq!(fault["lasted"], false, "{fault:#}");
        assert!(notes(fault).contains(words), "{words:?} in {fault:#}");
    }
}

fn assert_healed(fault: &Value) {
    assert_eq!(fault["confirmed"], true, "{fault:#}");
    assert_eq!(fault["lasted"], true, "{fault:#}");
    assert_eq!(fault["heal_confirmed"], true, "{fault:#}");
}

fn assert_inconclusive(ran: &Ran) {
    assert_eq!(ran.code, Some(4));
    assert_eq!(ran.json()["verdict"], "inconclusive");
    assert_eq!(ran.json()["end"]["reason"], "completed");
    ran.assert_accounted();
}

#[test]
fn targets_that_are_removed_by_hand_end_their_faults_and_nobody_elses() {
    let place = Place::new();
    let disk = "    tmpfs: [\"/data:size=1m\"]\n";
    let services = sleepers(&[
        ("s1", ""),
        ("s2", ""),
        ("s3", ""),
        ("s4", disk),
        ("s5", ""),
        ("s6", ""),
        ("s7", ""),
    ]);
    let removed = [
        (
            "stops",
            "stop = { target = \"s1\", grace = \"0s\" }",
            1.5,
            7.0,
        ),
        ("pauses", "pause = { target = \"s2\" }", 1.5, 7.0),
        (
            "freezes",
            "freeze_process = { target = \"s3\", process = \"sleep\" }",
            1.5,
            7.0,
        ),
        (
            "fills",
            "fill_disk = { target = \"s4\", path = \"/data\", size = \"10MB\" }",
            1.5,
            7.0,
        ),
        (
            "starves",
            "cpu = { target = \"s5\", limit = 0.1 }",
            1.5,
            7.0,
        ),
        ("cuts off", "disconnect = { target = \"s6\" }", 1.5, 7.0),
        (
            "delays",
            "delay = { target = \"api\", time = \"5ms\" }",
            1.5,
            7.0,
        ),
    ];
    let others = [
        ("stays", "pause = { target = \"idle\" }", 1.5, 7.5),
        ("never", "pause = { target = \"s7\" }", 7.0, 7.5),
    ];
    let all = [&removed[..], &others[..]].concat();
    let tiny = with_faults(&place, "removed", &services, 8, &all);
    let running = started(&place, &tiny, &[]);
    until_seen(&running, &all[..8]);
    let names = ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "api"];
    hand::remove(&names.map(|n| format!("{}-{n}-1", tiny.project)));
    let ran = running.ends_within(&place, IN_TIME);

    assert_inconclusive(&ran);
    let cut: Vec<_> = removed.iter().map(|f| f.0).collect();
    assert_cut_short(&ran, &cut, "it was removed while the fault was on");
    for name in cut {
        assert_eq!(fault(&ran, name)["confirmed"], true, "{name}");
        assert!(ran.stdout.contains(&format!("fault {name} did not last")));
    }
    let never = fault(&ran, "never");
    assert_eq!(never["confirmed"], false);
    assert!(notes(never).contains("injection: it was removed"));
    assert_healed(fault(&ran, "stays"));
    assert_nothing_left(&place);
}

#[test]
fn targets_that_are_restarted_lose_what_was_in_their_namespaces_and_another_lbtest_is_refused() {
    let place = Place::new();
    let services = sleepers(&[
        ("s1", ""),
        ("s2", ""),
        (
            "s3",
            "    restart: always\n    tmpfs: [\"/data:size=1m\"]\n",
        ),
        ("s4", ""),
        ("s5", ""),
    ]);
    let restarted = [
        (
            "delays",
            "delay = { target = \"api\", time = \"5ms\" }",
            1.5,
            9.0,
        ),
        (
            "freezes",
            "freeze_process = { target = \"s1\", process = \"sleep\" }",
            1.5,
            9.0,
        ),
        (
            "fills",
            "fill_disk = { target = \"s2\", path = \"/var/tmp\", size = \"1MB\" }",
            1.5,
            9.0,
        ),
        (
            "fills more",
            "fill_disk = { target = \"s3\", path = \"/data\", size = \"10MB\" }",
            1.5,
            9.0,
        ),
        ("pauses", "pause = { target = \"s4\" }", 1.5, 9.0),
    ];
    let lasting = (
        "starves",
        "cpu = { target = \"s5\", limit = 0.1 }",
        1.5,
        9.0,
    );
    let all = [&restarted[..], &[lasting]].concat();
    let tiny = with_faults(&place, "restarted", &services, 11, &all);
    let running = started(&place, &tiny, &["--keep"]);
    until_seen(&running, &all);
    let named = |n: &str| format!("{}-{n}-1", tiny.project);

    let before = started_at(&tiny, "s3");
    hand::shell(&named("s3"), "kill 1");
    hand::restart(&["api", "s1", "s2", "s4", "s5"].map(named));
    let by_hand = [
        "fault",
        "pause",
        "-p",
        &tiny.project,
        "-t",
        "idle",
        "--for",
        "1s",
    ];
    let second = place.does(&by_hand);
    assert_eq!(second.code, Some(3));
    let holder = format!("process {}", running.pid());
    assert!(second.stderr.contains(&holder), "{}", second.stderr);
    until(
        "its policy has brought it back",
        Duration::from_secs(5),
        || started_at(&tiny, "s3") != before,
    );

    let ran = running.ends_within(&place, IN_TIME);
    assert_inconclusive(&ran);
    let cut: Vec<_> = restarted.iter().map(|f| f.0).collect();
    assert_cut_short(&ran, &cut, "it was restarted while the fault was on");
    for name in cut {
        assert_eq!(fault(&ran, name)["heal_confirmed"], true, "{name}");
    }
    // The engine keeps limits over a restart.
    assert_healed(fault(&ran, "starves"));
    // The file lay in the container, and outlived its sidecar.
    assert_eq!(hand::shell(&named("s2"), "ls -A /var/tmp"), "");
    let up = containers_of(&tiny.project);
    assert_eq!(up.len(), 7);
    assert!(up.iter().all(|(_, state)| state == "running"), "{up:?}");
    assert_eq!(place.does(&["down", tiny.compose()]).code, Some(0));
    assert_nothing_left(&place);
}

fn started_at(tiny: &Tiny, service: &str) -> String {
    hand::started_at(&format!("{}-{service}-1", tiny.project))
}

#[test]
fn a_target_that_is_taken_off_its_network_did_not_keep_its_fault() {
    let place = Place::new();
    let services = sleepers(&[("s1", "    networks: [side]\n")]) + "networks:\n  side:\n";
    let faults = [
        (
            "delays",
            "delay = { target = \"api\", time = \"5ms\" }",
            1.5,
            5.0,
        ),
        ("cuts off", "disconnect = { target = \"s1\" }", 1.5, 5.0),
        ("stays", "pause = { target = \"idle\" }", 1.5, 5.0),
    ];
    let tiny = with_faults(&place, "network", &services, 6, &faults);
    let running = started(&place, &tiny, &[]);
    until_seen(&running, &faults);
    let network = |key: &str| format!("{}_{key}", tiny.project);
    hand::take_off(&network("default"), &format!("{}-api-1", tiny.project));
    hand::remove_network(&network("side"));
    let ran = running.ends_within(&place, IN_TIME);

    assert_inconclusive(&ran);
    assert_cut_short(&ran, &["delays"], "it was taken off");
    assert_eq!(fault(&ran, "delays")["heal_confirmed"], true);
    // There is nothing to put it back into; the words name the network and what would do it.
    let gone = fault(&ran, "cuts off");
    assert_eq!(gone["heal_confirmed"], false, "{gone:#}");
    assert!(notes(gone).contains(&network("side")), "{gone:#}");
    assert!(ran.stderr.contains("docker network connect"));
    assert_healed(fault(&ran, "stays"));
    assert_nothing_left(&place);
}

/// A run whose engine is behind a door.
fn behind(place: &Place, door: &Door, args: &[&str]) -> Running {
    let mut command = place.lbtest(args);
    command.env("DOCKER_HOST", door.host());
    Running::of(command)
}

#[test]
fn an_engine_that_goes_away_for_seconds_is_waited_for() {
    let place = Place::new();
    let door = Door::new(place.path("engine.sock"));
    let services = sleepers(&[("s1", ""), ("s2", ""), ("s3", "")]);
    let on = [
        ("lasts", "pause = { target = \"idle\" }", 1.5, 11.0),
        (
            "is lost",
            "delay = { target = \"api\", time = \"5ms\" }",
            1.5,
            11.0,
        ),
        ("heals late", "pause = { target = \"s1\" }", 1.5, 5.0),
    ];
    let later = [
        ("is missed", "pause = { target = \"s2\" }", 5.5, 6.0),
        (
            "comes after",
            "freeze_process = { target = \"s3\", process = \"sleep\" }",
            10.0,
            11.0,
        ),
    ];
    let all = [&on[..], &later[..]].concat();
    let tiny = with_faults(&place, "away", &services, 12, &all);
    let out = place.out();
    let args = ["run", tiny.scenario(), "--out", out.to_str().unwrap()];
    let running = behind(&place, &door, &args);
    until_seen(&running, &on);
    door.shut();
    running.until_it_says("is missed (");
    // Tried once more, at least.
    std::thread::sleep(Duration::from_secs(1));
    door.open();
    let ran = running.ends_within(&place, IN_TIME);

    assert_inconclusive(&ran);
    assert_healed(fault(&ran, "lasts"));
    assert_cut_short(&ran, &["is lost"], "its sidecar was gone before the heal");
    assert_eq!(fault(&ran, "is lost")["heal_confirmed"], true);
    let late = fault(&ran, "heals late");
    assert_healed(late);
    // The engine was away from before its heal until at least a second after the fault that was missed.
    assert!(support::ms(&late["healed_at_ms"]) > 6_000.0, "{late:#}");
    let missed = fault(&ran, "is missed");
    assert_eq!(missed["confirmed"], false);
    assert!(notes(missed).contains("cannot reach the Docker engine"));
    assert_healed(fault(&ran, "comes after"));
    assert_nothing_left(&place);
}

#[test]
fn an_engine_that_stays_away_is_cried_for_and_its_guardian_does_the_rest() {
    let place = Place::new();
    let door = Door::new(place.path("engine.sock"));
    let pause = [("broken", "pause = { target = \"idle\" }", 1.5, 3.0)];
    let tiny = with_faults(&place, "gone", "", 4, &pause);
    let project = format!("{}-2", tiny.project);
    let other = std::fs::read_to_string(&tiny.compose).unwrap();
    let other = other
        .replace(&tiny.project, &project)
        .replace(&tiny.port.to_string(), &free_port().to_string());
    let other = place.file("other.yaml", &other);
    assert_eq!(place.does(&["up", other.to_str().unwrap()]).code, Some(0));

    // One brings up and takes down, one is a guest in a project that stays.
    let out = place.out();
    let run = ["run", tiny.scenario(), "--out", out.to_str().unwrap()];
    let host = behind(&place, &door, &run);
    let by_hand = [
        "fault", "pause", "-p", &project, "-t", "idle", "--for", "3s",
    ];
    host.until_it_says("broken (");
    let guest = behind(&place, &door, &by_hand);
    guest.until_it_says("pause (");
    door.shut();
    // Heals are tried for 30 s.
    let (host, guest) = (
        host.ends_within(&place, Duration::from_secs(60)),
        guest.ends_within(&place, Duration::from_secs(60)),
    );
    for (ran, project) in [(&host, &tiny.project), (&guest, &project)] {
        assert_eq!(ran.code, Some(3));
        let by_hand = format!("docker unpause {project}-idle-1");
        for words in [
            &by_hand[..],
            "cannot reach the Docker engine",
            "lbtest clean",
        ] {
            assert!(ran.stderr.contains(words), "{words:?} in {}", ran.stderr);
        }
        let paused = ("idle".to_owned(), "paused".to_owned());
        assert!(containers_of(project).contains(&paused));
    }
    assert_eq!(host.json()["verdict"], "inconclusive");

    // The guest's guardian is killed as well: then it takes somebody who cleans up.
    let guardians = lbtest_processes();
    let of_guest = guardians.iter().find(|(_, line)| line.contains("by-hand-"));
    let (pid, _) = of_guest.expect("a guardian is there until it is done");
    let pid = Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    door.open();
    until("the guardian is done", Duration::from_secs(20), || {
        lbtest_processes().is_empty()
    });
    assert_eq!(containers_of(&tiny.project), Vec::new());
    assert_eq!(place.does(&["clean"]).code, Some(0));
    assert_nothing_left(&place);
}

#[test]
fn a_full_disk_for_the_results_ends_the_load_and_heals() {
    let place = Place::new();
    let disk = SmallDisk::mounted(place.path("small"));
    let tiny = Tiny::new(&place, "full-out", &Shape::default());
    let out = disk.path().join("out");
    let args = ["run", tiny.scenario(), "--out", out.to_str().unwrap()];
    let running = Running::start(&place, &args);
    running.until_it_says("broken (");
    disk.fill();
    // Long before the 20 s of the fault: the history is written each second.
    running.until_it_says("broken (pause, healed)");
    let ran = running.ends_within(&place, IN_TIME);
    assert_eq!(ran.code, Some(3));
    for words in ["the load was ended early", "No space left on device"] {
        assert!(ran.stderr.contains(words), "{words:?} in {}", ran.stderr);
    }
    assert!(
        ran.stdout.contains("INCONCLUSIVE"),
        "it is shown all the same"
    );
    assert_nothing_left(&place);
}

#[test]
fn what_cannot_be_written_down_is_not_broken() {
    let place = Place::new();
    let disk = SmallDisk::mounted(place.path("state"));
    // A disk that is full from the beginning: nothing is even brought up.
    disk.fill();
    let short = Shape {
        heal_after: 1,
        duration: 4,
        ..Shape::default()
    };
    let tiny = Tiny::new(&place, "full-state", &short);
    let ran = place.run(&tiny.scenario, &[]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("No space left"), "{}", ran.stderr);
    assert_nothing_left(&place);

    // One that fills up later.
    std::fs::remove_file(disk.path().join("filler")).unwrap();
    let running = started(&place, &tiny, &["--keep"]);
    running.until_it_says("load starts");
    let [journal] = &place.journals()[..] else {
        panic!("one journal")
    };
    // To the end of its page, so that not even a line finds room.
    let mut text = std::fs::read(journal).unwrap();
    text.resize(4096, b'\n');
    std::fs::write(journal, text).unwrap();
    disk.fill();
    let ran = running.ends_within(&place, IN_TIME);
    assert_inconclusive(&ran);
    let broken = fault(&ran, "broken");
    assert_eq!(broken["confirmed"], false);
    assert!(notes(broken).contains("No space left"), "{broken:#}");
    let events = ran.json()["events"].to_string();
    assert!(!events.contains("pause"), "nothing was broken: {events}");
    assert_eq!(place.does(&["down", tiny.compose()]).code, Some(0));
    assert_nothing_left(&place);
}

#[test]
fn a_project_of_somebody_elses_is_broken_only_by_leave_and_stays() {
    let place = Place::new();
    let delay = [(
        "delays",
        "delay = { target = \"api\", time = \"5ms\" }",
        1.5,
        2.5,
    )];
    let tiny = with_faults(&place, "guest", "", 4, &delay);
    // It asks a sidecar what the kernel can do: the image is there then.
    assert_eq!(place.does(&["plan", tiny.scenario()]).code, Some(0));
    let project = "lbtest-t-composed";
    let name = hand::composed(project, "api", tiny.port);
    let before = hand::inspect(&name);

    let by_hand = ["fault", "pause", "-p", project, "-t", "api", "--for", "1s"];
    let out = place.out();
    let out = out.to_str().unwrap();
    let attach = ["run", tiny.scenario(), "--attach", project, "--out", out];
    for args in [&by_hand[..], &attach[..]] {
        let refused = place.does(args);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        for words in [project, "would be broken: api", "--allow-faults"] {
            assert!(
                refused.stderr.contains(words),
                "{words:?} in {}",
                refused.stderr
            );
        }
        assert!(refused.result.is_none());
        assert_eq!(hand::inspect(&name).state, before.state, "it is untouched");
    }
    let allowed = |args: &[&str]| place.does(&[args, &["--allow-faults"]].concat());
    assert_eq!(allowed(&by_hand).code, Some(0));
    let ran = allowed(&attach);
    assert_eq!(ran.code, Some(0));
    assert_healed(fault(&ran, "delays"));
    assert_nothing_left(&place);
    let after = hand::inspect(&name);
    hand::remove(&[name]);
    assert_eq!((after.id, after.state), (before.id, before.state));
}
