//! Limits of a running container, against a real Docker daemon and the files of its control group.
//!
//! Needs the image `debian:bookworm-slim`: `make base-image`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[allow(dead_code, reason = "not every test target uses all of it")]
#[path = "docker_engine/support.rs"]
mod support;

use lbtest::compose::topology::{Resources, Service};
use lbtest::engine::{Engine, EngineError, Limits};
use std::path::{Path, PathBuf};
use support::{Project, shell, sleeper, with};

const MB: u64 = 1_000_000;
const SMALL: i64 = 30_000_000;

/// What the kernel holds to: microseconds of CPU in 100 ms, bytes. None where the tree is not this machine's, or
/// nothing is limited.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    cpu: Option<u64>,
    memory: Option<u64>,
}

/// cgroup v1 and v2, with either driver.
fn held(id: &str) -> Option<Held> {
    let root = Path::new("/sys/fs/cgroup");
    let find = |tree: &Path| -> Option<PathBuf> {
        let places = [
            tree.join("docker").join(id),
            tree.join(format!("system.slice/docker-{id}.scope")),
        ];
        places.into_iter().find(|p| p.is_dir())
    };
    let text = |file: PathBuf| std::fs::read_to_string(file).expect("a file of the kernel");
    // The kernel counts whole pages; beyond an exbibyte it counts to no end.
    let bytes = |text: &str| text.trim().parse().ok().filter(|n| *n < 1 << 60);
    if root.join("cgroup.controllers").exists() {
        let folder = find(root)?;
        let cpu = text(folder.join("cpu.max"));
        let mut words = cpu.split_whitespace().map(|w| w.parse::<u64>().ok());
        let (quota, period) = (words.next()?, words.next()??);
        return Some(Held {
            cpu: quota.map(|q| q * 100_000 / period),
            memory: bytes(&text(folder.join("memory.max"))),
        });
    }
    let (cpu, memory) = (find(&root.join("cpu"))?, find(&root.join("memory"))?);
    let quota: i64 = text(cpu.join("cpu.cfs_quota_us")).trim().parse().ok()?;
    let period = bytes(&text(cpu.join("cpu.cfs_period_us")))?;
    Some(Held {
        cpu: u64::try_from(quota).ok().map(|q| q * 100_000 / period),
        memory: bytes(&text(memory.join("memory.limit_in_bytes"))),
    })
}

fn pages(bytes: u64) -> u64 {
    bytes / 4096 * 4096
}

/// Squeezes a container, restores it, restores it again, restarts it: the kernel's files are looked at each time.
async fn squeezed_and_restored(p: &Project, service: Service, original: Held) {
    p.up(&p.topology([("web", service)])).await.expect("up");
    let id = p.id_of("web").await;
    let before = p.docker.limits_of(&id).await.expect("limits");
    let seen = held(&id);
    assert!(
        seen.is_none() || seen.as_ref() == Some(&original),
        "{seen:?}"
    );

    let small = Limits {
        nano_cpus: 250_000_000,
        cpu_period: 0,
        cpu_quota: 0,
        memory: SMALL,
        memory_swap: SMALL,
    };
    p.docker.set_limits(&id, &small).await.expect("squeezed");
    if let Some(now) = held(&id) {
        let memory = Some(pages(SMALL.unsigned_abs()));
        let cpu = Some(25_000);
        assert_eq!(now, Held { cpu, memory });
    }
    for _ in 0..2 {
        p.docker.set_limits(&id, &before).await.expect("restored");
        assert_eq!(p.docker.limits_of(&id).await.expect("limits"), before);
        assert!(
            held(&id).is_none_or(|now| now == original),
            "{:?}",
            held(&id)
        );
    }
    p.docker.restart(&id, None).await.expect("restarted");
    assert!(
        held(&id).is_none_or(|now| now == original),
        "{:?}",
        held(&id)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_without_limits_has_none_again_after_the_squeeze() {
    with("limits-none", |p| async move {
        let (cpu, memory) = (None, None);
        squeezed_and_restored(&p, sleeper(), Held { cpu, memory }).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_with_limits_has_just_them_again_after_the_squeeze() {
    with("limits-some", |p| async move {
        let resources = Resources {
            nano_cpus: Some(1_000_000_000),
            memory: Some(200 * MB),
            ..Resources::default()
        };
        let service = Service {
            resources,
            ..sleeper()
        };
        let (cpu, memory) = (Some(100_000), Some(pages(200 * MB)));
        squeezed_and_restored(&p, service, Held { cpu, memory }).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn less_memory_than_is_in_use_is_refused_in_words_and_changes_nothing() {
    with("limits-used", |p| async move {
        let script = "x=$(head -c 60000000 /dev/zero | tr '\\0' x); echo \"${#x}\"; sleep 1000";
        p.up(&p.topology([("web", shell(script))]))
            .await
            .expect("up");
        let id = p.id_of("web").await;
        while p.docker.log_tail(&id, 1).await.expect("a log").is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let small = Limits {
            memory: SMALL,
            memory_swap: SMALL,
            ..Limits::default()
        };
        // cgroup v2 takes it, and kills.
        if let Err(e) = p.docker.set_limits(&id, &small).await {
            assert!(matches!(e, EngineError::Refused { .. }));
            let said = e.to_string();
            assert!(
                said.contains(&id) && said.contains("unable to set memory limit to 30000000"),
                "{said}"
            );
            let now = p.docker.limits_of(&id).await.expect("limits");
            assert_eq!(now, Limits::default());
            assert!(held(&id).is_none_or(|h| h.memory.is_none()));
        }
    })
    .await;
}
