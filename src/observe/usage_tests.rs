use super::*;
use std::fs;
use std::path::Path;
use tokio::time::{Instant, advance};

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn container(id: &str, service: &str, number: u32) -> Container {
    Container {
        id: id.to_owned(),
        name: format!("p-{service}-{number}"),
        service: service.to_owned(),
        number,
    }
}

/// A v1 tree with one container that has used so much.
fn used(root: &Path, cpu: Duration, memory: u64) {
    for (file, text) in [
        ("cpuacct", ("cpuacct.usage", cpu.as_nanos().to_string())),
        ("memory", ("memory.usage_in_bytes", memory.to_string())),
    ] {
        let folder = root.join(file).join("docker").join(ID);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(text.0), text.1).unwrap();
    }
}

fn of(samples: &[Sample], subject: &str) -> Vec<(String, Option<f64>)> {
    let of = samples.iter().filter(|s| s.subject == subject);
    of.map(|s| (s.metric.clone(), s.value)).collect()
}

fn figures(cores: Option<f64>, memory: Option<f64>) -> Vec<(String, Option<f64>)> {
    vec![("cpu".to_owned(), cores), ("memory".to_owned(), memory)]
}

#[tokio::test(start_paused = true)]
async fn a_containers_cores_are_the_cpu_time_that_passed_and_null_while_it_does_not_run() {
    let root = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(Instant::now());
    let ms = Duration::from_millis;
    used(root.path(), ms(10_000), 1000);
    let mut usage = Usage::new(root.path().to_owned(), &[container(ID, "db", 1)]);
    let first = of(&usage.look(&clock), "db");
    assert_eq!(
        first,
        figures(None, Some(1000.0))[1..],
        "no second before it"
    );

    used(root.path(), ms(10_500), 2000);
    advance(EVERY).await;
    assert_eq!(
        of(&usage.look(&clock), "db"),
        figures(Some(0.5), Some(2000.0))
    );

    // Two seconds later, after a missed look: over both.
    used(root.path(), ms(13_500), 2000);
    advance(EVERY * 2).await;
    assert_eq!(
        of(&usage.look(&clock), "db"),
        figures(Some(1.5), Some(2000.0))
    );

    fs::remove_dir_all(root.path().join("cpuacct/docker")).unwrap();
    advance(EVERY).await;
    assert_eq!(of(&usage.look(&clock), "db"), figures(None, None));

    // Started again: its new group counts from zero, and the second in which that happened is not known.
    used(root.path(), ms(200), 500);
    advance(EVERY).await;
    assert_eq!(of(&usage.look(&clock), "db"), figures(None, Some(500.0)));
    used(root.path(), ms(450), 500);
    advance(EVERY).await;
    assert_eq!(
        of(&usage.look(&clock), "db"),
        figures(Some(0.25), Some(500.0))
    );
}

#[tokio::test(start_paused = true)]
async fn a_restart_between_two_looks_gives_no_figure_instead_of_a_wrong_one() {
    let mut meter = Meter::default();
    let at = Offset::from_millis;
    let secs = Duration::from_secs;
    assert_eq!(meter.cores(at(0), Some((secs(5), 1))), None);
    // Another group, whose counter has overtaken the old one's.
    assert_eq!(meter.cores(at(1000), Some((secs(6), 2))), None);
    assert_eq!(meter.cores(at(2000), Some((secs(7), 2))), Some(1.0));
    // The same folder, counting from zero again.
    assert_eq!(meter.cores(at(3000), Some((secs(1), 2))), None);
}

#[test]
fn replicas_of_a_service_are_told_apart_by_number() {
    let containers = [
        container("a", "app", 1),
        container("b", "app", 2),
        container("c", "db", 1),
    ];
    let usage = Usage::new(PathBuf::new(), &containers);
    let subjects: Vec<_> = usage.containers.iter().map(|w| &*w.subject).collect();
    assert_eq!(subjects, ["app.1", "app.2", "db"]);
}
