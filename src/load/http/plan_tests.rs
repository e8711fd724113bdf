use super::*;
use crate::history::trace::RunTraces;
use crate::scenario::ValueSource;

fn request(url: &str) -> HttpRequest {
    HttpRequest {
        method: "GET".into(),
        url: url.into(),
        headers: vec![],
        body: None,
        weight: 1,
        write: false,
        expect_status: StatusSet(vec![(200, 299)]),
        expect_body: None,
    }
}

fn spec(requests: Vec<HttpRequest>) -> HttpSpec {
    let values = ["a b".to_owned(), "c\r\nX: y".to_owned()];
    HttpSpec {
        requests,
        timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(1),
        keep_alive: true,
        http2: false,
        ca_file: None,
        instance_header: "X-Instance".into(),
        traceparent: false,
        variables: vec![
            Variable {
                name: "id".into(),
                source: ValueSource::Sequence { start: 1 },
            },
            Variable {
                name: "evil".into(),
                source: ValueSource::Choice {
                    values: Arc::new(values),
                },
            },
        ],
    }
}

fn rendered(request: HttpRequest) -> String {
    let plan = HttpPlan::new(&spec(vec![request])).ok().unwrap();
    let mut buffer = b"the request before".to_vec();
    let text = plan.requests[0].render(Draw { seed: 1, index: 41 }, None, &mut buffer);
    String::from_utf8(text.to_vec()).unwrap()
}

#[test]
fn a_request_is_rendered_with_its_values_and_the_length_of_its_body() {
    let mut post = request("http://h:81/api/{id}?q=я#fragment");
    post.method = "POST".into();
    post.headers = vec![
        ("X-Id".into(), "{id}".into()),
        ("accept".into(), "text/plain".into()),
    ];
    post.body = Some(r#"{"id":{id}}"#.into());
    assert_eq!(
        rendered(post),
        "POST /api/42?q=%D1%8F HTTP/1.1\r\nHost: h:81\r\nX-Id: 42\r\naccept: text/plain\r\nUser-Agent: lbtest\r\n\
         Content-Length: 9\r\n\r\n{\"id\":42}"
    );
}

#[test]
fn an_url_without_path_asks_for_the_root_and_credentials_become_a_header() {
    let text = rendered(request("http://u:p@h?x=1"));
    assert!(
        text.starts_with("GET /?x=1 HTTP/1.1\r\nHost: h\r\nAuthorization: Basic dTpw\r\n"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_sent_is_refused_and_shows_no_credentials() {
    for url in [
        "ftp://h/",
        "h/path",
        "http:///x",
        "http://u:sesame@h:x/",
        "",
    ] {
        let error = HttpPlan::new(&spec(vec![request(url)])).err().unwrap();
        assert!(matches!(error, SpecError::Url(_)), "{url}: {error}");
        assert!(!error.to_string().contains("sesame"), "{error}");
    }
    let two = vec![request("http://a/"), request("http://b/")];
    assert!(matches!(
        HttpPlan::new(&spec(two)).err().unwrap(),
        SpecError::Origins
    ));
    for (name, value) in [
        ("X", "{evil}"),
        ("X", "a\nb"),
        ("", "x"),
        ("A b", "x"),
        ("content-length", "5"),
    ] {
        let mut bad = request("http://h/");
        bad.headers = vec![(name.into(), value.into())];
        assert!(
            matches!(
                HttpPlan::new(&spec(vec![bad])).err().unwrap(),
                SpecError::Header(_)
            ),
            "{name}: {value}"
        );
    }
    assert!(matches!(
        HttpPlan::new(&spec(vec![])).err().unwrap(),
        SpecError::Empty
    ));
}

#[test]
fn credentials_of_an_url_are_sent_decoded_unless_the_request_has_its_own() {
    let mut with = request("http://u%40x:p%2Fw%@h/");
    // base64 of `u@x:p/w%`.
    assert!(rendered(with.clone()).contains("Authorization: Basic dUB4OnAvdyU=\r\n"));
    with.headers = vec![("authorization".into(), "Bearer t".into())];
    let text = rendered(with);
    assert!(!text.contains("Basic") && text.contains("authorization: Bearer t\r\n"));
}

#[test]
fn an_unusable_url_is_refused_without_showing_its_secrets() {
    for url in [
        "http://u:sesame@h:x/",
        "http://u:se/same@h/",
        "ftp://h/?token=sesame",
        "ftp://u:sesame@h/",
    ] {
        let error = HttpPlan::new(&spec(vec![request(url)])).err().unwrap();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("same"), "{said}");
    }
}

#[test]
fn a_trace_is_named_right_after_the_request_line_and_changes_nothing_else() {
    let trace = RunTraces::of(jiff::Timestamp::UNIX_EPOCH, 1).load(0);
    for url in ["http://h/a", "http://h/{id}"] {
        let plan = HttpPlan::new(&spec(vec![request(url)])).ok().unwrap();
        let request = &plan.requests[0];
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for index in [4, 5] {
            let draw = Draw { seed: 1, index };
            let id = trace.operation(index);
            let plain =
                String::from_utf8(request.render(draw, None, &mut without).to_vec()).unwrap();
            let traced =
                String::from_utf8(request.render(draw, Some(id), &mut with).to_vec()).unwrap();
            let field = format!("traceparent: 00-{id}-{:016x}-01\r\n", id.span());
            let (line, rest) = plain.split_once("\r\n").unwrap();
            assert_eq!(traced, format!("{line}\r\n{field}{rest}"));
        }
    }
}

#[test]
fn no_request_names_a_trace_unless_the_workload_says_so() {
    let traces = RunTraces::of(jiff::Timestamp::UNIX_EPOCH, 1).load(0);
    let draw = Draw { seed: 1, index: 3 };
    for traceparent in [false, true] {
        let mut spec = spec(vec![request("http://h/")]);
        spec.traceparent = traceparent;
        let mut plan = HttpPlan::new(&spec).ok().unwrap();
        plan.name_traces(traces);
        assert_eq!(plan.trace(draw), traceparent.then(|| traces.operation(3)));
    }
}
