//! The workloads: a line of figures each, and below it how they went.

use super::draw::latency;
use super::model::{Model, Second};
use super::palette::Palette;
use crate::notice::LoadTick;
use crate::ui::words::inert;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, RenderDirection, Sparkline};
use std::collections::VecDeque;

/// Columns of figures, right of the name.
const FIGURES: usize = 64;

/// Draws them.
pub fn draw(frame: &mut Frame<'_>, model: &Model, palette: Palette, area: Rect, graphs: bool) {
    let name = usize::from(area.width).saturating_sub(FIGURES).clamp(8, 40);
    let lines = usize::from(area.height.saturating_sub(1));
    let each = if graphs { 2 } else { 1 };
    let shown = lines / each;
    let workload = match model.tick.loads.len().saturating_sub(shown) {
        0 => "workload".to_owned(),
        hidden => format!("workload +{hidden}"),
    };
    let title = format!(
        " {:name$.name$}{:>8}{:>9}{:>10}{:>10}{:>11}{:>9}{:>6}",
        workload, "per s", "bad", "p50", "p99", "total", "bad", "open"
    );
    let rows = Layout::vertical(vec![Constraint::Length(1); usize::from(area.height)]).split(area);
    let mut rows = rows.iter();
    if let Some(row) = rows.next() {
        frame.render_widget(Paragraph::new(title).style(palette.title()), *row);
    }
    let nothing = VecDeque::new();
    for (index, load) in model.tick.loads.iter().enumerate().take(shown) {
        if let Some(row) = rows.next() {
            frame.render_widget(figures(load, name, palette), *row);
        }
        if graphs && let Some(row) = rows.next() {
            graphs_of(
                frame,
                model.past.get(index).unwrap_or(&nothing),
                palette,
                *row,
            );
        }
    }
}

fn figures(load: &LoadTick, name: usize, palette: Palette) -> Paragraph<'static> {
    let bad = if load.error_ratio > 0.0 {
        palette.bad()
    } else {
        palette.good()
    };
    let total = if load.bad > 0 {
        palette.odd()
    } else {
        Style::new()
    };
    Paragraph::new(Line::from(vec![
        Span::raw(format!(" {:name$.name$}", inert(&load.name))),
        Span::raw(format!("{:>8.0}", load.rate)),
        Span::styled(format!("{:>7.2} %", load.error_ratio * 100.0), bad),
        Span::raw(format!("{:>10}", latency(load.p50))),
        Span::raw(format!("{:>10}", latency(load.p99))),
        Span::raw(format!("{:>11}", load.total)),
        Span::styled(format!("{:>9}", load.bad), total),
        Span::raw(format!("{:>6}", load.in_flight)),
    ]))
}

/// Three graphs side by side: a second a cell, now at the right.
fn graphs_of(frame: &mut Frame<'_>, past: &VecDeque<Second>, palette: Palette, area: Rect) {
    let label = |text: &'static str| Paragraph::new(text).style(palette.faint());
    let [_, l1, g1, l2, g2, l3, g3, _] = Layout::horizontal([
        Constraint::Length(3),
        Constraint::Length(6),
        Constraint::Fill(1),
        Constraint::Length(6),
        Constraint::Fill(1),
        Constraint::Length(6),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(label("per s "), l1);
    frame.render_widget(label("  bad "), l2);
    frame.render_widget(label("  p99 "), l3);
    let graph = |frame: &mut Frame<'_>,
                 area: Rect,
                 style: Style,
                 value: &dyn Fn(&Second) -> f64,
                 least: f64| {
        let values: Vec<f64> = past
            .iter()
            .rev()
            .take(usize::from(area.width))
            .map(value)
            .collect();
        let max = values.iter().copied().fold(least, f64::max);
        let line = Sparkline::default()
            .data(values.iter().map(|v| level(*v, max)))
            .max(LEVELS)
            .direction(RenderDirection::RightToLeft)
            .style(style);
        frame.render_widget(line, area);
    };
    graph(frame, g1, palette.good(), &|s| s.rate, 1.0);
    // Of all: half a line is half of the operations.
    graph(frame, g2, palette.bad(), &|s| s.error_ratio, 1.0);
    let p99 = |s: &Second| s.p99.map_or(0.0, |p| p.as_secs_f64());
    graph(frame, g3, palette.odd(), &p99, 0.001);
}

/// Heights of a cell.
const LEVELS: u64 = 8;

/// What is not nothing is seen.
fn level(value: f64, max: f64) -> u64 {
    if value <= 0.0 || max <= 0.0 {
        return 0;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most eight"
    )]
    let level = (value / max * LEVELS as f64).round() as u64;
    level.clamp(1, LEVELS)
}
