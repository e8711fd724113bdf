//! Mending after lbtest's death: what it had asked for goes on without it. A stop that was under way when it died takes
//! its effect after the first look has found nothing broken.

use super::Undo;
use super::conductor::heal_pending;
use super::journal::Entry;
use crate::engine::Engine;
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks at what may still break.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Heals everything that the journal of an lbtest that is dead says is broken, and looks until nothing that it had begun
/// can break it again. `ago`: how long it has been dead at most. Returns what could not be healed, in words.
pub async fn heal_after_death(
    engine: &dyn Engine,
    entries: &[Entry],
    ago: Duration,
) -> Vec<String> {
    let began = Instant::now();
    let mut under_way = Vec::new();
    for entry in entries.iter().filter(|e| !e.shown && ago < e.lingers) {
        if !is_over(engine, entry).await {
            under_way.push((entry, began + (entry.lingers - ago)));
        }
    }
    let mut left = heal_pending(engine, entries).await;
    let late = under_way
        .into_iter()
        .map(|(entry, until)| heal_late(engine, entry, until));
    left.extend(join_all(late).await.into_iter().flatten());
    left
}

/// Whether nothing of an injection can be under way any more, because all of its effect is there.
async fn is_over(engine: &dyn Engine, entry: &Entry) -> bool {
    match entry.undo {
        Undo::Start | Undo::Unpause | Undo::Stop | Undo::Limits(_) => {
            let seen = entry.undo.look(engine, &entry.container).await;
            matches!(seen, Ok(None))
        }
        // What a sidecar does ends with it.
        Undo::Sidecar { .. } => true,
        // Several calls, or one whose effect is not known.
        Undo::Connect(_)
        | Undo::Http { .. }
        | Undo::Exec { .. }
        | Undo::Command { .. }
        | Undo::Sql { .. } => false,
    }
}

async fn heal_late(engine: &dyn Engine, entry: &Entry, until: Instant) -> Vec<String> {
    let again = || heal_pending(engine, std::slice::from_ref(entry));
    match entry.undo {
        Undo::Start
        | Undo::Unpause
        | Undo::Stop
        | Undo::Limits(_)
        | Undo::Connect(_)
        | Undo::Sidecar { .. } => {
            while Instant::now() < until {
                tokio::time::sleep(LOOK_AGAIN).await;
                if let Ok(None) = entry.undo.look(engine, &entry.container).await {
                    return again().await;
                }
            }
            Vec::new()
        }
        // A look may show nothing: it is undone once more when nothing can come any more.
        Undo::Http { .. } | Undo::Exec { .. } | Undo::Command { .. } | Undo::Sql { .. } => {
            tokio::time::sleep_until(until).await;
            again().await
        }
    }
}
