//! Whatever goes wrong, and whenever lbtest dies: nothing stays broken, and what may be broken is in the journal.

use super::super::journal::Entry;
use super::super::linger::heal_after_death;
use super::super::{Undo, conductor};
use super::*;
use crate::engine::{Endpoint, Limits};
use proptest::prelude::*;

/// Tries of the guardian: more than there are calls that fail.
const TRIES: usize = 20;

#[derive(Debug, Clone, Copy)]
enum Way {
    Fails,
    /// Says that it was done, and is not.
    Lies,
}

/// Two faults at most, each of one service; which calls go wrong; when lbtest dies, if it does.
#[derive(Debug, Clone)]
struct Story {
    faults: Vec<(FaultKind, &'static str, u64, u64)>,
    wrong: Vec<(Call, Way)>,
    dies_at: Option<u64>,
}

fn kinds() -> impl Strategy<Value = FaultKind> {
    let kill = |signal: &str| FaultKind::Kill {
        signal: signal.to_owned(),
    };
    prop_oneof![
        Just(STOP),
        Just(kill("SIGKILL")),
        Just(kill("SIGTERM")),
        Just(FaultKind::Pause),
        Just(FaultKind::Restart { grace: None }),
        Just(FaultKind::Disconnect { networks: vec![] }),
        Just(FaultKind::Cpu { millicpus: 500 }),
        Just(FaultKind::Memory { bytes: 1 << 26 }),
        Just(delay()),
    ]
}

fn wrong() -> impl Strategy<Value = (Call, Way)> {
    let fails = prop_oneof![
        Just(Call::Sidecar),
        Just(Call::Order),
        Just(Call::Mend),
        Just(Call::Exec),
    ];
    let either = prop_oneof![
        Just(Call::Stop),
        Just(Call::Kill),
        Just(Call::Pause),
        Just(Call::Unpause),
        Just(Call::Restart),
        Just(Call::Start),
        Just(Call::Disconnect),
        Just(Call::Connect),
        Just(Call::Update),
    ];
    let way = prop_oneof![Just(Way::Fails), Just(Way::Lies)];
    // What a sidecar answers is the look itself: it fails, or it is true.
    prop_oneof![
        1 => fails.prop_map(|call| (call, Way::Fails)),
        3 => (either, way),
    ]
}

fn stories() -> impl Strategy<Value = Story> {
    let fault = |service: &'static str| (kinds(), Just(service), 0_u64..3_000, 1_u64..8_000);
    (
        fault("db"),
        proptest::option::of(fault("app")),
        proptest::collection::vec(wrong(), 0..12),
        proptest::option::of(0_u64..12_000),
    )
        .prop_map(|(first, second, wrong, dies_at)| Story {
            faults: [Some(first), second].into_iter().flatten().collect(),
            wrong,
            dies_at,
        })
}

/// What of the world faults change.
async fn seen(engine: &Simulated) -> Vec<(bool, bool, Vec<Endpoint>, Limits, usize)> {
    let mut all = Vec::new();
    for c in engine.containers("p").await.unwrap() {
        let state = engine.state(&c.id).await.unwrap();
        let mut networks = engine.endpoints(&c.id).await.unwrap();
        networks.sort_by(|a, b| a.network.cmp(&b.network));
        let limits = engine.limits(&c.id).await.unwrap();
        let sidecars = engine.sidecars_beside(&c.id);
        all.push((state.running, state.paused, networks, limits, sidecars));
    }
    all
}

fn spoil(engine: &Simulated, wrong: &[(Call, Way)]) {
    for (call, way) in wrong {
        let refused = || EngineError::Refused {
            what: format!("{call:?}"),
            answer: "not now".into(),
        };
        match way {
            Way::Fails => engine.fail_next(*call, refused()),
            Way::Lies => engine.ignore_next(*call),
        }
    }
}

async fn told(story: &Story) -> Result<(), TestCaseError> {
    let world = World::new();
    for service in ["db", "app"] {
        for network in ["front", "back"] {
            let id = format!("id-simulated-{service}-1");
            let endpoint = Endpoint {
                network: network.to_owned(),
                name: network.to_owned(),
                ..Endpoint::default()
            };
            world.engine.join_network(&id, endpoint);
        }
    }
    world.engine.count(1);
    let before = seen(&world.engine).await;
    let mut assignments = Vec::new();
    for (index, (kind, service, at, lasts)) in story.faults.iter().enumerate() {
        let heal = Some(at + lasts);
        let mut fault = world.assignment(kind.clone(), service, *at, heal).await;
        (fault.index, fault.tag) = (index, format!("t{index}"));
        assignments.push(fault);
    }
    spoil(&world.engine, &story.wrong);
    let reach = world.stage.reach.clone().unwrap();
    let whole = async {
        if arm(&reach, &assignments).await.is_ok() {
            conduct(&world.stage, assignments).await;
        }
    };
    let life = Duration::from_millis(story.dies_at.unwrap_or(3_600_000));
    let _ = tokio::time::timeout(life, whole).await;
    let pending = || journal::all(world.folder.path()).remove(0).entries;
    let unlisted = |entries: &[Entry], id: &str| !entries.iter().any(|e| e.container == id);
    let now = seen(&world.engine).await;
    for (c, (then, now)) in world
        .engine
        .containers("p")
        .await
        .unwrap()
        .iter()
        .zip(before.iter().zip(&now))
    {
        let silent = then != now && unlisted(&pending(), &c.id);
        prop_assert!(!silent, "{} is broken and nobody knows: {now:?}", c.name);
    }
    // The guardian.
    let mut left = vec!["not yet tried".to_owned()];
    for _ in 0..TRIES {
        if left.is_empty() {
            break;
        }
        left = heal_after_death(&world.engine, &pending(), Duration::ZERO).await;
    }
    prop_assert_eq!(left, Vec::<String>::new());
    prop_assert_eq!(seen(&world.engine).await, before);
    Ok(())
}

fn paused<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_goes_wrong_everything_is_mended_in_the_end(story in stories()) {
        paused(told(&story))?;
    }
}

fn entry(undo: Undo, lingers: u64) -> Entry {
    Entry {
        id: 1,
        container: "id-simulated-db-1".into(),
        name: "simulated-db-1".into(),
        undo,
        lingers: Duration::from_secs(lingers),
        shown: false,
        doubted: false,
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_takes_effect_after_lbtest_s_death_is_mended() {
    let world = World::new();
    let id = "id-simulated-db-1";
    let engine = world.engine.clone();
    // The process takes its time to end.
    let stop = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(8)).await;
        engine.stop(id, None).await
    });
    let entries = [entry(Undo::Start, 12)];
    let at_once = conductor::heal_pending(&world.engine, &entries).await;
    assert!(at_once.is_empty(), "nothing is broken at the first look");
    let left = heal_after_death(&world.engine, &entries, Duration::from_secs(1)).await;
    assert!(left.is_empty());
    stop.await.unwrap().unwrap();
    assert!(world.engine.state(id).await.unwrap().running);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_what_is_long_over_or_was_seen() {
    let world = World::new();
    let began = Instant::now();
    let mut seen = entry(Undo::Start, 12);
    seen.shown = true;
    heal_after_death(&world.engine, &[seen], Duration::ZERO).await;
    let old = entry(Undo::Start, 12);
    heal_after_death(&world.engine, &[old], Duration::from_secs(60)).await;
    assert!(began.elapsed() < Duration::from_secs(1));
}
