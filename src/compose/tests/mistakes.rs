//! Every mistake at its line and column, and hostile files.

use proptest::prelude::*;

use super::super::{LoadRequest, load};
use super::{BLOG, Case, KAFKA, MONITORING, one};

/// Text of one file, line, column, and a part of the message.
type Wrong = (&'static str, usize, usize, &'static str);

const WRONG: &[Wrong] = &[
    (
        "services: {a: {image: i}}\nsecrets:\n  s: {fil: x}\n",
        3,
        7,
        "unknown key `fil`",
    ),
    (
        "services: {a: {image: i}}\nvolumes:\n  v: {drivr: x}\n",
        3,
        7,
        "unknown key `drivr`",
    ),
    ("services:\n  a:\n  image: [\n", 3, 10, "not valid YAML"),
    (
        "services:\n  a: {image: i}\n  a: {image: j}\n",
        3,
        3,
        "written twice",
    ),
    ("services:\n  a: *none\n", 2, 6, "not valid YAML"),
    ("services:\n  a: !what {image: i}\n", 2, 6, "tag `!what`"),
    ("- a\n", 1, 1, "is a mapping"),
    (
        "services:\n  a:\n    image: [x]\n",
        3,
        12,
        "must be text, not a list",
    ),
    (
        "services:\n  a:\n    image: 12\n",
        3,
        12,
        "must be text, not a number",
    ),
    (
        "services:\n  a:\n    image: i\n    privileged: yes\n",
        4,
        17,
        "must be true or false",
    ),
    (
        "services:\n  a:\n    image: i\n    stop_grace_period: 10\n",
        4,
        24,
        "`10` is not a duration",
    ),
    (
        "services:\n  a:\n    image: i\n    mem_limit: 12x\n",
        4,
        16,
        "`12x` is not a size",
    ),
    (
        "services:\n  a:\n    image: i\n    comand: x\n",
        4,
        5,
        "unknown key `comand`",
    ),
    ("servces:\n  a: {image: i}\n", 1, 1, "unknown key `servces`"),
    (
        "services:\n  a:\n    image: x-${NO:?say so}\n",
        3,
        14,
        "NO is not set: say so",
    ),
    (
        "services:\n  a:\n    image: x-${\n",
        3,
        14,
        "no closing brace",
    ),
    (
        "services:\n  a:\n    image: i\n    networks: [b]\n",
        4,
        16,
        "no network `b`",
    ),
    (
        "services:\n  a:\n    image: i\n    volumes: ['dat:/x']\nvolumes: {data: }\n",
        4,
        15,
        "no volume `dat`",
    ),
    (
        "services:\n  a:\n    image: i\n    configs: [c]\n",
        4,
        15,
        "no config `c`",
    ),
    (
        "services:\n  a:\n    image: i\n    secrets: [{source: s}]\n",
        4,
        24,
        "no secret `s`",
    ),
    (
        "services:\n  a:\n    image: i\n    depends_on: [b]\n",
        4,
        18,
        "b, which is no service",
    ),
    (
        "services:\n  a: {image: i, depends_on: [b]}\n  b: {image: i, depends_on: [c]}\n  c: {image: i, depends_on: [a]}\n",
        2,
        30,
        "a → b → c → a",
    ),
    (
        "services:\n  a: {image: i, depends_on: [a]}\n",
        2,
        30,
        "a → a",
    ),
    (
        "services:\n  a: {extends: b}\n  b: {extends: a}\n",
        3,
        16,
        "a → b → a",
    ),
    (
        "services:\n  a:\n    extends: {service: x}\n",
        3,
        24,
        "no service `x`",
    ),
    (
        "services:\n  a:\n    extends: {file: no.yaml, service: x}\n",
        3,
        21,
        "cannot read",
    ),
    ("include: [no.yaml]\nservices: {}\n", 1, 11, "cannot read"),
    ("include: [compose.yaml]\nservices: {}\n", 1, 11, "circle"),
    (
        "services:\n  a:\n    image: i\n    env_file: no.env\n",
        4,
        15,
        "cannot read",
    ),
    (
        "services: {a: {image: i, secrets: [s]}}\nsecrets:\n  s:\n    file: no\n",
        4,
        11,
        "cannot read",
    ),
    ("name: x\n", 1, 1, "there are no services"),
    ("services: {}\n", 1, 11, "there are no services"),
    (
        "services:\n  a:\n    command: x\n",
        2,
        3,
        "neither image nor build",
    ),
    (
        "services:\n  a: {image: i, container_name: n}\n  b: {image: i, container_name: n}\n",
        3,
        33,
        "container_name `n` of a",
    ),
    (
        "services:\n  a: {image: i, ports: ['127.0.0.1:80:80']}\n  b: {image: i, ports: ['80:81']}\n",
        3,
        25,
        "publishes 80/tcp, which a already",
    ),
    (
        "services:\n  a: {image: i, depends_on: [b]}\n  b: {image: i, profiles: [x]}\n",
        2,
        30,
        "profile is not active",
    ),
    (
        "services:\n  a: {image: i, ports: ['x:80']}\n",
        2,
        25,
        "no valid host port",
    ),
    (
        "services:\n  a: {image: i, ports: ['1-3:80-81']}\n",
        2,
        25,
        "different lengths",
    ),
    (
        "services:\n  a: {image: i, restart: sometimes}\n",
        2,
        26,
        "restart policy",
    ),
    (
        "services:\n  a: {image: i, healthcheck: {test: [ls]}}\n",
        2,
        37,
        "must begin with",
    ),
    (
        "services:\n  a: {image: i, healthcheck: {interval: 5}}\n",
        2,
        41,
        "not a duration",
    ),
    (
        "services:\n  a: {image: i, command: 'a \"b'}\n",
        2,
        26,
        "never closed",
    ),
    (
        "services:\n  a: {image: i, network_mode: host, networks: [x]}\n",
        2,
        47,
        "exclude each other",
    ),
    (
        "services:\n  a: {image: i, scale: 2, container_name: x}\n",
        2,
        27,
        "share one container_name",
    ),
    (
        "services:\n  a: {image: i, networks: {n: {ipv4_address: 10.0.0.5}}}\nnetworks: {n: }\n",
        2,
        28,
        "no subnet",
    ),
    (
        "services: {a: {image: i, networks: [n]}}\nnetworks:\n  n: {ipam: {config: [{subnet: 10}]}}\n",
        3,
        32,
        "not a subnet",
    ),
];

