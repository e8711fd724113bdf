//! Where a test makes lbtest die: by SIGKILL, at the n-th step of a run: between two calls, or in the midst of one. In
//! builds with debug assertions only.

/// The number of the step at which to die, counted from 0.
pub const DIE_AT: &str = "LBTEST_TEST_DIE_AT";

/// One step is passed. Dies here where [`DIE_AT`] is its number.
#[cfg(debug_assertions)]
pub fn pass() {
    if deadly::reached() {
        deadly::die();
    }
}

/// One step is passed.
#[cfg(not(debug_assertions))]
pub fn pass() {}

/// A call is made. It is two steps: one just after the call was sent, one when it has had some time; in both what was
/// asked for is still done when lbtest is gone.
#[cfg(debug_assertions)]
pub async fn during<F: Future>(call: F) -> F::Output {
    let (soon, later) = (deadly::reached(), deadly::reached());
    if !soon && !later {
        return call.await;
    }
    let after = if soon { deadly::SOON } else { deadly::LATER };
    tokio::select! {
        biased;
        () = tokio::time::sleep(after) => {}
        _ = call => {}
    }
    deadly::die()
}

/// A call is made.
#[cfg(not(debug_assertions))]
pub async fn during<F: Future>(call: F) -> F::Output {
    call.await
}

#[cfg(debug_assertions)]
mod deadly {
    use rustix::process::{Signal, getpid, kill_process};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// The call is sent, and hardly anything is done of it.
    pub const SOON: Duration = Duration::from_millis(5);
    /// A container is made and not yet started, or stopped half-way.
    pub const LATER: Duration = Duration::from_millis(60);

    /// Counts a step; whether it is the one.
    pub fn reached() -> bool {
        static PASSED: AtomicU64 = AtomicU64::new(0);
        let step = PASSED.fetch_add(1, Ordering::SeqCst);
        std::env::var(super::DIE_AT).is_ok_and(|wanted| wanted == step.to_string())
    }

    pub fn die() -> ! {
        let _ = kill_process(getpid(), Signal::KILL);
        // The signal may take a moment to arrive: nothing happens after it.
        loop {
            std::thread::park();
        }
    }
}
