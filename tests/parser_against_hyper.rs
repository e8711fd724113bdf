//! The speed of the hand-written reading of responses does not cost correctness: whatever lbtest's parser accepts,
//! hyper reads the same; what it refuses beyond hyper stands in a list. The relation is that of [`relation::holds`].
//!
//! `PROPTEST_CASES` sets how many responses are made.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test: clippy exempts only its #[test] functions by itself"
)]

#[path = "parser_against_hyper/readers.rs"]
mod readers;
#[path = "parser_against_hyper/refusals.rs"]
mod refusals;
#[path = "parser_against_hyper/relation.rs"]
mod relation;
#[path = "parser_against_hyper/responses.rs"]
mod responses;

use lbtest::load::http::parser;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use readers::ours;
use refusals::OnPurpose;
use relation::{Held, holds};
use std::cell::RefCell;

/// A runner of so many cases, or as many as the environment says.
fn cases(n: u32) -> TestRunner {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = n;
    }
    config.failure_persistence = None;
    TestRunner::new(config)
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    vec(1..900usize, 0..10).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    })
}

fn shown(bytes: &[u8], head_only: bool) -> String {
    format!("head: {head_only}, {}", bytes.escape_ascii())
}

#[test]
fn valid_responses_of_every_framing_mean_the_same_to_both_and_what_they_were_made_of() {
    cases(1500)
        .run(&(responses::valid(), cuts()), |(valid, cuts)| {
            let held = holds(&valid.bytes, &cuts, valid.head_only);
            prop_assert_eq!(
                held,
                Ok(Held::Accepted),
                "{}",
                shown(&valid.bytes, valid.head_only)
            );
            let read = ours(&valid.bytes, &cuts, valid.head_only).unwrap();
            prop_assert_eq!(read.response.status, valid.status);
            prop_assert_eq!(read.response.body, valid.body);
            prop_assert_eq!(read.keep_alive, valid.keep_alive);
            prop_assert_eq!(read.left, 0);
            Ok(())
        })
        .unwrap();
}

#[test]
fn damaged_responses_are_read_as_by_hyper_or_refused_for_a_reason_in_the_list() {
    let (mut accepted, mut refused, mut on_purpose) = (0, 0, 0);
    let tally = RefCell::new((&mut accepted, &mut refused, &mut on_purpose));
    let case = (responses::valid(), vec(responses::damage(), 1..5), cuts());
    cases(3000)
        .run(&case, |(valid, damages, cuts)| {
            let mut bytes = valid.bytes;
            damages.iter().for_each(|damage| damage.apply(&mut bytes));
            let held = holds(&bytes, &cuts, valid.head_only);
            let mut tally = tally.borrow_mut();
            match held {
                Ok(Held::Accepted) => *tally.0 += 1,
                Ok(Held::Refused(_)) => *tally.1 += 1,
                Ok(Held::OnPurpose(_)) => *tally.2 += 1,
                Err(why) => prop_assert!(false, "{}\n{why}", shown(&bytes, valid.head_only)),
            }
            Ok(())
        })
        .unwrap();
    // Damage that leaves nothing to read, or nothing broken, would prove nothing.
    let all = accepted + refused + on_purpose;
    let share = |n: u32| f64::from(n) / f64::from(all);
    assert!(
        share(accepted) > 0.1 && share(refused) > 0.3 && on_purpose > 0,
        "{accepted} accepted, {refused} refused, {on_purpose} refused on purpose"
    );
}

/// Responses that are refused although hyper takes them, at least one for every reason.
fn refused_on_purpose() -> Vec<(OnPurpose, bool, String)> {
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
    let chunked = |rest: &str| head("Transfer-Encoding: chunked") + rest;
    let mut all = Vec::new();
    let mut of = |reason, head_only, text: String| all.push((reason, head_only, text));
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    of(OnPurpose::EmptyLineFirst, false, format!("\r\n{ok}"));
    of(OnPurpose::EmptyLineFirst, false, format!("\n{ok}"));
    of(
        OnPurpose::EmptyLineFirst,
        false,
        format!("HTTP/1.1 100 C\r\n\r\n\r\n{ok}"),
    );
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked";
    of(
        OnPurpose::LengthBesideCoding,
        false,
        head(both) + "0\r\n\r\n",
    );
    of(OnPurpose::LengthBesideCoding, true, head(both));
    of(
        OnPurpose::LengthBesideCoding,
        false,
        head("Transfer-Encoding: gzip\r\nContent-Length: 2") + "ok",
    );
    for list in [
        "chunked, chunked",
        "\u{e9}, chunked",
        "chunked\r\nTransfer-Encoding: chunked",
    ] {
        let text = head(&format!("Transfer-Encoding: {list}")) + "0\r\n\r\n";
        of(OnPurpose::ChunksNotOnceAndLast, false, text);
    }
    for list in [
        "chunked, gzip",
        "chunked,",
        "chunked;q=1",
        "chunked ;q=1",
        "chunked\r\nTransfer-Encoding: gzip",
    ] {
        let text = head(&format!("Transfer-Encoding: {list}")) + "until the end";
        of(OnPurpose::ChunksNotOnceAndLast, false, text);
    }
    for lengths in ["3, 4", "x", "-1", "", "3\r\nContent-Length: 4"] {
        of(
            OnPurpose::LengthsWithoutBody,
            true,
            head(&format!("Content-Length: {lengths}")),
        );
    }
    of(
        OnPurpose::LengthsWithoutBody,
        false,
        "HTTP/1.1 304 N\r\nContent-Length: 1,2\r\n\r\n".into(),
    );
    of(
        OnPurpose::OldCodingWithoutBody,
        false,
        "HTTP/1.0 204 N\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
    );
    of(
        OnPurpose::Switch,
        false,
        "HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".into(),
    );
    of(
        OnPurpose::ManyInterims,
        false,
        "HTTP/1.1 100 C\r\n\r\n".repeat(17) + ok,
    );
    of(
        OnPurpose::LongChunkSize,
        false,
        chunked("00000000000000002\r\nok\r\n0\r\n\r\n"),
    );
    of(
        OnPurpose::TrailerLine,
        false,
        chunked("0\r\nT: v\n\r\n\r\n"),
    );
    of(
        OnPurpose::TrailerLine,
        false,
        chunked("0\r\n\nT: v\r\n\r\n"),
    );
    all
}

