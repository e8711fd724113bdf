//! `http = { … }`.

use super::at::{At, OneOf};
use super::check::Check;
use super::file::{ExpectTable, HttpTable, RequestTable, StatusText};
use super::variables::{Variables, references};
use super::{HttpRequest, HttpSpec, StatusSet};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Reads the HTTP client of a workload.
pub fn read(check: &mut Check<'_>, http: &At<HttpTable>) -> Option<HttpSpec> {
    two_traceparents(check, http)?;
    let mut variables = Variables::new(&http.vars);
    let requests = requests(check, http, &mut variables);
    let variables = variables.finish(check);
    let (timeout, connect_timeout) =
        timeouts(check, http.timeout.as_ref(), http.connect_timeout.as_ref());
    let ca_file = match &http.ca {
        Some(ca) => {
            check.file(ca)?;
            Some(check.path(ca))
        }
        None => None,
    };
    let instance_header = match &http.instance_header {
        None => "x-instance".to_owned(),
        Some(name) => header_name(check, name, &name.span)?,
    };
    Some(HttpSpec {
        requests: requests?,
        timeout,
        connect_timeout,
        keep_alive: http.keep_alive.unwrap_or(true),
        http2: http.http2,
        ca_file,
        instance_header: instance_header.to_ascii_lowercase(),
        traceparent: http.traceparent,
        variables: variables?,
    })
}

/// `traceparent = true` beside a header of that name: which of the two is to be sent?
fn two_traceparents(check: &mut Check<'_>, http: &HttpTable) -> Option<()> {
    if !http.traceparent {
        return Some(());
    }
    let listed = http.requests.iter().flat_map(|list| list.iter());
    let all = std::iter::once(&http.headers).chain(listed.map(|request| &request.headers));
    let mut headers = all.flat_map(|headers| headers.iter());
    let given = headers.find(|(name, _)| name.eq_ignore_ascii_case("traceparent"));
    let Some((_, value)) = given else {
        return Some(());
    };
    check.wrong(
        &value.span,
        "`traceparent` is set here, and by `traceparent = true` too",
        "remove one of the two: with `traceparent = true` each request has a trace id of its own",
    );
    None
}

/// Time-outs of an operation and of a connection, with their defaults.
pub fn timeouts(
    check: &mut Check<'_>,
    timeout: Option<&At<super::file::DurationText>>,
    connect: Option<&At<super::file::DurationText>>,
) -> (Duration, Duration) {
    let operation = check.positive("timeout", timeout).unwrap_or(TIMEOUT);
    let given = check.positive("connect_timeout", connect);
    if let (Some(given), Some(at)) = (given, connect)
        && given > operation
    {
        let help = format!(
            "the time-out of the whole operation is {operation:?}: it would never be reached"
        );
        check.wrong(&at.span, "`connect_timeout` is longer than `timeout`", help);
    }
    (operation, given.unwrap_or(CONNECT_TIMEOUT.min(operation)))
}

fn requests(
    check: &mut Check<'_>,
    http: &At<HttpTable>,
    variables: &mut Variables<'_>,
) -> Option<Vec<HttpRequest>> {
    let Some(list) = &http.requests else {
        let Some(url) = &http.url else {
            check.wrong(
                &http.span,
                "`http` lacks `url`",
                "say where to: url = \"http://127.0.0.1:8080/\"",
            );
            return None;
        };
        let parts = Parts {
            url,
            base: None,
            method: http.method.as_ref(),
            headers: vec![&http.headers],
            body: http.body.as_ref(),
            write: http.write.as_ref(),
            weight: None,
            expect: http.expect.as_ref(),
        };
        return Some(vec![request(check, &parts, variables)?]);
    };
    let alone = [
        http.method.as_ref().map(|m| ("method", &m.span)),
        http.body.as_ref().map(|b| ("body", &b.span)),
        http.write.as_ref().map(|w| ("write", &w.span)),
    ];
    for (key, span) in alone.into_iter().flatten() {
        check.wrong(
            span,
            format!("`{key}` beside `requests` means nothing"),
            "put it into the requests it belongs to",
        );
    }
    if list.is_empty() {
        check.wrong(
            &list.span,
            "`requests` is empty",
            "give at least one: requests = [{ url = \"/\" }]",
        );
        return None;
    }
    let base = http.url.as_ref();
    let found: Vec<_> = list
        .iter()
        .map(|r| listed(check, http, r, base, variables))
        .collect();
    let found: Option<Vec<_>> = found.into_iter().collect();
    let found = found?;
    one_origin(check, list, &found)?;
    Some(found)
}

