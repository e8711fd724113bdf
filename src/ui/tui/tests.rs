use super::draw::draw;
use super::keys::{Asked, press};
use super::model::Model;
use super::popup::{Choice, Popup};
use crate::clock::Offset;
use crate::control::{Command, Deed, DeedKind, Offer, Target};
use crate::notice::{
    FaultState, FaultTick, InstanceTick, LoadTick, Notice, Phase, ServiceTick, Tick,
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;
use std::time::Duration;

fn instance(name: &str, rate: f64) -> InstanceTick {
    InstanceTick {
        name: name.into(),
        total: 900,
        bad: 0,
        rate,
    }
}

fn load(name: &str, second: u64, bad: f64) -> LoadTick {
    LoadTick {
        name: name.into(),
        rate: 200.0,
        error_ratio: bad,
        p50: Some(Duration::from_micros(1_240)),
        p99: (bad < 1.0).then(|| Duration::from_millis(3 + second % 7)),
        total: second * 200,
        bad: if bad > 0.0 { 321 } else { 0 },
        in_flight: 2,
        instances: vec![
            instance("app1", 100.0),
            instance("app2", 66.0),
            instance("app3", 34.0),
        ],
        ..LoadTick::default()
    }
}

fn fault(name: &str, at: u64, heal: Option<u64>, state: FaultState) -> FaultTick {
    FaultTick {
        name: name.into(),
        kind: "stop".into(),
        targets: vec!["app2".into()],
        inject_at: Offset::from_millis(at * 1000),
        heal_at: heal.map(|s| Offset::from_millis(s * 1000)),
        state,
    }
}

fn service(name: &str, state: &str) -> ServiceTick {
    ServiceTick {
        name: name.into(),
        state: state.into(),
    }
}

fn tick(second: u64) -> Notice {
    let bad = if (20..24).contains(&second) {
        0.31
    } else {
        0.0
    };
    let mut reads = load("reads", second, bad);
    reads.instances.clear();
    Notice::Tick(Box::new(Tick {
        at: Offset::from_millis(second * 1000 + 250),
        loads: vec![load("web", second, 0.0), reads],
        next: None,
        faults: vec![
            fault("app 1 is killed", 10, Some(15), FaultState::Healed),
            fault("app 2 stops", 20, Some(35), FaultState::Injected),
            fault("app 3 hangs", 40, None, FaultState::Planned),
            fault("by hand: stop db", 12, Some(14), FaultState::Failed),
        ],
        held: false,
        services: vec![
            service("app1", "healthy"),
            service("app2", "stopped 137"),
            service("app3", "healthy"),
            service("db", "running"),
            service("nginx", "unhealthy"),
        ],
    }))
}

/// A run under load, with what a hostile system could have written.
fn under_load() -> Model {
    let mut model = Model {
        offer: Offer {
            scenario: "kill-app".into(),
            targets: ["app1", "app2", "db"]
                .map(|name| Target {
                    name: name.into(),
                    networks: vec!["back".into(), "front".into()],
                })
                .to_vec(),
        },
        colour: true,
        ..Model::default()
    };
    let mut notices = vec![
        Notice::Phase(Phase::WarmUp),
        Notice::LoadStarted {
            duration: Duration::from_secs(60),
        },
        Notice::Phase(Phase::Measuring),
    ];
    notices.extend((0..=25).map(tick));
    notices.push(Notice::Fault {
        at: Offset::from_millis(20_012),
        name: "app 2 stops".into(),
        what: "app 2 stops (stop): app2: not running, \u{9b}2J exit code 137".into(),
    });
    notices.push(Notice::Warning("the machine is \u{202e}busy\nvery".into()));
    notices.push(Notice::Info("by hand: schedule: held".into()));
    notices.iter().for_each(|n| model.take(n));
    model
}

fn screen(model: &Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, model)).unwrap();
    let text = terminal.backend().to_string();
    assert!(
        !text
            .chars()
            .any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
        "{text:?}"
    );
    text
}

fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

fn typed(model: &mut Model, keys: &str) -> Vec<Asked> {
    let codes = keys.chars().map(|c| match c {
        '\n' => KeyCode::Enter,
        '<' => KeyCode::Esc,
        'v' => KeyCode::Down,
        '^' => KeyCode::Up,
        c => KeyCode::Char(c),
    });
    codes.filter_map(|code| press(model, key(code))).collect()
}

fn breaks(kind: DeedKind, target: Option<&str>) -> Asked {
    let target = target.map(str::to_owned);
    Asked::Of(Command::Break(Deed { kind, target }))
}

