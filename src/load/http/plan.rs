//! An HTTP workload, checked and prepared: request bytes with holes for the values.

use crate::history::trace::{LoadTraces, TRACEPARENT_LENGTH, TraceId};
use crate::load::SpecError;
use crate::load::net::{Tls, tls_config};
use crate::load::values::{Draw, Escape, Template, Weights};
use crate::scenario::{HttpRequest, HttpSpec, StatusSet, Variable, url_without_secrets};
use base64::Engine as _;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Everything that the clients of a workload share; made once, used by all workers.
pub struct HttpPlan {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// `host:port` as in the Host header.
    pub authority: String,
    /// TLS, where the scheme is https.
    pub tls: Option<Tls>,
    /// The requests.
    pub requests: Vec<PreparedRequest>,
    /// Their shares.
    pub weights: Weights,
    /// Time-out for an operation, from its dispatch.
    pub timeout: Duration,
    /// Time-out for a connection, TLS included.
    pub connect_timeout: Duration,
    /// Reuse connections.
    pub keep_alive: bool,
    /// HTTP/2.
    pub http2: bool,
    /// Response header that names the instance.
    pub instance_header: String,
    /// Requests carry a `traceparent` header.
    traceparent: bool,
    /// The traces that they name; none: they carry no such header.
    traces: Option<LoadTraces>,
}

/// One request.
pub struct PreparedRequest {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: Template,
    /// Header fields besides Host, Content-Length and Connection.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub body: Option<Template>,
    /// All header lines of HTTP/1.1 but Content-Length.
    lines: Template,
    /// The whole request as HTTP/1.1, where it is the same for every arrival (but for its trace).
    fixed: Option<Fixed>,
    /// A write.
    pub write: bool,
    /// Statuses that are expected.
    pub expect_status: StatusSet,
    /// Text the body must contain.
    pub expect_body: Option<Vec<u8>>,
}

/// A request that is the same for every arrival.
struct Fixed {
    bytes: Vec<u8>,
    /// Where its header fields begin.
    fields: usize,
}

/// Before and after the value in a `traceparent` field.
const TRACEPARENT: &[u8] = b"traceparent: ";
const END_OF_LINE: &[u8] = b"\r\n";
/// What such a field takes.
const FIELD: usize = TRACEPARENT.len() + TRACEPARENT_LENGTH + END_OF_LINE.len();

impl HttpPlan {
    /// Checks a specification and prepares it.
    ///
    /// # Errors
    /// Where an URL, method, header or CA file cannot be used.
    pub fn new(spec: &HttpSpec) -> Result<Self, SpecError> {
        let first = spec.requests.first().ok_or(SpecError::Empty)?;
        let origin = origin(&first.url)?;
        for request in &spec.requests {
            if self::origin(&request.url)?.origin() != origin.origin() {
                return Err(SpecError::Origins);
            }
        }
        let https = origin.scheme() == "https";
        let host = origin.host_str().unwrap_or_default().to_owned();
        let port = origin.port_or_known_default().unwrap_or(80);
        let authority = origin
            .port()
            .map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let tls = if https {
            let alpn: &[&str] = if spec.http2 { &["h2"] } else { &["http/1.1"] };
            let config = tls_config(spec.ca_file.as_deref(), alpn)?;
            Some(
                Tls::new(Arc::new(config), &host)
                    .ok_or_else(|| SpecError::Url("the host".to_owned()))?,
            )
        } else {
            None
        };
        let requests = spec
            .requests
            .iter()
            .map(|r| PreparedRequest::new(r, spec, &authority))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            host,
            port,
            scheme: if https { "https" } else { "http" },
            authority,
            tls,
            requests,
            weights: Weights::new(spec.requests.iter().map(|r| r.weight)),
            timeout: spec.timeout,
            connect_timeout: spec.connect_timeout,
            keep_alive: spec.keep_alive,
            http2: spec.http2,
            instance_header: spec.instance_header.to_ascii_lowercase(),
            traceparent: spec.traceparent,
            traces: None,
        })
    }

    /// Where its requests are to carry a `traceparent` header, they name these traces.
    pub fn name_traces(&mut self, traces: LoadTraces) {
        self.traces = self.traceparent.then_some(traces);
    }

    /// The trace that the request of one arrival names.
    #[must_use]
    pub fn trace(&self, draw: Draw) -> Option<TraceId> {
        self.traces.map(|traces| traces.operation(draw.index))
    }

    /// The request of one arrival.
    #[must_use]
    pub fn choose(&self, draw: Draw) -> &PreparedRequest {
        // There is at least one, and the weights are as many.
        &self.requests[self.weights.choose(draw).min(self.requests.len() - 1)]
    }
}

