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

use lbtest::compose::topology::{
    Attachment, Build, Condition, Dependency, Healthcheck, IpamPool, Mount, Network, Port, Service,
    Topology, Volume,
};
use lbtest::engine::docker::{Docker, SELF_IMAGE, Scope, UpError, UpOptions};
use lbtest::engine::{Engine, EngineError};
use lbtest::notice::{Notice, Notices};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const BASE: &str = "debian:bookworm-slim";

/// One test's project: taken down, and seen to be gone, whatever the test did.
struct Project {
    docker: Docker,
    name: String,
    notices: Notices,
    told: tokio::sync::mpsc::UnboundedReceiver<Notice>,
}

impl Project {
    async fn new(test: &str) -> Self {
        let executable = PathBuf::from(env!("CARGO_BIN_EXE_lbtest"));
        let docker = Docker::connect_as(executable)
            .await
            .unwrap_or_else(|e| panic!("these tests need Docker: {e}"));
        let looked = docker.examine(&[BASE], &[]).await.expect("an engine");
        assert!(
            looked.images[0].present,
            "these tests need the image {BASE}: run `make base-image`"
        );
        let name = format!("lbtest-t-engine-{test}");
        let (notices, told) = Notices::channel();
        docker.down(&name, &notices).await.expect("a clean start");
        Self {
            docker,
            name,
            notices,
            told,
        }
    }

    fn topology(&self, services: impl IntoIterator<Item = (&'static str, Service)>) -> Topology {
        let services = services
            .into_iter()
            .map(|(name, service)| (name.to_owned(), service))
            .collect();
        Topology {
            project: self.name.clone(),
            working_dir: "/".into(),
            services,
            ..Topology::default()
        }
    }

    async fn up(&self, topology: &Topology) -> Result<(), UpError> {
        self.up_within(topology, Duration::from_secs(60), &CancellationToken::new())
            .await
    }

    async fn up_within(
        &self,
        topology: &Topology,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), UpError> {
        let options = UpOptions {
            run: format!("run-of-{}", self.name),
            ready_timeout: limit,
        };
        self.docker
            .up(topology, &options, &self.notices, cancel)
            .await
    }

    async fn id_of(&self, service: &str) -> String {
        let all = self.docker.containers(&self.name).await.expect("a list");
        all.into_iter()
            .find(|c| c.service == service)
            .expect("the service's container")
            .id
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = Vec::new();
        while let Ok(notice) = self.told.try_recv() {
            if let Notice::Warning(text) = notice {
                warnings.push(text);
            }
        }
        warnings
    }
}

/// Runs a test with a project; a test that panics is cleaned up after all the same.
async fn with<F: Future<Output = ()> + Send + 'static>(
    test: &'static str,
    body: impl FnOnce(Project) -> F + Send + 'static,
) {
    let project = Project::new(test).await;
    let (docker, name) = (project.docker.clone(), project.name.clone());
    let outcome = tokio::spawn(body(project)).await;
    docker
        .down(&name, &Notices::channel().0)
        .await
        .expect("taken down");
    let left = docker
        .leftovers(&Scope::Project(name.clone()))
        .await
        .expect("a look");
    assert!(left.is_empty(), "left behind: {left:?}");
    let again = docker
        .down(&name, &Notices::channel().0)
        .await
        .expect("down of nothing is no error");
    assert!(again.is_empty());
    if let Err(e) = outcome {
        std::panic::resume_unwind(e.into_panic());
    }
}

fn shell(script: &str) -> Service {
    Service {
        image: Some(BASE.into()),
        command: Some(["sh", "-c", script].map(str::to_owned).into()),
        networks: [("default".to_owned(), Attachment::default())].into(),
        replicas: 1,
        // `sh` as the first process ignores SIGTERM.
        init: Some(true),
        config_hash: "0123".into(),
        ..Service::default()
    }
}

