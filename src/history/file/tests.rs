use super::*;
use crate::analysis::known::{add_fault, op, plan};
use crate::history::slot::new_histogram;
use crate::history::{Class, EndReason, Flush, Operation, Outcome, Recorder};
use proptest::prelude::*;
use std::time::Duration;

fn write(history: &History, path: &Path) {
    let mut writer = Writer::create(path, &history.head).unwrap();
    for (i, load) in history.loads.iter().enumerate() {
        if !load.instances.is_empty() {
            writer.instances(i, &load.instances).unwrap();
        }
        load.slots
            .iter()
            .for_each(|(index, slot)| writer.slot(i, *index, slot).unwrap());
        load.seconds
            .iter()
            .for_each(|(index, second)| writer.second(i, *index, second).unwrap());
    }
    history.events.iter().for_each(|e| writer.event(e).unwrap());
    history.faults.iter().for_each(|f| writer.fault(f).unwrap());
    if let Some(health) = &history.generator {
        writer.generator(health).unwrap();
    }
    if let Some(end) = &history.end {
        writer.end(end).unwrap();
    }
    writer.flush().unwrap();
}

fn operation() -> impl Strategy<Value = (u64, u8, u64, Option<u8>)> {
    (
        0u64..3_000_000,
        0u8..6,
        0u64..5_000_000,
        proptest::option::of(0u8..3),
    )
}

fn sample(operations: &[(u64, u8, u64, Option<u8>)]) -> History {
    let mut recorder = Recorder::default();
    for (at, kind, latency, instance) in operations {
        let outcome = match kind {
            0 => Outcome::Fail(Class::HttpStatus(503)),
            1 => Outcome::Unknown(Class::sqlstate("57P01")),
            2 => Outcome::Fail(Class::Dropped),
            _ => Outcome::Ok,
        };
        let instance = instance.map(|n| recorder.instance(&format!("app{n}")));
        let operation = op(*at, outcome, Duration::from_micros(*latency));
        recorder.record(&Operation {
            instance,
            sent: Some(operation.intended + Duration::from_micros(*latency / 2)),
            ..operation
        });
    }
    let mut history =
        crate::analysis::known::history(plan(&["web", "\"odd\"\n"], 0, 3), &[vec![], vec![]]);
    let mut collector = Collector::new(["web"], 1);
    collector.add(&Flush {
        worker: 0,
        load: 0,
        delta: recorder.take().unwrap_or_default(),
        lateness: new_histogram(),
        in_flight: 0,
        complete_before: crate::clock::Offset::from_millis(1_500),
    });
    history.loads[0] = collector.into_loads().remove(0);
    add_fault(&mut history, "stop", 1_000, Some(2_000));
    history.events.push(Event {
        at: crate::clock::Offset::from_nanos(1_234_567_891),
        source: "docker".to_owned(),
        subject: "postgres-slave1\n".to_owned(),
        what: "die \u{1b}[31m".to_owned(),
    });
    history.end.as_mut().unwrap().reason = EndReason::Failed("it broke".to_owned());
    history
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_was_written_is_read(operations in prop::collection::vec(operation(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.ndjson");
        let history = sample(&operations);
        write(&history, &path);
        prop_assert_eq!(read(&path).unwrap(), history);
    }

    #[test]
    fn a_file_cut_at_any_byte_reads_to_its_whole_lines(
        operations in prop::collection::vec(operation(), 0..40),
        cut in 0.0f64..1.0,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.ndjson");
        let history = sample(&operations);
        write(&history, &path);
        let whole = std::fs::read(&path).unwrap();
        let cut = (whole.len() as f64 * cut) as usize;
        std::fs::write(&path, &whole[..cut]).unwrap();
        let head = whole.iter().position(|b| *b == b'\n').unwrap();
        match read(&path) {
            Err(HistoryFileError::NoHead { .. }) => prop_assert!(cut < head),
            Err(error) => prop_assert!(false, "{error}"),
            Ok(part) => {
                prop_assert!(cut >= head);
                for (load, all) in part.loads.iter().zip(&history.loads) {
                    prop_assert!(load.slots.iter().all(|(i, slot)| all.slots.get(i) == Some(slot)));
                    prop_assert!(load.seconds.iter().all(|(i, s)| all.seconds.get(i) == Some(s)));
                }
                let lines = whole[..cut].iter().filter(|b| **b == b'\n').count();
                let slots = part.loads[0].slots.len() + part.loads[0].seconds.len();
                prop_assert!(slots + 2 + 5 >= lines, "no whole line is lost");
                let _ = crate::analysis::analyze(&part);
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.ndjson");
        let mut text = std::fs::read({
            write(&sample(&[]), &path);
            &path
        }).unwrap();
        let head = text.iter().position(|b| *b == b'\n').unwrap();
        text.truncate(head + 1);
        text.extend(bytes);
        std::fs::write(&path, text).unwrap();
        if let Ok(history) = read(&path) {
            let _ = crate::analysis::analyze(&history);
        }
    }
}

#[test]
fn a_later_line_of_a_slot_or_a_fault_replaces_the_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.ndjson");
    let history = sample(&[(50, 4, 10, None)]);
    let mut writer = Writer::create(&path, &history.head).unwrap();
    let mut collector = Collector::new(["web"], 1);
    for n in 1..=3u64 {
        let mut recorder = Recorder::default();
        recorder.record(&op(n * 10, Outcome::Ok, Duration::from_millis(1)));
        collector.add(&Flush {
            worker: 0,
            load: 0,
            delta: recorder.take().unwrap(),
            lateness: new_histogram(),
            in_flight: 0,
            complete_before: crate::clock::Offset::ZERO,
        });
        writer.progress(&mut collector).unwrap();
    }
    let mut fault = history.faults[0].clone();
    writer.fault(&fault).unwrap();
    fault.targets.clear();
    writer.fault(&fault).unwrap();
    writer.flush().unwrap();
    let back = read(&path).unwrap();
    assert_eq!(back.loads[0].slots[&0].ok, 3);
    assert_eq!(back.loads[0].seconds[&0].latency.len(), 3);
    assert_eq!(back.faults, [fault]);
    assert_eq!(back.end, None);
}

#[test]
fn a_record_of_an_unknown_kind_is_skipped_and_nonsense_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.ndjson");
    write(&sample(&[]), &path);
    let good = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = good.split_once('\n').unwrap();
    let with = |line: &str| {
        std::fs::write(&path, format!("{head}\n{line}\n{rest}")).unwrap();
        read(&path)
    };
    assert!(with(r#"{"tcp_metrics":{"retransmits":3}}"#).is_ok());
    for bad in [
        "nonsense",
        r#"{"slot":{"load":9,"index":0,"ok":1,"span":null}}"#,
        r#"{"slot":{}}"#,
        head,
    ] {
        assert!(
            matches!(with(bad), Err(HistoryFileError::Line { line: 2, .. })),
            "{bad}"
        );
    }
    std::fs::write(&path, "").unwrap();
    assert!(matches!(read(&path), Err(HistoryFileError::NoHead { .. })));
    assert!(matches!(
        read(Path::new("/nonexistent")),
        Err(HistoryFileError::Io { .. })
    ));
}
