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

/// A run of so many workloads, each at a rate.
fn cost(loads: u64, rate: u64, seconds: u64) -> Cost {
    let (place, server) = (Place::new(), Server::start(Duration::ZERO));
    let mut text = format!(
        "name = \"memory\"\n[run]\nduration = \"{seconds}s\"\nwarmup = \"1s\"\nobserve = true\n"
    );
    for load in 0..loads {
        text += &format!(
            "[[load]]\nname = \"web{load}\"\nrate = {rate}\nmax_in_flight = 64\n\
             http = {{ url = \"http://127.0.0.1:{}/\" }}\n",
            server.port()
        );
    }
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
    let (low, high) = (cost(1, 500, 6), cost(1, 8000, 6));
    let made = |cost: &Cost| {
        let load = cost.ran.load("web0");
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
    // More digits, more filled buckets, a class of error and an outage or two: but not one byte for every operation more.
    let more = made(&high) - made(&low);
    assert!(
        high.json <= low.json + more / 2,
        "{} and {} bytes, {more} operations more",
        high.json,
        low.json
    );
}

/// What a second of a workload may take for the length of the run: ten slots (250 bytes each, in a tree), filled buckets
/// of two histograms (some 2 bytes each, at most one for each of 250 operations), and as much again for the analysis
/// and for what the allocator rounds up. Two dense histograms would take 26 KiB.
const SECOND: u64 = 8;

#[test]
fn a_second_more_costs_its_slots_and_filled_buckets_and_no_histogram() {
    let _alone = alone();
    let loads = 16;
    let (short, long) = (cost(loads, 250, 4), cost(loads, 250, 16));
    println!(
        "4 s: {} KiB, run.json {}; 16 s: {} KiB, run.json {}",
        short.peak, short.json, long.peak, long.json
    );
    short.ran.assert_accounted();
    long.ran.assert_accounted();
    assert!(
        short.peak > 4096,
        "peak memory was read: {} KiB",
        short.peak
    );
    // Two runs of the same length differ by some hundred KiB: stacks, arenas, what was under way.
    let most = short.peak + 12 * loads * SECOND + 1024;
    assert!(
        long.peak <= most,
        "{} KiB after 16 s, {} after 4 s",
        long.peak,
        short.peak
    );
    // Of a second eight numbers (operations, bad ones, five percentiles, those of the one instance) of at most ten
    // characters each, and a row of the heat map: two dozen buckets of five. Of a workload, longer or not, more filled
    // buckets of its histogram: 150 of sixteen. Together that is less than two characters an operation.
    let most = short.json + 12 * loads * (8 * 10 + 24 * 5) + loads * 150 * 16;
    assert!(
        long.json <= most,
        "{} bytes after 16 s, {} after 4 s",
        long.json,
        short.json
    );
}
