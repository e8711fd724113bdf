//! A steered schedule on a simulated engine and paused time: every moment is exact.

use super::*;
use crate::compose::topology::{Attachment, Service};
use crate::control::Command::{Break, Heal, HealAll, Hold, InjectNext, Resume};
use crate::engine::Engine;
use crate::engine::simulated::Simulated;
use crate::fault::conductor::{Reach, Stage, conduct_with};
use crate::fault::journal::{self, Header, Journal};
use crate::fault::late::LastServed;
use crate::history::{FaultRecord, History};
use crate::notice::FaultState;
use crate::run::output::Output;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

/// Two faults in 60 s: `a` pauses db from 10 to 15 s, `b` stops app from 30 to 40 s.
const TWO: &str = "[[fault]]\nname = \"a\"\nat = \"10s\"\nheal_after = \"5s\"\npause = { target = \"db\" }\n\
     [[fault]]\nname = \"b\"\nat = \"30s\"\nheal_after = \"10s\"\nstop = { target = \"app\" }\n";
/// The same one after the other: `b` begins 2 s after `a` is healed.
const ROW: &str = "[[fault]]\nname = \"a\"\nheal_after = \"5s\"\npause = { target = \"db\" }\n\
     [[fault]]\nname = \"b\"\nheal_after = \"10s\"\npause = { target = \"app\" }\n\
     [[fault]]\nname = \"row\"\nat = \"10s\"\nsequence = [\"a\", \"b\"]\npause = \"2s\"\n";

/// What is left of a steered run.
struct Told {
    history: History,
    records: Vec<FaultRecord>,
    warnings: Vec<String>,
    infos: Vec<String>,
    still_broken: usize,
    ticks: Vec<(u64, Vec<FaultState>)>,
    /// Every container has the limits that it had before.
    limits_are_as_before: bool,
}

fn service() -> Service {
    Service {
        replicas: 1,
        networks: [("back".to_owned(), Attachment::default())].into(),
        ..Service::default()
    }
}

fn spec(faults: &str) -> Spec {
    let text = format!(
        "name = \"s\"\n[run]\nduration = \"60s\"\nwarmup = \"0s\"\n[[load]]\nname = \"web\"\nrate = 1\n\
         http = {{ url = \"http://127.0.0.1:9/\" }}\n{faults}"
    );
    let file = SourceFile::new(Path::new("s.toml"), text);
    let scenario = scenario::parse(&file, &Overrides::default(), &Default::default());
    let scenario = scenario.unwrap_or_else(|e| panic!("{e:?}"));
    let topology = Topology {
        project: "p".to_owned(),
        services: ["db", "app"].map(|s| (s.to_owned(), service())).into(),
        networks: [("back".to_owned(), Default::default())].into(),
        ..Topology::default()
    };
    let plan = resolve(&scenario, Some(&topology), true)
        .unwrap_or_else(|e| panic!("{e:?}"))
        .plan;
    Spec {
        scenario,
        topology: Some(topology),
        plan,
        out: None,
        keep: false,
        attach: false,
        ready_within: None,
    }
}

/// A run of these faults and commands, each at its millisecond, that ends at the last one.
async fn told(faults: &str, commands: Vec<(u64, Command)>, ends: u64) -> Told {
    allowed(true, faults, commands, ends).await
}

