//! The conductor on a simulated engine and paused time: every moment is exact.

use super::conductor::{Assignment, Reach, Stage, arm, conduct};
use super::journal::{self, Header, Journal};
use super::late::{Finder, LastServed};
use super::steering::Steering;
use super::{Cast, kind_of};
use crate::clock::{Clock, Offset};
use crate::engine::simulated::{Call, Latency, Simulated};
use crate::engine::{Engine, EngineError, Limits};
use crate::history::FaultRecord;
use crate::notice::{Notice, Notices};
use crate::plan::{After, Late, PlannedFault};
use crate::scenario::{Direction, FaultKind, Link, Program};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

mod early;
mod properties;

struct World {
    engine: Simulated,
    stage: Stage,
    records: UnboundedReceiver<FaultRecord>,
    notices: UnboundedReceiver<Notice>,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let engine = Simulated::with_services(&["db", "app"]);
        let folder = tempfile::tempdir().unwrap();
        let header = Header {
            run: "r".into(),
            project: "p".into(),
            pid: 1,
            teardown: false,
            attached: false,
        };
        let journal = Arc::new(Journal::create(folder.path(), &header).unwrap());
        let reach = Reach {
            engine: Arc::new(engine.clone()),
            journal,
            run: "r".into(),
            project: "p".into(),
        };
        let (notices, told) = Notices::channel();
        let (tx, records) = unbounded_channel();
        let clock = Clock::starting_at(Instant::now());
        let end = CancellationToken::new();
        let stage = Stage {
            reach: Some(reach),
            clock,
            notices,
            records: tx,
            served: LastServed::default(),
            steering: Steering::default(),
            end,
        };
        Self {
            engine,
            stage,
            records,
            notices: told,
            folder,
        }
    }

    async fn assignment(
        &self,
        kind: FaultKind,
        service: &str,
        at: u64,
        heal: Option<u64>,
    ) -> Assignment {
        let containers = self.engine.containers("p").await.unwrap();
        let planned = PlannedFault {
            targets: vec![service.to_owned()],
            heal_at: heal.map(Offset::from_millis),
            ..PlannedFault::default()
        };
        let cast = Cast {
            planned: &planned,
            containers: &containers,
            seed: 1,
            tag: "t",
        };
        Assignment {
            index: 0,
            name: "fault".into(),
            tag: "t".into(),
            kind: kind_of(&kind, cast),
            targets: cast.named(&planned.targets),
            finder: None,
            inject_at: Offset::from_millis(at),
            heal_at: planned.heal_at,
            after: None,
            by_hand: false,
        }
    }

    fn last_record(&mut self) -> FaultRecord {
        let mut last = None;
        while let Ok(record) = self.records.try_recv() {
            last = Some(record);
        }
        last.expect("a record was published")
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        while let Ok(notice) = self.notices.try_recv() {
            if let Notice::Warning(text) = notice {
                said.push(text);
            }
        }
        said
    }

    fn still_broken(&self) -> usize {
        journal::all(self.folder.path())[0].entries.len()
    }
}

const STOP: FaultKind = FaultKind::Stop { grace: None };

#[tokio::test(start_paused = true)]
async fn a_stop_takes_effect_with_the_engines_event_and_is_healed_on_time() {
    let mut world = World::new();
    world
        .engine
        .set_latency(Call::Stop, Latency::of_millis(12, 37, 327));
    world
        .engine
        .set_latency(Call::Start, Latency::of_millis(200, 265, 265));
    let fault = world.assignment(STOP, "db", 10_000, Some(25_000)).await;
    // The end of the run, long after: nothing waits for it.
    conduct(&world.stage, vec![fault]).await;
    let record = world.last_record();
    let target = &record.targets[0];
    assert_eq!(target.inject.called, Offset::from_millis(10_000));
    assert_eq!(record.injected_at(), Some(Offset::from_millis(10_037)));
    assert_eq!(target.inject.uncertainty(), Duration::from_millis(37));
    assert_eq!(target.inject.returned, Some(Offset::from_millis(10_327)));
    assert_eq!(record.healed_at(), Some(Offset::from_millis(25_265)));
    assert!(record.confirmed() && target.heal_confirmed.is_some() && target.error.is_none());
    assert_eq!(world.still_broken(), 0);
    let app = world
        .engine
        .calls()
        .iter()
        .filter(|c| c.id.contains("app"))
        .count();
    assert_eq!(app, 0, "only the target is touched");
}

