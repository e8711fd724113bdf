//! Readiness: one operation of a workload, done well.

use super::SpecError;
use super::http::HttpPlan;
use super::net::tls_config;
use super::postgres::plan::PostgresPlan;
use super::values::Draw;
use crate::scenario::{ClientSpec, HttpSpec, PostgresSpec, Workload};
use std::time::Duration;
use tokio_postgres::NoTls;

/// Why a workload's target is not ready.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The workload itself cannot be made: waiting will not help.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// No answer.
    #[error("no answer over HTTP")]
    Http(#[source] reqwest::Error),
    /// An answer with another status.
    #[error("HTTP status {0} was not expected")]
    Status(u16),
    /// An answer without the expected text.
    #[error("the answer's body does not hold the expected text")]
    Body,
    /// No connection to the database, or it refused the statement.
    #[error("PostgreSQL does not answer as expected")]
    Postgres(#[source] tokio_postgres::Error),
    /// Another number of rows.
    #[error("{got} rows came back, {expected} were expected")]
    Rows {
        /// Expected.
        expected: u64,
        /// Came.
        got: u64,
    },
    /// No connection.
    #[error("no connection: {0}")]
    Connect(crate::history::Class),
    /// Out of time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

impl ProbeError {
    /// Whether another attempt makes sense.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::Spec(_))
    }
}

/// Does one operation of a workload, a read where it has one, and checks its answer. HTTP requests really are
/// sent, writes too where there is nothing else. Of a PostgreSQL workload that only writes, the statement is
/// prepared (so its tables are there) and not executed.
///
/// # Errors
/// Why it is not ready.
pub async fn probe(load: &Workload) -> Result<(), ProbeError> {
    match &load.client {
        ClientSpec::Http(spec) => http(spec).await,
        ClientSpec::Postgres(spec) => {
            let limit = spec.connect_timeout + spec.timeout;
            tokio::time::timeout(limit, postgres(spec))
                .await
                .map_err(|_| ProbeError::Timeout(limit))?
        }
    }
}

async fn http(spec: &HttpSpec) -> Result<(), ProbeError> {
    let plan = HttpPlan::new(spec)?;
    let request = plan
        .requests
        .iter()
        .find(|r| !r.write)
        .or(plan.requests.first())
        .ok_or(SpecError::Empty)?;
    let alpn: &[&str] = if spec.http2 { &["h2"] } else { &["http/1.1"] };
    let mut client = reqwest::Client::builder()
        .timeout(spec.timeout)
        .connect_timeout(spec.connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    // In the clear no roots are needed, and an image without certificates has none.
    client = match plan.tls {
        Some(_) => client.tls_backend_preconfigured(
            tls_config(spec.ca_file.as_deref(), alpn).map_err(SpecError::from)?,
        ),
        None => client
            .tls_backend_preconfigured(super::net::tls_without_roots().map_err(SpecError::from)?),
    };
    if spec.http2 && plan.tls.is_none() {
        client = client.http2_prior_knowledge();
    }
    let client = client.build().map_err(ProbeError::Http)?;
    let text = |template: &super::values::Template| {
        let mut text = Vec::new();
        template.render(Draw { seed: 0, index: 0 }, &mut text);
        text
    };
    let path = String::from_utf8_lossy(&text(&request.path)).into_owned();
    let url = format!("{}://{}{path}", plan.scheme, plan.authority);
    let method = reqwest::Method::from_bytes(request.method.as_bytes())
        .map_err(|_| SpecError::Method(request.method.clone()))?;
    let mut call = client.request(method, url);
    for (name, value) in &request.headers {
        call = call.header(name, text(value));
    }
    if let Some(body) = &request.body {
        call = call.body(text(body));
    }
    // The URL is the scenario's own, but may hold credentials in its query.
    let answer = call
        .send()
        .await
        .map_err(|e| ProbeError::Http(e.without_url()))?;
    let status = answer.status().as_u16();
    if !request.expect_status.contains(status) {
        return Err(ProbeError::Status(status));
    }
    let body = answer
        .bytes()
        .await
        .map_err(|e| ProbeError::Http(e.without_url()))?;
    let mut search =
        super::http::search::Search::new(request.expect_body.as_deref().unwrap_or_default());
    search.feed(&body);
    if search.found() {
        Ok(())
    } else {
        Err(ProbeError::Body)
    }
}

async fn postgres(spec: &PostgresSpec) -> Result<(), ProbeError> {
    let plan = PostgresPlan::new(spec)?;
    let mut last = crate::history::Class::Connect;
    for (host, port) in &plan.peers {
        let stream = match super::net::Peer::new(host, *port)
            .connect(spec.connect_timeout)
            .await
        {
            Ok(stream) => stream,
            Err(class) => {
                last = class;
                continue;
            }
        };
        let (client, connection) = plan
            .config
            .connect_raw(stream, NoTls)
            .await
            .map_err(ProbeError::Postgres)?;
        let query = super::postgres::probe(&plan, &client);
        // The connection is driven beside the query, and ends with it.
        return tokio::select! {
            result = query => result,
            Err(e) = connection => Err(ProbeError::Postgres(e)),
        };
    }
    Err(ProbeError::Connect(last))
}
