//! What the Grafana dashboard asks Prometheus.

use serde_json::Value;

/// Every expression of it, with Grafana's variables.
pub fn expressions() -> Vec<String> {
    let text = std::fs::read_to_string("docs/grafana-dashboard.json").unwrap();
    let mut found = Vec::new();
    collect(&serde_json::from_str(&text).unwrap(), &mut found);
    assert!(found.len() > 10, "{found:?}");
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("expr").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|v| collect(v, found));
        }
        Value::Array(list) => list.iter().for_each(|v| collect(v, found)),
        _ => {}
    }
}
