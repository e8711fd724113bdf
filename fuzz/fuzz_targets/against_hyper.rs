//! The relation between the parser and hyper's client, which the test of the same name describes, on whatever bytes.
#![no_main]

mod input;
#[path = "../../src/load/http/parser.rs"]
#[allow(dead_code)]
mod parser;
#[path = "../../tests/parser_against_hyper/readers.rs"]
mod readers;
#[path = "../../tests/parser_against_hyper/refusals.rs"]
#[allow(dead_code)]
mod refusals;
#[path = "../../tests/parser_against_hyper/relation.rs"]
mod relation;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(input) = input::Input::new(data) {
        if let Err(why) = relation::holds(input.bytes, &input.cuts, input.head_only) {
            panic!("{why}");
        }
    }
});
