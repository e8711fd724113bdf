//! Images: built, missing, and lbtest's own.

use crate::support::*;
use lbtest::compose::topology::*;
use lbtest::engine::Engine;
use lbtest::engine::docker::*;
use lbtest::notice::Notice;
use std::path::PathBuf;
use std::time::{Duration, Instant};

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
