//! Memory and results grow with the length of a run, not with its rate.

use crate::script::alone;
use crate::servers::Server;
use crate::support::{Place, Ran};
use std::time::Duration;

struct Cost {
    ran: Ran,
    /// Peak resident set, KiB.
    peak: u64,
    /// Size of `run.json`.
    json: u64,
}

fn cost(rate: u64) -> Cost {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let text = format!(
        "name = \"rate-{rate}\"\n[run]\nduration = \"6s\"\nwarmup = \"1s\"\nobserve = true\n\
         [[load]]\nname = \"web\"\nrate = {rate}\nmax_in_flight = 64\nhttp = {{ url = \"http://127.0.0.1:{}/\" }}\n",
        server.port()
    );
    let mut run = place.spawn_run(&place.file("s.toml", &text), &["--quiet"]);
    let status = format!("/proc/{}/status", run.id());
    let mut peak = 0;
    // The kernel keeps the peak: the last look before the end counts.
    while run.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kib = line.and_then(|l| l.trim().strip_suffix(" kB"));
        peak = kib.map_or(peak, |kib| kib.trim().parse().unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
    let ran = place.ended(run);
    let json = std::fs::metadata(place.out().join("run.json"))
        .unwrap()
        .len();
    Cost { ran, peak, json }
}

#[test]
fn memory_and_results_do_not_grow_with_the_rate() {
    let _alone = alone();
    let (low, high) = (cost(500), cost(8000));
    let made = |cost: &Cost| {
        let load = cost.ran.load("web");
        load["requests"].as_u64().unwrap() - load["dropped"].as_u64().unwrap()
    };
    println!(
        "500/s: {} KiB, run.json {}; 8000/s: {} KiB, run.json {}",
        low.peak, low.json, high.peak, high.json
    );
    low.ran.assert_accounted();
    high.ran.assert_accounted();
    assert!(
        made(&high) > 8 * made(&low),
        "{} and {} operations",
        made(&high),
        made(&low)
    );
    assert!(low.peak > 4096, "peak memory was read: {} KiB", low.peak);
    // Open slots have bins and in-flight operations have tasks: some; and what the allocator rounds up.
    let most = low.peak * 115 / 100 + 4096;
    assert!(
        high.peak <= most,
        "{} KiB at 8000/s, {} at 500/s",
        high.peak,
        low.peak
    );
    // The same figures with more digits.
    assert!(
        high.json <= low.json * 110 / 100,
        "{} and {} bytes",
        high.json,
        low.json
    );
}
