//! What keys do: a pure function from the view and a key to what is asked of the run.

use super::model::Model;
use super::popup::{Choice, Popup, lines};
use crate::control::Command;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Something of the run.
    Of(Command),
    /// What Ctrl-C asks for.
    Interrupt,
    /// That everything is drawn anew.
    Redraw,
}

/// A key was pressed.
pub fn press(model: &mut Model, key: KeyEvent) -> Option<Asked> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            // In raw mode the terminal makes no signal of it.
            KeyCode::Char('c') => Some(interrupt(model)),
            KeyCode::Char('l') => Some(Asked::Redraw),
            _ => None,
        };
    }
    match std::mem::take(&mut model.popup) {
        Popup::None => over_nothing(model, key.code),
        Popup::Help => None,
        popup @ (Popup::Kind(_) | Popup::Target(..) | Popup::Heal(_)) => {
            choosing(model, popup, key.code)
        }
        Popup::Confirm(deed) => match key.code {
            KeyCode::Enter | KeyCode::Char('y') => Some(Asked::Of(Command::Break(deed))),
            KeyCode::Esc | KeyCode::Char('n' | 'q') => None,
            _ => {
                model.popup = Popup::Confirm(deed);
                None
            }
        },
        Popup::End => match key.code {
            KeyCode::Enter | KeyCode::Char('y' | 'q') => Some(interrupt(model)),
            KeyCode::Esc | KeyCode::Char('n') => None,
            _ => {
                model.popup = Popup::End;
                None
            }
        },
    }
}

fn interrupt(model: &mut Model) -> Asked {
    model.popup = Popup::None;
    model.stopping = true;
    Asked::Interrupt
}

fn over_nothing(model: &mut Model, code: KeyCode) -> Option<Asked> {
    let steerable = model.steerable();
    match code {
        KeyCode::Char('q') => model.popup = Popup::End,
        KeyCode::Char('?') => model.popup = Popup::Help,
        KeyCode::Char('n') if steerable => return Some(Asked::Of(Command::InjectNext)),
        KeyCode::Char('h' | ' ') if steerable => {
            let held = model.tick.held;
            let command = if held { Command::Resume } else { Command::Hold };
            // Until the run says how it is, a second press undoes the first.
            model.tick.held = !held;
            return Some(Asked::Of(command));
        }
        KeyCode::Char('u') if steerable => return Some(Asked::Of(Command::HealAll)),
        KeyCode::Char('f') if steerable => model.popup = Popup::Kind(0),
        KeyCode::Char('e') if steerable && model.on().next().is_some() => {
            model.popup = Popup::Heal(0);
        }
        _ => {}
    }
    None
}

/// One of several lines is chosen: by its letter, or by arrows and Enter.
fn choosing(model: &mut Model, popup: Popup, code: KeyCode) -> Option<Asked> {
    model.popup = popup.clone();
    let lines = lines(model);
    let marked = match popup {
        Popup::Kind(at) | Popup::Target(_, at) | Popup::Heal(at) => at,
        Popup::None | Popup::Help | Popup::Confirm(_) | Popup::End => 0,
    };
    let last = lines.len().saturating_sub(1);
    let marked = marked.min(last);
    let move_to = |at: usize| match popup {
        Popup::Kind(_) => Popup::Kind(at),
        Popup::Target(choice, _) => Popup::Target(choice, at),
        Popup::Heal(_) => Popup::Heal(at),
        Popup::None | Popup::Help | Popup::Confirm(_) | Popup::End => Popup::None,
    };
    match code {
        KeyCode::Up => model.popup = move_to(marked.checked_sub(1).unwrap_or(last)),
        KeyCode::Down => model.popup = move_to(if marked == last { 0 } else { marked + 1 }),
        KeyCode::Home => model.popup = move_to(0),
        KeyCode::End => model.popup = move_to(last),
        KeyCode::Enter => return chosen(model, &popup, marked),
        KeyCode::Esc => {
            // One step back.
            model.popup = match popup {
                Popup::Target(choice, _) => Popup::Kind(place_of(choice)),
                Popup::Kind(_)
                | Popup::Heal(_)
                | Popup::None
                | Popup::Help
                | Popup::Confirm(_)
                | Popup::End => Popup::None,
            };
        }
        KeyCode::Char(letter) => {
            let at = lines
                .iter()
                .position(|(key, _)| *key == letter && letter != ' ');
            return at.and_then(|at| chosen(model, &popup, at));
        }
        _ => {}
    }
    None
}

fn place_of(choice: Choice) -> usize {
    Choice::ALL
        .iter()
        .position(|(c, _, _)| *c == choice)
        .unwrap_or(0)
}

fn chosen(model: &mut Model, popup: &Popup, at: usize) -> Option<Asked> {
    match popup {
        Popup::Kind(_) => {
            let (choice, _, _) = Choice::ALL.get(at)?;
            // There is nobody to choose of whom a mark is about.
            model.popup = match *choice == Choice::Mark {
                true => confirm(*choice, model, 0),
                false => Popup::Target(*choice, 0),
            };
        }
        Popup::Target(choice, _) => model.popup = confirm(*choice, model, at),
        Popup::Heal(_) => {
            let index = model.on().nth(at).map(|(index, _)| index);
            model.popup = Popup::None;
            return index.map(|index| Asked::Of(Command::Heal(index)));
        }
        Popup::None | Popup::Help | Popup::Confirm(_) | Popup::End => {}
    }
    None
}

fn confirm(choice: Choice, model: &Model, at: usize) -> Popup {
    let deeds = choice.deeds(&model.offer.targets);
    match deeds.into_iter().nth(at) {
        Some((_, deed)) => Popup::Confirm(deed),
        None => Popup::Target(choice, 0),
    }
}