impl PreparedRequest {
    fn new(request: &HttpRequest, spec: &HttpSpec, authority: &str) -> Result<Self, SpecError> {
        if request.method.is_empty() || !request.method.bytes().all(is_token) {
            return Err(SpecError::Method(request.method.clone()));
        }
        let variables = &spec.variables;
        let path = Template::new(&path_of(&request.url), variables, Escape::Url);
        let mut headers = Vec::new();
        let given = |name: &str| {
            let mut given = request.headers.iter();
            given.any(|(n, _)| n.eq_ignore_ascii_case(name))
        };
        if let Some(credentials) = credentials(&request.url)
            && !given("authorization")
        {
            headers.push(("Authorization".to_owned(), credentials));
        }
        headers.extend(request.headers.iter().cloned());
        for (name, default) in [("User-Agent", "lbtest"), ("Accept", "*/*")] {
            if !given(name) {
                headers.push((name.to_owned(), default.to_owned()));
            }
        }
        let mut lines = String::new();
        if !given("host") {
            lines.push_str(&format!("Host: {authority}\r\n"));
        }
        for (name, value) in &headers {
            check_header(name, value, variables)?;
            lines.push_str(&format!("{name}: {value}\r\n"));
        }
        if !spec.keep_alive {
            lines.push_str("Connection: close\r\n");
        }
        let template = |text: &str| Template::new(text, variables, Escape::None);
        let mut prepared = Self {
            method: request.method.clone(),
            path,
            lines: template(&lines),
            fixed: None,
            headers: headers
                .iter()
                .map(|(n, v)| (n.clone(), template(v)))
                .collect(),
            body: request.body.as_deref().map(template),
            write: request.write,
            expect_status: request.expect_status.clone(),
            expect_body: request.expect_body.as_ref().map(|t| t.clone().into_bytes()),
        };
        if prepared.is_constant() {
            let mut bytes = Vec::new();
            let fields = prepared.write_out(Draw { seed: 0, index: 0 }, None, &mut bytes);
            prepared.fixed = Some(Fixed { bytes, fields });
        }
        Ok(prepared)
    }

    fn is_constant(&self) -> bool {
        let mut parts = [&self.path, &self.lines].into_iter().chain(&self.body);
        parts.all(Template::is_constant)
    }

