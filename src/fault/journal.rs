//! The journal: on disk before a container is broken, struck when it is mended.
//!
//! Whoever survives — lbtest itself, its guardian, or `lbtest clean` later — reads it and knows what is still
//! broken. One JSON object a line; the first is the header. A torn last line (a crash while writing) is an
//! entry whose injection was never begun, because each line is synced before the injection.

use super::{Undo, failpoint};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// What the journal is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The run's id: the value of the label that everything it makes carries.
    pub run: String,
    /// The compose project.
    pub project: String,
    /// Process id of the lbtest that runs it.
    pub pid: u32,
    /// Everything of the project is to be removed in the end (not so with `--keep` and `--attach`).
    pub teardown: bool,
    /// Faults may touch a project that lbtest did not bring up.
    pub attached: bool,
}

/// One thing that may be broken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number in this journal.
    pub id: u64,
    /// The engine's id of the container.
    pub container: String,
    /// Its name, for people.
    pub name: String,
    /// What mends it.
    pub undo: Undo,
    /// How long the injection may still take effect when lbtest dies in the midst of it.
    #[serde(default)]
    pub lingers: Duration,
    /// A look has shown the effect, so that nothing of the injection is under way any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shown: bool,
    /// No look has shown the effect, so that none can show that it is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubted: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Header(Header),
    Broken(Box<Entry>),
    Shown(u64),
    Doubted(u64),
    Mended(u64),
}

/// A journal that could not be written or read; names the file.
#[derive(Debug, thiserror::Error)]
#[error("journal {}: {source}", path.display())]
pub struct JournalError {
    path: PathBuf,
    source: io::Error,
}

/// The open journal of a run.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    inner: Mutex<(File, u64)>,
}

impl Journal {
    /// Makes the journal of a run in `folder`, which is made where it is missing.
    ///
    /// # Errors
    /// Where the folder or file cannot be written.
    pub fn create(folder: &Path, header: &Header) -> Result<Self, JournalError> {
        let path = path_of(folder, &header.run);
        let open = || {
            std::fs::create_dir_all(folder)?;
            OpenOptions::new()
                .create_new(true)
                .append(true)
                // An undo may hold the password of a database.
                .mode(0o600)
                .open(&path)
        };
        let file = open().map_err(|source| JournalError {
            path: path.clone(),
            source,
        })?;
        let journal = Self {
            path,
            inner: Mutex::new((file, 0)),
        };
        if let Err(error) = journal.append(&Line::Header(header.clone())) {
            // A full disk takes the file and not its first line: nobody could read it.
            let _ = std::fs::remove_file(&journal.path);
            return Err(error);
        }
        Ok(journal)
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes down what is about to be broken, and returns when that is on disk.
    ///
    /// # Errors
    /// Where it cannot be written: then nothing may be broken.
    pub fn record(
        &self,
        container: &str,
        name: &str,
        undo: Undo,
        lingers: Duration,
    ) -> Result<u64, JournalError> {
        let id = {
            let mut inner = self
                .inner
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            inner.1 += 1;
            inner.1
        };
        self.append(&Line::Broken(Box::new(Entry {
            id,
            container: container.to_owned(),
            name: name.to_owned(),
            undo,
            lingers,
            shown: false,
            doubted: false,
        })))?;
        Ok(id)
    }

    /// Notes that a look has shown the effect of an entry's fault.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn shown(&self, id: u64) -> Result<(), JournalError> {
        self.append(&Line::Shown(id))
    }