/// The same, where what was not planned may be broken, or not.
async fn allowed(may_break: bool, faults: &str, commands: Vec<(u64, Command)>, ends: u64) -> Told {
    let spec = spec(faults);
    let engine = Simulated::with_services(&["db", "app"]);
    engine.count(7);
    for c in engine.containers("p").await.unwrap() {
        let endpoint = crate::engine::Endpoint {
            network: "n-back".to_owned(),
            name: "p_back".to_owned(),
            key: Some("back".to_owned()),
            ..Default::default()
        };
        engine.join_network(&c.id, endpoint);
    }
    let folder = tempfile::tempdir().unwrap();
    let header = Header {
        run: "r".into(),
        project: "p".into(),
        pid: 1,
        teardown: false,
        attached: false,
    };
    let reach = Reach {
        engine: Arc::new(engine.clone()),
        journal: Arc::new(Journal::create(folder.path(), &header).unwrap()),
        run: "r".into(),
        project: "p".into(),
    };
    let (notices, mut said) = Notices::channel();
    let (records, mut published) = unbounded_channel();
    let end = CancellationToken::new();
    let clock = Clock::starting_at(Instant::now());
    let steering = Steering::of_load(spec.plan.duration);
    let stage = Stage {
        reach: Some(reach),
        clock,
        notices: notices.clone(),
        records,
        served: LastServed::default(),
        steering: steering.clone(),
        end: end.clone(),
    };
    let containers = engine.containers("p").await.unwrap();
    let limits = async || {
        let mut all = Vec::new();
        for c in &containers {
            all.push(engine.limits(&c.id).await.unwrap());
        }
        all
    };
    let before = limits().await;
    let assignments = measure::assign(&spec, "r", &containers).unwrap();
    assignments.iter().for_each(|a| steering.enter(a));
    let (added, by_hand) = unbounded_channel();
    let conductor = tokio::spawn(async move { conduct_with(&stage, assignments, by_hand).await });
    let hand = Hand {
        spec: &spec,
        run: "r",
        containers: &containers,
        clock,
        steering: steering.clone(),
        added,
        notices: &notices,
        end: end.clone(),
        may_break,
    };
    let head = super::super::head(&spec, "r", clock.wall_zero(), Default::default());
    let mut recording = Recording::begin(head, &Output::create(None).unwrap(), 1).unwrap();
    let mut ticks = Vec::new();
    for (at, command) in commands {
        tokio::time::sleep_until(clock.instant(Offset::from_millis(at))).await;
        let states = steering
            .ticks(clock.now())
            .iter()
            .map(|f| f.state)
            .collect();
        ticks.push((at, states));
        hand.does(&command, &mut recording);
    }
    tokio::time::sleep_until(clock.instant(Offset::from_millis(ends))).await;
    end.cancel();
    conductor.await.unwrap();
    let mut last = last_of(&mut published);
    last.sort_by_key(|r| r.index);
    let (mut warnings, mut infos) = (Vec::new(), Vec::new());
    while let Ok(notice) = said.try_recv() {
        match notice {
            Notice::Warning(text) => warnings.push(text),
            Notice::Info(text) => infos.push(text),
            _ => {}
        }
    }
    Told {
        limits_are_as_before: limits().await == before,
        history: recording.finish(),
        records: last,
        warnings,
        infos,
        still_broken: journal::all(folder.path())[0].entries.len(),
        ticks,
    }
}

fn last_of(published: &mut UnboundedReceiver<FaultRecord>) -> Vec<FaultRecord> {
    let mut last: Vec<FaultRecord> = Vec::new();
    while let Ok(record) = published.try_recv() {
        last.retain(|r| r.index != record.index);
        last.push(record);
    }
    last
}

impl Told {
    /// When a fault's calls were made, milliseconds: to inject and to heal.
    fn calls(&self, index: usize) -> Option<(f64, Option<f64>)> {
        let record = self.records.iter().find(|r| r.index == index)?;
        let target = record.targets.first()?;
        let heal = target.heal.as_ref().map(|h| h.called.as_millis_f64());
        Some((target.inject.called.as_millis_f64(), heal))
    }

    fn events(&self) -> Vec<(f64, String)> {
        let line = |e: &Event| (e.at.as_millis_f64(), format!("{} | {}", e.subject, e.what));
        self.history.events.iter().map(line).collect()
    }

    fn ended_early(&self, index: usize) -> Option<String> {
        let record = self.records.iter().find(|r| r.index == index)?;
        record.targets.first()?.ended_early.clone()
    }
}

