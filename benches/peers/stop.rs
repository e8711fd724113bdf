//! Ctrl-C and SIGTERM: everything that was started is ended, and temporary folders are removed, before this program ends.

use crate::error::BenchError;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Knows whether this program was asked to end.
#[derive(Debug, Clone, Copy)]
pub struct Stop(());

impl Stop {
    /// Listens from now on, in a thread of its own.
    ///
    /// # Errors
    /// Where the signals cannot be listened to.
    pub fn listen() -> Result<Self, BenchError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let (mut interrupt, mut terminate) = {
            let _context = runtime.enter();
            (
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
            )
        };
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                ASKED.store(true, Ordering::Relaxed);
            });
        });
        Ok(Self(()))
    }

    /// # Errors
    /// Where this program was asked to end.
    pub fn check(self) -> Result<(), BenchError> {
        if ASKED.load(Ordering::Relaxed) {
            Err(BenchError::Interrupted)
        } else {
            Ok(())
        }
    }
}
