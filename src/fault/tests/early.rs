//! Faults whose target, or whose sidecar, did not last until the heal: nothing is left to heal, and nobody says that it
//! lasted.

use super::*;
use crate::history::event::TargetRecord;

/// A fault from 1 s to 5 s, and what somebody does at 3 s.
async fn meanwhile(kind: FaultKind, what: impl FnOnce(&World, &str)) -> (World, TargetRecord) {
    let mut world = World::new();
    world.engine.count(7);
    let fault = world.assignment(kind, "db", 1_000, Some(5_000)).await;
    let id = fault.targets[0].id.clone();
    let assignments = vec![fault];
    arm(world.stage.reach.as_ref().unwrap(), &assignments)
        .await
        .unwrap();
    let somebody = async {
        tokio::time::sleep_until(world.stage.clock.instant(Offset::from_millis(3_000))).await;
        what(&world, &id);
    };
    tokio::join!(conduct(&world.stage, assignments), somebody);
    assert_eq!(world.still_broken(), 0, "nothing is left to do");
    let target = world.last_record().targets.remove(0);
    assert!(target.confirmed.is_some(), "{target:?}");
    assert_eq!(target.error, None);
    (world, target)
}

fn restart(world: &World, id: &str) {
    world.engine.crash(id, 1);
    world.engine.come_back(id);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_was_removed_is_not_healed_and_not_said_to_be() {
    let cpu = FaultKind::Cpu { millicpus: 500 };
    for kind in [STOP, FaultKind::Pause, delay(), cpu] {
        let (_, target) = meanwhile(kind, |world, id| world.engine.remove(id)).await;
        let early = target.ended_early.unwrap();
        assert!(early.contains("it was removed"), "{early}");
        assert_eq!((target.heal, target.heal_confirmed), (None, None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_was_removed_before_its_fault_is_named_in_plain_words() {
    let mut world = World::new();
    let fault = world.assignment(STOP, "db", 1_000, Some(5_000)).await;
    world.engine.remove(&fault.targets[0].id);
    conduct(&world.stage, vec![fault]).await;
    let target = world.last_record().targets.remove(0);
    assert_eq!(target.error.as_deref(), Some("injection: it was removed"));
    assert!(world.engine.calls().is_empty(), "nothing was tried");
}

#[tokio::test(start_paused = true)]
async fn a_restart_ends_what_was_in_the_namespaces_and_is_said() {
    for kind in [delay(), FaultKind::Pause] {
        let (_, target) = meanwhile(kind, restart).await;
        let early = target.ended_early.unwrap();
        assert!(early.contains("was restarted"), "{early}");
        assert!(target.heal_confirmed.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_target_that_somebody_started_did_not_stay_stopped() {
    let (world, target) = meanwhile(STOP, |world, id| world.engine.come_back(id)).await;
    let early = target.ended_early.unwrap();
    assert!(early.contains("was started"), "{early}");
    assert_eq!(target.heal_confirmed.as_deref(), Some("running"));
    let calls: Vec<_> = world.engine.calls().iter().map(|m| m.call).collect();
    assert_eq!(calls, [Call::Stop], "nothing was left to start");
}

#[tokio::test(start_paused = true)]
async fn a_killed_target_that_its_policy_brought_back_later_mended_itself() {
    let kill = FaultKind::Kill {
        signal: "SIGKILL".into(),
    };
    let (_, target) = meanwhile(kill, |world, id| world.engine.come_back(id)).await;
    assert_eq!(target.ended_early, None, "that is what a kill may lead to");
    assert!(target.mended_itself && target.heal.is_none());
}

#[tokio::test(start_paused = true)]
async fn rules_end_with_the_connection_to_their_sidecar() {
    let (_, target) = meanwhile(delay(), |world, _| world.engine.cut()).await;
    let early = target.ended_early.unwrap();
    assert!(early.contains("sidecar was gone"), "{early}");
    assert!(target.heal_confirmed.is_some(), "seen from outside");
}

#[tokio::test(start_paused = true)]
async fn a_sidecar_that_was_lost_before_its_fault_is_replaced() {
    let mut world = World::new();
    world.engine.count(7);
    let fault = world.assignment(delay(), "db", 1_000, Some(5_000)).await;
    let assignments = vec![fault];
    arm(world.stage.reach.as_ref().unwrap(), &assignments)
        .await
        .unwrap();
    world.engine.cut();
    conduct(&world.stage, assignments).await;
    let target = world.last_record().targets.remove(0);
    assert!(target.confirmed.is_some() && target.ended_early.is_none());
}

#[tokio::test(start_paused = true)]
async fn limits_that_somebody_changed_were_not_those_of_the_scenario() {
    let cpu = FaultKind::Cpu { millicpus: 500 };
    let (_, target) = meanwhile(cpu, |world, id| {
        world.engine.change_limits(id, Limits::default());
    })
    .await;
    assert!(target.ended_early.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_lasted_is_not_said_to_have_ended() {
    for kind in [STOP, FaultKind::Pause, delay()] {
        let (_, target) = meanwhile(kind, |_, _| {}).await;
        assert_eq!(target.ended_early, None);
        assert!(target.heal_confirmed.is_some());
    }
}
