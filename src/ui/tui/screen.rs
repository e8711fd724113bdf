//! The terminal while it is ours: raw, on its other screen. Whoever ends lbtest, however it ends, gives it back with
//! [`leave`]; what is to be told to whoever looks at the first screen again waits until then.

use super::draw::draw;
use super::model::Model;
use crossterm::cursor::{Hide, Show};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use std::io::{self, BufWriter, Stderr, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// The terminal is raw and shows its other screen.
static OURS: AtomicBool = AtomicBool::new(false);
/// Held by whoever writes to it.
static WRITING: Mutex<()> = Mutex::new(());
/// What waits for the first screen.
static KEPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// So much of it is kept.
const MOST_KEPT: usize = 1 << 18;
/// Whoever leaves waits so long for what is being written: a panic in the midst of it would wait for itself.
const WRITTEN_WITHIN: Duration = Duration::from_millis(200);

/// The other screen of the terminal on stderr.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stderr>>>,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// It is none, or cannot be written to.
    pub fn open() -> io::Result<Self> {
        static HOOKED: Once = Once::new();
        HOOKED.call_once(leave_on_panic);
        enter()?;
        let out = CrosstermBackend::new(BufWriter::new(io::stderr()));
        let terminal = Terminal::new(out).inspect_err(|_| leave())?;
        Ok(Self { terminal })
    }

    /// Shows the view.
    ///
    /// # Errors
    /// It cannot be written to, or somebody has given it back: a panic elsewhere, to be read.
    pub fn show(&mut self, model: &Model) -> io::Result<()> {
        let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        if !OURS.load(Ordering::SeqCst) {
            return Err(io::Error::other("the terminal was given back"));
        }
        self.terminal.draw(|frame| draw(frame, model))?;
        Ok(())
    }

    /// Whatever is on the screen is not trusted any more.
    ///
    /// # Errors
    /// It cannot be written to.
    pub fn clear(&mut self) -> io::Result<()> {
        // Its `clear` asks the terminal where the cursor is, and the answer would go to whoever reads the keys.
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }

    /// Takes the terminal over again, after [`leave`].
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_again(&mut self) -> io::Result<()> {
        enter()?;
        self.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    OURS.store(true, Ordering::SeqCst);
    execute!(io::stderr(), EnterAlternateScreen, Hide).inspect_err(|_| leave())
}

/// Gives the terminal back as it was, with what was kept for it. Nothing where that is done already, or was never needed.
pub fn leave() {
    if !OURS.swap(false, Ordering::SeqCst) {
        return;
    }
    let _writing = patient_lock();
    // A terminal that is gone needs nothing.
    let _ = execute!(io::stderr(), LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
    let kept = std::mem::take(&mut *kept());
    let _ = io::stderr().lock().write_all(&kept);
}

fn patient_lock() -> Option<MutexGuard<'static, ()>> {
    let deadline = Instant::now() + WRITTEN_WITHIN;
    loop {
        match WRITING.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return None,
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn kept() -> MutexGuard<'static, Vec<u8>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a panic says is to be read.
fn leave_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        leave();
        before(panic);
    }));
}

/// Stderr for whoever does not know that there is a view: what is written while that has the terminal comes after it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside;

impl Write for Beside {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if !OURS.load(Ordering::SeqCst) {
            return io::stderr().lock().write(text);
        }
        let mut kept = kept();
        let room = MOST_KEPT.saturating_sub(kept.len()).min(text.len());
        kept.extend_from_slice(&text[..room]);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
