//! Shows the live view with invented notices, to look at it: `cargo run --example progress`.

use lbtest::clock::Offset;
use lbtest::notice::{LoadTick, Notice, Notices, Phase, Tick};
use lbtest::ui::{UiMode, watch};
use std::time::Duration;
use tokio::time::sleep;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (notices, rx) = Notices::channel();
    let watching = watch(UiMode::choose(false, false), rx);
    bring_up(&notices).await;
    load(&notices).await;
    for phase in [Phase::Draining, Phase::Reporting, Phase::TearingDown] {
        notices.tell(Notice::Phase(phase));
        sleep(Duration::from_millis(300)).await;
    }
    drop(notices);
    let _ = watching.await;
}

async fn bring_up(notices: &Notices) {
    notices.tell(Notice::Phase(Phase::Images));
    for i in 1..=8 {
        for service in ["postgres-master", "nginx"] {
            let line = format!("Step {i}/8 : RUN something \u{1b}[31mred");
            notices.tell(Notice::Image {
                service: service.into(),
                line,
            });
        }
        sleep(Duration::from_millis(200)).await;
    }
    notices.tell(Notice::ImageReady {
        service: "nginx".into(),
        took: Duration::from_secs(2),
    });
    notices.tell(Notice::Phase(Phase::Starting));
    for state in ["created", "started", "healthy"] {
        for service in ["postgres-master", "nginx", "app1"] {
            notices.tell(Notice::Container {
                service: service.into(),
                state: state.into(),
            });
        }
        sleep(Duration::from_millis(500)).await;
    }
}

async fn load(notices: &Notices) {
    notices.tell(Notice::Phase(Phase::WarmUp));
    notices.tell(Notice::LoadStarted {
        duration: Duration::from_secs(5),
    });
    for tick in 0..=50_u64 {
        let at = Offset::from_millis(tick * 100);
        let of = |name: &str, bad: f64| LoadTick {
            name: name.into(),
            rate: 200.0,
            error_ratio: bad,
            p99: Some(Duration::from_millis(12)),
            total: tick * 20,
            bad: 0,
            ..LoadTick::default()
        };
        let loads = vec![
            of("web", 0.0),
            of("reads", if tick > 25 { 0.31 } else { 0.0 }),
        ];
        let next = (tick < 25).then(|| (Offset::from_millis(2500), "slave 1 stops".to_owned()));
        notices.tell(Notice::Tick(Box::new(Tick {
            at,
            loads,
            next,
            ..Tick::default()
        })));
        if tick == 25 {
            notices.tell(Notice::Phase(Phase::Measuring));
            let what = "slave 1 stops: postgres-slave1 stopped, confirmed".to_owned();
            notices.tell(Notice::Fault {
                at,
                name: "slave 1 stops".into(),
                what,
            });
        }
        sleep(Duration::from_millis(100)).await;
    }
}
