//! The benchmark's arithmetic, and its reading of what other clients print, from recorded samples. The benchmark itself
//! is `cargo bench --bench peers`.

#![allow(dead_code, reason = "a part of the benchmark is looked at here")]
#![allow(clippy::unwrap_used, reason = "what is missing fails the test")]

#[path = "../benches/peers/figures.rs"]
mod figures;
#[path = "../benches/peers/results.rs"]
mod results;
#[path = "../benches/peers/tools/mod.rs"]
mod tools;

/// What of the benchmark's errors the looked-at files need.
mod error {
    #[derive(Debug)]
    pub enum BenchError {
        Write {
            path: std::path::PathBuf,
            source: std::io::Error,
        },
    }
}

use figures::{Ratio, against_line, median, of_the_load, quantile, ratio, stalled_latency};
use std::time::Duration;
use tools::{Load, Report, Tool, Unreadable};

const MS: u64 = 1_000_000;

fn ms(ms: f64) -> Option<Duration> {
    Some(Duration::from_secs_f64(ms / 1e3))
}

fn sample(name: &str) -> String {
    std::fs::read_to_string(format!(
        "{}/tests/fixtures/peers/{name}",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap()
}

fn open() -> Load {
    Load::Http {
        url: "http://127.0.0.1:1/".to_owned(),
        connections: 50,
        seconds: 10,
        rate: Some(5000),
    }
}

#[test]
fn the_median_is_the_middle_one_or_the_mean_of_two_and_none_of_nothing() {
    assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
    assert_eq!(median(&[]), None);
}

#[test]
fn a_quantile_is_the_nearest_rank() {
    let values: Vec<f64> = (1..=100).map(f64::from).collect();
    assert_eq!(quantile(&values, 0.5), Some(50.0));
    assert_eq!(quantile(&values, 0.99), Some(99.0));
    assert_eq!(quantile(&values, 1.0), Some(100.0));
    assert_eq!(quantile(&values, 0.0), Some(1.0));
    assert_eq!(quantile(&[], 0.5), None);
}

#[test]
fn rounds_are_compared_in_pairs_so_that_a_slower_machine_does_not_count() {
    // The machine halves its speed in the last round: both clients are half as fast, and their ratio is the same.
    let found = ratio(&[200.0, 200.0, 100.0], &[100.0, 100.0, 50.0]).unwrap();
    assert_eq!(
        found,
        Ratio {
            median: 2.0,
            low: 2.0,
            high: 2.0
        }
    );
    assert_eq!(ratio(&[1.0], &[0.0]), None);
    assert_eq!(ratio(&[], &[]), None);
}

#[test]
fn arrivals_on_their_line_are_not_late_wherever_it_begins() {
    let stamps: Vec<u64> = (0..1000).map(|i| 77 * MS + i * MS / 5).collect();
    let found = against_line(&stamps, 5000.0).unwrap();
    assert_eq!(found.count, 1000);
    assert_eq!(found.gap_p50, Duration::from_micros(200));
    assert!(found.late_max < Duration::from_nanos(10), "{found:?}");
    assert!((found.rate - 5000.0).abs() < 0.001, "{found:?}");
}

#[test]
fn a_burst_is_late_by_what_its_arrivals_waited_for_each_other() {
    // Five arrivals of 5000/s come together every millisecond, the last of them in time: the others are 0.2 to 0.8 ms late.
    let stamps: Vec<u64> = (0..1000).map(|i| (i / 5 + 1) * MS).collect();
    let found = against_line(&stamps, 5000.0).unwrap();
    assert_eq!(found.gap_p50, Duration::ZERO);
    assert_eq!(found.late_p50.as_micros(), 400);
    assert_eq!(found.late_max.as_micros(), 800);
}

#[test]
fn one_early_arrival_does_not_make_all_others_late() {
    let mut stamps: Vec<u64> = (0..1000).map(|i| 10 * MS + i * MS / 5).collect();
    stamps[0] = 0;
    let found = against_line(&stamps, 5000.0).unwrap();
    assert!(found.late_max < Duration::from_nanos(10), "{found:?}");
}

#[test]
fn a_rate_that_is_not_kept_is_lateness_that_grows() {
    // One percent too slow: 10 ms after one second.
    let stamps: Vec<u64> = (0..5000).map(|i| i * 202_000).collect();
    let found = against_line(&stamps, 5000.0).unwrap();
    assert!(found.late_max > Duration::from_millis(9), "{found:?}");
    assert!((found.rate - 4950.5).abs() < 0.1, "{found:?}");
}

#[test]
fn what_came_before_the_load_is_left_out_and_a_pause_within_it_is_not() {
    let load: Vec<u64> = (0..100).map(|i| 1000 * MS + i * MS).collect();
    let mut stamps = vec![0, 300 * MS];
    stamps.extend(&load);
    assert_eq!(of_the_load(&stamps), load);
    let mut paused = load.clone();
    paused.extend((0..100).map(|i| 2000 * MS + i * MS));
    assert_eq!(of_the_load(&paused), paused);
    assert_eq!(of_the_load(&[]), &[] as &[u64]);
}

#[test]
fn the_truth_of_a_stall_is_arithmetic() {
    let truth = |share| {
        stalled_latency(Duration::from_millis(500), Duration::from_secs(5), share).as_secs_f64()
            * 1e3
    };
    assert!((truth(0.99) - 450.0).abs() < 1e-6);
    assert!((truth(0.999) - 495.0).abs() < 1e-6);
    assert!((truth(1.0) - 500.0).abs() < 1e-6);
    // Nine of ten arrivals fall outside.
    assert!(truth(0.5).abs() < 1e-6);
}

#[test]
fn wrk_is_read() {
    let report = tools::wrk::Wrk.read(&sample("wrk.txt")).unwrap();
    assert_eq!((report.good, report.bad), (18_152, 0));
    assert!((report.per_second - 18_002.61).abs() < 1e-6);
    assert_eq!(
        (report.latency.p50, report.latency.p99),
        (ms(0.93), ms(12.8))
    );
    let report = tools::wrk::Wrk.read(&sample("wrk-errors.txt")).unwrap();
    assert_eq!((report.good, report.bad), (0, 5742 + 51 + 6672));
}

#[test]
fn ab_is_read() {
    let report = tools::ab::Ab.read(&sample("ab.txt")).unwrap();
    assert_eq!((report.good, report.bad), (30_358, 0));
    assert!((report.per_second - 30_357.79).abs() < 1e-6);
    assert_eq!(
        (report.latency.p50, report.latency.p99, report.latency.max),
        (ms(1.0), ms(6.0), ms(7.0))
    );
    let report = tools::ab::Ab.read(&sample("ab-statuses.txt")).unwrap();
    assert_eq!((report.good, report.bad), (0, 22_516));
}

#[test]
fn h2load_is_read() {
    let report = tools::h2load::H2load.read(&sample("h2load.txt")).unwrap();
    assert_eq!((report.good, report.bad), (28_048, 0));
    assert!((report.per_second - 28_048.0).abs() < 1e-6);
    assert_eq!(report.latency.max, ms(7.24));
    let report = tools::h2load::H2load
        .read(&sample("h2load-errors.txt"))
        .unwrap();
    assert_eq!((report.good, report.bad), (0, 2400));
}

#[test]
fn hey_is_read() {
    let report = tools::hey::Hey.read(&sample("hey.txt")).unwrap();
    assert_eq!((report.good, report.bad), (4962, 0));
    assert!((report.per_second - 4913.2115).abs() < 1e-6);
    assert_eq!(
        (report.latency.p50, report.latency.p99, report.latency.max),
        (ms(1.1), ms(7.1), ms(9.5))
    );
    let report = tools::hey::Hey.read(&sample("hey-errors.txt")).unwrap();
    assert_eq!((report.good, report.bad), (0, 20));
}

#[test]
fn oha_is_read_and_what_its_end_cut_off_is_no_error() {
    let oha = tools::oha::Oha {
        latency_correction: false,
    };
    let report = oha.read(&sample("oha.json")).unwrap();
    assert_eq!((report.good, report.bad), (4992, 0));
    assert_eq!(
        (report.latency.p50, report.latency.p999),
        (ms(0.180_098), ms(6.442_295))
    );
    assert_eq!(report.latency.max, ms(6.498_047));
    let report = oha.read(&sample("oha-errors.json")).unwrap();
    assert_eq!((report.good, report.bad), (2348, 2639 + 5 + 1));
}

#[test]
fn pgbench_is_read() {
    let report = tools::pgbench::Pgbench
        .read(&sample("pgbench.txt"))
        .unwrap();
    assert_eq!((report.good, report.bad), (21_513, 0));
    assert!((report.per_second - 23_854.722_710).abs() < 1e-6);
}

#[test]
fn lbtest_is_read() {
    let report = tools::lbtest::Lbtest { workers: 1 }
        .read(&sample("lbtest.json"))
        .unwrap();
    assert_eq!((report.good, report.bad), (14_262, 0));
    assert!((report.per_second - 14_262.0).abs() < 1e-6);
    assert_eq!(
        (report.latency.p50, report.latency.p99),
        (ms(3.023), ms(9.919))
    );
    assert_eq!(
        (report.latency.p999, report.latency.max),
        (ms(12.095), ms(14.143))
    );
}

#[test]
fn output_without_a_figure_is_an_error_and_not_a_zero() {
    let tools: [&dyn Tool; 7] = [
        &tools::wrk::Wrk,
        &tools::ab::Ab,
        &tools::h2load::H2load,
        &tools::hey::Hey,
        &tools::oha::Oha {
            latency_correction: false,
        },
        &tools::pgbench::Pgbench,
        &tools::lbtest::Lbtest { workers: 1 },
    ];
    for tool in tools {
        for text in ["", "{}", "Segmentation fault"] {
            let read: Result<Report, Unreadable> = tool.read(text);
            assert!(read.is_err(), "{} read {text:?} as {read:?}", tool.name());
        }
    }
}

#[test]
fn a_rate_is_one_over_all_connections_for_every_client() {
    let rate = |tool: &dyn Tool, flag: &str| {
        let args = tool.arguments(&open()).unwrap();
        args[args.iter().position(|a| a == flag).unwrap() + 1].clone()
    };
    assert_eq!(
        rate(&tools::lbtest::Lbtest { workers: 1 }, "--rate"),
        "5000"
    );
    assert_eq!(
        rate(
            &tools::oha::Oha {
                latency_correction: false
            },
            "-q"
        ),
        "5000"
    );
    // Theirs is one connection's.
    assert_eq!(rate(&tools::h2load::H2load, "--rps"), "100");
    assert_eq!(rate(&tools::hey::Hey, "-q"), "100");
    assert_eq!(tools::wrk::Wrk.arguments(&open()), None);
    assert_eq!(tools::ab::Ab.arguments(&open()), None);
}

#[test]
fn what_is_written_down_names_no_port_and_no_file() {
    let sql = Load::Sql {
        port: "49152".to_owned(),
        clients: 16,
        seconds: 5,
        keys: 10,
        script: "/somewhere/script.sql".to_owned(),
    };
    for tool in [
        &tools::pgbench::Pgbench as &dyn Tool,
        &tools::lbtest::Lbtest { workers: 1 },
    ] {
        let shown = tool.arguments(&sql.symbolic()).unwrap().join(" ");
        assert!(
            !shown.contains("49152") && !shown.contains("/somewhere") && shown.contains("PORT"),
            "{shown}"
        );
    }
}

#[test]
fn a_section_measured_again_replaces_itself_and_no_other() {
    let first = results::merged("", "2026-01-02", "## http: a\n\nold\n");
    let both = results::merged(&first, "2026-01-02", "## sql: b\n\nsql\n");
    let again = results::merged(&both, "2026-01-02", "## http: a, other words\n\nnew\n");
    assert!(
        !again.contains("old") && again.contains("new") && again.contains("\nsql\n"),
        "{again}"
    );
    assert!(again.find("## http").unwrap() < again.find("## sql").unwrap());
    assert_eq!(again.matches("# lbtest beside its peers").count(), 1);
}
