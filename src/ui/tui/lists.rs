//! The lists below the workloads: who answered, how the containers are, the schedule; and lines of what was said.

use super::draw;
use super::model::{Model, Said, Weight};
use super::palette::Palette;
use crate::clock::Offset;
use crate::notice::{FaultState, FaultTick, InstanceTick, ServiceTick};
use crate::ui::words::inert;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Cells of the bar of an instance's share.
const BAR: usize = 10;

/// A title, and as many lines as there is room for; what is cut is said, of lines that hold one each.
pub fn part(
    frame: &mut Frame<'_>,
    palette: Palette,
    area: Rect,
    title: &str,
    lines: Vec<Line<'_>>,
) {
    let count = lines.len();
    part_of(frame, palette, area, title, lines, (count, 1));
}

/// The same of so many, of which a line holds `each`.
fn part_of(
    frame: &mut Frame<'_>,
    palette: Palette,
    area: Rect,
    title: &str,
    lines: Vec<Line<'_>>,
    (count, each): (usize, usize),
) {
    let room = usize::from(area.height.saturating_sub(1));
    let hidden = count.saturating_sub(room * each);
    let more = match hidden {
        0 => String::new(),
        n => format!("+{n} "),
    };
    let width = usize::from(area.width);
    let used = title.chars().count() + 4 + more.len();
    let mut all = vec![Line::from(vec![
        Span::styled("─ ", palette.faint()),
        Span::styled(title.to_owned(), palette.title()),
        Span::styled(
            format!(" {} {more}", "─".repeat(width.saturating_sub(used))),
            palette.faint(),
        ),
    ])];
    all.extend(lines.into_iter().take(room));
    frame.render_widget(Paragraph::new(all), area);
}

/// Lines that all lists have.
pub fn wanted(model: &Model) -> u16 {
    let left = answered(model).len() + model.tick.services.len().div_ceil(2) + 2;
    let right = model.tick.faults.len() + 1;
    u16::try_from(left.max(right)).unwrap_or(u16::MAX)
}

/// Draws them: instances and containers at the left, the schedule at the right.
pub fn draw(frame: &mut Frame<'_>, model: &Model, palette: Palette, area: Rect) {
    let [left, _, right] = Layout::horizontal([
        Constraint::Percentage(50),
        Constraint::Length(1),
        Constraint::Fill(1),
    ])
    .areas(area);
    let instances = answered(model);
    let rows = u16::try_from(instances.len() + 1).unwrap_or(u16::MAX);
    let of_services = u16::try_from(model.tick.services.len().div_ceil(2) + 1).unwrap_or(u16::MAX);
    let half = left.height.div_ceil(2);
    // Each gets half; what one does not need is the other's.
    let above = rows.min(half.max(left.height.saturating_sub(of_services)));
    let [top, bottom] =
        Layout::vertical([Constraint::Length(above), Constraint::Fill(1)]).areas(left);
    let lines = instances
        .iter()
        .map(|(load, one, all)| instance(model, load, one, *all, palette));
    part(frame, palette, top, "answered by", lines.collect());
    if !model.tick.services.is_empty() {
        let lines = services(model, palette, bottom.width);
        let count = model.tick.services.len();
        part_of(frame, palette, bottom, "containers", lines, (count, 2));
    }
    let faults = &model.tick.faults;
    let lines = in_view(faults, usize::from(right.height.saturating_sub(1)));
    let lines = lines.iter().map(|f| fault(model, f, palette, right.width));
    part(frame, palette, right, "schedule", lines.collect());
}

/// Every instance, with the workload it answers (where there are several) and how much that gets in all.
fn answered(model: &Model) -> Vec<(String, InstanceTick, f64)> {
    let several = model
        .tick
        .loads
        .iter()
        .filter(|l| !l.instances.is_empty())
        .count()
        > 1;
    let of = |load: &crate::notice::LoadTick| {
        let all: f64 = load.instances.iter().map(|i| i.rate).sum();
        let name = if several {
            format!("{} ", inert(&load.name))
        } else {
            String::new()
        };
        let mut each: Vec<_> = load.instances.iter().collect();
        each.sort_by(|a, b| a.name.cmp(&b.name));
        each.into_iter()
            .map(|i| (name.clone(), i.clone(), all))
            .collect::<Vec<_>>()
    };
    model.tick.loads.iter().flat_map(of).collect()
}

fn instance(
    model: &Model,
    load: &str,
    one: &InstanceTick,
    all: f64,
    palette: Palette,
) -> Line<'static> {
    let share = if all > 0.0 { one.rate / all } else { 0.0 };
    let cells = draw::part(BAR, share);
    let name = format!("{load}{}", inert(&one.name));
    let state = model.state_of(&one.name).unwrap_or_default();
    Line::from(vec![
        Span::raw(format!(" {name:14.14} ")),
        Span::styled("█".repeat(cells), palette.good()),
        Span::styled("·".repeat(BAR - cells), palette.faint()),
        Span::raw(format!("{:>4.0} % ", share * 100.0)),
        Span::styled(inert(state), of_state(state, palette)),
    ])
}

