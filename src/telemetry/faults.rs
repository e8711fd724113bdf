//! Which faults are in effect, as the notices tell it.

use super::bounded::inert;
use crate::notice::{FaultState, FaultTick};
use std::collections::BTreeMap;

/// Faults by name and kind: whether they are in effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(BTreeMap<(String, String), bool>);

impl Faults {
    /// A tick tells of all of them.
    pub fn all(&mut self, faults: &[FaultTick]) {
        if faults.is_empty() {
            return;
        }
        self.0.clear();
        for fault in faults {
            let active = match fault.state {
                FaultState::Injected => true,
                FaultState::Planned | FaultState::Healed | FaultState::Failed => false,
            };
            // Two that look the same: in effect where either is.
            *self.entry(&fault.name, &fault.kind) |= active;
        }
    }

    /// A sentence tells of one, between two ticks: `name (kind): …` where it is injected, `name (kind, healed): …` once it
    /// is over. One that was not healed is in effect still.
    pub fn one(&mut self, name: &str, what: &str) {
        let about = what
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(" ("))
            .and_then(|rest| rest.split(')').next());
        if let Some(about) = about {
            let (kind, state) = about.split_once(", ").unwrap_or((about, ""));
            *self.entry(name, kind) = matches!(state, "" | "not healed");
        }
    }

    /// Name, kind, in effect.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        let faults = self.0.iter();
        faults.map(|((name, kind), active)| (&**name, &**kind, *active))
    }

    fn entry(&mut self, name: &str, kind: &str) -> &mut bool {
        self.0.entry((inert(name), inert(kind))).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(faults: &Faults) -> Vec<(&str, &str, bool)> {
        faults.iter().collect()
    }

    #[test]
    fn a_sentence_tells_whether_a_fault_is_in_effect() {
        let mut faults = Faults::default();
        for (what, active) in [
            ("db (main) dies (kill): db: not running", true),
            ("db (main) dies (kill, not healed): db: still down", true),
            ("db (main) dies (kill, healed): db: running", false),
            ("db (main) dies (kill): db: not running", true),
            ("db (main) dies (kill, over): db: restarted itself", false),
            ("something else", false),
        ] {
            faults.one("db (main) dies", what);
            assert_eq!(
                told(&faults),
                [("db (main) dies", "kill", active)],
                "{what}"
            );
        }
    }

    #[test]
    fn a_tick_that_knows_the_faults_is_believed_over_a_sentence() {
        let mut faults = Faults::default();
        let tick = |state| FaultTick {
            name: "stop".to_owned(),
            kind: "stop".to_owned(),
            state,
            ..FaultTick::default()
        };
        faults.one("stop", "stop (stop): app1: no effect seen");
        assert_eq!(told(&faults), [("stop", "stop", true)]);
        faults.all(&[tick(FaultState::Failed)]);
        assert_eq!(told(&faults), [("stop", "stop", false)]);
        faults.all(&[tick(FaultState::Injected)]);
        faults.all(&[]);
        assert_eq!(
            told(&faults),
            [("stop", "stop", true)],
            "a tick that knows nothing tells nothing"
        );
    }
}
