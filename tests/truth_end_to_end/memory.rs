//! Memory and results grow with the length of a run, not with its rate.

use crate::script::alone;
use crate::servers::Server;
use crate::support::{Place, Ran};
use std::time::Duration;

struct Cost {
    ran: Ran,
    /// The most anonymous memory that was seen resident, KiB: what lbtest made. The pages of its executable, four fifths
    /// of what is resident, are the file's: which of them are mapped differs by megabytes from run to run.
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
    // The kernel keeps no peak of anonymous memory alone: it is looked at often.
    while run.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("RssAnon:"));
        let kib = line.and_then(|l| l.trim().strip_suffix(" kB"));
        peak = kib.map_or(peak, |kib| peak.max(kib.trim().parse().unwrap()));
        std::thread::sleep(Duration::from_millis(3));
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
    assert!(low.peak > 1024, "memory was read: {} KiB", low.peak);
    // Open slots have bins and in-flight operations have tasks and connections with their buffers, 64 of 16 KiB at the
    // most. Thirty-two bytes for each of the 45 000 operations more would be above it.
    let most = low.peak + 64 * 16 + 256;
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

/// What a second of a workload may take for the length of the run, KiB: ten slots (250 bytes each, in a tree), filled
/// buckets of two histograms (some 2 bytes each, at most one for each of 250 operations), and as much again for the
/// analysis, for the report's text and for what the allocator rounds up. Two dense histograms would take 26 KiB.
const SECOND: u64 = 9;

#[test]
fn a_second_more_costs_its_slots_and_filled_buckets_and_no_histogram() {
    let _alone = alone();
    let loads = 16;
    // Both long enough for a steady state before and after the warm-up: the analysis holds histograms of each.
    let (short, long) = (cost(loads, 250, 8), cost(loads, 250, 24));
    println!(
        "8 s: {} KiB, run.json {}; 24 s: {} KiB, run.json {}",
        short.peak, short.json, long.peak, long.json
    );
    short.ran.assert_accounted();
    long.ran.assert_accounted();
    assert!(short.peak > 1024, "memory was read: {} KiB", short.peak);
    // Two runs of the same length differ by some hundred KiB: stacks, arenas, what was under way.
    let most = short.peak + 16 * loads * SECOND + 512;
    assert!(
        long.peak <= most,
        "{} KiB after 24 s, {} after 8 s",
        long.peak,
        short.peak
    );
    // Of a second eight numbers (operations, bad ones, five percentiles, those of the one instance) of at most ten
    // characters each, and a row of the heat map: two dozen buckets of five. Of a workload, longer or not, more filled
    // buckets of its histogram: 150 of sixteen. Together that is less than two characters an operation.
    let most = short.json + 16 * loads * (8 * 10 + 24 * 5) + loads * 150 * 16;
    assert!(
        long.json <= most,
        "{} bytes after 24 s, {} after 8 s",
        long.json,
        short.json
    );
}