    /// Notes that no look has shown the effect of an entry's fault.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn doubt(&self, id: u64) -> Result<(), JournalError> {
        self.append(&Line::Doubted(id))
    }

    /// Strikes an entry whose undo was seen to be done.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn strike(&self, id: u64) -> Result<(), JournalError> {
        self.append(&Line::Mended(id))
    }

    /// Removes the journal: everything is mended and taken down.
    ///
    /// # Errors
    /// Where the file cannot be removed.
    pub fn remove(&self) -> Result<(), JournalError> {
        failpoint::pass();
        std::fs::remove_file(&self.path).map_err(|source| JournalError {
            path: self.path.clone(),
            source,
        })?;
        failpoint::pass();
        Ok(())
    }

    fn append(&self, line: &Line) -> Result<(), JournalError> {
        let fail = |source| JournalError {
            path: self.path.clone(),
            source,
        };
        failpoint::pass();
        // Each line begins anew: what a write that failed half-way left behind spoils only itself.
        let mut text = vec![b'\n'];
        serde_json::to_writer(&mut text, line).map_err(|e| fail(e.into()))?;
        text.push(b'\n');
        let mut inner = self
            .inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        inner
            .0
            .write_all(&text)
            .and_then(|()| inner.0.sync_data())
            .map_err(fail)?;
        failpoint::pass();
        Ok(())
    }
}

/// Where the journal of a run lies.
#[must_use]
pub fn path_of(folder: &Path, run: &str) -> PathBuf {
    folder.join(format!("{run}.journal"))
}

/// What a journal says: its header and what is still broken, latest first (the order of mending).
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// The file.
    pub path: PathBuf,
    /// Its header.
    pub header: Header,
    /// What is not struck.
    pub entries: Vec<Entry>,
}

/// Reads a journal.
///
/// # Errors
/// Where the file cannot be read or has no header.
pub fn read(path: &Path) -> Result<Pending, JournalError> {
    let fail = |source| JournalError {
        path: path.to_owned(),
        source,
    };
    // A line cut within a character must not hide the lines before it.
    let text = std::fs::read(path).map_err(fail)?;
    let text = String::from_utf8_lossy(&text);
    let mut header = None;
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.lines().filter_map(|l| serde_json::from_str(l).ok()) {
        match line {
            Line::Header(h) => header = Some(h),
            Line::Broken(entry) => entries.insert(0, *entry),
            Line::Shown(id) => {
                let shown = entries.iter_mut().filter(|e| e.id == id);
                shown.for_each(|e| e.shown = true);
            }
            Line::Doubted(id) => {
                let doubted = entries.iter_mut().filter(|e| e.id == id);
                doubted.for_each(|e| e.doubted = true);
            }
            Line::Mended(id) => entries.retain(|e| e.id != id),
        }
    }
    let header = header.ok_or_else(|| {
        fail(io::Error::new(
            io::ErrorKind::InvalidData,
            "it has no header",
        ))
    })?;
    Ok(Pending {
        path: path.to_owned(),
        header,
        entries,
    })
}

impl JournalError {
    /// True where the file is a journal that its lbtest did not live to begin: nothing was made or broken.
    #[must_use]
    pub fn is_of_a_stillborn(&self) -> bool {
        self.source.kind() == io::ErrorKind::InvalidData
    }
}

/// Takes a journal for oneself to work it off: none where somebody else has worked it off and removed it. Waits while
/// somebody else (the guardian, `lbtest clean`, the next run) is at it. Two at once would not know of each other: the
/// slower one would take down what the faster one's next run has brought up. The kernel gives the lock back when the
/// file is closed, at the latest with the process.
///
/// # Errors
/// Where the file cannot be opened or locked.
pub fn claim(path: &Path) -> Result<Option<File>, JournalError> {
    let fail = |source| JournalError {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fail(e)),
    };
    let exclusive = rustix::fs::FlockOperation::LockExclusive;
    while let Err(errno) = rustix::fs::flock(&file, exclusive) {
        if errno != rustix::io::Errno::INTR {
            return Err(fail(errno.into()));
        }
    }
    // Who had it before may have removed it; no two runs have journals of one name.
    Ok(path.exists().then_some(file))
}

/// Every journal in a folder that can be read; an absent folder holds none.
#[must_use]
pub fn all(folder: &Path) -> Vec<Pending> {
    paths(folder).iter().filter_map(|p| read(p).ok()).collect()
}

