//! Sidecars in containers beside a target: processes, folders and control groups of a real Docker daemon.
//!
//! Needs the image `debian:bookworm-slim`: `make base-image`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "docker_sidecar/beside.rs"]
mod beside;
#[allow(dead_code, reason = "not every test target uses all of it")]
#[path = "docker_engine/support.rs"]
mod support;

use beside::{Deadline, Sidecar, until_stopped};
use bollard::models::HostConfig;
use lbtest::compose::topology::{Mount, Service};
use lbtest::engine::Engine;
use lbtest::sidecar::protocol::{Done, Fill, Leftover, Order, ProcessMatch, Stress};
use std::path::{Path, PathBuf};
use support::{Project, shell, with};

fn in_processes_of(id: &str, capabilities: &[&str]) -> HostConfig {
    HostConfig {
        pid_mode: Some(format!("container:{id}")),
        cap_add: Some(capabilities.iter().map(|c| (*c).to_owned()).collect()),
        ..HostConfig::default()
    }
}

/// Tests that make the image at the same time would each make one.
static IMAGE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn target(p: &Project, service: Service) -> String {
    let alone = IMAGE.lock().await;
    p.docker.ensure_self_image(&p.notices).await.expect("image");
    drop(alone);
    p.up(&p.topology([("web", service)])).await.expect("up");
    p.id_of("web").await
}

fn sleeps() -> ProcessMatch {
    ProcessMatch {
        pattern: "sleep*".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_processes_go_on_however_the_sidecar_ends() {
    with("sidecar-freeze", |p| async move {
        let mut service = shell("sleep 1111 & sleep 2222 & wait");
        // Not the sidecar's user: it needs its capability to signal.
        service.user = Some("65534".to_owned());
        let id = target(&p, service).await;
        let config = || in_processes_of(&id, &["KILL"]);

        let mut sidecar = Sidecar::start(config()).await;
        let done = sidecar
            .order(Order::Freeze(sleeps()))
            .await
            .expect("frozen");
        assert_eq!(done.count, 2, "{done:?}");
        until_stopped(&id, 2).await;
        assert!(sidecar.order(Order::Mend(None)).await.is_ok());
        until_stopped(&id, 0).await;
        sidecar
            .order(Order::Freeze(sleeps()))
            .await
            .expect("frozen");
        until_stopped(&id, 2).await;
        // The end of its input is the end of what it did.
        sidecar.end().await;
        until_stopped(&id, 0).await;

        let mut sidecar = Sidecar::start(config()).await;
        sidecar
            .order(Order::Freeze(sleeps()))
            .await
            .expect("frozen");
        sidecar.kill().await;
        until_stopped(&id, 2).await;
        let mut sidecar = Sidecar::start(config()).await;
        for left in [2, 0] {
            let leftover = Order::Mend(Some(Leftover::Frozen(sleeps())));
            let done = sidecar.order(leftover).await.expect("mended");
            assert_eq!(done.count, left, "{done:?}");
        }
        until_stopped(&id, 0).await;
        sidecar.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_folder_is_empty_again_however_the_sidecar_ends() {
    with("sidecar-fill", |p| async move {
        let ram = Mount::Tmpfs {
            target: "/ram".to_owned(),
            size: Some(50_000_000),
            mode: Some(0o700),
        };
        // The folder is somebody else's and closed to others.
        let service = Service {
            mounts: vec![ram],
            ..shell("chown 65534 /ram; sleep 1000")
        };
        let id = target(&p, service).await;
        let config = || in_processes_of(&id, &["SYS_PTRACE", "DAC_OVERRIDE"]);
        let fill = Fill {
            folder: "/ram".to_owned(),
            file: ".lbtest-fill".to_owned(),
            bytes: 1 << 40,
            leave: 10_000_000,
        };

        let mut sidecar = Sidecar::start(config()).await;
        let done = sidecar
            .order(Order::Fill(fill.clone()))
            .await
            .expect("filled");
        let tight = 39_900_000..=40_100_000;
        assert!(tight.contains(&done.count), "{done:?}");
        sidecar.end().await;

        let mut sidecar = Sidecar::start(config()).await;
        // It would be refused if the first one had left its file.
        sidecar
            .order(Order::Fill(fill.clone()))
            .await
            .expect("filled");
        sidecar.kill().await;
        let mut sidecar = Sidecar::start(config()).await;
        for left in [true, false] {
            let leftover = Order::Mend(Some(Leftover::Filled(fill.clone())));
            let done = sidecar.order(leftover).await.expect("mended");
            assert_eq!(done.count > 0, left, "{done:?}");
        }
        sidecar.end().await;
    })
    .await;
}

/// The control group's folders, where the tree is this machine's.
fn groups(id: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let root = Path::new("/sys/fs/cgroup");
    let trees = std::fs::read_dir(root).into_iter().flatten().flatten();
    for tree in trees.map(|t| t.path()).chain([root.to_owned()]) {
        found.push(tree.join("docker").join(id));
        found.push(tree.join(format!("system.slice/docker-{id}.scope")));
    }
    found.retain(|folder| folder.is_dir());
    found
}

fn beside_groups() -> HostConfig {
    HostConfig {
        cgroupns_mode: Some(bollard::models::HostConfigCgroupnsModeEnum::HOST),
        binds: Some(vec!["/sys/fs/cgroup:/sys/fs/cgroup:rw".to_owned()]),
        ..HostConfig::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stress_is_in_the_target_s_group_and_leaves_with_the_sidecar_or_the_target() {
    with("sidecar-stress", |p| async move {
        let id = target(&p, shell("sleep 1000")).await;
        let stress = Order::Stress(Stress {
            container: id.clone(),
            cpu: 2,
            memory: 20_000_000,
            io: 1,
        });

        let mut sidecar = Sidecar::start(beside_groups()).await;
        sidecar.order(stress.clone()).await.expect("begun");
        sidecar.look_until("all in place", |d| d.count == 4).await;
        let done = sidecar.order(Order::Mend(None)).await.expect("mended");
        assert_eq!(done.count, 4, "{done:?}");
        sidecar.end().await;

        // Stress does not keep the control group of a target that ends.
        let mut sidecar = Sidecar::start(beside_groups()).await;
        sidecar.order(stress).await.expect("begun");
        p.docker.kill(&id, "SIGKILL").await.expect("killed");
        let deadline = Deadline::start();
        while !groups(&id).is_empty() {
            deadline.wait("the group is gone").await;
        }
        let ended = |d: &Done| d.count == 0 && d.seen.contains("the target has ended");
        sidecar.look_until("the workers are gone", ended).await;
        p.docker.start(&id).await.expect("started again");
        sidecar.end().await;
    })
    .await;
}
