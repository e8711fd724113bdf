//! `--metrics` and `--otlp`: where others can follow a run, and where it is sent when it is over.

use super::failure::Failure;
use crate::analysis::result::RunResult;
use crate::notice::{Notice, Notices};
use crate::run::Spec;
use crate::scenario::url_without_secrets;
use crate::telemetry::{Follower, RunInfo, Server, Timeline};
use clap::Args;
use std::net::SocketAddr;
use tokio::sync::mpsc::UnboundedReceiver;

/// Who else is told of a run.
#[derive(Debug, Clone, Default, Args)]
pub struct Telemetry {
    /// Expose the run at http://ADDR/metrics (OpenMetrics, for Prometheus) while it lasts: a loopback address; port 0: any free one
    #[arg(long, value_name = "ADDR", value_parser = loopback, help_heading = "Telemetry")]
    pub metrics: Option<SocketAddr>,
    /// Send the run as one trace to this OTLP collector once it is over: http://127.0.0.1:4318
    #[arg(long, value_name = "URL", value_parser = collector, help_heading = "Telemetry")]
    pub otlp: Option<String>,
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "write ADDRESS:PORT, for example 127.0.0.1:9464".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("lbtest listens on loopback addresses only: 127.0.0.1:PORT or [::1]:PORT".to_owned())
    }
}

fn collector(text: &str) -> Result<String, String> {
    let usable = url::Url::parse(text).is_ok_and(|url| {
        url.scheme() == "http"
            && url.host_str().is_some()
            && url.username().is_empty()
            && url.password().is_none()
    });
    if usable {
        Ok(text.to_owned())
    } else {
        Err("write http://HOST:PORT, the collector's OTLP port for http/protobuf: http://127.0.0.1:4318".to_owned())
    }
}

/// Everybody who follows the runs of one command.
pub struct Following {
    follower: Option<Follower>,
    otlp: Option<String>,
}

impl Following {
    /// Takes the port before anything else is started.
    ///
    /// # Errors
    /// Where the port cannot be had, or this build cannot do what is asked.
    pub async fn start(asked: &Telemetry, notices: &Notices) -> Result<Self, Failure> {
        if asked.otlp.is_some() && !cfg!(feature = "otlp") {
            return Err(Failure::Usage {
                message: "--otlp is not in this build of lbtest".to_owned(),
                help: "build it with: cargo build --release --features otlp".to_owned(),
            });
        }
        let follower = (asked.metrics.is_some() || asked.otlp.is_some()).then(Follower::default);
        if let (Some(address), Some(follower)) = (asked.metrics, &follower) {
            let server = Server::listen(address).await.map_err(|e| {
                Failure::environment(e.to_string(), "give --metrics another port, or 0 for any")
            })?;
            notices.tell(Notice::Info(format!("metrics: {}", server.url())));
            server.serve(follower.exposition.clone());
        }
        Ok(Self {
            follower,
            otlp: asked.otlp.clone(),
        })
    }

    /// Sees every notice before it is shown.
    pub fn tap(&self, told: UnboundedReceiver<Notice>) -> UnboundedReceiver<Notice> {
        match &self.follower {
            Some(follower) => follower.tap(told),
            None => told,
        }
    }

    /// This run follows.
    pub fn begins(&self, spec: &Spec) {
        if let Some(follower) = &self.follower {
            follower.begins(RunInfo {
                scenario: spec.plan.scenario.clone(),
                seed: spec.plan.seed,
                version: env!("CARGO_PKG_VERSION").to_owned(),
            });
        }
    }

    /// A run is over. What cannot be exported is a warning: it changes no verdict.
    pub async fn ended(&self, result: &RunResult, notices: &Notices) {
        let timeline = self.follower.as_ref().map(Follower::timeline);
        self.export(result, timeline.as_ref(), notices).await;
    }

    /// Several measurements are over: a trace for each. When their phases began is told of all of them together, and left
    /// out. A collector that does not take one is not asked again.
    pub async fn repeated(&self, results: &[RunResult], notices: &Notices) {
        for result in results {
            if !self.export(result, None, notices).await {
                return;
            }
        }
    }

    /// False where there is a warning.
    async fn export(
        &self,
        result: &RunResult,
        phases: Option<&Timeline>,
        notices: &Notices,
    ) -> bool {
        let Some(url) = &self.otlp else { return true };
        let Err(why) = export(url, result, phases).await else {
            return true;
        };
        let url = url_without_secrets(url);
        notices.tell(Notice::Warning(format!(
            "the run was not exported to {url}: {why}"
        )));
        false
    }
}

#[cfg(feature = "otlp")]
async fn export(url: &str, result: &RunResult, phases: Option<&Timeline>) -> Result<(), String> {
    crate::telemetry::otlp::export(url, result, phases)
        .await
        .map_err(|e| e.to_string())
}

/// Never called: [`Following::start`] has refused.
#[cfg(not(feature = "otlp"))]
async fn export(_: &str, _: &RunResult, _: Option<&Timeline>) -> Result<(), String> {
    Err("--otlp is not in this build".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_listened_on() {
        for good in ["127.0.0.1:0", "127.9.9.9:9464", "[::1]:9464"] {
            assert!(loopback(good).is_ok(), "{good}");
        }
        for bad in ["0.0.0.0:9464", "192.0.2.7:9464", "[::]:9464"] {
            assert!(loopback(bad).unwrap_err().contains("loopback"), "{bad}");
        }
        assert!(loopback("9464").unwrap_err().contains("127.0.0.1:9464"));
    }

    #[test]
    fn a_collector_is_an_http_url() {
        assert!(collector("http://127.0.0.1:4318").is_ok());
        for bad in [
            "127.0.0.1:4318",
            "https://h:4318",
            "http://",
            "grpc://h:4317",
            "http://u:p@h",
            "http://:p@h",
        ] {
            assert!(collector(bad).is_err(), "{bad}");
        }
    }

    #[cfg(not(feature = "otlp"))]
    #[tokio::test]
    async fn a_build_without_the_feature_says_how_to_build_it() {
        let asked = Telemetry {
            otlp: Some("http://127.0.0.1:4318".to_owned()),
            ..Telemetry::default()
        };
        let (notices, _told) = Notices::channel();
        let Err(Failure::Usage { help, .. }) = Following::start(&asked, &notices).await else {
            panic!("it was taken")
        };
        assert!(help.contains("--features otlp"), "{help}");
    }
}
