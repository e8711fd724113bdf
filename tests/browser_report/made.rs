//! Results to render: the stored history's, one of ten minutes with everything in it, and one full of hostile text.

use lbtest::analysis::result::{EventResult, MetricSeries, OperationSample, RunResult};
use serde_json::{Value, json};
use std::path::Path;

/// The result of the stored history, with what an observer would have seen.
pub fn stored() -> RunResult {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kill-slave.history.ndjson");
    let history = lbtest::history::file::read(&path).unwrap();
    lbtest::analysis::analyze(&history)
}

/// Numbers that look random and are always the same.
struct Dice(u64);

impl Dice {
    /// From 0 to 1.
    fn roll(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 33).unwrap()) / f64::from(1u32 << 31)
    }

    fn whole(&mut self, most: u32) -> u64 {
        (self.roll() * f64::from(most)) as u64
    }
}

/// A series of `n` intervals of a second: slow and failing for some time after a quarter of it.
fn series(n: usize, dice: &mut Dice) -> Value {
    let hurt = |i: usize| (n / 4..n / 4 + n / 30 + 2).contains(&i);
    let bounds: Vec<f64> = (0..24)
        .map(|i| 0.4 * 2f64.powf(f64::from(i) / 2.0))
        .collect();
    let mut made = json!({ "interval_ms": 1000.0, "heat": { "bounds_ms": bounds, "counts": [] } });
    let mut put = |name: &str, values: Vec<Value>| made[name] = Value::Array(values);
    let requests: Vec<u64> = (0..n).map(|_| 190 + dice.whole(20)).collect();
    let bad: Vec<u64> = (0..n)
        .map(|i| if hurt(i) { 20 + dice.whole(60) } else { 0 })
        .collect();
    put("requests", requests.iter().map(|v| json!(v)).collect());
    put("bad", bad.iter().map(|v| json!(v)).collect());
    for (name, scale) in [
        ("p50_ms", 3.0),
        ("p90_ms", 6.0),
        ("p99_ms", 14.0),
        ("p999_ms", 30.0),
        ("max_ms", 45.0),
    ] {
        let of = |i: usize, dice: &mut Dice| {
            scale * (0.8 + 0.5 * dice.roll()) * if hurt(i) { 9.0 } else { 1.0 }
        };
        let values = (0..n)
            .map(|i| json!((of(i, dice) * 1000.0).round() / 1000.0))
            .collect();
        put(name, values);
    }
    let cells = (0..n).map(|i| {
        let middle = if hurt(i) { 12.0 } else { 6.0 };
        let cell = |row: i32, dice: &mut Dice| {
            let far = (f64::from(row) - middle).abs();
            (90.0 * (-far * far / 6.0).exp() * (0.5 + dice.roll())
                + if dice.roll() < 0.06 { 1.0 } else { 0.0 }) as u64
        };
        json!((0..24).map(|row| cell(row, dice)).collect::<Vec<_>>())
    });
    let cells: Vec<Value> = cells.collect();
    made["heat"]["counts"] = Value::Array(cells);
    let part = |share: f64| {
        bad.iter()
            .map(|b| (*b as f64 * share) as u64)
            .collect::<Vec<_>>()
    };
    let resets = part(0.3);
    let timeouts: Vec<u64> = bad.iter().zip(&resets).map(|(b, r)| b - r).collect();
    made["errors"] = json!({ "reset": resets, "timeout": timeouts });
    let app1: Vec<u64> = (0..n)
        .map(|i| if hurt(i) { 0 } else { 60 + dice.whole(12) })
        .collect();
    let app2: Vec<u64> = (0..n).map(|_| 60 + dice.whole(12)).collect();
    let app3: Vec<u64> = (0..n)
        .map(|i| requests[i] - bad[i].min(requests[i]) - app2[i].min(100))
        .collect();
    made["instances"] = json!({ "app1": app1, "app2": app2, "app3": app3 });
    made
}