fn listed(
    check: &mut Check<'_>,
    http: &HttpTable,
    entry: &At<RequestTable>,
    base: Option<&At<String>>,
    variables: &mut Variables<'_>,
) -> Option<HttpRequest> {
    let parts = Parts {
        url: &entry.url,
        base,
        method: entry.method.as_ref(),
        headers: vec![&http.headers, &entry.headers],
        body: entry.body.as_ref(),
        write: entry.write.as_ref(),
        weight: entry.weight.as_ref(),
        expect: entry.expect.as_ref().or(http.expect.as_ref()),
    };
    request(check, &parts, variables)
}

fn one_origin(
    check: &mut Check<'_>,
    list: &[At<RequestTable>],
    found: &[HttpRequest],
) -> Option<()> {
    let origin = |r: &HttpRequest| Url::parse(&r.url).map(|u| u.origin());
    let first = origin(found.first()?);
    match list.iter().zip(found).find(|(_, r)| origin(r) != first) {
        None => Some(()),
        Some((entry, _)) => {
            check.wrong(
                &entry.url.span,
                "the requests of a workload go to one origin",
                "make a workload of its own for another host or port",
            );
            None
        }
    }
}

struct Parts<'t> {
    url: &'t At<String>,
    base: Option<&'t At<String>>,
    method: Option<&'t At<String>>,
    headers: Vec<&'t BTreeMap<String, At<String>>>,
    body: Option<&'t At<String>>,
    write: Option<&'t At<bool>>,
    weight: Option<&'t At<u64>>,
    expect: Option<&'t At<ExpectTable>>,
}

fn request(
    check: &mut Check<'_>,
    parts: &Parts<'_>,
    variables: &mut Variables<'_>,
) -> Option<HttpRequest> {
    variables.uses(check, parts.url);
    if let Some(body) = parts.body {
        variables.uses(check, body);
    }
    let url = absolute(check, parts.url, parts.base);
    let method = method(check, parts.method, "GET");
    for value in parts.headers.iter().flat_map(|m| m.values()) {
        variables.uses_beside_environment(check, value);
    }
    let headers = headers(check, &parts.headers);
    let weight = match parts.weight {
        None => Some(1),
        given => check
            .within("weight", given, 1, 1_000_000)
            .and_then(|w| u32::try_from(w).ok()),
    };
    let expect_status = status(check, parts.expect.and_then(|e| e.status.as_ref()));
    let method = method?;
    Some(HttpRequest {
        url: url?,
        write: parts.write.map_or_else(|| writes(&method), |w| w.value),
        method,
        headers: headers?,
        body: parts.body.map(|b| b.value.clone()),
        weight: weight?,
        expect_status: expect_status?,
        expect_body: parts.expect.and_then(|e| e.body.clone()),
    })
}

/// Methods that change something at the server (RFC 9110, section 9.2.1, seen from the other side).
fn writes(method: &str) -> bool {
    matches!(method, "POST" | "PUT" | "PATCH" | "DELETE")
}

/// A method in capitals.
pub fn method(check: &mut Check<'_>, method: Option<&At<String>>, default: &str) -> Option<String> {
    let Some(method) = method else {
        return Some(default.to_owned());
    };
    let token = !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
    if token && method.value != "CONNECT" {
        return Some(method.to_ascii_uppercase());
    }
    check.wrong(
        &method.span,
        format!("`{}` is not a method", method.escape_debug()),
        "one of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS",
    );
    None
}

/// An absolute URL, or one after a base.
pub fn absolute(
    check: &mut Check<'_>,
    url: &At<String>,
    base: Option<&At<String>>,
) -> Option<String> {
    let whole = match base {
        Some(base) if url.starts_with('/') => {
            format!("{}{}", base.trim_end_matches('/'), url.value)
        }
        _ => url.value.clone(),
    };
    let help = "write an absolute URL: \"http://127.0.0.1:8080/path\"";
    let parsed = match Url::parse(&whole) {
        Ok(parsed) => parsed,
        Err(e) => {
            check.wrong(&url.span, format!("the URL cannot be read: {e}"), help);
            return None;
        }
    };
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
        check.wrong(
            &url.span,
            format!("`{}` is not an HTTP URL", parsed.scheme()),
            help,
        );
        return None;
    }
    let authority = whole.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    if !references(authority).is_empty() {
        check.wrong(
            &url.span,
            "a variable cannot stand in the host or the port",
            "all requests of a workload go to one origin; variables may stand in path and query",
        );
        return None;
    }
    if whole.chars().any(|c| c.is_control() || c == ' ') {
        check.wrong(
            &url.span,
            "the URL holds a space or a control character",
            "write %20 for a space",
        );
        return None;
    }
    Some(whole)
}

