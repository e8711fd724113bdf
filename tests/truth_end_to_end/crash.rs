//! A run that is cut off: what was measured up to then is there, and is true.

use crate::script::{alone, zero_of};
use crate::servers::Server;
use crate::support::{Place, Ran, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::process::Child;
use std::time::Duration;

const RATE: u64 = 400;

fn begin(place: &Place, server: &Server) -> Child {
    let port = server.port();
    let text = format!(
        "name = \"cut\"\n[run]\nduration = \"60s\"\nwarmup = \"0s\"\n\
         [[load]]\nname = \"web\"\nrate = {RATE}\nhttp = {{ url = \"http://127.0.0.1:{port}/\" }}\n\
         [gate]\nerror_rate = 0\n"
    );
    let mut run = place.spawn_run(&place.file("s.toml", &text), &[]);
    zero_of(place, &mut run);
    run
}

fn seen(server: &Server) -> u64 {
    u64::try_from(server.arrivals().len()).unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn after_a_sigkill_the_report_lacks_no_more_than_the_last_moments() {
    let _alone = alone();
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let mut run = begin(&place, &server);
    until("4 s of load arrived", Duration::from_secs(20), || {
        seen(&server) >= 4 * RATE
    });
    signal(&run, Signal::KILL);
    run.wait().unwrap();
    // One of them was the first probe.
    let truth = seen(&server) - 1;
    assert!(!place.out().join("run.json").exists());
    let out = place.out();
    let report = |format: &str| -> Ran {
        let args = ["report", out.to_str().unwrap(), "--format", format];
        place.ended(place.lbtest(&args).spawn().unwrap())
    };
    let json = report("json");
    assert_eq!(json.code, Some(0));
    let result: Value = serde_json::from_str(&json.stdout).unwrap();
    let shown = result["loads"][0]["requests"].as_u64().unwrap();
    println!("the server saw {truth}, the report shows {shown}");
    // Workers hand over every 200 ms, the file is written every second; and a busy machine.
    let most_lost = RATE * 1500 / 1000;
    assert!(
        shown <= truth && shown + most_lost >= truth,
        "{shown} of {truth}"
    );
    assert_eq!(result["loads"][0]["ok"], shown);
    assert_eq!(
        (&result["verdict"], &result["end"]["reason"]),
        (&"inconclusive".into(), &"died".into())
    );
    let terminal = report("terminal");
    assert_eq!(terminal.code, Some(0));
    assert!(
        terminal
            .stdout
            .contains("lbtest ended before the run was over"),
        "{}",
        terminal.stdout
    );
}

#[test]
fn an_interrupted_run_accounts_for_everything_that_the_server_saw() {
    let _alone = alone();
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let run = begin(&place, &server);
    until("2 s of load arrived", Duration::from_secs(20), || {
        seen(&server) >= 2 * RATE
    });
    signal(&run, Signal::INT);
    let ran = place.ended(run);
    assert_eq!(ran.code, Some(130));
    ran.assert_accounted();
    let load = ran.load("web");
    // One of those that the server saw was the first probe.
    assert_eq!(
        load["requests"],
        seen(&server) - 1,
        "what was sent is counted, once"
    );
    assert_eq!(
        load["ok"], load["requests"],
        "what was under way was awaited"
    );
    let result = ran.json();
    assert_eq!(
        (&result["verdict"], &result["end"]["reason"]),
        (&"inconclusive".into(), &"interrupted".into())
    );
    assert!(ran.stderr.contains("interrupted"), "{}", ran.stderr);
    assert_eq!(place.journals(), Vec::<std::path::PathBuf>::new());
}