#[tokio::test(start_paused = true)]
async fn a_stop_without_effect_is_not_confirmed() {
    let mut world = World::new();
    world.engine.ignore_next(Call::Stop);
    let fault = world.assignment(STOP, "db", 1_000, Some(20_000)).await;
    conduct(&world.stage, vec![fault]).await;
    assert!(!world.last_record().confirmed());
    assert_eq!(world.still_broken(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_injection_that_fails_is_said_and_healed_all_the_same() {
    let mut world = World::new();
    let refused = EngineError::Refused {
        what: "pausing db".into(),
        answer: "cgroup is gone".into(),
    };
    world.engine.fail_next(Call::Pause, refused);
    let fault = world
        .assignment(FaultKind::Pause, "db", 1_000, Some(5_000))
        .await;
    conduct(&world.stage, vec![fault]).await;
    let record = world.last_record();
    assert!(
        record.targets[0]
            .error
            .as_ref()
            .unwrap()
            .contains("cgroup is gone")
    );
    assert!(!record.confirmed());
    assert_eq!(
        world.still_broken(),
        0,
        "its undo was seen to be done, and struck"
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_run_heals_what_is_broken_and_injects_nothing_more() {
    let mut world = World::new();
    let now = world
        .assignment(FaultKind::Pause, "db", 1_000, Some(60_000))
        .await;
    let mut later = world.assignment(STOP, "app", 30_000, None).await;
    later.index = 1;
    let end = world.stage.end.clone();
    let interrupt = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        end.cancel();
    };
    tokio::join!(conduct(&world.stage, vec![now, later]), interrupt);
    let calls: Vec<_> = world.engine.calls().iter().map(|c| c.call).collect();
    assert_eq!(calls, [Call::Pause, Call::Unpause]);
    let record = world.last_record();
    assert_eq!(record.index, 0);
    let healed = record.healed_at().unwrap();
    assert!(healed < Offset::from_millis(2_100), "{healed:?}");
    assert_eq!(world.still_broken(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_heal_that_fails_is_tried_again_until_it_holds() {
    let mut world = World::new();
    let busy = || EngineError::Refused {
        what: "unpausing db".into(),
        answer: "try again".into(),
    };
    world.engine.fail_next(Call::Unpause, busy());
    world.engine.fail_next(Call::Unpause, busy());
    let fault = world
        .assignment(FaultKind::Pause, "db", 1_000, Some(5_000))
        .await;
    conduct(&world.stage, vec![fault]).await;
    let record = world.last_record();
    assert_eq!(
        record.targets[0].heal_confirmed.as_deref(),
        Some("not paused")
    );
    assert_eq!(
        world.engine.calls().len(),
        4,
        "pause, and three tries to unpause"
    );
    assert!(record.healed_at().unwrap() > Offset::from_millis(6_000));
    assert_eq!(world.still_broken(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_healed_is_said_with_the_command_that_does_it_and_stays_in_the_journal() {
    let mut world = World::new();
    for _ in 0..1000 {
        let gone = EngineError::Unreachable("the daemon is away".into());
        world.engine.fail_next(Call::Start, gone);
    }
    let fault = world.assignment(STOP, "db", 1_000, Some(5_000)).await;
    conduct(&world.stage, vec![fault]).await;
    let [warning] = &world.warnings()[..] else {
        panic!("one warning")
    };
    assert!(warning.contains("docker start simulated-db-1"), "{warning}");
    assert!(world.last_record().targets[0].heal_confirmed.is_none());
    assert_eq!(world.still_broken(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_restart_needs_no_heal_and_leaves_nothing_in_the_journal() {
    let mut world = World::new();
    let fault = world
        .assignment(FaultKind::Restart { grace: None }, "app", 1_000, None)
        .await;
    let end = world.stage.end.clone();
    let run_ends = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        end.cancel();
    };
    tokio::join!(conduct(&world.stage, vec![fault]), run_ends);
    let record = world.last_record();
    assert!(record.confirmed(), "{record:?}");
    assert_eq!(record.healed_at(), None, "there is no heal edge");
    assert_eq!(world.still_broken(), 0);
    assert_eq!(world.engine.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_external_fault_touches_nothing_and_marks_both_edges() {
    let mut world = World::new();
    let fault = world
        .assignment(FaultKind::External, "nobody", 3_000, Some(4_500))
        .await;
    conduct(&world.stage, vec![fault]).await;
    let record = world.last_record();
    assert_eq!(record.injected_at(), Some(Offset::from_millis(3_000)));
    assert_eq!(record.healed_at(), Some(Offset::from_millis(4_500)));
    assert!(world.engine.calls().is_empty());
}

/// A delay of everything that `service` sends.
fn delay() -> FaultKind {
    FaultKind::Delay {
        time: Duration::from_millis(50),
        jitter: Duration::ZERO,
        link: Link {
            direction: Direction::Out,
            towards: None,
            ports: Vec::new(),
        },
    }
}

#[tokio::test(start_paused = true)]
async fn packet_rules_are_armed_before_confirmed_by_their_count_and_gone_after_the_heal() {
    let mut world = World::new();
    let fault = world.assignment(delay(), "db", 1_000, Some(3_000)).await;
    let reach = world.stage.reach.clone().unwrap();
    let assignments = vec![fault];
    arm(&reach, &assignments).await.unwrap();
    let armed = world.engine.calls().len();
    assert_eq!(armed, 1, "a sidecar is there before the load");
    world.engine.count(7);
    conduct(&world.stage, assignments).await;
    let record = world.last_record();
    let target = &record.targets[0];
    assert_eq!(target.confirmed.as_deref(), Some("7 packets"));
    assert_eq!(target.mechanism.as_deref(), Some("simulated"));
    assert!(
        target
            .heal_confirmed
            .as_deref()
            .unwrap()
            .contains("after 7 packets")
    );
    assert_eq!(world.still_broken(), 0);
    let orders = world.engine.calls();
    assert!(
        !orders.iter().any(|m| m.call == Call::Mend),
        "asked, not removed by force"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_no_packet_meets_is_not_confirmed() {
    let mut world = World::new();
    let fault = world.assignment(delay(), "db", 1_000, Some(20_000)).await;
    conduct(&world.stage, vec![fault]).await;
    let record = world.last_record();
    assert!(!record.confirmed());
    assert!(record.healed_at().is_some(), "and healed all the same");
    assert_eq!(world.still_broken(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_next_of_a_sequence_begins_when_the_one_before_is_healed() {
    let mut world = World::new();
    world
        .engine
        .set_latency(Call::Start, Latency::of_millis(2_000, 2_000, 2_000));
    let first = world.assignment(STOP, "db", 1_000, Some(3_000)).await;
    let mut second = world.assignment(STOP, "app", 4_000, Some(5_000)).await;
    second.index = 1;
    second.after = Some(After {
        index: 0,
        pause: Duration::from_millis(1_000),
    });
    conduct(&world.stage, vec![first, second]).await;
    let mut records: Vec<FaultRecord> = Vec::new();
    while let Ok(record) = world.records.try_recv() {
        records.retain(|r| r.index != record.index);
        records.push(record);
    }
    records.sort_by_key(|r| r.index);
    let healed = records[0].healed_at().unwrap();
    let next = records[1].targets[0].inject.called;
    let lasts = records[1].targets[0].heal.as_ref().unwrap().called - next;
    // The start took two seconds: on schedule the second fault would have come before the first was healed.
    assert!(
        next >= healed + Duration::from_millis(1_000),
        "{next:?} after {healed:?}"
    );
    assert_eq!(lasts.as_secs(), 1, "as long as was planned");
}

#[tokio::test(start_paused = true)]
async fn what_has_nothing_to_heal_is_over_at_once_for_those_that_come_after_it() {
    let mut world = World::new();
    let restart = FaultKind::Restart { grace: None };
    let first = world.assignment(restart, "db", 1_000, None).await;
    let mut second = world
        .assignment(FaultKind::Pause, "app", 2_000, Some(4_000))
        .await;
    second.index = 1;
    second.after = Some(After {
        index: 0,
        pause: Duration::ZERO,
    });
    let end = world.stage.end.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        end.cancel();
    });
    conduct(&world.stage, vec![first, second]).await;
    assert_eq!(world.last_record().index, 1);
    assert!(world.stage.clock.now() < Offset::from_millis(30_000));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_nobody_can_name_is_a_fault_that_did_not_take_place() {
    let mut world = World::new();
    let mut fault = world.assignment(STOP, "db", 1_000, Some(3_000)).await;
    let served = || Finder::new(Late::LastServed("web".into()), None);
    fault.finder = Some(served());
    conduct(&world.stage, vec![fault]).await;
    let record = world.last_record();
    assert!(
        !record.confirmed() && record.targets[0].error.is_some(),
        "{record:?}"
    );
    assert!(world.engine.calls().is_empty());

    world.stage.served.saw("web", "app");
    let mut fault = world.assignment(STOP, "db", 4_000, Some(6_000)).await;
    fault.targets = world.engine.containers("p").await.unwrap();
    fault.finder = Some(served());
    conduct(&world.stage, vec![fault]).await;
    let record = world.last_record();
    assert!(record.confirmed());
    assert_eq!(record.targets[0].service, "app");
}

#[tokio::test(start_paused = true)]
async fn what_was_never_seen_is_undone_whatever_a_look_says() {
    let mut world = World::new();
    let words = |w: &str| vec![w.to_owned()];
    let exec = FaultKind::Exec(Program {
        inject: words("break"),
        heal: Some(words("mend")),
        confirm: Some(words("look")),
        timeout: Duration::from_secs(1),
    });
    // The fault never shows, and a mended one would look the same.
    world.engine.set_exit_code("look", 1);
    let fault = world.assignment(exec, "db", 1_000, Some(10_000)).await;
    conduct(&world.stage, vec![fault]).await;
    let calls = world.engine.calls();
    let made = |program: &str| calls.iter().filter(|m| m.argument == program).count();
    assert_eq!((made("break"), made("mend")), (1, 1));
    let target = &world.last_record().targets[0];
    assert!(
        target.confirmed.is_none() && target.heal_confirmed.is_some(),
        "{target:?}"
    );
    assert_eq!(world.still_broken(), 0);
}