    /// The answer to HEAD has no body.
    #[must_use]
    pub fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// The request of one arrival as HTTP/1.1, naming a trace where it has one; written into the buffer where it differs
    /// from arrival to arrival.
    pub fn render<'a>(
        &'a self,
        draw: Draw,
        trace: Option<TraceId>,
        buffer: &'a mut Vec<u8>,
    ) -> &'a [u8] {
        match (&self.fixed, trace) {
            (Some(fixed), None) => return &fixed.bytes,
            (Some(Fixed { bytes, fields }), Some(trace)) => {
                let (line, rest) = bytes.split_at(*fields);
                buffer.clear();
                // Once, for all requests of a connection.
                buffer.reserve(bytes.len() + FIELD);
                buffer.extend_from_slice(line);
                write_trace(trace, buffer);
                buffer.extend_from_slice(rest);
            }
            (None, trace) => {
                buffer.clear();
                self.write_out(draw, trace, buffer);
            }
        }
        buffer
    }

    /// Writes the whole request; tells where its header fields begin.
    fn write_out(&self, draw: Draw, trace: Option<TraceId>, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(self.method.as_bytes());
        out.push(b' ');
        self.path.render(draw, out);
        out.extend_from_slice(b" HTTP/1.1\r\n");
        let fields = out.len();
        if let Some(trace) = trace {
            write_trace(trace, out);
        }
        self.lines.render(draw, out);
        match &self.body {
            Some(body) => {
                let mut text = Vec::new();
                body.render(draw, &mut text);
                let _ = write!(out, "Content-Length: {}\r\n\r\n", text.len());
                out.append(&mut text);
            }
            // RFC 9110 §8.6: a method that anticipates content says so even where there is none.
            None if matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") => {
                out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
            }
            None => out.extend_from_slice(b"\r\n"),
        }
        fields
    }
}

/// One header field.
fn write_trace(trace: TraceId, out: &mut Vec<u8>) {
    out.extend_from_slice(TRACEPARENT);
    out.extend_from_slice(&trace.traceparent());
    out.extend_from_slice(END_OF_LINE);
}

/// The URL up to its path, parsed. Variables may only stand after it.
fn origin(url: &str) -> Result<Url, SpecError> {
    let bad = || SpecError::Url(url_without_secrets(url));
    let parsed = Url::parse(&url[..path_start(url)]).map_err(|_| bad())?;
    match parsed.scheme() {
        "http" | "https" if parsed.host_str().is_some_and(|h| !h.is_empty()) => Ok(parsed),
        _ => Err(bad()),
    }
}

/// Where path and query begin.
fn path_start(url: &str) -> usize {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    url[after_scheme..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| after_scheme + at)
}

/// `user:password@` of an URL as a header's value.
fn credentials(url: &str) -> Option<String> {
    let parsed = origin(url).ok()?;
    if parsed.username().is_empty() && parsed.password().is_none() {
        return None;
    }
    let mut pair = percent_decoded(parsed.username());
    pair.push(b':');
    pair.extend(percent_decoded(parsed.password().unwrap_or_default()));
    Some(format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    ))
}

/// The bytes behind `%40` and its like: in an URL, `@`, `:` and `/` of a password must be written so.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    bytes
}

/// Path and query without fragment, with what may not stand in a request line percent-encoded.
fn path_of(url: &str) -> String {
    let raw = &url[path_start(url)..];
    let raw = raw.split('#').next().unwrap_or_default();
    let mut path = if raw.starts_with('/') {
        String::new()
    } else {
        "/".to_owned()
    };
    for c in raw.chars() {
        if c.is_ascii_graphic() {
            path.push(c);
        } else {
            let mut utf8 = [0; 4];
            c.encode_utf8(&mut utf8)
                .bytes()
                .for_each(|b| path.push_str(&format!("%{b:02X}")));
        }
    }
    path
}

fn check_header(name: &str, value: &str, variables: &[Variable]) -> Result<(), SpecError> {
    let bad = || SpecError::Header(name.to_owned());
    // These are lbtest's own: a wrong one would desynchronise the connection.
    let framing = [
        "content-length",
        "transfer-encoding",
        "connection",
        "expect",
        "upgrade",
    ];
    let control = |text: &str| text.bytes().any(|b| b != b'\t' && b.is_ascii_control());
    let breaks_out =
        control(value) || Template::new(value, variables, Escape::None).any_value(control);
    if name.is_empty() || !name.bytes().all(is_token) || breaks_out {
        return Err(bad());
    }
    if framing.iter().any(|f| name.eq_ignore_ascii_case(f)) {
        Err(bad())
    } else {
        Ok(())
    }
}

/// A character of a token (RFC 9110 §5.6.2).
fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
