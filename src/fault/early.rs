//! Whether a fault lasted until its heal. Somebody may have removed or restarted its target meanwhile, or what held it
//! is gone: then what was measured is not what the scenario asked for, and the record says so.

use super::{Kind, Site};
use crate::engine::{ContainerState, EngineError};

/// What became of a fault, or of its target, before the heal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Early {
    /// The target is gone: nothing is left to heal.
    Removed,
    /// The fault was over, in words.
    Over(String),
}

/// A look just before the heal. None where the fault lasted, and where nobody can tell. `during`: the target's state
/// when the effect was seen; none where it was not.
pub async fn look(
    site: Site<'_>,
    kind: &dyn Kind,
    during: Option<&ContainerState>,
) -> Option<Early> {
    if !kind.hits_a_container() {
        return None;
    }
    let now = match site.engine.state(&site.target.id).await {
        Ok(now) => Some(now),
        Err(EngineError::NotFound(_)) => return Some(Early::Removed),
        // An engine that is away is asked again by the heal.
        Err(
            EngineError::Unreachable(_) | EngineError::Refused { .. } | EngineError::NotOurs(_),
        ) => None,
    };
    let over = kind.over_early(site, during?, now.as_ref()).await;
    over.map(Early::Over)
}

/// The target is not the process that the fault hit.
#[must_use]
pub fn restarted(during: &ContainerState, now: &ContainerState) -> Option<String> {
    let anew = now.started_at != during.started_at || (now.running && now.pid != during.pid);
    if anew && during.running {
        Some("it was restarted while the fault was on".to_owned())
    } else if anew {
        Some("it was started while the fault was on".to_owned())
    } else if during.running && !now.running {
        Some(format!("it ended while the fault was on ({})", now.ended()))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_told_from_an_end_and_from_nothing() {
        let up = ContainerState {
            running: true,
            pid: Some(7),
            started_at: Some("1".into()),
            ..ContainerState::default()
        };
        let anew = ContainerState {
            pid: Some(8),
            started_at: Some("2".into()),
            ..up.clone()
        };
        let down = ContainerState {
            running: false,
            pid: None,
            exit_code: Some(137),
            ..up.clone()
        };
        let said = |during, now| restarted(during, now).unwrap_or_default();
        assert!(said(&up, &anew).contains("was restarted"));
        assert!(said(&down, &anew).contains("was started"));
        assert!(said(&up, &down).contains("exit code 137"));
        assert_eq!(restarted(&up, &up), None);
        assert_eq!(restarted(&down, &down), None);
    }
}