fn stop_db() -> Command {
    Break(Deed {
        kind: DeedKind::Stop,
        target: Some("db".to_owned()),
    })
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_nobody_touches_is_as_planned() {
    let told = told(TWO, vec![], 60_000).await;
    assert_eq!(told.calls(0), Some((10_000.0, Some(15_000.0))));
    assert_eq!(told.calls(1), Some((30_000.0, Some(40_000.0))));
    assert!(told.events().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_hold_moves_all_that_is_left_by_exactly_its_length() {
    let told = told(TWO, vec![(5_000, Hold), (12_000, Resume)], 60_000).await;
    assert_eq!(told.calls(0), Some((17_000.0, Some(22_000.0))));
    assert_eq!(told.calls(1), Some((37_000.0, Some(47_000.0))));
    let events = told.events();
    assert_eq!(events[0], (5_000.0, "schedule | by hand: held".to_owned()));
    assert_eq!(events[1].0, 12_000.0);
    assert!(events[1].1.contains("resumed after 7.000 s"), "{events:?}");
    assert_eq!(told.still_broken, 0);
}

#[tokio::test(start_paused = true)]
async fn two_holds_add_up_and_what_was_done_stays_where_it_was() {
    let commands = vec![
        (12_000, Hold),
        (20_000, Resume),
        (24_000, Hold),
        (25_500, Resume),
    ];
    let told = told(TWO, commands, 60_000).await;
    assert_eq!(told.calls(0), Some((10_000.0, Some(23_000.0))));
    assert_eq!(told.calls(1), Some((39_500.0, Some(49_500.0))));
    assert_eq!(
        told.ended_early(0),
        None,
        "it lasted, and longer than planned"
    );
}

#[tokio::test(start_paused = true)]
async fn the_next_one_comes_now_and_lasts_as_long_as_was_planned() {
    let told = told(TWO, vec![(3_000, InjectNext)], 60_000).await;
    assert_eq!(told.calls(0), Some((3_000.0, Some(8_000.0))));
    assert_eq!(told.calls(1), Some((30_000.0, Some(40_000.0))));
    let [(at, what)] = &told.events()[..] else {
        panic!("one event")
    };
    assert_eq!(
        (*at, &**what),
        (3_000.0, "a | by hand: injected now instead of at 10.000 s")
    );
}

#[tokio::test(start_paused = true)]
async fn the_next_one_comes_during_a_hold_too_and_its_heal_waits_with_the_rest() {
    let commands = vec![(2_000, Hold), (4_000, InjectNext), (10_000, Resume)];
    let told = told(TWO, commands, 60_000).await;
    assert_eq!(told.calls(0), Some((4_000.0, Some(15_000.0))));
    assert_eq!(told.calls(1), Some((38_000.0, Some(48_000.0))));
}

#[tokio::test(start_paused = true)]
async fn the_next_is_refused_once_nothing_is_left() {
    let commands = vec![
        (1_000, InjectNext),
        (2_000, InjectNext),
        (3_000, InjectNext),
    ];
    let told = told(TWO, commands, 60_000).await;
    assert_eq!(told.calls(1), Some((2_000.0, Some(12_000.0))));
    assert_eq!(told.events().len(), 2);
    assert!(
        told.infos
            .iter()
            .any(|i| i.contains("no planned fault is left")),
        "{:?}",
        told.infos
    );
}

#[tokio::test(start_paused = true)]
async fn a_fault_by_hand_is_in_the_plan_the_record_and_the_events_until_it_is_healed() {
    let told = told(TWO, vec![(3_000, stop_db()), (6_000, HealAll)], 60_000).await;
    let added = &told.history.head.plan.faults[2];
    assert_eq!((&*added.name, &*added.kind), ("by hand: stop db", "stop"));
    assert_eq!(
        (added.inject_at, added.heal_at),
        (Offset::from_millis(3_000), None)
    );
    assert_eq!(added.targets, ["db"]);
    assert_eq!(told.calls(2), Some((3_000.0, Some(6_000.0))));
    assert_eq!(
        told.ended_early(2),
        None,
        "nobody said how long it was to last"
    );
    let record = &told.records[2];
    assert!(record.confirmed() && record.targets[0].heal_confirmed.is_some());
    let events = told.events();
    assert_eq!(
        events[0],
        (
            3_000.0,
            "by hand: stop db | by hand: not planned".to_owned()
        )
    );
    assert_eq!(
        events[1],
        (6_000.0, "by hand: stop db | by hand: healed now".to_owned())
    );
    assert_eq!(
        told.calls(0),
        Some((10_000.0, Some(15_000.0))),
        "the schedule goes on"
    );
    assert_eq!(told.still_broken, 0);
}

#[tokio::test(start_paused = true)]
async fn a_fault_by_hand_that_nobody_heals_lasts_until_the_end() {
    let told = told("", vec![(3_000, stop_db())], 60_000).await;
    assert_eq!(told.calls(0), Some((3_000.0, Some(60_000.0))));
    assert_eq!(told.still_broken, 0);
}

#[tokio::test(start_paused = true)]
async fn a_fault_by_hand_takes_place_and_is_healed_during_a_hold() {
    let commands = vec![
        (1_000, Hold),
        (2_000, stop_db()),
        (4_000, Heal(2)),
        (9_000, Resume),
    ];
    let told = told(TWO, commands, 60_000).await;
    assert_eq!(told.calls(2), Some((2_000.0, Some(4_000.0))));
    assert_eq!(told.calls(0), Some((18_000.0, Some(23_000.0))));
}

#[tokio::test(start_paused = true)]
async fn every_kind_by_hand_becomes_a_fault_that_takes_place() {
    let kinds = [
        DeedKind::Stop,
        DeedKind::Kill,
        DeedKind::Pause,
        DeedKind::Restart,
        DeedKind::Disconnect("back".to_owned()),
        DeedKind::Isolate,
        DeedKind::Delay,
        DeedKind::Loss,
        DeedKind::ResetConnections,
        DeedKind::Cpu,
    ];
    for kind in kinds {
        let target = Some("db".to_owned());
        let deed = Deed {
            kind: kind.clone(),
            target,
        };
        let told = told("", vec![(3_000, Break(deed)), (20_000, HealAll)], 60_000).await;
        assert_eq!(
            told.history.head.plan.faults.len(),
            1,
            "{kind:?}: {:?}",
            told.infos
        );
        let record = &told.records[0];
        assert!(record.targets[0].error.is_none(), "{kind:?}: {record:?}");
        // Where it needs a sidecar that is started first.
        let at = told.calls(0).map_or(0.0, |c| c.0);
        assert!((3_000.0..4_000.0).contains(&at), "{kind:?} at {at}");
        assert_eq!(told.still_broken, 0, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_has_is_not_broken_and_leaves_no_trace() {
    let deed = Deed {
        kind: DeedKind::Stop,
        target: Some("cache".to_owned()),
    };
    let told = told(TWO, vec![(3_000, Break(deed))], 60_000).await;
    assert_eq!(told.history.head.plan.faults.len(), 2);
    assert!(
        told.events().is_empty() && told.infos.iter().any(|i| i.contains("cache")),
        "{:?}",
        told.infos
    );
}

#[tokio::test(start_paused = true)]
async fn a_mark_by_hand_needs_no_target_and_has_both_edges() {
    let mark = Deed {
        kind: DeedKind::Mark,
        target: None,
    };
    let told = told("", vec![(3_000, Break(mark)), (7_250, HealAll)], 60_000).await;
    assert_eq!(told.calls(0), Some((3_000.0, Some(7_250.0))));
    assert_eq!(told.history.head.plan.faults[0].kind, "external");
}

#[tokio::test(start_paused = true)]
async fn heal_all_during_a_hold_heals_now_and_lets_go_of_nothing_else() {
    let commands = vec![(11_000, Hold), (13_000, HealAll), (50_000, Resume)];
    let told = told(TWO, commands, 60_000).await;
    assert_eq!(told.calls(0), Some((10_000.0, Some(13_000.0))));
    assert_eq!(
        told.ended_early(0).as_deref(),
        Some("healed by hand before its time")
    );
    assert_eq!(told.calls(1), None, "it was held until it no longer fitted");
    assert_eq!(told.still_broken, 0);
}

#[tokio::test(start_paused = true)]
async fn an_abort_during_a_hold_heals_what_is_on_and_injects_nothing_more() {
    let told = told(TWO, vec![(12_000, Hold)], 14_000).await;
    assert_eq!(told.calls(0), Some((10_000.0, Some(14_000.0))));
    assert_eq!(told.calls(1), None);
    assert_eq!(told.still_broken, 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_hold_moves_behind_the_end_of_the_load_is_said_and_does_not_take_place() {
    let told = told(TWO, vec![(5_000, Hold), (47_000, Resume)], 60_000).await;
    // 10 + 42 s fits, its heal at 57 s too; b would come at 72 s.
    assert_eq!(told.calls(0), Some((52_000.0, Some(57_000.0))));
    assert_eq!(told.calls(1), None);
    let [warning] = &told.warnings[..] else {
        panic!("one warning: {:?}", told.warnings)
    };
    assert!(
        warning.contains("b: it would come at 72.000 s"),
        "{warning}"
    );
    assert!(
        told.events()
            .iter()
            .any(|(at, what)| *at == 47_000.0 && what.starts_with("b | "))
    );
}

#[tokio::test(start_paused = true)]
async fn a_heal_that_no_longer_fits_comes_with_the_end_of_the_load() {
    let told = told(TWO, vec![(12_000, Hold), (58_000, Resume)], 60_000).await;
    assert_eq!(told.calls(0), Some((10_000.0, Some(60_000.0))));
    assert_eq!(told.warnings.len(), 2, "{:?}", told.warnings);
    assert!(
        told.warnings[0].contains("its heal would be at 61.000 s"),
        "{:?}",
        told.warnings
    );
}

#[tokio::test(start_paused = true)]
async fn the_next_of_a_row_waits_for_the_one_before_unless_that_is_healed() {
    let commands = vec![
        (11_000, InjectNext),
        (12_000, HealAll),
        (12_500, Hold),
        (13_500, Resume),
    ];
    let told = told(ROW, commands, 60_000).await;
    assert!(
        told.infos
            .iter()
            .any(|i| i.contains("b follows another fault")),
        "{:?}",
        told.infos
    );
    let (injected, healed) = told.calls(1).unwrap();
    // 2 s after the heal of `a` was seen, and one second of hold.
    assert!((15_000.0..15_200.0).contains(&injected), "{injected}");
    assert_eq!(healed, Some(injected + 5_000.0 + 5_000.0));
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused_in_words() {
    let commands = vec![
        (1_000, Resume),
        (2_000, Hold),
        (3_000, Hold),
        (4_000, Heal(0)),
        (5_000, HealAll),
    ];
    let told = told(TWO, commands, 60_000).await;
    let refused: Vec<_> = told
        .infos
        .iter()
        .filter(|i| i.starts_with("not done: "))
        .collect();
    assert_eq!(refused.len(), 4, "{refused:?}");
    assert_eq!(
        told.events().len(),
        1,
        "only what was done is in the history"
    );
}

#[tokio::test(start_paused = true)]
async fn ticks_tell_how_far_each_fault_has_come() {
    use FaultState::{Healed, Injected, Planned};
    let commands = [5, 12, 20, 35, 50].map(|s| (s * 1_000, Heal(9))).to_vec();
    let told = told(TWO, commands, 60_000).await;
    let states: Vec<_> = told.ticks.into_iter().map(|(_, states)| states).collect();
    let expected = [
        vec![Planned, Planned],
        vec![Injected, Planned],
        vec![Healed, Planned],
        vec![Healed, Injected],
        vec![Healed, Healed],
    ];
    assert_eq!(states, expected);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_may_be_broken_a_mark_is_all_that_is_done() {
    let mark = Deed {
        kind: DeedKind::Mark,
        target: None,
    };
    let commands = vec![(3_000, stop_db()), (4_000, Break(mark)), (5_000, HealAll)];
    let told = allowed(false, "", commands, 60_000).await;
    assert!(told.infos[0].contains("--allow-faults"), "{:?}", told.infos);
    assert_eq!(told.calls(0), Some((4_000.0, Some(5_000.0))));
    assert_eq!(told.history.head.plan.faults.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn limits_upon_limits_are_healed_to_what_they_were_before_the_first() {
    let cpu = || {
        Break(Deed {
            kind: DeedKind::Cpu,
            target: Some("db".to_owned()),
        })
    };
    for heals in [vec![0, 1], vec![1, 0]] {
        let mut commands = vec![(3_000, cpu()), (6_000, cpu())];
        commands.extend(
            heals
                .iter()
                .zip([9_000, 12_000])
                .map(|(i, at)| (at, Heal(*i))),
        );
        let told = told("", commands, 60_000).await;
        let healed = told.records.iter().flat_map(|r| &r.targets);
        assert_eq!(
            healed.filter(|t| t.heal.is_some()).count(),
            2,
            "{:?}",
            told.warnings
        );
        assert!(told.limits_are_as_before, "healed in the order {heals:?}");
        assert_eq!(told.still_broken, 0);
    }
}