fn sleeper() -> Service {
    shell("sleep 1000")
}

fn check(command: &str, interval_ms: u64) -> Option<Healthcheck> {
    Some(Healthcheck::Test {
        test: vec!["CMD-SHELL".into(), command.into()],
        interval: Some(Duration::from_millis(interval_ms)),
        timeout: Some(Duration::from_secs(5)),
        retries: Some(2),
        start_period: None,
        start_interval: None,
    })
}

fn after(service: &str, condition: Condition) -> std::collections::BTreeMap<String, Dependency> {
    [(
        service.to_owned(),
        Dependency {
            condition,
            required: true,
        },
    )]
    .into()
}

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

/// The kill's return does not promise that the state is written.
async fn wait_for_end(docker: &Docker, id: &str) -> Option<i64> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let state = docker.state(id).await.expect("a state");
        if !state.running || Instant::now() > deadline {
            return state.exit_code;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_built_once_and_again_only_when_something_changed() {
    with("build", |mut p| async move {
        let context = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            std::fs::write(context.path().join(name), text).expect("a file")
        };
        file(
            "Dockerfile",
            &format!("ARG WHO\nFROM {BASE}\nARG WHO\nENV WHO=$WHO\nCOPY . /app\n"),
        );
        file(".dockerignore", "ignored\n");
        file("ignored", "");
        file("greeting", "hello");
        let build = Build {
            context: context.path().to_owned(),
            args: [("WHO".to_owned(), "world".to_owned())].into(),
            ..Build::default()
        };
        let script = "test ! -e /app/ignored && echo $(cat /app/greeting) $WHO; sleep 1000";
        let service = || Service {
            image: None,
            build: Some(build.clone()),
            ..shell(script)
        };
        let topology = p.topology([("one", service()), ("two", service())]);
        let mut built = Vec::new();
        for greeting in ["hello", "hello", "good morning"] {
            file("greeting", greeting);
            p.up(&topology).await.unwrap_or_else(|e| panic!("{e}"));
            let mut lines = 0;
            while let Ok(notice) = p.told.try_recv() {
                lines += usize::from(matches!(notice, Notice::Image { .. }));
            }
            built.push(lines > 0);
            for service in ["one", "two"] {
                let id = p.id_of(service).await;
                let deadline = Instant::now() + Duration::from_secs(10);
                let mut log = Vec::new();
                while log.is_empty() && Instant::now() < deadline {
                    log = p.docker.log_tail(&id, 1).await.expect("a log");
                }
                assert_eq!(log, [format!("{greeting} world")]);
            }
        }
        assert_eq!(built, [true, false, true], "an unchanged build is not run");
        file(
            "Dockerfile",
            &format!("FROM {BASE}\nRUN echo about to fail && exit 7\n"),
        );
        let said = p
            .up(&topology)
            .await
            .expect_err("a failing build")
            .to_string();
        assert!(
            said.contains("one, two") && said.contains("about to fail") && said.contains('7'),
            "{said}"
        );
        p.docker
            .down(&p.name, &p.notices)
            .await
            .expect("taken down");
        remove_images(&p.name).await;
    })
    .await;
}