#[test]
fn under_load_everything_is_on_a_small_screen() {
    let text = screen(&under_load(), 80, 24);
    for word in [
        "kill-app",
        "measuring",
        "web",
        "reads",
        "app2",
        "stopped 137",
        "app 3 hangs",
        "heals in 10 s",
        "by hand: schedule: held",
    ] {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_large_screen_shows_more_of_each_part() {
    insta::assert_snapshot!(screen(&under_load(), 120, 40));
}

#[test]
fn what_comes_up_is_shown_before_there_is_a_load() {
    let mut model = Model::default();
    for notice in [
        Notice::Phase(Phase::Images),
        Notice::Image {
            service: "db".into(),
            line: "Step 2/3 : \u{1b}[31mRUN x\u{1b}[0m\r\u{7}".into(),
        },
        Notice::ImageReady {
            service: "app".into(),
            took: Duration::from_millis(2300),
        },
        Notice::Phase(Phase::Starting),
        Notice::Container {
            service: "app".into(),
            state: "healthy".into(),
        },
        Notice::Info("cleaning up after run x".into()),
    ] {
        model.take(&notice);
    }
    insta::assert_snapshot!(screen(&model, 80, 24));
}

#[test]
fn popups_lie_over_the_view() {
    let mut model = under_load();
    typed(&mut model, "f");
    insta::assert_snapshot!("choosing_a_kind", screen(&model, 80, 24));
    typed(&mut model, "d");
    insta::assert_snapshot!("choosing_a_target", screen(&model, 80, 24));
    typed(&mut model, "b");
    insta::assert_snapshot!("confirming", screen(&model, 80, 24));
    typed(&mut model, "<?");
    insta::assert_snapshot!("help", screen(&model, 80, 24));
}

#[test]
fn no_size_of_a_screen_is_too_small_to_draw() {
    let mut model = under_load();
    let target = Popup::Target(super::popup::Choice::Stop, 2);
    let popups = [Popup::None, Popup::Help, Popup::Kind(10), Popup::End];
    for popup in popups.into_iter().chain([target, Popup::Heal(0)]) {
        model.popup = popup;
        for (width, height) in [
            (1, 1),
            (3, 2),
            (10, 4),
            (20, 5),
            (40, 10),
            (79, 23),
            (300, 90),
        ] {
            screen(&model, width, height);
        }
    }
}

#[test]
fn many_workloads_lose_their_graphs_before_their_figures() {
    let mut model = under_load();
    let many = (0..10)
        .map(|i| load(&format!("load{i}"), 25, 0.0))
        .collect();
    model.tick.loads = many;
    let text = screen(&model, 80, 24);
    for i in 0..10 {
        assert!(
            text.contains(&format!("load{i}")),
            "load{i} is not in\n{text}"
        );
    }
    model
        .tick
        .loads
        .extend((10..40).map(|i| load(&format!("load{i}"), 25, 0.0)));
    for (width, height) in [(80, 24), (120, 40)] {
        let text = screen(&model, width, height);
        assert!(text.contains("workload +"), "what is cut is said:\n{text}");
    }
}

#[test]
fn without_colour_there_are_only_attributes() {
    let coloured = |colour: bool| {
        let mut model = under_load();
        model.colour = colour;
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, &model)).unwrap();
        let buffer = terminal.backend().buffer();
        let of = |c: &Color| *c != Color::Reset;
        buffer
            .content()
            .iter()
            .any(|cell| of(&cell.fg) || of(&cell.bg))
    };
    assert!(coloured(true) && !coloured(false));
}

#[test]
fn keys_steer_the_schedule() {
    let mut model = under_load();
    let asked = typed(&mut model, "nhu");
    let expected = [Command::InjectNext, Command::Hold, Command::HealAll].map(Asked::Of);
    assert_eq!(asked, expected);
    // It is held by now: space is the same key.
    assert_eq!(typed(&mut model, " "), [Asked::Of(Command::Resume)]);
}

#[test]
fn a_fault_by_hand_is_chosen_by_letters_or_by_arrows_and_confirmed() {
    let mut model = under_load();
    assert_eq!(
        typed(&mut model, "fsb\n"),
        [breaks(DeedKind::Stop, Some("app2"))]
    );
    assert_eq!(
        typed(&mut model, "fvv\nvv\ny"),
        [breaks(DeedKind::Pause, Some("db"))]
    );
    let network = DeedKind::Disconnect("front".into());
    assert_eq!(typed(&mut model, "fdd\n"), [breaks(network, Some("app2"))]);
    assert_eq!(typed(&mut model, "fm\n"), [breaks(DeedKind::Mark, None)]);
    // Around the end, and back.
    assert_eq!(typed(&mut model, "f^\n\n"), [breaks(DeedKind::Mark, None)]);
    assert_eq!(typed(&mut model, "fsbn"), []);
    assert_eq!(model.popup, Popup::None);
}

#[test]
fn escape_goes_one_step_back() {
    let mut model = under_load();
    typed(&mut model, "fp");
    assert_eq!(model.popup, Popup::Target(Choice::Pause, 0));
    typed(&mut model, "<");
    assert_eq!(model.popup, Popup::Kind(2));
    typed(&mut model, "<");
    assert_eq!(model.popup, Popup::None);
}

#[test]
fn one_fault_that_is_on_can_be_healed_by_its_name() {
    let mut model = under_load();
    assert_eq!(typed(&mut model, "e\n"), [Asked::Of(Command::Heal(1))]);
    model.tick.faults.clear();
    assert_eq!(typed(&mut model, "e\n"), [], "nothing is on");
}

#[test]
fn ctrl_c_interrupts_at_once_and_q_asks_first() {
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    let mut model = under_load();
    typed(&mut model, "f");
    assert_eq!(press(&mut model, control_c), Some(Asked::Interrupt));
    assert!(model.stopping && model.popup == Popup::None);
    assert_eq!(
        press(&mut model, control_c),
        Some(Asked::Interrupt),
        "and again"
    );

    let mut model = under_load();
    assert_eq!(typed(&mut model, "qn"), []);
    assert_eq!(typed(&mut model, "qy"), [Asked::Interrupt]);
    assert_eq!(typed(&mut model, "nfhu"), [], "nothing is steered any more");
    assert_eq!(typed(&mut model, "q\n"), [Asked::Interrupt]);
}

#[test]
fn nothing_is_steered_before_the_load_begins() {
    let mut model = Model::default();
    model.take(&Notice::Phase(Phase::Starting));
    assert_eq!(typed(&mut model, "nhuf e"), []);
    assert_eq!(model.popup, Popup::None);
    assert_eq!(typed(&mut model, "qq"), [Asked::Interrupt]);
}