/// A run of so many seconds and workloads, with metrics, samples, events and a configuration: what a later lbtest writes.
pub fn large(seconds: u32, loads: usize) -> RunResult {
    let mut dice = Dice(7);
    let mut result = stored();
    let length = f64::from(seconds) * 1e3;
    result.scenario.duration_ms = length;
    (result.end.measured_to_ms, result.end.at_ms) = (length, Some(length));
    let template = result.loads[0].clone();
    let names = ["web", "reads", "writes", "search"];
    result.loads = (0..loads)
        .map(|i| {
            let mut load = template.clone();
            load.name = names
                .get(i)
                .map_or_else(|| format!("load {i}"), |n| (*n).to_owned());
            load.series = serde_json::from_value(series(seconds as usize, &mut dice)).unwrap();
            load.histogram.upper_ms = (0..400).map(|i| 0.3 * 1.02f64.powi(i)).collect();
            let count = |i: i32| {
                (4000.0 * (-f64::from((i - 110) * (i - 110)) / 1500.0).exp() + 3.0 * dice.roll())
                    as u64
            };
            load.histogram.counts = (0..400).map(count).collect();
            load
        })
        .collect();
    let (inject, heal) = (length / 4.0, length / 2.0);
    let fault = &mut result.faults[0];
    (fault.inject_at_ms, fault.injected_at_ms) = (inject, Some(inject + 12.4));
    (fault.heal_at_ms, fault.healed_at_ms) = (Some(heal), Some(heal + 265.0));
    (fault.mechanism, fault.inject_latency_ms) = (Some("SIGTERM".to_owned()), Some(12.4));
    let impacts = std::mem::take(&mut result.impacts);
    for load in &result.loads {
        result
            .impacts
            .extend(impacts.iter().take(4).step_by(2).cloned().map(|mut i| {
                i.load = load.name.clone();
                i
            }));
    }
    for outage in &mut result.outages {
        (outage.load, outage.start_ms, outage.end_ms) =
            ("web".to_owned(), inject + 20.0, Some(inject + 234.0));
        outage.duration_ms = Some(214.0);
    }
    let event = |at_ms: f64, source: &str, subject: &str, what: &str| EventResult {
        at_ms,
        source: source.to_owned(),
        subject: subject.to_owned(),
        what: what.to_owned(),
    };
    result.events = vec![
        event(
            inject + 13.0,
            "docker",
            "postgres-slave1",
            "kill (signal=15)",
        ),
        event(
            inject + 37.0,
            "docker",
            "postgres-slave1",
            "die (exitCode=0)",
        ),
        event(
            inject + 7412.0,
            "haproxy",
            "postgres-slave1",
            "DOWN, layer 4 timeout",
        ),
        event(heal + 265.0, "docker", "postgres-slave1", "start"),
        event(
            heal + 2300.0,
            "docker",
            "postgres-slave1",
            "health_status: healthy",
        ),
        event(heal + 3510.0, "haproxy", "postgres-slave1", "UP"),
    ];
    result.metrics = metrics(seconds, &mut dice);
    result.samples = (0..40)
        .map(|i| OperationSample {
            load: "web".to_owned(),
            at_ms: inject + f64::from(i) * 35.0,
            latency_ms: 3.0 + f64::from(i) * 12.5,
            outcome: if i % 3 == 0 { "timeout" } else { "reset" }.to_owned(),
            instance: Some("app1".to_owned()),
            trace_id: Some(format!(
                "{:032x}",
                0x4bf9_2f35_77b3_4da6_a3ce_929d_u128 * (i as u128 + 1)
            )),
        })
        .collect();
    result.configuration = Some(json!({
        "scenario": "kill-slave", "seed": 42,
        "loads": [{ "name": "web", "rate": "200/s" }],
        "faults": [{ "name": "slave 1 stops", "kind": "stop", "targets": ["postgres-slave1"] }],
    }));
    result
}