/// Images stay after a run, as a cache; a test's must not.
async fn remove_images(project: &str) {
    let client = bollard::Docker::connect_with_defaults().expect("Docker");
    let label = format!("{}={project}", lbtest::engine::docker::labels::IMAGE);
    let filters = std::collections::HashMap::from([("label".to_owned(), vec![label])]);
    let options = bollard::query_parameters::ListImagesOptionsBuilder::new()
        .filters(&filters)
        .build();
    for image in client.list_images(Some(options)).await.expect("a list") {
        let force = bollard::query_parameters::RemoveImageOptionsBuilder::new()
            .force(true)
            .build();
        client
            .remove_image(&image.id, Some(force), None)
            .await
            .expect("removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_cannot_be_had_is_named_with_what_to_do() {
    with("image", |p| async move {
        let absent = Service {
            image: Some("lbtest-t-engine-absent:1".into()),
            pull_policy: Some("never".into()),
            ..sleeper()
        };
        let said = p
            .up(&p.topology([("web", absent)]))
            .await
            .expect_err("no image")
            .to_string();
        assert!(
            said.contains("lbtest-t-engine-absent:1")
                && said.contains("`web`")
                && said.contains("docker load"),
            "{said}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named_with_who_has_it_and_nothing_is_made() {
    with("ports", |mut p| async move {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let number = listener.local_addr().expect("an address").port();
        let port = Port {
            target: 80,
            published: Some(number),
            host_ip: None,
            protocol: "tcp".into(),
        };
        let publishing = || Service {
            ports: vec![port.clone()],
            ..sleeper()
        };
        let said = p
            .up(&p.topology([("web", publishing())]))
            .await
            .expect_err("taken")
            .to_string();
        let us = format!("(pid {})", std::process::id());
        assert!(
            said.contains(&number.to_string()) && said.contains("`web`") && said.contains(&us),
            "{said}"
        );
        let left = p
            .docker
            .leftovers(&Scope::Project(p.name.clone()))
            .await
            .expect("a look");
        assert!(left.is_empty(), "made although the port is taken: {left:?}");
        drop(listener);
        p.warnings();
        p.up(&p.topology([("web", publishing())]))
            .await
            .unwrap_or_else(|e| panic!("{e}"));
        assert!(
            p.warnings().iter().any(|w| w.contains("127.0.0.1")),
            "no warning about the address"
        );
        let looked = p
            .docker
            .examine(&[BASE, "lbtest-t-engine-absent:1"], &[number])
            .await
            .expect("a look");
        let by = looked.ports[0].taken_by.clone().expect("it is taken");
        assert!(by.contains("-web-1"), "{by}");
        assert_eq!(
            looked.images.iter().map(|i| i.present).collect::<Vec<_>>(),
            [true, false]
        );

        let other = Topology {
            project: format!("{}-2", p.name),
            ..p.topology([("web", publishing())])
        };
        let said = p.up(&other).await.expect_err("taken").to_string();
        assert!(
            said.contains(&format!("container `{}-web-1`", p.name)),
            "{said}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lbtest_did_not_make_is_never_touched() {
    with("foreign", |p| async move {
        let client = bollard::Docker::connect_with_defaults().expect("Docker");
        let name = format!("{}-stranger", p.name);
        let labels = [
            ("com.docker.compose.project", p.name.as_str()),
            ("com.docker.compose.service", "web"),
        ];
        let body = bollard::models::ContainerCreateBody {
            image: Some(BASE.into()),
            cmd: Some(["sleep", "1000"].map(str::to_owned).into()),
            labels: Some(labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into()),
            ..Default::default()
        };
        let options = bollard::query_parameters::CreateContainerOptionsBuilder::new()
            .name(&name)
            .build();
        let id = client
            .create_container(Some(options), body)
            .await
            .expect("created")
            .id;
        client.start_container(&id, None).await.expect("started");
        let outcome = async {
            let listed = p
                .docker
                .containers(&p.name)
                .await
                .map_err(|e| e.to_string())?;
            let kill = p.docker.kill(&id, "SIGKILL").await;
            let up = p.up(&p.topology([("web", sleeper())])).await;
            let removed = p
                .docker
                .down(&p.name, &p.notices)
                .await
                .map_err(|e| e.to_string())?;
            let still = p
                .docker
                .state(&id)
                .await
                .map_err(|e| e.to_string())?
                .running;
            p.docker.allow(&p.name);
            let allowed = p.docker.pause(&id).await;
            Ok::<_, String>((listed.len(), kill, up, removed, still, allowed))
        }
        .await;
        let force = bollard::query_parameters::RemoveContainerOptionsBuilder::new()
            .force(true)
            .build();
        client
            .remove_container(&id, Some(force))
            .await
            .expect("removed");
        let (listed, kill, up, removed, still, allowed) = outcome.expect("all calls");
        assert_eq!(listed, 1, "it can be seen");
        assert!(matches!(kill, Err(EngineError::NotOurs(_))), "{kill:?}");
        assert!(matches!(up, Err(UpError::Occupied { .. })), "{up:?}");
        assert!(removed.is_empty() && still);
        allowed.expect("a project that was given may be broken");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_up_leaves_only_what_down_removes() {
    with("cancel", |p| async move {
        let slow = Service {
            healthcheck: check("false", 30_000),
            ..sleeper()
        };
        let topology = p.topology([("a", slow.clone()), ("b", slow.clone()), ("c", slow)]);
        for after_ms in [5, 50, 150, 300, 600] {
            let cancel = CancellationToken::new();
            let canceller = cancel.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(after_ms)).await;
                canceller.cancel();
            });
            let outcome = p
                .up_within(&topology, Duration::from_secs(60), &cancel)
                .await;
            assert!(
                matches!(outcome, Err(UpError::Cancelled)),
                "after {after_ms} ms: {outcome:?}"
            );
            p.docker
                .down(&p.name, &p.notices)
                .await
                .expect("taken down");
            let left = p
                .docker
                .leftovers(&Scope::Project(p.name.clone()))
                .await
                .expect("a look");
            assert!(left.is_empty(), "after {after_ms} ms: {left:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_and_stopped_containers_go_down_too_and_quickly() {
    with("down", |p| async move {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        p.up(&p.topology(names.map(|name| (name, sleeper()))))
            .await
            .unwrap_or_else(|e| panic!("{e}"));
        p.docker.pause(&p.id_of("a").await).await.expect("paused");
        p.docker
            .stop(&p.id_of("b").await, Some(Duration::from_secs(1)))
            .await
            .expect("stopped");
        let began = Instant::now();
        let removed = p
            .docker
            .down(&p.name, &p.notices)
            .await
            .expect("taken down");
        eprintln!("down of 8 containers took {:?}", began.elapsed());
        assert_eq!((removed.containers.len(), removed.networks.len()), (8, 1));
        // Far above the goal of 2 s: this machine may be busy, but no grace period may be waited out per container.
        assert!(began.elapsed() < Duration::from_secs(20));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lbtests_own_image_runs_lbtest_and_is_made_once() {
    with("self", |p| async move {
        let image = "lbtest-t-engine-self:test";
        let executable = PathBuf::from(env!("CARGO_BIN_EXE_lbtest"));
        let ensure = || p.docker.ensure_image_of(&executable, image, &p.notices);
        let began = Instant::now();
        ensure().await.expect("made");
        let first = began.elapsed();
        let began = Instant::now();
        ensure().await.expect("there already");
        eprintln!("own image: {first:?}, again {:?}", began.elapsed());
        let job = Service {
            image: Some(image.into()),
            command: Some(vec!["--version".into()]),
            networks: Default::default(),
            network_mode: Some("none".into()),
            replicas: 1,
            ..Service::default()
        };
        let outcome = p.up(&p.topology([("job", job)])).await;
        let code = wait_for_end(&p.docker, &p.id_of("job").await).await;
        let log = p
            .docker
            .log_tail(&p.id_of("job").await, 20)
            .await
            .expect("a log");
        p.docker
            .down(&p.name, &p.notices)
            .await
            .expect("taken down");
        let client = bollard::Docker::connect_with_defaults().expect("Docker");
        let none = None::<bollard::query_parameters::RemoveImageOptions>;
        client
            .remove_image(image, none, None)
            .await
            .expect("removed");
        outcome.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(code, Some(0), "{log:?}");
        assert_eq!(SELF_IMAGE, "lbtest:self");
    })
    .await;
}
