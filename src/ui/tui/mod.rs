//! The live view that takes the whole terminal: how the run goes, and keys that steer it.
//!
//! What is shown (`draw`) and what keys do (`keys`) are pure functions of what is known (`model`); the terminal itself is in
//! [`screen`] alone.

mod draw;
mod keys;
mod lists;
mod loads;
mod model;
mod over;
mod palette;
mod popup;
pub mod screen;

use super::{UiMode, follow, words::inert};
use crate::control::Control;
use crate::notice::Notice;
use crossterm::event::{Event, EventStream};
use futures_util::{FutureExt, StreamExt};
use keys::{Asked, press};
use model::Model;
use rustix::process::{Signal, getpid, kill_process};
use screen::{Beside, Screen};
use std::io::{self, Write};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// What has changed is drawn so often; what keys do is drawn at once.
const DRAWN_EVERY: Duration = Duration::from_millis(100);

/// Shows notices, and passes on what keys ask for, until nobody sends any more; then the terminal is as it was. Where the
/// view fails the run goes on, and is told in lines.
#[must_use]
pub fn watch(mut notices: UnboundedReceiver<Notice>, control: Control) -> JoinHandle<()> {
    tokio::spawn(async move {
        let shown = AssertUnwindSafe(show(&mut notices, &control));
        let shown = shown.catch_unwind().await;
        screen::leave();
        match shown {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let _ = writeln!(Beside, "warning: the view is closed: {error}");
                follow(UiMode::Plain, notices).await;
            }
            // It has been said.
            Err(_panic) => follow(UiMode::Plain, notices).await,
        }
    })
}

/// The view of one run.
struct View<'a> {
    screen: Screen,
    model: Model,
    keys: EventStream,
    control: &'a Control,
    changed: bool,
}

async fn show(notices: &mut UnboundedReceiver<Notice>, control: &Control) -> io::Result<()> {
    let mut stopped = signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?;
    let mut timer = tokio::time::interval(DRAWN_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut view: Option<View<'_>> = None;
    loop {
        let changed = view.as_ref().is_some_and(|v| v.changed);
        tokio::select! {
            notice = notices.recv() => match notice {
                None => return Ok(()),
                Some(notice) => told(&notice, &mut view, control)?,
            },
            event = pressed(&mut view) => match (event, &mut view) {
                (Some(event), Some(view)) => view.does(&event)?,
                // Nobody is at the keys any more.
                (None, _) | (_, None) => return Err(io::ErrorKind::UnexpectedEof.into()),
            },
            _ = timer.tick(), if changed => if let Some(view) = &mut view { view.draw()? },
            _ = suspended(&mut stopped) => suspend(&mut view).await?,
        }
    }
}

fn told<'a>(notice: &Notice, view: &mut Option<View<'a>>, control: &'a Control) -> io::Result<()> {
    match notice {
        Notice::Settle(settle) => {
            // The screen is left; what comes next opens it again.
            *view = None;
            settle.done();
            return Ok(());
        }
        Notice::Warning(text) => {
            // Nobody remembers what was on a screen that is gone.
            writeln!(Beside, "warning: {}", inert(text))?;
            if view.is_none() {
                return Ok(());
            }
        }
        Notice::Info(text) if view.is_none() => return writeln!(Beside, "{}", inert(text)),
        Notice::Info(_)
        | Notice::Phase(_)
        | Notice::Image { .. }
        | Notice::ImageReady { .. }
        | Notice::Container { .. }
        | Notice::LoadStarted { .. }
        | Notice::Tick(_)
        | Notice::Fault { .. } => {}
    }
    let view = match view {
        Some(view) => view,
        None => view.insert(View::open(control)?),
    };
    view.model.take(notice);
    view.changed = true;
    Ok(())
}

/// The next key, or change of size; none where there is nobody at the keys any more. Waits for ever without a view.
async fn pressed(view: &mut Option<View<'_>>) -> Option<Event> {
    match view {
        Some(view) => view.keys.next().await.and_then(Result::ok),
        None => std::future::pending().await,
    }
}

async fn suspended(stopped: &mut unix::Signal) {
    if stopped.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Stops, as without a view, with the terminal as it was; and goes on where somebody lets it.
async fn suspend(view: &mut Option<View<'_>>) -> io::Result<()> {
    let mut continued = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
    screen::leave();
    kill_process(getpid(), Signal::STOP)?;
    // The stop may come first to another thread, while this one still goes on.
    continued.recv().await;
    match view {
        Some(view) => {
            view.screen.open_again()?;
            view.draw()
        }
        None => Ok(()),
    }
}

impl<'a> View<'a> {
    fn open(control: &'a Control) -> io::Result<Self> {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let model = Model {
            colour,
            ..Model::default()
        };
        Ok(Self {
            screen: Screen::open()?,
            model,
            keys: EventStream::new(),
            control,
            changed: true,
        })
    }

    fn does(&mut self, event: &Event) -> io::Result<()> {
        self.model.stopping |= self.control.is_stopping();
        if let Some(key) = event.as_key_press_event() {
            match press(&mut self.model, key) {
                Some(Asked::Of(command)) => self.control.ask(command),
                Some(Asked::Interrupt) => self.control.interrupt(),
                Some(Asked::Redraw) => self.screen.clear()?,
                None => {}
            }
        }
        self.draw()
    }

    fn draw(&mut self) -> io::Result<()> {
        failpoint(&self.model);
        self.model.offer = self.control.offer();
        self.model.stopping |= self.control.is_stopping();
        self.changed = false;
        self.screen.show(&self.model)
    }
}

/// Where a test makes the view panic, in builds with debug assertions only.
#[allow(clippy::panic, reason = "what it is for")]
fn failpoint(model: &Model) {
    if cfg!(debug_assertions)
        && model.duration.is_some()
        && std::env::var_os("LBTEST_TEST_VIEW_PANICS").is_some()
    {
        panic!("a test makes the view panic");
    }
}

#[cfg(test)]
mod tests;
