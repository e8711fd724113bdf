use super::*;

fn one() -> (Simulated, String) {
    let engine = Simulated::with_services(&["db"]);
    (engine, "id-simulated-db-1".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_call_has_its_effect_its_event_and_its_return_each_at_its_moment() {
    let (engine, id) = one();
    engine.set_latency(Call::Kill, Latency::of_millis(10, 30, 300));
    let mut events = engine.events();
    let began = Instant::now();
    let killing = tokio::spawn({
        let (engine, id) = (engine.clone(), id.clone());
        async move { engine.kill(&id, "SIGKILL").await }
    });
    tokio::time::sleep(Duration::from_millis(9)).await;
    assert!(engine.state(&id).await.expect("a state").running);
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert!(!engine.state(&id).await.expect("a state").running);
    assert!(
        events.try_recv().is_err(),
        "the event comes later than the effect"
    );
    let event = events.recv().await.expect("an event");
    assert_eq!(
        (event.at - began, event.action.as_str()),
        (Duration::from_millis(30), "die")
    );
    killing.await.expect("joined").expect("killed");
    assert_eq!(began.elapsed(), Duration::from_millis(300));
    assert_eq!(
        engine.state(&id).await.expect("a state").exit_code,
        Some(137)
    );
}

#[tokio::test(start_paused = true)]
async fn it_answers_as_docker_does() {
    let (engine, id) = one();
    assert!(
        matches!(engine.unpause(&id).await, Err(EngineError::Refused { .. })),
        "unpause of a running one"
    );
    engine
        .start(&id)
        .await
        .expect("start of a running one is no error");
    engine.stop(&id, None).await.expect("stopped");
    engine
        .stop(&id, None)
        .await
        .expect("stop of a stopped one is no error");
    assert!(
        matches!(
            engine.kill(&id, "SIGKILL").await,
            Err(EngineError::Refused { .. })
        ),
        "kill of a stopped one"
    );
    assert!(matches!(
        engine.stop("nobody", None).await,
        Err(EngineError::NotFound(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_restart_can_be_told_from_none_by_the_start_time() {
    let (engine, id) = one();
    let before = engine.state(&id).await.expect("a state");
    engine.restart(&id, None).await.expect("restarted");
    let after = engine.state(&id).await.expect("a state");
    assert!(after.running);
    assert_ne!(before.started_at, after.started_at);
}

#[tokio::test(start_paused = true)]
async fn a_call_can_fail_or_silently_do_nothing_once() {
    let (engine, id) = one();
    engine.ignore_next(Call::Stop);
    engine
        .stop(&id, None)
        .await
        .expect("it says that it worked");
    assert!(
        engine.state(&id).await.expect("a state").running,
        "but it did not"
    );
    engine.fail_next(Call::Stop, EngineError::Unreachable("gone".into()));
    assert!(
        engine
            .stop(&id, Some(Duration::from_secs(3)))
            .await
            .is_err()
    );
    assert!(engine.state(&id).await.expect("a state").running);
    engine
        .stop(&id, None)
        .await
        .expect("only the next call was spoiled");
    assert!(!engine.state(&id).await.expect("a state").running);
    let arguments: Vec<String> = engine
        .calls()
        .into_iter()
        .map(|made| made.argument)
        .collect();
    assert_eq!(arguments, ["", "3s", ""]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_keeps_it_running_and_frozen() {
    let (engine, id) = one();
    engine.pause(&id).await.expect("paused");
    let state = engine.state(&id).await.expect("a state");
    assert!(state.running && state.paused);
    assert!(engine.pause(&id).await.is_err());
    engine.unpause(&id).await.expect("thawed");
    assert!(!engine.state(&id).await.expect("a state").paused);
}

#[tokio::test(start_paused = true)]
async fn containers_come_by_service_and_number() {
    let engine = Simulated::with_services(&["web", "db"]);
    engine.add("db", 2);
    let names: Vec<String> = engine
        .containers("any")
        .await
        .expect("a list")
        .into_iter()
        .map(|c| c.name)
        .collect();
    assert_eq!(
        names,
        ["simulated-db-1", "simulated-db-2", "simulated-web-1"]
    );
}
