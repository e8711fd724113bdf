//! A run that is over, as one trace, to an OpenTelemetry collector: OTLP, http/protobuf.

use super::follow::Timeline;
use super::spans::spans;
use crate::analysis::result::RunResult;
use jiff::Timestamp;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::SpanExporter as _;
use std::sync::Arc;
use std::time::Duration;

/// A collector beside lbtest answers at once; a run does not end much later because of one that does not.
const WITHIN: Duration = Duration::from_secs(5);
/// Where collectors take traces, by the OTLP specification.
const PATH: &str = "/v1/traces";

/// Why a run was not exported.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// No client could be made.
    #[error("no HTTP client: {0}")]
    Client(String),
    /// The collector did not take it.
    #[error("{0}")]
    Refused(#[from] OTelSdkError),
}

/// Exports a run to the collector at this URL (`http://127.0.0.1:4318`). Without a timeline (of one of several
/// measurements) it lasts from the clock's zero to the last that is known of it.
///
/// # Errors
/// Why the collector does not have it.
pub async fn export(
    url: &str,
    result: &RunResult,
    phases: Option<&Timeline>,
) -> Result<(), OtlpError> {
    let spans = match phases {
        Some(phases) => spans(result, phases, Timestamp::now()),
        None => spans(result, &Timeline::new(), result.started_at),
    };
    let unusable = |e: &dyn std::error::Error| OtlpError::Client(e.to_string());
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client()?)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint(url))
        .with_timeout(WITHIN)
        .build()
        .map_err(|e| unusable(&e))?;
    let resource = Resource::builder_empty().with_service_name("lbtest");
    exporter.set_resource(&resource.build());
    let exported = exporter.export(spans);
    match tokio::time::timeout(WITHIN, exported).await {
        Ok(exported) => Ok(exported?),
        Err(_) => Err(OTelSdkError::Timeout(WITHIN).into()),
    }
}

/// A base URL with the path of traces; one that names a path is taken as it is.
fn endpoint(text: &str) -> String {
    let Ok(mut url) = url::Url::parse(text) else {
        return text.to_owned();
    };
    if url.path() == "/" {
        url.set_path(PATH);
    }
    url.into()
}

/// In the clear only: no roots are needed, and an image without certificates has none.
fn client() -> Result<reqwest::Client, OtlpError> {
    let unusable = |e: &dyn std::error::Error| OtlpError::Client(e.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(&e))?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(WITHIN)
        // Elsewhere a trace would be taken for a page that was asked for.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|e| unusable(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_gets_the_path_of_traces_and_another_path_is_kept() {
        for (url, posted_to) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("http://h/v1/traces", "http://h/v1/traces"),
            ("http://h:1/other", "http://h:1/other"),
            ("http://h:1?tenant=x", "http://h:1/v1/traces?tenant=x"),
        ] {
            assert_eq!(endpoint(url), posted_to);
        }
    }
}
