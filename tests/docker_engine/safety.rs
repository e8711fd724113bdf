//! What is somebody else's is not touched, and what is lbtest's goes away.

use crate::support::*;
use lbtest::compose::topology::*;
use lbtest::engine::docker::*;
use lbtest::engine::{Engine, EngineError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named_with_who_has_it_and_nothing_is_made() {
    with("ports", |p| async move {
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
        p.up(&p.topology([("web", publishing())]))
            .await
            .unwrap_or_else(|e| panic!("{e}"));
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
