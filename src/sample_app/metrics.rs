//! What Prometheus scrapes from the sample application.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

/// Upper bounds of the histogram's buckets, seconds: from a read of one row to the longest time-out.
const BUCKETS: [f64; 11] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0,
];

/// The media type of the exposition.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: String,
    path: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Path {
    path: String,
}

/// `requests_total{method,path,status}` and `response_time_seconds{path}`.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    response_time: Family<Path, Histogram>,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let requests = Family::<Request, Counter>::default();
        let response_time =
            Family::<Path, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        registry.register("requests", "Requests that were answered", requests.clone());
        registry.register_with_unit(
            "response_time",
            "Time from a request's arrival to its answer",
            Unit::Seconds,
            response_time.clone(),
        );
        Self {
            registry,
            requests,
            response_time,
        }
    }

    /// Counts an answer. `path` is the route, not what the client typed: labels must stay few.
    pub fn answered(&self, method: &str, path: &str, status: u16, took: Duration) {
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            status,
        };
        self.requests.get_or_create(&request).inc();
        let path = Path {
            path: path.to_owned(),
        };
        self.response_time
            .get_or_create(&path)
            .observe(took.as_secs_f64());
    }

    /// The exposition in OpenMetrics' text format.
    ///
    /// # Errors
    /// None in practice: writing to a string does not fail.
    pub fn exposition(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_counted_by_method_route_and_status_and_its_time_falls_into_a_bucket() {
        let metrics = Metrics::new();
        metrics.answered("GET", "/api/data", 200, Duration::from_millis(3));
        metrics.answered("GET", "/api/data", 503, Duration::from_millis(30));
        let text = metrics.exposition().unwrap();
        let counted = r#"requests_total{method="GET",path="/api/data",status="200"} 1"#;
        assert!(text.contains(counted), "{text}");
        let bucket = r#"response_time_seconds_bucket{path="/api/data",le="0.005"} 1"#;
        let both = r#"response_time_seconds_count{path="/api/data"} 2"#;
        assert!(text.contains(both), "{text}");
        assert!(
            text.contains("response_time_seconds_bucket{") && text.contains("# EOF"),
            "{text}"
        );
        assert!(
            text.contains(bucket)
                || text.contains(r#"response_time_seconds_bucket{le="0.005",path="/api/data"} 1"#),
            "{text}"
        );
    }
}
