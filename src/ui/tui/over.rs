//! Draws what lies over the view.

use super::model::Model;
use super::palette::Palette;
use super::popup::{Popup, in_words, lines};
use crate::ui::words::inert;
use ratatui::Frame;
use ratatui::layout::{Constraint, Flex, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};

/// The keys, for the help.
const HELP: [(&str, &str); 11] = [
    ("n", "the next planned fault takes place now"),
    ("h, space", "hold the schedule, or let it go on"),
    ("f", "a fault by hand: its kind, whom it hits, yes"),
    ("u", "heal all that is on"),
    ("e", "heal one of those that are on"),
    ("q", "end the run: heal, report, take down (it asks)"),
    ("Ctrl-C", "the same at once; once more: leave now"),
    ("Ctrl-L", "draw everything anew"),
    ("arrows, Enter, letter", "choose"),
    ("Esc", "back"),
    ("?", "this help"),
];

/// Draws it, where there is something.
pub fn draw(frame: &mut Frame<'_>, model: &Model, palette: Palette) {
    let choose = "arrows, Enter or a letter; Esc: back";
    match &model.popup {
        Popup::None => {}
        Popup::Help => {
            let lines = HELP
                .iter()
                .map(|(key, words)| Line::raw(format!(" {key:22} {words}")));
            boxed(frame, palette, "keys", lines.collect(), "any key: back", 0);
        }
        Popup::Kind(at) => list(frame, model, palette, "a fault by hand", *at, choose),
        Popup::Target(choice, at) => list(frame, model, palette, choice.words(), *at, choose),
        Popup::Heal(at) => list(frame, model, palette, "heal which?", *at, choose),
        Popup::Confirm(deed) => {
            let what = inert(&in_words(deed));
            let lasts = "until it is healed (u, e) or the load ends";
            let lines = [what.as_str(), lasts]
                .map(|l| Line::raw(format!(" {l}")))
                .to_vec();
            boxed(
                frame,
                palette,
                "do it now?",
                lines,
                "y, Enter: yes; n, Esc: no",
                0,
            );
        }
        Popup::End => {
            let (title, what) = match model.stopping {
                false => (
                    "end the run?",
                    "faults are healed, what was measured is reported, all is taken down",
                ),
                true => ("leave at once?", "the guardian cleans up after lbtest"),
            };
            let lines = vec![Line::raw(format!(" {what}"))];
            boxed(
                frame,
                palette,
                title,
                lines,
                "y, Enter, q: yes; n, Esc: no",
                0,
            );
        }
    }
}

fn list(
    frame: &mut Frame<'_>,
    model: &Model,
    palette: Palette,
    title: &str,
    marked: usize,
    keys: &str,
) {
    let all = lines(model);
    let marked = marked.min(all.len().saturating_sub(1));
    let line = |(i, (key, words)): (usize, (char, String))| {
        let line = Line::raw(format!(" {key}  {} ", inert(&words)));
        if i == marked {
            line.style(palette.marked())
        } else {
            line
        }
    };
    let mut shown: Vec<_> = all.into_iter().enumerate().map(line).collect();
    if shown.is_empty() {
        shown.push(Line::raw(" there is nothing to choose "));
    }
    boxed(frame, palette, title, shown, keys, marked);
}

/// A box in the middle; of lines that do not fit, those around the marked one.
fn boxed(
    frame: &mut Frame<'_>,
    palette: Palette,
    title: &str,
    lines: Vec<Line<'static>>,
    keys: &str,
    marked: usize,
) {
    let widest = lines
        .iter()
        .map(Line::width)
        .chain([title.chars().count(), keys.chars().count()]);
    let width = u16::try_from(widest.max().unwrap_or(0) + 4).unwrap_or(u16::MAX);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let area = middle(frame.area(), width, height);
    let block = Block::bordered()
        .title(format!(" {title} "))
        .title_bottom(format!(" {keys} "))
        .title_style(palette.title());
    let room = block.inner(area).height;
    let below = u16::try_from(marked + 1).unwrap_or(u16::MAX);
    let body = Paragraph::new(lines)
        .block(block)
        .scroll((below.saturating_sub(room), 0));
    frame.render_widget(Clear, area);
    frame.render_widget(body, area);
}

fn middle(area: Rect, width: u16, height: u16) -> Rect {
    let [row] = Layout::vertical([Constraint::Length(height.min(area.height))])
        .flex(Flex::Center)
        .areas(area);
    let [cell] = Layout::horizontal([Constraint::Length(width.min(area.width))])
        .flex(Flex::Center)
        .areas(row);
    cell
}