#[test]
fn every_reason_to_refuse_more_than_hyper_is_in_use() {
    let cases = refused_on_purpose();
    for (reason, head_only, text) in &cases {
        let held = holds(text.as_bytes(), &[], *head_only);
        assert_eq!(held, Ok(Held::OnPurpose(*reason)), "{text:?}");
    }
    let unused: Vec<_> = OnPurpose::ALL
        .iter()
        .filter(|reason| !cases.iter().any(|case| case.0 == **reason))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}

/// Both must take these, and what the recipient may tolerate (RFC 9112 §2.2: a line that ends in a bare line feed, in
/// a head) is tolerated alike.
#[test]
fn odd_responses_that_are_allowed_are_accepted() {
    for text in [
        "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
        "HTTP/1.1 999 \r\nContent-Length:2\r\nX:\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n000002 ; x=\"\r\nok\r\n0;\r\n\r\n",
        "HTTP/1.1 204 N\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        assert_eq!(
            holds(text.as_bytes(), &[], false),
            Ok(Held::Accepted),
            "{text:?}"
        );
    }
}

#[test]
fn broken_responses_are_refused_by_both() {
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nok");
    let chunked =
        |rest: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{rest}");
    let lines = [
        "HTTP/1.1 20 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 200OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.2 200 OK",
        "HTTP/2 200 OK",
        "HTTP/2.0 200 OK",
        "http/1.1 200 OK",
        " HTTP/1.1 200 OK",
        "HTTP/1.1\t200 OK",
        "HTTP/1.1 200 \u{7f}",
        "ICY 200 OK",
        "",
    ];
    let fields = [
        "X : y",
        ": y",
        "X",
        "X: a\r\n folded",
        " X: y",
        "X: \0",
        "X: a\rb",
        "\u{e9}: y",
        "X y: z",
        "Content-Length: 3",
        "Content-Length: 2, 3",
        "Content-Length: +2",
        "Content-Length: 2 2",
        "Content-Length:",
        "Content-Length: ,2",
        "Content-Length: 2,",
        "Content-Length: 0x2",
        "Content-Length: 2.0",
        "Content-Length: \u{662}",
        "Content-Length: 18446744073709551618",
        "Content-Length : 2",
    ];
    let chunks = [
        "\r\n\r\n",
        ";x\r\n\r\n",
        " \r\n\r\n",
        " 0\r\n\r\n",
        "0x2\r\nok\r\n0\r\n\r\n",
        "2\nok\r\n0\r\n\r\n",
        "2\r\nok0\r\n\r\n",
        "2\r\nok\n0\r\n\r\n",
        "2;a\nb\r\nok\r\n0\r\n\r\n",
        "2 2\r\nok\r\n0\r\n\r\n",
        "-2\r\nok\r\n0\r\n\r\n",
        "g\r\n",
        "2\r\nok\r\n\r\n\r\n",
        "2\r\nok\r\n0\r\n",
        "2\r\nok\r\n0\r\n\n",
        "fffffffffffffffff\r\nok",
        "ffffffffffffffff\r\nok",
        "0\r\nT\r\n\r\n",
        "0\r\nT : v\r\n\r\n",
        "0\r\n: v\r\n\r\n",
        "0\r\n folded\r\n\r\n",
        "0\r\nT: \0\r\n\r\n",
        "0\r\nT: a\rb\r\n\r\n",
        "0\r\nT: a\r\n b\r\n\r\n",
        "0\r\nT: v\n\r\n",
    ];
    let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned();
    let all = lines
        .iter()
        .map(|line| format!("{line}\r\nContent-Length: 2\r\n\r\nok"))
        .chain(fields.iter().map(|field| head(field)))
        .chain(chunks.iter().map(|rest| chunked(rest)))
        .chain([old]);
    for text in all {
        let held = holds(text.as_bytes(), &[], false);
        assert!(matches!(held, Ok(Held::Refused(_))), "{text:?}: {held:?}");
    }
}
