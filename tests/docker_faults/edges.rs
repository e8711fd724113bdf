//! What holds of every fault: the record of it, the end of its effect, and those whom it did not concern.

use crate::support::{Ran, ms};
use serde_json::Value;

/// From the call to the effect: some 10 ms where a sidecar does it, 30 ms and more where the engine does, and some more
/// on a busy machine.
const CALL_MS: f64 = 1000.0;
/// What a median may rise by chance: the margin within which lbtest calls a workload as fast as before.
pub const MARGIN_MS: f64 = 25.0;

pub fn fault<'a>(ran: &'a Ran, name: &str) -> &'a Value {
    let all = ran.json()["faults"].as_array().unwrap();
    let found = all.iter().find(|f| f["name"] == name);
    found.unwrap_or_else(|| panic!("no fault {name}"))
}

/// Injected soon, with a known uncertainty, and seen. Returns the record.
pub fn injected<'a>(ran: &'a Ran, name: &str, mechanism: Option<&str>) -> &'a Value {
    let fault = fault(ran, name);
    assert_eq!(fault["confirmed"], true, "{fault:#}");
    let latency = ms(&fault["inject_latency_ms"]);
    assert!(latency > 0.0 && latency < CALL_MS, "{fault:#}");
    assert!(
        (0.0..=latency).contains(&ms(&fault["inject_uncertainty_ms"])),
        "{fault:#}"
    );
    match mechanism {
        Some(words) => assert!(
            fault["mechanism"].as_str().unwrap().contains(words),
            "{fault:#}"
        ),
        None => assert!(
            fault["mechanism"].is_null(),
            "there is no choice: {fault:#}"
        ),
    }
    fault
}

/// As [`injected`], and healed and seen so.
pub fn came_and_went<'a>(ran: &'a Ran, name: &str, mechanism: Option<&str>) -> &'a Value {
    let fault = injected(ran, name, mechanism);
    assert_eq!(fault["heal_confirmed"], true, "{fault:#}");
    let late = ms(&fault["healed_at_ms"]) - ms(&fault["heal_at_ms"]);
    assert!(
        ms(&fault["heal_uncertainty_ms"]) <= late.max(0.0),
        "{fault:#}"
    );
    fault
}

pub fn notes(fault: &Value) -> Vec<&str> {
    let notes = fault["notes"].as_array().unwrap();
    notes.iter().map(|n| n.as_str().unwrap()).collect()
}

pub fn count(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("no count: {value}"))
}

/// Median and 90th percentile before any fault.
pub fn base(ran: &Ran, load: &str, percentile: &str) -> f64 {
    ms(&ran.load(load)["baseline"]["latency_ms"][percentile])
}

/// Of the whole seconds between the edges of a fault.
pub fn latency(ran: &Ran, fault: &str, load: &str, percentile: &str) -> f64 {
    ms(&ran.impact(fault, "inject", load)["latency_ms"][percentile])
}

/// Nothing was bad while the fault was on, nor slower than before.
pub fn unharmed(ran: &Ran, fault: &str, loads: &[&str]) {
    for load in loads {
        well(ran, fault, "inject", load);
    }
}

/// From the heal on nothing is bad, and the median is what it was.
pub fn well_again(ran: &Ran, fault: &str, loads: &[&str]) {
    for load in loads {
        well(ran, fault, "heal", load);
    }
}

fn well(ran: &Ran, fault: &str, edge: &str, load: &str) {
    let impact = ran.impact(fault, edge, load);
    // What was sent before the heal may still meet the fault.
    let before = match edge {
        "heal" => count(&impact["bad_under_way"]),
        _ => 0,
    };
    assert!(count(&impact["bad"]) <= before, "{impact:#}");
    assert!(count(&impact["requests"]) > 0, "{impact:#}");
    // Windows without a whole second have no percentiles.
    if let Some(p50) = impact["latency_ms"]["p50"].as_f64() {
        // What takes a tenth of a second of processor may take twice as long when others want one of the two.
        let most = base(ran, load, "p50") * 2.0 + MARGIN_MS;
        assert!(p50 <= most, "more than {most} ms: {impact:#}");
    }
}

/// While the fault is on only these classes of errors occur, and no more than `good` operations succeed.
pub fn fails(ran: &Ran, fault: &str, load: &str, classes: &[&str], good: u64) {
    let impact = ran.impact(fault, "inject", load);
    let (all, bad) = (count(&impact["requests"]), count(&impact["bad"]));
    assert!(bad > 0 && all - bad <= good, "{impact:#}");
    for class in impact["errors"].as_object().unwrap().keys() {
        assert!(classes.contains(&class.as_str()), "{impact:#}");
    }
}