/// Journals without a header: the file, and the run that it is named after.
#[must_use]
pub fn stillborn(folder: &Path) -> Vec<(PathBuf, String)> {
    let run = |path: PathBuf| {
        let run = path.file_stem()?.to_str()?.to_owned();
        let headless = read(&path).err()?.is_of_a_stillborn();
        headless.then_some((path, run))
    };
    paths(folder).into_iter().filter_map(run).collect()
}

fn paths(folder: &Path) -> Vec<PathBuf> {
    let Ok(files) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = files.flatten().map(|f| f.path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "journal"));
    paths.sort();
    paths
}

/// Where journals are kept: `$XDG_STATE_HOME/lbtest`, else `~/.local/state/lbtest`, else in the folder for
/// temporary files. Source: XDG Base Directory Specification 0.8.
#[must_use]
pub fn default_folder() -> PathBuf {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
    };
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .unwrap_or_else(std::env::temp_dir)
        .join("lbtest")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            run: "r1".into(),
            project: "p".into(),
            pid: 1,
            teardown: true,
            attached: false,
        }
    }

    #[test]
    fn what_is_struck_is_gone_and_the_rest_is_mended_latest_first() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::create(folder.path(), &header()).unwrap();
        let a = journal
            .record("id-a", "a", Undo::Start, Duration::ZERO)
            .unwrap();
        journal
            .record("id-b", "b", Undo::Unpause, Duration::ZERO)
            .unwrap();
        journal
            .record("id-c", "c", Undo::Start, Duration::ZERO)
            .unwrap();
        journal.strike(a).unwrap();
        let [pending] = &all(folder.path())[..] else {
            panic!("one journal")
        };
        assert_eq!(pending.header, header());
        assert_eq!(
            pending.entries.iter().map(|e| &*e.name).collect::<Vec<_>>(),
            ["c", "b"]
        );
        journal.remove().unwrap();
        assert!(all(folder.path()).is_empty());
    }

    #[test]
    fn a_journal_cut_at_any_byte_still_names_what_was_synced_before() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::create(folder.path(), &header()).unwrap();
        let head = std::fs::metadata(journal.path()).unwrap().len() as usize;
        journal
            .record("id-a", "a", Undo::Start, Duration::ZERO)
            .unwrap();
        let first = std::fs::metadata(journal.path()).unwrap().len() as usize;
        journal
            .record("id-b", "b", Undo::Start, Duration::ZERO)
            .unwrap();
        let whole = std::fs::read(journal.path()).unwrap();
        let cut_file = folder.path().join("cut");
        for cut in head..whole.len() {
            std::fs::write(&cut_file, &whole[..cut]).unwrap();
            let expected = usize::from(cut >= first - 1) + usize::from(cut >= whole.len() - 1);
            assert_eq!(
                read(&cut_file).unwrap().entries.len(),
                expected,
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_line_cut_within_a_character_hides_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::create(folder.path(), &header()).unwrap();
        journal
            .record("id-a", "a", Undo::Start, Duration::ZERO)
            .unwrap();
        let mut torn = std::fs::read(journal.path()).unwrap();
        torn.extend("{\"broken\":{\"name\":\"é".as_bytes());
        torn.pop();
        std::fs::write(journal.path(), torn).unwrap();
        assert_eq!(read(journal.path()).unwrap().entries.len(), 1);
    }

    #[test]
    fn a_journal_that_was_worked_off_while_one_waited_is_not_worked_off_again() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::create(folder.path(), &header()).unwrap();
        let mine = claim(journal.path()).unwrap().expect("it is there");
        let path = journal.path().to_owned();
        let other = std::thread::spawn(move || claim(&path).unwrap().is_some());
        journal.remove().unwrap();
        drop(mine);
        assert!(!other.join().unwrap());
    }

    #[test]
    fn two_runs_never_share_a_journal() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Journal::create(folder.path(), &header()).unwrap();
        assert!(Journal::create(folder.path(), &header()).is_err());
    }
}