#[test]
fn every_mistake_is_named_at_its_line_and_column() {
    let mut failures = Vec::new();
    for (text, line, column, part) in WRONG {
        let error = one(text).load().expect_err(text);
        let first = &error.mistakes()[0];
        let exact = first.message.contains(part)
            && first.line_column() == (*line, *column)
            && first.help.is_some()
            && error.mistakes().len() == 1;
        if !exact {
            failures.push(format!(
                "{text}expected {line}:{column} {part}, got\n{error}"
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn a_bad_project_name_and_a_missing_file_are_named() {
    let mut case = one("name: My App\nservices: {a: {image: i}}\n");
    case.request.project = None;
    let error = case.load().unwrap_err();
    assert_eq!(error.mistakes()[0].line_column(), (1, 7));
    let error = Case::new(&[]).load().unwrap_err();
    assert!(error.mistakes()[0].message.contains("cannot read"));
    assert!(error.mistakes()[0].help.is_some());
    assert!(load(&LoadRequest::default()).is_err());
}

#[test]
fn several_mistakes_are_all_named_in_one_go() {
    let text = "services:\n  a: {image: i, mem_limit: x, cpus: y}\n  b: {image: i, restart: z}\n";
    let error = one(text).load().unwrap_err();
    let lines: Vec<usize> = error.mistakes().iter().map(|m| m.line_column().0).collect();
    assert_eq!(lines.len(), 3, "{error}");
    assert_eq!(lines.iter().filter(|l| **l == 2).count(), 2);
}

#[test]
fn an_included_service_of_the_same_name_is_refused_unless_it_is_the_same() {
    let other = ("b.yaml", "services: {a: {image: j}}");
    let case = Case::new(&[
        ("c.yaml", "include: [b.yaml]\nservices:\n  a: {image: i}\n"),
        other,
    ]);
    let error = case.load().unwrap_err();
    assert_eq!(error.mistakes()[0].line_column(), (3, 3));
    let case = Case::new(&[
        ("c.yaml", "include: [b.yaml]\nservices:\n  a: {image: j}\n"),
        other,
    ]);
    assert!(case.load().is_ok());
}

#[test]
fn includes_that_include_each_other_are_a_circle() {
    let case = Case::new(&[
        (
            "compose.yaml",
            "include: [b.yaml]\nservices: {a: {image: i}}",
        ),
        (
            "b.yaml",
            "services: {b: {image: i}}\ninclude:\n  - c.yaml\n",
        ),
        ("c.yaml", "include: ['b.yaml']\n"),
    ]);
    let error = case.load().unwrap_err();
    let first = &error.mistakes()[0];
    assert!(first.message.contains("circle"), "{error}");
    assert_eq!(first.line_column(), (1, 11));
    assert!(first.file.path.ends_with("c.yaml"));
}

#[test]
fn what_is_not_carried_out_is_a_warning_at_its_line() {
    for (text, line, column, part) in [
        (
            "services:\n  a:\n    image: i\n    links: [b]\n",
            4,
            5,
            "services.a.links is not carried out",
        ),
        (
            "services:\n  a:\n    image: i\n    deploy:\n      placement: {}\n",
            5,
            7,
            "placement is not carried out",
        ),
        ("services:\n  a:\n    image: i$NO\n", 3, 13, "NO is not set"),
        (
            "services:\n  a:\n    image: i\n    ports: ['80:80']\n",
            4,
            13,
            "on 127.0.0.1 only",
        ),
        (
            "services:\n  a:\n    image: i\n    tmpfs: '/t:rw,nosuid,exec'\n",
            4,
            12,
            "the option `exec` is not carried out",
        ),
        (
            "services:\n  a:\n    image: i\n    ports: ['0.0.0.0:80:80']\n",
            4,
            13,
            "on 0.0.0.0, where other machines can reach it",
        ),
        (
            "services:\n  a:\n    build: {context: ., platforms: [linux/amd64, linux/arm64]}\n",
            3,
            36,
            "build.platforms: only the first, linux/amd64",
        ),
        (
            "services:\n  a: {image: i, depends_on: {b: {condition: service_healthy}}}\n  b: {image: i, healthcheck: {disable: true}}\n",
            2,
            30,
            "healthcheck is disabled",
        ),
        (
            "services:\n  a: {image: i, depends_on: {b: {condition: service_healthy, required: false}}}\n",
            2,
            30,
            "which is no service",
        ),
    ] {
        let warnings = one(text).load().expect(text).warnings;
        assert_eq!(warnings.len(), 1, "{text} {warnings:?}");
        assert!(
            warnings[0].message.contains(part),
            "{}",
            warnings[0].message
        );
        assert_eq!(warnings[0].line_column(), (line, column), "{text}");
    }
}

#[test]
fn a_mistake_in_a_later_file_points_at_that_file() {
    let over = "services:\n  a:\n    stop_grace_period: soon\n";
    let case =
        Case::new(&[("a.yaml", "services: {a: {image: i}}"), ("b.yaml", over)]).and("b.yaml");
    let error = case.load().unwrap_err();
    assert!(error.mistakes()[0].file.path.ends_with("b.yaml"));
    assert_eq!(error.mistakes()[0].line_column(), (3, 24));
}

#[test]
fn hostile_files_are_refused_without_harm() {
    let deep_flow = "[".repeat(100_000);
    let deep_block: String = (0..500).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    let mut bomb = "x-a0: &a0 [l, l, l, l, l, l, l, l, l]\n".to_owned();
    for i in 1..12 {
        let aliases = vec![format!("*a{}", i - 1); 9].join(", ");
        bomb.push_str(&format!("x-a{i}: &a{i} [{aliases}]\n"));
    }
    let mut towers = "x-0: &a0 [[[[[[[[[[x]]]]]]]]]]\n".to_owned();
    for i in 1..100 {
        towers.push_str(&format!("x-{i}: &a{i} [[[[[[[[[[*a{}]]]]]]]]]]\n", i - 1));
    }
    let mut chain = "services:\n  s0: {image: i}\n".to_owned();
    for i in (1..5000).rev() {
        chain.push_str(&format!("  s{i}: {{extends: s{}}}\n", i - 1));
    }
    for text in [
        deep_flow,
        deep_block,
        bomb,
        towers,
        chain,
        "a: &a [*a]".into(),
    ] {
        assert!(one(&text).load().is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        let _ = one(&text).load();
    }

    #[test]
    fn mutated_files_never_panic(
        which in 0..3_usize,
        cut in 0..2000_usize,
        length in 0..40_usize,
        with in "[ \\n:{}\\[\\]&*!|>'\"$#,a0-9é-]{0,8}",
    ) {
        let mut text: Vec<char> = [BLOG, KAFKA, MONITORING][which].chars().collect();
        let start = cut.min(text.len());
        let end = (start + length).min(text.len());
        text.splice(start..end, with.chars());
        let text: String = text.into_iter().collect();
        if let Err(error) = one(&text).load() {
            for mistake in error.mistakes() {
                prop_assert!(mistake.file.text.get(mistake.span.clone()).is_some(), "{mistake}");
            }
        }
    }
}