/// Header fields with the environment's values; those of later maps stand above those of earlier ones.
pub fn headers(
    check: &mut Check<'_>,
    maps: &[&BTreeMap<String, At<String>>],
) -> Option<Vec<(String, String)>> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut good = true;
    for (name, value) in maps.iter().flat_map(|m| m.iter()) {
        let name = header_name(check, name, &value.span);
        let text = check.interpolated(value);
        if let Some(text) = &text
            && text.chars().any(|c| c.is_control() && c != '\t')
        {
            check.wrong(
                &value.span,
                "the header's value holds a control character",
                "a header is one line",
            );
            good = false;
        }
        match (name, text) {
            (Some(name), Some(text)) => {
                found.retain(|(n, _)| !n.eq_ignore_ascii_case(&name));
                found.push((name, text));
            }
            _ => good = false,
        }
    }
    good.then_some(found)
}

fn header_name(check: &mut Check<'_>, name: &str, span: &Range<usize>) -> Option<String> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !name.is_empty() && name.bytes().all(token) {
        return Some(name.to_owned());
    }
    check.wrong(
        span,
        format!("`{}` is not the name of a header", name.escape_debug()),
        "letters, digits and `-`",
    );
    None
}

/// The statuses that are expected: 2xx, unless it says otherwise.
pub fn status(check: &mut Check<'_>, status: Option<&At<OneOf<StatusText>>>) -> Option<StatusSet> {
    let Some(status) = status else {
        return Some(StatusSet(vec![(200, 299)]));
    };
    let listed: Vec<(&StatusText, &Range<usize>)> = match &status.value {
        OneOf::One(one) => vec![(one, &status.span)],
        OneOf::Many(many) => many.iter().map(|s| (&s.value, &s.span)).collect(),
        OneOf::Table(never) => match *never {},
    };
    let mut ranges = Vec::new();
    for (text, span) in &listed {
        match range(text) {
            Some(range) => ranges.push(range),
            None => {
                let shown = match text {
                    StatusText::Number(n) => n.to_string(),
                    StatusText::Text(t) => t.escape_debug().to_string(),
                };
                check.wrong(
                    span,
                    format!("`{shown}` is not a status"),
                    "write 200, \"2xx\", \"200-204\", or a list of these",
                );
            }
        }
    }
    if listed.is_empty() {
        check.wrong(
            &status.span,
            "no status is expected",
            "name at least one, or leave `status` out for 2xx",
        );
        return None;
    }
    (ranges.len() == listed.len()).then_some(StatusSet(ranges))
}

fn range(text: &StatusText) -> Option<(u16, u16)> {
    let (from, to) = match text {
        StatusText::Number(n) => (u16::try_from(*n).ok()?, u16::try_from(*n).ok()?),
        StatusText::Text(t) => match (t.strip_suffix("xx"), t.split_once('-')) {
            (Some(class), _) => {
                let class: u16 = class.parse().ok()?;
                (
                    class.checked_mul(100)?,
                    class.checked_mul(100)?.checked_add(99)?,
                )
            }
            (None, Some((from, to))) => (from.trim().parse().ok()?, to.trim().parse().ok()?),
            (None, None) => (t.trim().parse().ok()?, t.trim().parse().ok()?),
        },
    };
    ((100..=599).contains(&from) && (100..=599).contains(&to) && from <= to).then_some((from, to))
}

/// A URL that may be shown: without user, password, query and fragment, as a token may stand in any of them. Of one
/// whose host cannot be told from a password nothing is left but the scheme.
#[must_use]
pub fn url_without_secrets(url: &str) -> String {
    let whole = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = whole.split_once("://") else {
        return String::new();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    // A `/` in a password ends the authority early: what then passes for the port is none.
    if Url::parse(&format!("http://{host}")).is_err() {
        return format!("{scheme}://…");
    }
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_whatever_may_be_a_secret() {
        for (url, shown) in [
            ("https://u:p@h:1/a?token=x", "https://h:1/a"),
            ("http://h/{id}#x", "http://h/{id}"),
            ("http://u:se/cret@h/", "http://…"),
            ("no url", ""),
        ] {
            assert_eq!(url_without_secrets(url), shown);
        }
    }
}