/// Containers in two columns; those that are not well come first.
fn services(model: &Model, palette: Palette, width: u16) -> Vec<Line<'static>> {
    let well = |s: &ServiceTick| matches!(s.state.as_str(), "running" | "healthy");
    let mut all: Vec<_> = model.tick.services.iter().collect();
    all.sort_by_key(|s| well(s));
    let column = usize::from(width / 2).saturating_sub(1);
    let state = column.saturating_sub(1).min(12);
    let name = column.saturating_sub(state + 1);
    let cell = |s: &&ServiceTick| {
        [
            Span::raw(format!(" {:name$.name$}", inert(&s.name))),
            Span::styled(
                format!(" {:state$.state$}", inert(&s.state)),
                of_state(&s.state, palette),
            ),
        ]
    };
    let line = |pair: &[&ServiceTick]| Line::from(pair.iter().flat_map(cell).collect::<Vec<_>>());
    all.chunks(2).map(line).collect()
}

/// How the state of a container looks.
pub fn of_state(state: &str, palette: Palette) -> Style {
    match state {
        "healthy" | "running" | "started" | "completed" => palette.good(),
        "unhealthy" | "removed" => palette.bad(),
        state if state.starts_with("stopped") => palette.bad(),
        "paused" | "starting" => palette.odd(),
        _ => Style::new(),
    }
}

/// What of the schedule is seen where there is no room for all: what is on and what comes, before what is over.
fn in_view(faults: &[FaultTick], room: usize) -> Vec<FaultTick> {
    let over = |f: &FaultTick| match f.state {
        FaultState::Planned | FaultState::Injected => false,
        FaultState::Healed | FaultState::Failed => true,
    };
    let mut surplus = faults.len().saturating_sub(room);
    let (mut kept, mut last) = (Vec::new(), Vec::new());
    for fault in faults {
        if surplus > 0 && over(fault) {
            surplus -= 1;
            last.push(fault.clone());
        } else {
            kept.push(fault.clone());
        }
    }
    if faults.len() > room {
        // One by hand comes last in the plan.
        kept.sort_by_key(|f| f.state != FaultState::Injected);
    }
    kept.extend(last);
    kept
}

fn fault(model: &Model, fault: &FaultTick, palette: Palette, width: u16) -> Line<'static> {
    let (mark, style) = match fault.state {
        FaultState::Planned => ("○", Style::new()),
        FaultState::Injected => ("●", palette.bad()),
        FaultState::Healed => ("✓", palette.good()),
        FaultState::Failed => ("✗", palette.odd()),
    };
    let now = model.tick.at;
    let when = match fault.state {
        FaultState::Planned => countdown("in", fault.inject_at, now, model),
        FaultState::Injected => match fault.heal_at {
            Some(at) => countdown("heals in", at, now, model),
            None => "till the end".to_owned(),
        },
        FaultState::Healed => fault
            .heal_at
            .map_or_else(|| "over".to_owned(), |at| format!("healed {}", clock(at))),
        FaultState::Failed => "did not work".to_owned(),
    };
    let room = usize::from(width).saturating_sub(when.chars().count() + 4);
    let targets = fault.targets.join(", ");
    let what = match fault.kind.as_str() {
        kind if targets.is_empty() || targets == kind => inert(&fault.name),
        kind => inert(&format!("{} ({kind} {targets})", fault.name)),
    };
    Line::from(vec![
        Span::styled(format!(" {mark} "), style),
        Span::raw(format!("{what:room$.room$} ")),
        Span::styled(when, style),
    ])
}

/// `in 12 s`; while the schedule is held it does not come nearer.
fn countdown(words: &str, at: Offset, now: Offset, model: &Model) -> String {
    let left = (at - now).as_secs_f64().ceil();
    match model.tick.held {
        true => format!("{words} {left:.0} s, held"),
        false => format!("{words} {left:.0} s"),
    }
}

fn clock(at: Offset) -> String {
    format!("{:.1} s", at.since_zero().as_secs_f64())
}

/// A line of what was said.
pub fn said(said: &Said, palette: Palette) -> Line<'static> {
    let (mark, style) = match said.weight {
        Weight::Plain => ("", Style::new()),
        Weight::Fault => ("", palette.title()),
        Weight::Warning => ("warning: ", palette.odd()),
    };
    Line::from(vec![
        Span::styled(format!("{:>10}  ", said.at), palette.faint()),
        Span::styled(format!("{mark}{}", said.what), style),
    ])
}
