//! The sample application's HTTP interface.

use super::database::{Database, Unavailable};
use super::metrics::{CONTENT_TYPE, Metrics};
use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The longest delay that may be asked for.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

const DATA: &str = "/api/data";
const SEARCH: &str = "/user/search";
const STATUS: &str = "/api/status";
const SWITCH: &str = "/api/switch";
const HEALTH: &str = "/health";
const METRICS: &str = "/metrics";
const ROUTES: [&str; 6] = [DATA, SEARCH, STATUS, SWITCH, HEALTH, METRICS];

/// What all requests share.
pub struct App {
    instance: String,
    header: HeaderValue,
    database: Database,
    metrics: Metrics,
    /// False after `POST /api/switch`: `/api/data` and `/api/status` answer 500 until the next one.
    on: AtomicBool,
    /// Stopping soon: every answer closes its connection.
    pub draining: AtomicBool,
}

impl App {
    /// An instance that is switched on.
    pub fn new(instance: String, database: Database) -> Self {
        // A name that no header can carry is no reason not to start.
        let header = HeaderValue::from_str(&instance)
            .unwrap_or_else(|_| HeaderValue::from_static("unnamed"));
        Self {
            instance,
            header,
            database,
            metrics: Metrics::new(),
            on: AtomicBool::new(true),
            draining: AtomicBool::new(false),
        }
    }

    fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }
}

/// The routes.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route(DATA, get(read_data).post(write_data))
        .route(SEARCH, get(search))
        .route(STATUS, get(status))
        .route(SWITCH, post(switch))
        .route(HEALTH, get(health))
        .route(METRICS, get(metrics))
        .layer(from_fn_with_state(Arc::clone(&app), around))
        .with_state(app)
}

/// Around every request: the instance's name, the metrics, the drain.
async fn around(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let arrived = Instant::now();
    let method = request.method().clone();
    let path = route_of(request.uri().path());
    let mut response = next.run(request).await;
    // Methods are the client's own words: an unknown one must not become a label.
    let method = match method.as_str() {
        known @ ("GET" | "POST" | "HEAD" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
        _ => "other",
    };
    app.metrics
        .answered(method, path, response.status().as_u16(), arrived.elapsed());
    response
        .headers_mut()
        .insert("x-instance", app.header.clone());
    if app.draining.load(Ordering::Relaxed) {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The route of a path, for the metrics. Paths are the client's own words too.
fn route_of(path: &str) -> &'static str {
    ROUTES
        .into_iter()
        .find(|route| *route == path)
        .unwrap_or("other")
}

/// What is not a good answer.
enum Refusal {
    SwitchedOff,
    BadRequest(String),
    Unavailable(Unavailable),
}

impl From<Unavailable> for Refusal {
    fn from(reason: Unavailable) -> Self {
        Self::Unavailable(reason)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::SwitchedOff => {
                let body = json!({ "error": "switched off", "reason": "switched_off" });
                (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
            }
            Self::BadRequest(what) => {
                let body = json!({ "error": what, "reason": "bad_request" });
                (StatusCode::BAD_REQUEST, Json(body)).into_response()
            }
            Self::Unavailable(reason) => {
                #[derive(Serialize)]
                struct Body {
                    error: String,
                    #[serde(flatten)]
                    reason: Unavailable,
                }
                let body = Body {
                    error: reason.to_string(),
                    reason,
                };
                (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
            }
        }
    }
}

#[derive(Deserialize)]
struct DataQuery {
    delay: Option<String>,
}

async fn read_data(
    State(app): State<Arc<App>>,
    Query(query): Query<DataQuery>,
) -> Result<Response, Refusal> {
    let delay = match &query.delay {
        None => Duration::ZERO,
        Some(text) => parse_delay(text).ok_or_else(|| {
            Refusal::BadRequest(format!("delay {text:?} is not a time such as 200ms or 1s"))
        })?,
    };
    // The delay passes in either state, as that of a real back end would.
    tokio::time::sleep(delay).await;
    if !app.is_on() {
        return Err(Refusal::SwitchedOff);
    }
    let items = app.database.latest().await?;
    Ok(Json(json!({
        "instance": app.instance,
        "delay_ms": u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        "status": "on",
        "items": items,
    }))
    .into_response())
}

#[derive(Deserialize, Default)]
struct NewItem {
    #[serde(default)]
    body: String,
}

async fn write_data(State(app): State<Arc<App>>, body: Bytes) -> Result<Response, Refusal> {
    let item = if body.is_empty() {
        NewItem::default()
    } else {
        serde_json::from_slice::<NewItem>(&body)
            .map_err(|error| Refusal::BadRequest(format!("the body is not an item: {error}")))?
    };
    // PostgreSQL's text cannot hold it, and the error would look like the database's.
    if item.body.contains('\0') {
        return Err(Refusal::BadRequest("the body holds a NUL".to_owned()));
    }
    if !app.is_on() {
        return Err(Refusal::SwitchedOff);
    }
    let id = app.database.insert(item.body, app.instance.clone()).await?;
    let answer = json!({ "id": id, "instance": app.instance });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

#[derive(Deserialize)]
struct SearchQuery {
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    last_name: String,
}

async fn search(
    State(app): State<Arc<App>>,
    Query(query): Query<SearchQuery>,
) -> Result<Response, Refusal> {
    if query.first_name.contains('\0') || query.last_name.contains('\0') {
        return Err(Refusal::BadRequest("a name holds a NUL".to_owned()));
    }
    let people = app
        .database
        .search(&query.first_name, &query.last_name)
        .await?;
    Ok(Json(people).into_response())
}

async fn status(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    if !app.is_on() {
        return Err(Refusal::SwitchedOff);
    }
    Ok(Json(json!({ "instance": app.instance, "status": "on" })).into_response())
}

async fn switch(State(app): State<Arc<App>>) -> Response {
    let was_on = app.on.fetch_xor(true, Ordering::Relaxed);
    let status = if was_on { "off" } else { "on" };
    Json(json!({ "instance": app.instance, "status": status })).into_response()
}

/// That the process lives. Not whether the database does: a balancer that took every instance out because
/// the database is away would turn 503 with a reason into 502 without one.
async fn health() -> &'static str {
    "ok\n"
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.metrics.exposition() {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// `200ms`, `1s`, or a bare number of milliseconds; at most a minute.
fn parse_delay(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => match text.strip_suffix('s') {
            Some(number) => (number, 1000),
            None => (text, 1),
        },
    };
    let delay = Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(unit)?);
    (delay <= LONGEST_DELAY).then_some(delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_milliseconds_or_seconds_and_anything_else_is_refused() {
        assert_eq!(parse_delay("200ms"), Some(Duration::from_millis(200)));
        assert_eq!(parse_delay("2s"), Some(Duration::from_secs(2)));
        assert_eq!(parse_delay("5"), Some(Duration::from_millis(5)));
        for bad in [
            "",
            "ms",
            "-1ms",
            "1.5s",
            "1h",
            "61s",
            "99999999999999999999s",
            "18446744073709551615s",
        ] {
            assert_eq!(parse_delay(bad), None, "{bad}");
        }
    }
}
