//! Draws the view: a pure function of what it knows. All of it fits 80 × 24; larger screens show more of each part.

use super::lists;
use super::loads;
use super::model::Model;
use super::over;
use super::palette::Palette;
use crate::notice::Phase;
use crate::ui::words::{inert, phase, seconds};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use std::time::Duration;

/// Lines that events get at least.
const EVENTS: u16 = 4;
/// Lines of the lower half at least: a title and three lines.
const LISTS: u16 = 4;

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, model: &Model) {
    let palette = Palette::new(model.colour);
    let [head, bar, body, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(header(model, palette, head), head);
    frame.render_widget(progress(model, palette, bar.width), bar);
    if model.under_load() {
        under_load(frame, model, palette, body);
    } else {
        coming_up(frame, model, palette, body);
    }
    frame.render_widget(footer(model, palette), keys);
    over::draw(frame, model, palette);
}

fn header(model: &Model, palette: Palette, area: Rect) -> Paragraph<'static> {
    let name = inert(&model.offer.scenario);
    let mut left = vec![
        Span::styled(" lbtest ", palette.marked()),
        Span::raw(" "),
        Span::styled(name, palette.title()),
    ];
    if model.tick.held {
        left.extend([Span::raw("  "), Span::styled(" HELD ", palette.marked())]);
    }
    if model.stopping {
        let words = " stopping: Ctrl-C leaves at once ";
        left.extend([Span::raw("  "), Span::styled(words, palette.bad())]);
    }
    let words = model.phase.map_or("starting", phase);
    let used: usize = left.iter().map(Span::width).sum();
    let room = usize::from(area.width).saturating_sub(used + 1);
    left.push(Span::raw(format!("{words:>room$.room$} ")));
    Paragraph::new(Line::from(left))
}

/// How much of the load is over.
fn progress(model: &Model, palette: Palette, width: u16) -> Paragraph<'static> {
    let Some(duration) = model.duration else {
        return Paragraph::new("");
    };
    let at = model.tick.at.since_zero().min(duration);
    let label = format!(" {} / {} ", seconds(at), seconds(duration));
    let room = usize::from(width).saturating_sub(label.len() + 1);
    let share = match duration.is_zero() {
        true => 1.0,
        false => at.as_secs_f64() / duration.as_secs_f64(),
    };
    let over = part(room, share);
    Paragraph::new(Line::from(vec![
        Span::raw(" "),
        Span::styled("█".repeat(over), palette.good()),
        Span::styled("░".repeat(room - over), palette.faint()),
        Span::raw(label),
    ]))
}

/// So many of `room` cells.
pub fn part(room: usize, share: f64) -> usize {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cells of a screen"
    )]
    let cells = (room as f64 * share.clamp(0.0, 1.0)).round() as usize;
    cells.min(room)
}

fn under_load(frame: &mut Frame<'_>, model: &Model, palette: Palette, area: Rect) {
    let count = u16::try_from(model.tick.loads.len()).unwrap_or(u16::MAX);
    let rest = area.height.saturating_sub(EVENTS + LISTS);
    // Two lines each, or one where there is no room for graphs.
    let graphs = count.saturating_mul(2) < rest;
    let wanted = 1 + count.saturating_mul(if graphs { 2 } else { 1 });
    let of_loads = wanted.min(rest.max(2));
    let left = area.height.saturating_sub(of_loads);
    let of_lists = lists::wanted(model).clamp(LISTS, (left.saturating_sub(EVENTS)).max(LISTS));
    let [top, middle, bottom] = Layout::vertical([
        Constraint::Length(of_loads),
        Constraint::Length(of_lists.min(left)),
        Constraint::Fill(1),
    ])
    .areas(area);
    loads::draw(frame, model, palette, top, graphs);
    lists::draw(frame, model, palette, middle);
    said(frame, model, palette, bottom);
}

/// What is known before there is a load, and after.
fn coming_up(frame: &mut Frame<'_>, model: &Model, palette: Palette, area: Rect) {
    let services = u16::try_from(model.bring_up.len()).unwrap_or(u16::MAX);
    let wanted = services.saturating_add(1);
    let most = area.height.saturating_sub(EVENTS).max(2);
    let [top, bottom] =
        Layout::vertical([Constraint::Length(wanted.min(most)), Constraint::Fill(1)]).areas(area);
    let title = match model.phase {
        Some(Phase::TearingDown) => "taken down",
        Some(_) | None => "services",
    };
    let width = model.bring_up.keys().map(|n| n.chars().count()).max();
    let width = width.unwrap_or(0).min(28);
    let lines = model.bring_up.iter().map(|(service, what)| {
        let style = lists::of_state(what, palette);
        Line::from(vec![
            Span::raw(format!("  {service:width$.width$}  ")),
            Span::styled(what.clone(), style),
        ])
    });
    lists::part(frame, palette, top, title, lines.collect());
    said(frame, model, palette, bottom);
}

/// The last of what was said, the latest at the bottom.
fn said(frame: &mut Frame<'_>, model: &Model, palette: Palette, area: Rect) {
    let room = usize::from(area.height.saturating_sub(1));
    let last = model.said.iter().rev().take(room).rev();
    let lines = last.map(|said| lists::said(said, palette));
    lists::part(frame, palette, area, "events", lines.collect());
}

fn footer(model: &Model, palette: Palette) -> Paragraph<'static> {
    let keys: &[(&str, &str)] = match (model.steerable(), model.tick.held) {
        (true, false) => &[
            ("n", "next now"),
            ("h", "hold"),
            ("f", "fault"),
            ("u", "heal all"),
            ("e", "heal one"),
            ("q", "end"),
            ("?", "help"),
        ],
        (true, true) => &[
            ("n", "next now"),
            ("h", "resume"),
            ("f", "fault"),
            ("u", "heal all"),
            ("e", "heal one"),
            ("q", "end"),
            ("?", "help"),
        ],
        (false, _) => &[("q", "end"), ("?", "help")],
    };
    let spans = keys.iter().flat_map(|(key, words)| {
        [
            Span::raw(" "),
            Span::styled((*key).to_owned(), palette.title()),
            Span::raw(format!(" {words} ")),
        ]
    });
    Paragraph::new(Line::from(spans.collect::<Vec<_>>()))
}

/// `12.3 ms`, `1.20 s`; a dash where there is none.
pub fn latency(time: Option<Duration>) -> String {
    let Some(time) = time else {
        return "-".to_owned();
    };
    let ms = time.as_secs_f64() * 1e3;
    match ms {
        ms if ms < 99.95 => format!("{ms:.1} ms"),
        ms if ms < 9_999.5 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}
