//! What lies over the view while something is asked for: help, a fault by hand, which fault to heal, whether to end the run.

use super::model::Model;
use crate::control::{Deed, DeedKind, Target};

/// What lies over the view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Popup {
    /// Nothing.
    #[default]
    None,
    /// The keys.
    Help,
    /// Which kind of fault: the line that is marked.
    Kind(usize),
    /// Whom it hits: the kind, and the line that is marked.
    Target(Choice, usize),
    /// Whether to do it.
    Confirm(Deed),
    /// Which fault to heal: the line that is marked.
    Heal(usize),
    /// Whether to end the run.
    End,
}

/// A kind of fault by hand, as it is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// `stop`
    Stop,
    /// `kill`
    Kill,
    /// `pause`
    Pause,
    /// `restart`
    Restart,
    /// `disconnect`
    Disconnect,
    /// `partition`
    Isolate,
    /// `delay`
    Delay,
    /// `loss`
    Loss,
    /// `reset_connections`
    ResetConnections,
    /// `cpu`
    Cpu,
    /// `external`
    Mark,
}

impl Choice {
    /// All, with the letter that chooses it, and in words.
    pub const ALL: [(Self, char, &'static str); 11] = [
        (Self::Stop, 's', "stop"),
        (Self::Kill, 'k', "kill (SIGKILL)"),
        (Self::Pause, 'p', "pause"),
        (Self::Restart, 'r', "restart"),
        (Self::Disconnect, 'd', "disconnect from a network"),
        (Self::Isolate, 'i', "isolate: no packet in or out"),
        (Self::Delay, 'y', "delay packets by 100 ms"),
        (Self::Loss, 'l', "lose 10 % of packets"),
        (Self::ResetConnections, 'x', "reset its connections"),
        (Self::Cpu, 'c', "limit it to 0.1 CPU"),
        (Self::Mark, 'm', "mark: something else breaks"),
    ];

    /// Everything that it can be done to, as a line to choose from and what it means.
    #[must_use]
    pub fn deeds(self, targets: &[Target]) -> Vec<(String, Deed)> {
        let each = |kind: DeedKind| {
            let deed = |t: &Target| {
                let target = Some(t.name.clone());
                let kind = kind.clone();
                (t.name.clone(), Deed { kind, target })
            };
            targets.iter().map(deed).collect()
        };
        match self {
            Self::Stop => each(DeedKind::Stop),
            Self::Kill => each(DeedKind::Kill),
            Self::Pause => each(DeedKind::Pause),
            Self::Restart => each(DeedKind::Restart),
            Self::Isolate => each(DeedKind::Isolate),
            Self::Delay => each(DeedKind::Delay),
            Self::Loss => each(DeedKind::Loss),
            Self::ResetConnections => each(DeedKind::ResetConnections),
            Self::Cpu => each(DeedKind::Cpu),
            Self::Disconnect => {
                let from = |t: &Target, network: &String| {
                    let kind = DeedKind::Disconnect(network.clone());
                    let target = Some(t.name.clone());
                    (format!("{} from {network}", t.name), Deed { kind, target })
                };
                let all = targets.iter();
                all.flat_map(|t| t.networks.iter().map(move |n| from(t, n)))
                    .collect()
            }
            Self::Mark => {
                let deed = Deed {
                    kind: DeedKind::Mark,
                    target: None,
                };
                vec![("now".to_owned(), deed)]
            }
        }
    }

    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        let found = Self::ALL.iter().find(|(choice, _, _)| *choice == self);
        found.map_or("", |(_, _, words)| words)
    }
}

/// A deed in words, for the question whether to do it.
#[must_use]
pub fn in_words(deed: &Deed) -> String {
    let (choice, network) = match &deed.kind {
        DeedKind::Stop => (Choice::Stop, None),
        DeedKind::Kill => (Choice::Kill, None),
        DeedKind::Pause => (Choice::Pause, None),
        DeedKind::Restart => (Choice::Restart, None),
        DeedKind::Disconnect(network) => (Choice::Disconnect, Some(network)),
        DeedKind::Isolate => (Choice::Isolate, None),
        DeedKind::Delay => (Choice::Delay, None),
        DeedKind::Loss => (Choice::Loss, None),
        DeedKind::ResetConnections => (Choice::ResetConnections, None),
        DeedKind::Cpu => (Choice::Cpu, None),
        DeedKind::Mark => (Choice::Mark, None),
    };
    match (&deed.target, network) {
        (Some(target), Some(network)) => format!("{target}: disconnect from {network}"),
        (Some(target), None) => format!("{target}: {}", choice.words()),
        (None, _) => choice.words().to_owned(),
    }
}

/// The lines to choose from; none where there is nothing to choose.
#[must_use]
pub fn lines(model: &Model) -> Vec<(char, String)> {
    match &model.popup {
        Popup::Kind(_) => Choice::ALL
            .iter()
            .map(|(_, key, words)| (*key, (*words).to_owned()))
            .collect(),
        Popup::Target(choice, _) => {
            let deeds = choice.deeds(&model.offer.targets);
            lettered(deeds.into_iter().map(|(words, _)| words))
        }
        Popup::Heal(_) => lettered(model.on().map(|(_, f)| f.name.clone())),
        Popup::None | Popup::Help | Popup::Confirm(_) | Popup::End => Vec::new(),
    }
}

fn lettered(lines: impl Iterator<Item = String>) -> Vec<(char, String)> {
    let letters = ('a'..='z').chain(std::iter::repeat(' '));
    letters.zip(lines).collect()
}
