//! Colours, of the sixteen that every terminal has; without colour, attributes. Source: <https://no-color.org>.

use ratatui::style::{Color, Modifier, Style};

/// What the styles of a view are made of.
#[derive(Debug, Clone, Copy)]
pub struct Palette {
    colour: bool,
}

impl Palette {
    /// With colour, or with attributes only.
    pub fn new(colour: bool) -> Self {
        Self { colour }
    }

    fn style(self, colour: Color, without: Modifier) -> Style {
        match self.colour {
            true => Style::new().fg(colour),
            false => Style::new().add_modifier(without),
        }
    }

    /// What names something.
    pub fn title(self) -> Style {
        self.style(Color::Cyan, Modifier::empty())
            .add_modifier(Modifier::BOLD)
    }

    /// What matters less.
    pub fn faint(self) -> Style {
        self.style(Color::DarkGray, Modifier::DIM)
    }

    /// As it should be.
    pub fn good(self) -> Style {
        self.style(Color::Green, Modifier::empty())
    }

    /// As it should not be.
    pub fn bad(self) -> Style {
        self.style(Color::Red, Modifier::BOLD)
    }

    /// Worth a look.
    pub fn odd(self) -> Style {
        self.style(Color::Yellow, Modifier::UNDERLINED)
    }

    /// What is chosen, or held.
    pub fn marked(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}