fn metrics(seconds: u32, dice: &mut Dice) -> Vec<MetricSeries> {
    let services = [
        "haproxy",
        "app1",
        "app2",
        "postgres-master",
        "postgres-slave1",
        "postgres-slave2",
    ];
    let all = [
        ("cpu", "cores", "docker", &services[..], 0.4),
        ("memory", "bytes", "docker", &services[..], 120e6),
        ("replication_lag", "ms", "postgres", &services[4..], 4.0),
        ("sessions", "count", "haproxy", &services[1..3], 20.0),
        ("cpu", "ratio", "host", &["host"][..], 0.5),
    ];
    let mut made = Vec::new();
    for (metric, unit, source, subjects, scale) in all {
        for subject in subjects {
            let down =
                |at: u32| *subject == "postgres-slave1" && (seconds / 4..seconds / 2).contains(&at);
            let value =
                |at: u32, dice: &mut Dice| (!down(at)).then(|| scale * (0.7 + 0.4 * dice.roll()));
            made.push(MetricSeries {
                metric: metric.to_owned(),
                unit: unit.to_owned(),
                source: source.to_owned(),
                subject: (*subject).to_owned(),
                at_ms: (0..seconds).map(|s| f64::from(s) * 1e3 + 130.0).collect(),
                values: (0..seconds).map(|s| value(s, dice)).collect(),
            });
        }
    }
    made
}

/// What somebody could put into a name, a header or an answer.
pub const PAYLOADS: [&str; 10] = [
    "<script>window.hit=1;alert(1)</script>",
    "\"><img src=x onerror=window.hit=1>",
    "'><svg onload=window.hit=1>",
    "javascript:window.hit=1",
    "</script><script>window.hit=1</script>",
    "</style></title></textarea></pre><iframe src=https://evil.example></iframe>",
    "{{ 1234567*7 }}{% for x in [1] %}inside{% endfor %}{# gone #}",
    "\u{1b}[31mred\u{7}\u{0}\r\n\u{9b}1m",
    "\u{202e}txet desrever\u{2066}\u{2028}\u{2029}\u{200f}",
    "<!-- & &lt; &#x3c;script&#x3e; ]]> --!>",
];

/// The result with hostile text in every field that takes a text: each of [`PAYLOADS`] in turn, and some very long.
pub fn hostile() -> RunResult {
    let mut result = large(30, 2);
    result.scenario.project = Some(String::new());
    result.end.detail = Some(String::new());
    result.verdict_reasons.push(String::new());
    result.hints.push(String::new());
    let mut whole = serde_json::to_value(&result).unwrap();
    let mut paths = Vec::new();
    texts(&whole, String::new(), &mut paths);
    assert!(paths.len() > 100, "{}", paths.len());
    for (i, path) in paths.iter().enumerate() {
        let mut payload = PAYLOADS[i % PAYLOADS.len()].to_owned();
        if i % 17 == 3 {
            payload = payload.repeat(100_000 / payload.len() + 1);
        }
        let before = std::mem::replace(whole.pointer_mut(path).unwrap(), Value::String(payload));
        // A word of a fixed set, or a time: no place for any text.
        if serde_json::from_value::<RunResult>(whole.clone()).is_err() {
            *whole.pointer_mut(path).unwrap() = before;
        }
    }
    rename(&mut whole);
    serde_json::from_value(whole).unwrap()
}

fn texts(value: &Value, path: String, into: &mut Vec<String>) {
    match value {
        Value::String(_) => into.push(path),
        Value::Array(all) => all
            .iter()
            .enumerate()
            .for_each(|(i, v)| texts(v, format!("{path}/{i}"), into)),
        Value::Object(all) => all
            .iter()
            .for_each(|(k, v)| texts(v, format!("{path}/{k}"), into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Names of classes and of instances are keys.
fn rename(value: &mut Value) {
    match value {
        Value::Object(all) => {
            for (key, inner) in all.iter_mut() {
                if let (true, Value::Object(names)) =
                    (key == "errors" || key == "instances", &mut *inner)
                {
                    let old = std::mem::take(names);
                    names.extend(
                        old.into_iter()
                            .enumerate()
                            .map(|(i, (_, v))| (PAYLOADS[i % PAYLOADS.len()].to_owned(), v)),
                    );
                } else {
                    rename(inner);
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(rename),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
