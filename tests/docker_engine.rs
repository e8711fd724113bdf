//! The engine against a real Docker daemon. Every test has a project of its own and leaves nothing behind.
//!
//! Needs the image `debian:bookworm-slim`: `make base-image`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs
)]

#[path = "docker_engine/images.rs"]
mod images;
#[path = "docker_engine/safety.rs"]
mod safety;
#[path = "docker_engine/support.rs"]
mod support;

use lbtest::compose::topology::*;
use lbtest::engine::docker::*;
use lbtest::engine::{Engine, EngineError};
use std::path::Path;
use std::time::{Duration, Instant};
use support::*;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn dependencies_are_met_before_a_service_starts() {
    with("order", |p| async move {
        let volume = |read_only| Mount::Volume {
            volume: Some("shared".into()),
            target: "/shared".into(),
            read_only,
            nocopy: false,
            subpath: None,
        };
        let job = Service {
            mounts: vec![volume(false)],
            ..shell("echo done > /shared/job")
        };
        let db = Service {
            mounts: vec![volume(false)],
            healthcheck: check("test -f /shared/job && echo well > /shared/db", 200),
            depends_on: after("job", Condition::CompletedSuccessfully),
            ..sleeper()
        };
        let web = Service {
            mounts: vec![volume(true)],
            depends_on: after("db", Condition::Healthy),
            replicas: 2,
            ..shell("cat /shared/job /shared/db; sleep 1000")
        };
        let mut topology = p.topology([("job", job), ("db", db), ("web", web)]);
        let name = format!("{}_shared", p.name);
        topology.volumes.insert(
            "shared".into(),
            Volume {
                name,
                ..Volume::default()
            },
        );
        p.up(&topology).await.unwrap_or_else(|e| panic!("{e}"));

        let containers = p.docker.containers(&p.name).await.expect("a list");
        let names: Vec<&str> = containers
            .iter()
            .map(|c| c.name.trim_start_matches(&p.name))
            .collect();
        assert_eq!(names, ["-db-1", "-job-1", "-web-1", "-web-2"]);
        let state = p.docker.state(&p.id_of("db").await).await.expect("a state");
        assert_eq!(
            (state.running, state.health.as_deref()),
            (true, Some("healthy"))
        );
        for web in containers.iter().filter(|c| c.service == "web") {
            // The log is written right after the start: wait for it, not for a time.
            let deadline = Instant::now() + Duration::from_secs(10);
            let log = loop {
                let log = p.docker.log_tail(&web.id, 10).await.expect("a log");
                if log.len() >= 2 || Instant::now() > deadline {
                    break log;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            assert_eq!(
                log,
                ["done", "well"],
                "it started before what it depends on was there"
            );
        }
        let left = p
            .docker
            .leftovers(&Scope::Project(p.name.clone()))
            .await
            .expect("a look");
        assert_eq!(
            (
                left.containers.len(),
                left.networks.len(),
                left.volumes.len()
            ),
            (4, 1, 1)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_names_the_container_and_shows_its_log() {
    with("fails", |p| async move {
        let bad = shell("echo the disk is gone >&2; exit 3");
        let slow = Service {
            healthcheck: check("false", 20_000),
            ..sleeper()
        };
        let began = Instant::now();
        let error = p
            .up(&p.topology([("bad", bad), ("slow", slow)]))
            .await
            .expect_err("it cannot come up");
        let said = error.to_string();
        assert!(
            said.contains("-bad-1` exited with code 3") && said.contains("the disk is gone"),
            "{said}"
        );
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "it waited for the others"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unhealthy_container_and_a_deadline_are_told_apart() {
    with("unhealthy", |p| async move {
        let sick = Service {
            healthcheck: check("echo no answer; false", 100),
            ..shell("echo up; sleep 1000")
        };
        let error = p
            .up(&p.topology([("sick", sick)]))
            .await
            .expect_err("unhealthy");
        let said = error.to_string();
        assert!(matches!(error, UpError::Failed { .. }), "{said}");
        assert!(
            said.contains("is unhealthy") && said.contains("no answer") && said.contains("up"),
            "{said}"
        );
        // `up` removes what lbtest itself left of the project.
        let slow = Service {
            healthcheck: check("false", 30_000),
            ..sleeper()
        };
        let limit = Duration::from_millis(1500);
        let error = p
            .up_within(
                &p.topology([("slow", slow)]),
                limit,
                &CancellationToken::new(),
            )
            .await;
        let said = error.expect_err("not ready in time").to_string();
        assert!(
            said.contains("not ready within 1.5 s") && said.contains("-slow-1"),
            "{said}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_that_exclude_each_other_end_at_the_deadline_and_are_named() {
    with("exclude", |p| async move {
        let db = Service {
            healthcheck: check("true", 100),
            ..sleeper()
        };
        let first = Service {
            depends_on: after("db", Condition::CompletedSuccessfully),
            ..sleeper()
        };
        let second = Service {
            depends_on: after("db", Condition::Healthy),
            ..sleeper()
        };
        let topology = p.topology([("db", db), ("first", first), ("second", second)]);
        let never = CancellationToken::new();
        let up = p.up_within(&topology, Duration::from_secs(3), &never);
        let said = tokio::time::timeout(Duration::from_secs(60), up)
            .await
            .expect("it ends by itself")
            .expect_err("not ready")
            .to_string();
        assert!(
            said.contains("-first-1` was not started: it waits for `")
                && said.contains("-db-1` to complete"),
            "{said}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_scale_zero_has_no_container() {
    with("zero", |p| async move {
        let off = Service {
            replicas: 0,
            ..sleeper()
        };
        let topology = p.topology([("off", off), ("on", sleeper())]);
        p.up(&topology).await.unwrap_or_else(|e| panic!("{e}"));
        let made = p.docker.containers(&p.name).await.expect("a list");
        let services: Vec<&str> = made.iter().map(|c| c.service.as_str()).collect();
        assert_eq!(services, ["on"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_do_what_docker_says_they_do() {
    with("faults", |p| async move {
        p.up(&p.topology([("a", sleeper())]))
            .await
            .unwrap_or_else(|e| panic!("{e}"));
        let id = p.id_of("a").await;
        let docker = &p.docker;
        let mut events = docker.events();
        let state = || async { docker.state(&id).await.expect("a state") };
        let first = state().await;
        assert!(first.running && first.pid.is_some());
        if docker.shares_our_kernel() {
            let pid = first.pid.expect("a pid");
            assert!(
                Path::new(&format!("/proc/{pid}")).exists(),
                "the engine's processes are said to be visible"
            );
        }
        docker.pause(&id).await.expect("paused");
        assert!(state().await.paused && state().await.running);
        docker.unpause(&id).await.expect("thawed");
        assert!(matches!(
            docker.unpause(&id).await,
            Err(EngineError::Refused { .. })
        ));
        docker
            .restart(&id, Some(Duration::from_secs(5)))
            .await
            .expect("restarted");
        assert_ne!(state().await.started_at, first.started_at);
        docker.kill(&id, "SIGKILL").await.expect("killed");
        assert_eq!(wait_for_end(docker, &id).await, Some(137));
        let refused = docker
            .kill(&id, "SIGKILL")
            .await
            .expect_err("it does not run");
        assert!(refused.to_string().contains("not running"), "{refused}");
        docker
            .stop(&id, None)
            .await
            .expect("stop of a stopped one is no error");
        docker.start(&id).await.expect("started");
        docker
            .start(&id)
            .await
            .expect("start of a running one is no error");
        docker
            .stop(&id, Some(Duration::from_secs(5)))
            .await
            .expect("stopped");
        assert!(!state().await.running);

        let mut actions = Vec::new();
        while let Ok(event) = tokio::time::timeout(Duration::from_secs(5), events.recv()).await {
            let event = event.expect("no event is lost");
            if event.container == id {
                assert_eq!(event.service, "a");
                let last =
                    event.action == "stop" && actions.iter().filter(|a| *a == "start").count() == 2;
                actions.push(event.action);
                if last {
                    break;
                }
            }
        }
        for action in [
            "pause", "unpause", "kill", "die", "start", "restart", "stop",
        ] {
            assert!(
                actions.iter().any(|a| a == action),
                "no {action} among {actions:?}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_aliases_and_fixed_addresses_are_as_written() {
    with("networks", |p| async move {
        let on = |networks: &[(&str, Attachment)], service: Service| Service {
            networks: networks
                .iter()
                .map(|(k, a)| ((*k).to_owned(), a.clone()))
                .collect(),
            ..service
        };
        let fixed = Attachment {
            ipv4_address: Some("10.213.7.10".into()),
            ..Attachment::default()
        };
        let aliased = Attachment {
            aliases: vec!["the-store".into()],
            ..Attachment::default()
        };
        let db = on(&[("back", fixed), ("front", aliased)], sleeper());
        let plain = || Attachment::default();
        let back = Service {
            depends_on: after("db", Condition::Started),
            ..on(&[("back", plain())], shell("getent hosts db"))
        };
        let front = Service {
            depends_on: after("db", Condition::Started),
            ..on(
                &[("front", plain())],
                shell("getent hosts the-store && getent hosts db && ! getent hosts back"),
            )
        };
        let shared = Service {
            network_mode: Some("service:db".into()),
            networks: Default::default(),
            ..shell("grep -q 10.213.7.10 /proc/net/fib_trie")
        };
        let mut topology = p.topology([
            ("db", db),
            ("asks-back", back),
            ("asks-front", front),
            ("shared", shared),
        ]);
        let pool = IpamPool {
            subnet: Some("10.213.7.0/24".into()),
            ..IpamPool::default()
        };
        let network = |key: &str| Network {
            name: format!("{}_{key}", p.name),
            ..Network::default()
        };
        topology.networks.insert(
            "back".into(),
            Network {
                ipam: vec![pool],
                ..network("back")
            },
        );
        topology.networks.insert(
            "front".into(),
            Network {
                internal: true,
                ..network("front")
            },
        );
        let job = |name: &str| {
            (
                name.to_owned(),
                Dependency {
                    condition: Condition::CompletedSuccessfully,
                    required: true,
                },
            )
        };
        let last = Service {
            depends_on: ["asks-back", "asks-front", "shared"].map(job).into(),
            ..sleeper()
        };
        topology.services.insert("last".into(), last);
        p.up(&topology).await.unwrap_or_else(|e| panic!("{e}"));
        let log = p
            .docker
            .log_tail(&p.id_of("asks-back").await, 5)
            .await
            .expect("a log");
        assert!(
            log.iter().any(|line| line.starts_with("10.213.7.10")),
            "{log:?}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn configs_and_secrets_are_there_before_the_start() {
    with("content", |p| async move {
        let content = Mount::Content {
            target: "/run/new/folder/secret".into(),
            content: b"hunter2".to_vec(),
            uid: 65534,
            gid: 65534,
            mode: 0o400,
        };
        let tmpfs = Mount::Tmpfs { target: "/scratch".into(), size: Some(1 << 20), mode: Some(0o1777) };
        let script = "cat /run/new/folder/secret; stat -c ' %u:%g:%a' /run/new/folder/secret; stat -c %a /tmp; stat -f -c %T /scratch";
        let reader = Service { mounts: vec![content, tmpfs], ..shell(script) };
        p.up(&p.topology([("reader", reader)])).await.unwrap_or_else(|e| panic!("{e}"));
        let id = p.id_of("reader").await;
        wait_for_end(&p.docker, &id).await;
        let log = p.docker.log_tail(&id, 10).await.expect("a log");
        assert_eq!(log, ["hunter2 65534:65534:400", "1777", "tmpfs"]);
    })
    .await;
}
